"""The engine of bitnet-tui: one run from failing tests to a verified, minimal, recorded patch.

It knows no front end and no kernels; it reaches code under test only through child processes.
"""

__version__ = "0.1.0"
