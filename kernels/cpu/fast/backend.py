"""Exact integer products from machine code made for this CPU. Checks what the code takes for granted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.cpu.fast.crew import Crew
from kernels.cpu.fast.lanes import VECTORS, padded, repack
from kernels.cpu.fast.memory import address, short_lived
from kernels.errors import InputError
from kernels.formats.i2_s import BLOCK
from kernels.product import LEAST, could_overflow, refuse_overflow
from kernels.ternary import as_float32, quantize_activations

if TYPE_CHECKING:
    from kernels.cpu.fast.load import Code
    from kernels.cpu.fast.tiers import Tier
    from kernels.packed import PackedMatrix

FLOAT32 = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class _Lanes:
    """A repacked matrix, and what follows from its shape."""

    words: NDArray[np.uint32]
    address: int
    scale: float
    groups: int
    width: int
    """Rows, filled up to whole groups."""

    blocks: int
    panel: int
    """Tokens a pass takes."""

    large: bool
    """Whether float32 may not hold a product, whatever the activations."""

    room: int
    """Bytes for their activations, scales and biases."""


class FastBackend:
    """Repacks a matrix the first time it is used, and keeps that as long as the matrix lives.

    Parameters
    ----------
    code : the functions of a tier.
    threads : how many compute a product, the caller's own among them.
    """

    name = "fast"
    recording = False

    def __init__(self, code: Code, tier: Tier, threads: int = 1) -> None:
        self.tier = tier
        self.threads = threads
        self._height = VECTORS * tier.lanes
        crew = Crew(code, threads - 1)
        self.crew = crew
        self.run = crew.run
        self.ranges = crew.most_ranges
        self._repacked: WeakKeyDictionary[PackedMatrix, _Lanes] = WeakKeyDictionary()
        self._mine = threading.local()

    def accumulate(self, matrix: PackedMatrix, q: NDArray[np.int8]) -> NDArray[np.int32]:
        """(M, K) packed weights, (B, K) contiguous int8 → (B, M) int32."""
        rows, cols = matrix.shape
        if q.dtype != np.int8 or q.shape[1:] != (cols,) or not q.flags.c_contiguous:
            raise InputError(f"activations are {q.dtype} of shape {q.shape}; want contiguous int8 (B, {cols})")
        if cols % BLOCK:
            q = np.pad(q, ((0, 0), (0, padded(cols) - cols)))
        lanes = self._lanes(matrix)
        sums = short_lived((len(q), lanes.width), np.int32)
        sizes = len(q), lanes.panel, lanes.blocks
        table = lanes.address, address(sums), lanes.groups, 1.0
        self.run("accumulate", lanes.groups, address(q), self.room(lanes.room), *sizes, *table, matrices=1)
        return np.ascontiguousarray(sums[:, :rows])

    def multiply(self, matrix: PackedMatrix, x: ArrayLike) -> NDArray[np.float32]:
        """(M, K) packed weights, (B, K) floats → (B, M) float32: all steps of `kernels.matmul` at once."""
        if type(x) is not np.ndarray or x.dtype is not FLOAT32 or x.ndim != 2 or not x.flags.c_contiguous:
            x = np.ascontiguousarray(as_float32(x, "activations"))
        (batch, cols), (rows, expected) = x.shape, matrix.shape
        if cols != expected:
            raise InputError(f"activations have the shape {x.shape}; the matrix takes (B, {expected})")
        lanes = self._lanes(matrix)
        y = self.new((batch, lanes.width))
        groups, sizes = lanes.groups, (batch, lanes.panel, lanes.blocks, cols, 1)
        table = lanes.address, address(y), groups, lanes.scale
        done = self.run("multiply", groups, address(x), self.room(lanes.room), *sizes, *table, matrices=1)
        if done < batch:
            quantize_activations(x)  # says which is not finite
        whole = y if lanes.width == rows else np.ascontiguousarray(y[:, :rows])
        return refuse_overflow(whole) if done > batch or lanes.large else whole

    def multiply_all(self, matrices: Sequence[PackedMatrix], x: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """The same for some matrices of as many columns as contiguous x has; x is quantized once."""
        if not matrices:
            return ()
        batch, cols = x.shape
        several = [self._lanes(matrix) for matrix in matrices]
        y = [self.new((batch, lanes.width)) for lanes in several]
        table: list[float] = []
        for lanes, values in zip(several, y, strict=True):
            table += lanes.address, address(values), lanes.groups, lanes.scale
        first, groups = several[0], sum(lanes.groups for lanes in several)
        sizes = batch, first.panel, first.blocks, cols, len(several)
        done = self.run("multiply", groups, address(x), self.room(first.room), *sizes, *table, matrices=len(several))
        if done < batch:
            quantize_activations(x)  # says which is not finite
        return tuple(
            values if values.shape[1] == matrix.shape[0] else np.ascontiguousarray(values[:, : matrix.shape[0]])
            for matrix, values in zip(matrices, y, strict=True)
        )

    def new(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """An array for results; on a cache line, where many tokens make that worth its time."""
        return short_lived(shape, np.float32) if shape[0] > 1 else np.empty(shape, np.float32)

    def hold(self, array: object) -> None:
        """An array that is written: nothing to do, where its address is forgotten at once."""

    def prepare(self, matrix: PackedMatrix) -> None:
        """Repack a matrix now, not at its first product."""
        self._lanes(matrix)

    def _lanes(self, matrix: PackedMatrix) -> _Lanes:
        """The matrix repacked; held by the caller as long as its code runs."""
        kept = self._repacked.get(matrix)
        if kept is None:
            words, width = repack(matrix, self.tier.lanes), padded(matrix.shape[1])
            panel, groups = self.tier.tokens(width), len(words)
            kept = _Lanes(
                words, words.ctypes.data, float(matrix.scale), groups=groups, width=groups * self._height,
                blocks=width // BLOCK, panel=panel, room=panel * (width + 8),
                large=could_overflow(width, np.array([LEAST], np.float32), float(matrix.scale)),
            )  # fmt: skip
            self._repacked[matrix] = kept
        return kept

    def room(self, size: int) -> int:
        """The address of so many bytes that are this thread's until its next call."""
        room: tuple[NDArray[np.uint8], int] | None = getattr(self._mine, "room", None)
        if room is None or len(room[0]) < size:
            array = short_lived((size,), np.uint8)
            room = self._mine.room = array, array.ctypes.data
        return room[1]
