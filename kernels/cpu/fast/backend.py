"""Exact integer products from machine code made for this CPU. Checks what the code takes for granted."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.cpu.fast.crew import Crew
from kernels.cpu.fast.lanes import VECTORS, padded, repack
from kernels.cpu.fast.memory import address
from kernels.errors import InputError
from kernels.formats.i2_s import BLOCK
from kernels.ternary import as_float32, quantize_activations

if TYPE_CHECKING:
    from kernels.cpu.fast.load import Code
    from kernels.cpu.fast.tiers import Tier
    from kernels.packed import PackedMatrix

PANEL = 2**18
"""Bytes of activations a pass over the matrix takes: about half an L2 cache."""


@dataclass(frozen=True, slots=True)
class _Lanes:
    """A repacked matrix, and what follows from its shape."""

    words: NDArray[np.uint32]
    address: int
    groups: int
    blocks: int
    panel: int
    """Tokens a pass takes."""

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

    def __init__(self, code: Code, tier: Tier, threads: int = 1) -> None:
        self.tier = tier
        self.threads = threads
        self._code = code
        self._height = VECTORS * tier.lanes
        self._crew = Crew(code, threads - 1)
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
        sums = np.empty((len(q), lanes.groups * self._height), np.int32)
        arrays = lanes.address, address(q), self._room(4 * lanes.panel), address(sums)
        self._crew.run(self._code.accumulate, lanes.groups, *arrays, len(q), lanes.panel, lanes.blocks, lanes.groups)
        return np.ascontiguousarray(sums[:, :rows])

    def multiply(self, matrix: PackedMatrix, x: ArrayLike) -> NDArray[np.float32]:
        """(M, K) packed weights, (B, K) floats → (B, M) float32: all steps of `kernels.matmul` at once."""
        rows, cols = matrix.shape
        x = np.ascontiguousarray(as_float32(x, "activations"))
        batch, width = x.shape
        if width != cols:
            raise InputError(f"activations have the shape {x.shape}; the matrix takes (B, {cols})")
        lanes = self._lanes(matrix)
        y = np.empty(batch * lanes.groups * self._height, np.float32)
        arrays = lanes.address, address(x), self._room(lanes.room), address(y)
        sizes = batch, lanes.panel, lanes.blocks, lanes.groups, rows, cols
        done: int = self._crew.run(self._code.multiply, lanes.groups, *arrays, *sizes, matrix.scale)
        if done < batch:
            quantize_activations(x)  # says which is not finite
        return y[: batch * rows].reshape(batch, rows)

    def _lanes(self, matrix: PackedMatrix) -> _Lanes:
        """The matrix repacked; held by the caller as long as its code runs."""
        kept = self._repacked.get(matrix)
        if kept is None:
            words, width = repack(matrix, self.tier.lanes), padded(matrix.shape[1])
            panel = max(self.tier.tile, PANEL // max(1, width))
            kept = _Lanes(words, words.ctypes.data, len(words), width // BLOCK, panel, panel * (width + 8))
            self._repacked[matrix] = kept
        return kept

    def _room(self, size: int) -> int:
        """The address of so many bytes that are this thread's until its next call."""
        room: tuple[NDArray[np.uint8], int] | None = getattr(self._mine, "room", None)
        if room is None or len(room[0]) < size:
            array = np.empty(size, np.uint8)
            room = self._mine.room = array, array.ctypes.data
        return room[1]
