"""Time products: right first, then warm, then many times, with the machine's own speed beside every round."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kernels.backend import Backend
from kernels.errors import BackendError
from kernels.formats.i2_s import I2S, TAIL
from kernels.packed import PackedMatrix
from kernels.product import matmul

if TYPE_CHECKING:
    from kernels.bench.probes import Probes  # which loads llvmlite


def _cold_bytes() -> int:
    """More than the largest cache of this machine, if it says how large that is; and not more than memory bears."""
    said = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    largest = max((int(size[:-1]) * 2**10 for size in said if size[-1:] == "K" and size[:-1].isdecimal()), default=0)
    return min(max(160 * 2**20, largest * 5 // 4), 2**30)


COLD_BYTES = _cold_bytes()
"""Weights cycled through where they shall come from memory."""

LEAST_S = 0.02
"""Seconds of products in a round."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Products of one kind, and what the machine could do between them."""

    rows: int
    cols: int
    batch: int
    threads: int
    cold: bool
    calls: int
    median_us: float
    p10_us: float
    p90_us: float
    packed_gb_s: float
    giga_macs_s: float
    machine: dict[str, float]
    """By probe its median rate: ``read`` in GB/s, ``multiply`` and ``multiply_best`` in GMAC/s."""

    @property
    def shares(self) -> dict[str, float]:
        """Medians beside medians: what the products did of what the machine could."""
        return {
            name: (self.packed_gb_s if name == "read" else self.giga_macs_s) / rate
            for name, rate in self.machine.items()
        }

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"shares": self.shares}


def ternary(rows: int, cols: int) -> NDArray[np.int8]:
    """Weights to time with."""
    return np.random.default_rng([rows, cols]).integers(-1, 2, (rows, cols)).astype(np.int8)


def check(backend: Backend, rows: int, cols: int, batches: list[int]) -> None:
    """Refuse to time what is wrong."""
    for batch in batches:
        if fault(backend, rows, cols, batch):
            raise BackendError(
                f"{backend.name} computes wrong sums for {(rows, cols)} and {batch} tokens; nothing is timed"
            )


def fault(backend: Backend, rows: int, cols: int, batch: int) -> str:
    """How sums are wrong, for random activations and the largest there are; empty if they are right."""
    q = np.random.default_rng(batch).integers(-128, 128, (batch, cols)).astype(np.int8)
    tried = [(ternary(rows, cols), q)]
    for weight, value in ((1, 127), (1, -128), (-1, 127), (-1, -128)):
        tried.append((np.full((33, cols), weight, np.int8), np.full((3, cols), value, np.int8)))
    return next((said for said in (_fault(backend, *each) for each in tried) if said), "")


def _fault(backend: Backend, weights: NDArray[np.int8], q: NDArray[np.int8]) -> str:
    matrix = PackedMatrix(I2S().pack(weights, 1.0), (weights.shape[0], weights.shape[1]))
    expected = q.astype(np.float64) @ weights.T.astype(np.float64)  # exact: far below 2**53
    off = np.abs(backend.accumulate(matrix, q) - expected)
    return f"max |Δ| {off.max():.0f}, {np.count_nonzero(off)} of {off.size} sums" if off.any() else ""


def time(
    backend: Backend, rows: int, cols: int, batch: int, threads: int, cold: bool, probes: Probes | None, rounds: int
) -> Timing:
    """Time whole calls of `kernels.matmul` on floats.

    Parameters
    ----------
    cold : cycle through copies of the weights, `COLD_BYTES` together.
    probes : measured between the rounds, and with cold weights between the products. None: not known.
    """
    packed = I2S().pack(ternary(rows, cols), 1.0)
    copies = -(-COLD_BYTES // packed.nbytes) if cold else 1
    matrices = [PackedMatrix(packed, (rows, cols)) for _ in range(copies)]
    x = np.random.default_rng(0).normal(size=(batch, cols)).astype(np.float32)
    first = [_seconds(backend, matrix, x) for matrix in matrices * 2]  # repacks, wakes, warms
    repeats = max(1, round(LEAST_S / (float(np.median(first[copies:])) * copies)))
    work, size = rows * cols * batch, packed.nbytes - TAIL
    seconds: list[float] = []
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        _look(probes, rates, None if cold and threads == 1 else size)
        for matrix in matrices * repeats:
            seconds.append(_seconds(backend, matrix, x))
            if cold and probes is not None and threads == 1:  # as long as the product, beside every one
                rates.setdefault("read", []).append(probes.read(size) / 1e9)
    low, middle, high = (float(value) for value in np.percentile(seconds, [10, 50, 90]))
    machine = {name: float(np.median(found)) for name, found in rates.items()}
    return Timing(
        rows, cols, batch, threads, cold, len(seconds), middle * 1e6, low * 1e6, high * 1e6,
        size / middle / 1e9, work / middle / 1e9, machine,
    )  # fmt: skip


def _seconds(backend: Backend, matrix: PackedMatrix, x: NDArray[np.float32]) -> float:
    started = perf_counter()
    matmul(matrix, x, backend=backend)
    return perf_counter() - started


def _look(probes: Probes | None, rates: dict[str, list[float]], read: int | None) -> None:
    """Add what the machine can do now, in 10**9 a second."""
    if probes is None:
        return
    if read is not None:
        rates.setdefault("read", []).append(probes.read(read) / 1e9)
    rates.setdefault("multiply", []).append(probes.multiply() / 1e9)
    if probes.multiply_best is not None:
        rates.setdefault("multiply_best", []).append(probes.multiply_best() / 1e9)
