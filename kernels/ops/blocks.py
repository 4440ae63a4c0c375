"""Products as ggml's TQ types make them: activations rounded by blocks of 256, not by rows. For comparison only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kernels.errors import InputError
from kernels.ops import Floats
from kernels.ops.plain import PlainOps

if TYPE_CHECKING:
    from kernels.packed import PackedMatrix

BLOCK = 256


class BlockOps(PlainOps):
    """`PlainOps` with ggml's Q8_K: a block's largest number, by magnitude, becomes -127, whatever its sign."""

    def linears(self, x: Floats, matrices: Sequence[PackedMatrix]) -> tuple[Floats, ...]:
        """(T, K) and matrices of (M_i, K) → (T, M_i), K in multiples of 256."""
        if x.shape[1] % BLOCK:
            raise InputError(f"{x.shape[1]} columns; blocks of {BLOCK} do not fill them")
        blocks = x.reshape(len(x), -1, BLOCK)
        largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., np.newaxis], axis=-1)
        with np.errstate(divide="ignore"):
            factor = np.where(largest == 0, np.float32(0), np.float32(-127) / largest)
            step = np.where(largest == 0, np.float32(0), np.float32(1) / factor)  # (T, blocks, 1)
        q = np.minimum(127, np.rint(blocks * factor))
        return tuple(self._product(q, step[..., 0], matrix) for matrix in matrices)

    def _product(self, q: Floats, step: Floats, matrix: PackedMatrix) -> Floats:
        ternary = matrix.unpack().reshape(matrix.shape[0], -1, BLOCK).astype(np.float32)
        total = np.zeros((len(q), matrix.shape[0]), np.float32)
        for block in range(q.shape[1]):
            sums = q[:, block] @ ternary[:, block].T  # exact: below 2**24
            total += sums * (step[:, block, np.newaxis] * matrix.scale)
        return total
