"""Products on a CUDA device beside the memory bandwidth and bf16 cuBLAS of the same run; exit 5 where there is none.

Run: python benchmarks/gpu.py [--json]
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from kernels.errors import NoDevice
from kernels.gpu import bench

YARDSTICKS = {"GB/s": "of the bandwidth", "TOPS": "of bf16 cuBLAS"}


def main() -> int:
    as_json = "--json" in sys.argv[1:]
    try:
        for row in bench.measure():
            if as_json:
                print(json.dumps(asdict(row) | {"share": row.share}), flush=True)
                continue
            share = f"{row.share:.2f} {YARDSTICKS[row.unit]}" if row.share else "(no yardstick)"
            took = f"{row.us:8.2f} us ±{row.spread / 2:4.0%}"
            shape = f"{row.shape[0]} x {row.shape[1]}"
            print(
                f"{shape:11} batch {row.batch:3}  {row.what:25} {took} {row.value:7.1f} {row.unit}  {share}", flush=True
            )
    except NoDevice as error:
        print(f"no device: {error.reason}; nothing was measured", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
