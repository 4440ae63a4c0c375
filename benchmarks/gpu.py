"""Products on a CUDA device beside the memory bandwidth and bf16 cuBLAS of the same run; exit 5 where there is none.

Run: python benchmarks/gpu.py [--json] [--model FILE]

With a model it is decoding that is measured, with a float and an int8 head: benchmarks/decode.py makes one of random
weights in the user's cache.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from kernels.errors import NoDevice
from kernels.gpu import bench

YARDSTICKS = {"GB/s": "of the bandwidth", "TOPS": "of bf16 cuBLAS"}


def rows(model: Path | None) -> Iterator[bench.Row]:
    if model is None:
        yield from bench.measure()
    else:
        yield from (bench.decode(model, head) for head in ("f16", "int8"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    try:
        for row in rows(given.model):
            if given.json:
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
