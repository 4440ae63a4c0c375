"""Spread candidates over a Dask cluster: the same verdicts in the same order as on this machine alone.

Nothing of this is imported unless `[repair] scheduler` names a cluster.
"""
