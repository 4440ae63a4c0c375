"""A Dask cluster on this machine in a process of its own: says its address, and ends with its standard input.

Run: python -m engine.providers.repair.spread.embedded WORKERS. Its environment is chosen by whoever starts it, because
a worker's environment can be read by what runs beside it.
"""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    distributed = importlib.import_module("distributed")
    cluster = distributed.LocalCluster(
        n_workers=int(sys.argv[1]),
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=None,
        silence_logs=50,
    )
    sys.stdout.write(f"{cluster.scheduler_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    cluster.close(timeout=3)


if __name__ == "__main__":
    main()
