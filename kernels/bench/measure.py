"""Time products: right first, then warm, then many times, with the machine's own speed beside every round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.backend import Backend
from kernels.bench.probes import Probes
from kernels.errors import BackendError
from kernels.formats.i2_s import I2S, TAIL
from kernels.packed import PackedMatrix
from kernels.product import matmul

COLD_BYTES = 160 * 2**20
"""Weights cycled through where they shall come from memory: several times a last-level cache."""

LEAST_S = 0.02
"""Seconds of products in a round."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Products of one kind; times in µs, rates a second, shares of what the machine could do in the same rounds."""

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
    share_of_read: float | None
    share_of_peak: float | None
    share_of_narrow_peak: float | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def ternary(rows: int, cols: int) -> NDArray[np.int8]:
    """Weights to time with."""
    return np.random.default_rng([rows, cols]).integers(-1, 2, (rows, cols)).astype(np.int8)


def check(backend: Backend, rows: int, cols: int, batches: list[int]) -> None:
    """Refuse to time what is wrong: random activations, and the largest there are."""
    weights = ternary(rows, cols)
    for batch in batches:
        q = np.random.default_rng(batch).integers(-128, 128, (batch, cols)).astype(np.int8)
        _check(backend, weights, q)
    for weight, value in ((1, 127), (1, -128), (-1, 127), (-1, -128)):
        _check(backend, np.full((33, cols), weight, np.int8), np.full((3, cols), value, np.int8))


def _check(backend: Backend, weights: NDArray[np.int8], q: NDArray[np.int8]) -> None:
    matrix = PackedMatrix(I2S().pack(weights, 1.0), (weights.shape[0], weights.shape[1]))
    expected = q.astype(np.float64) @ weights.T.astype(np.float64)  # exact: far below 2**53
    if not (backend.accumulate(matrix, q) == expected).all():
        raise BackendError(
            f"{backend.name} computes wrong sums for {weights.shape} and {len(q)} tokens; nothing is timed"
        )


def time(
    backend: Backend, rows: int, cols: int, batch: int, threads: int, cold: bool, probes: Probes | None, rounds: int
) -> Timing:
    """Time whole calls of `kernels.matmul` on floats.

    Parameters
    ----------
    cold : cycle through copies of the weights, `COLD_BYTES` together.
    probes : measured before and after every round; the share is that of the round. None: shares are not known.
    """
    packed = I2S().pack(ternary(rows, cols), 1.0)
    copies = -(-COLD_BYTES // packed.nbytes) if cold else 1
    matrices = [PackedMatrix(packed, (rows, cols)) for _ in range(copies)]
    x = np.random.default_rng(0).normal(size=(batch, cols)).astype(np.float32)
    first = [_seconds(backend, matrix, x) for matrix in matrices * 2]  # repacks, wakes, warms
    repeats = max(1, round(LEAST_S / (float(np.median(first[copies:])) * copies)))
    work, size = rows * cols * batch, packed.nbytes - TAIL
    seconds: list[float] = []
    shares: dict[str, list[float]] = {"read": [], "multiply": [], "multiply_narrow": []}
    for _ in range(rounds):
        before = _rates(probes)
        taken = [_seconds(backend, matrix, x) for _ in range(repeats) for matrix in matrices]
        seconds += taken
        typical = float(np.median(taken))
        for name, after in _rates(probes).items():
            rate = max(before[name], after)
            shares[name].append((size if name == "read" else work) / typical / rate)
    low, middle, high = (float(value) for value in np.percentile(seconds, [10, 50, 90]))
    found = {name: float(np.median(values)) if values else None for name, values in shares.items()}
    return Timing(
        rows, cols, batch, threads, cold, len(seconds), middle * 1e6, low * 1e6, high * 1e6,
        size / middle / 1e9, work / middle / 1e9, found["read"], found["multiply"], found["multiply_narrow"],
    )  # fmt: skip


def _seconds(backend: Backend, matrix: PackedMatrix, x: NDArray[np.float32]) -> float:
    started = perf_counter()
    matmul(matrix, x, backend=backend)
    return perf_counter() - started


def _rates(probes: Probes | None) -> dict[str, float]:
    if probes is None:
        return {}
    asked: dict[str, Callable[[], float] | None] = {
        "read": probes.read,
        "multiply": probes.multiply,
        "multiply_narrow": probes.multiply_narrow,
    }
    return {name: probe() for name, probe in asked.items() if probe is not None}
