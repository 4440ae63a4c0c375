"""The arithmetic of a forward pass, at the shape of a model of two billion weights, beside the machine's reading speed.

Run: python benchmarks/ops.py [--threads 1,2] [--rounds 9] [--rows 128256] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from time import perf_counter

import numpy as np

from kernels import PackedMatrix, select_backend
from kernels.bench.measure import COLD_BYTES, ternary
from kernels.bench.probes import Probes, probes
from kernels.formats.i2_s import I2S
from kernels.ops import Ops, select
from kernels.ops.head import Head

WIDTH, INNER, HEADS, SERVED, SIZE, POSITIONS = 2560, 6912, 20, 5, 128, 512
LEAST_S = 0.002
"""Seconds of calls in a round."""


@dataclass(frozen=True, slots=True)
class Row:
    """One operation with some threads: the medians of its rounds."""

    what: str
    threads: int
    us: float
    spread: float
    """Half the distance between the tenth and the ninetieth in a hundred rounds, of the median."""

    gb_s: float | None = None
    read_gb_s: float | None = None


def calls(ops: Ops, rows: int) -> Iterator[tuple[str, Callable[[], object], int]]:
    """Name, call, and the bytes it cannot do without reading from memory."""
    random = np.random.default_rng(0)

    def some(*shape: int) -> np.ndarray:
        return random.standard_normal(shape, np.float32)

    head = Head(np.resize(some(1024, WIDTH).astype(np.float16), (rows, WIDTH)))
    x, many, gate, kv = some(1, WIDTH), some(128, WIDTH), some(1, INNER), some(2, POSITIONS, SERVED, SIZE)
    for name, stored in (("float16", head), ("int8", head.to_int8())):
        yield f"dense, {name}", lambda stored=stored: ops.dense(x, stored), stored.nbytes
        part = Head(stored.weights[:4096], None if stored.scale is None else stored.scale[:4096])
        yield f"dense, {name}, 4096 rows, 128 tokens", lambda part=part: ops.dense(many, part), 0
    yield "rms_norm", lambda: ops.rms_norm(x, x[0], 1e-5), 0
    q, angles = some(1, HEADS, SIZE), some(1, SIZE // 2)
    yield "rope", lambda: ops.rope(q, angles, angles), 0
    yield "add", lambda: ops.add(x, x), 0
    for kind in ("relu2", "silu"):
        yield f"gate, {kind}", lambda kind=kind: ops.gate(gate, gate, kind), 0
    qs = some(128, HEADS, SIZE)
    for position in (0, POSITIONS - 1):
        for cache in (kv, kv.astype(np.float16)):
            what = f"attention, {cache.dtype}, position {position}"
            yield what, lambda at=position, cache=cache: ops.attention(q, *cache, at, 0.09), 0
    yield "attention, 128 tokens", lambda: ops.attention(qs, *kv, 0, 0.09), 0
    shapes = [(HEADS * SIZE, WIDTH), (SERVED * SIZE, WIDTH), (SERVED * SIZE, WIDTH)]
    matrices = [PackedMatrix(I2S().pack(ternary(*shape), 1.0), shape) for shape in shapes]
    yield "linears, q k v", lambda: ops.linears(x, matrices), 0
    yield "linears, q k v, 128 tokens", lambda: ops.linears(many, matrices), 0


def measure(threads: int, rounds: int, rows: int) -> Iterator[Row]:
    """Every operation, its rounds between looks at the machine."""
    backend = select_backend("fast", threads=threads)
    with probes(backend.tier, threads, COLD_BYTES) as machine:  # type: ignore[attr-defined]
        for what, call, size in calls(select(backend), rows):
            yield _row(what, threads, rounds, call, size, machine)


def _row(what: str, threads: int, rounds: int, call: Callable[[], object], size: int, machine: Probes) -> Row:
    call()
    once = _seconds(call, 3)
    repeats = max(1, round(LEAST_S / once))
    reads, seconds = [], []
    for _ in range(rounds):
        if size:
            reads.append(machine.read(COLD_BYTES) / 1e9)
        seconds.append(_seconds(call, repeats))
    low, middle, high = np.percentile(seconds, [10, 50, 90])
    rates = (float(size / middle / 1e9), float(np.median(reads))) if size else (None, None)
    return Row(what, threads, float(middle * 1e6), float((high - low) / 2 / middle), *rates)


def _seconds(call: Callable[[], object], repeats: int) -> float:
    started = perf_counter()
    for _ in range(repeats):
        call()
    return (perf_counter() - started) / repeats


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--rows", type=int, default=128256, help="of the head; with less memory, less")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    asked = parser.parse_args()
    for threads in map(int, asked.threads.split(",")):
        for row in measure(threads, asked.rounds, asked.rows):
            if asked.json:
                print(json.dumps(asdict(row)), flush=True)
                continue
            rate = (
                f"{row.gb_s:6.1f} GB/s of {row.read_gb_s:.1f} read: {row.gb_s / row.read_gb_s:.2f}" if row.gb_s else ""
            )
            print(f"{row.threads} thr  {row.what:38} {row.us:10.1f} us ±{row.spread:4.0%}  {rate}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
