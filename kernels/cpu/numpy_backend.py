"""Exact integer products in NumPy, by float32 matrix products that cannot round.

A byte of i2_s holds four codes at the bits 7:6, 5:4, 3:2 and 1:0. Masking one of them out without
shifting leaves ``code · 4**i``; the activations it meets are multiplied by ``4**-i`` beforehand. Every
product is then the integer ``code · q`` and every sum of them an integer, which float32 holds exactly
up to 2**24. With at most 2 · 128 a column, 2**15 columns at a time stay below; wider rows are summed in
int32. At the end ``Σ code · q − Σ q`` is ``Σ t · q``, as a code is one more than its weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels.formats.i2_s import BLOCK, SHIFTS, STRIDE

if TYPE_CHECKING:
    from kernels.packed import PackedMatrix

EXACT_COLS = 2**15
"""Columns whose products float32 can sum in any order without rounding."""

TILE = 2**18
"""Bytes decoded at a time: a megabyte as float32, about an L2 cache; smaller tiles measured slower."""


class NumpyBackend:
    """Decodes a tile of rows at a time, never the whole matrix."""

    name = "numpy"

    def accumulate(self, matrix: PackedMatrix, q: NDArray[np.int8]) -> NDArray[np.int32]:
        """(M, K) packed weights, (B, K) int8 → (B, M) int32."""
        body = matrix.codes  # (M, K / 4), K filled up to whole blocks
        rows, cols = len(body), 4 * body.shape[1]
        if q.shape[1] < cols:
            q = np.pad(q, ((0, 0), (0, cols - q.shape[1])))  # the zeros count for nothing in either sum
        sums = np.empty((rows, len(q)), np.int32)
        sums[:] = -q.sum(axis=1, dtype=np.int32)  # (B,)
        for start in range(0, cols, EXACT_COLS):
            stop = min(start + EXACT_COLS, cols)
            _add_products(sums, body[:, start // 4 : stop // 4], q[:, start:stop])
        return np.ascontiguousarray(sums.T)


def _add_products(sums: NDArray[np.int32], body: NDArray[np.uint8], q: NDArray[np.int8]) -> None:
    """Add ``code · q`` of these columns: body (M, C / 4), q (B, C), into sums (M, B)."""
    fields = list(_fields(q))
    rows, width = body.shape
    step = max(1, TILE // width)
    for top in range(0, rows, step):
        tile = body[top : top + step]  # (step, C / 4)
        masked, floats = np.empty_like(tile), np.empty(tile.shape, np.float32)
        products = np.zeros((len(tile), len(q)), np.float32)
        for mask, scaled in fields:
            np.bitwise_and(tile, mask, out=masked)
            np.copyto(floats, masked)
            products += floats @ scaled
        sums[top : top + step] += products.astype(np.int32)


def _fields(q: NDArray[np.int8]) -> Iterator[tuple[np.uint8, NDArray[np.float32]]]:
    """For each field of a byte its mask and the activations it meets, (C / 4, B), in the bytes' order."""
    blocks = q.reshape(len(q), -1, 4, STRIDE)  # (B, blocks, 4, 32)
    assert blocks.shape[1] * BLOCK == q.shape[1]
    for field, shift in enumerate(SHIFTS):
        met = blocks[:, :, field].reshape(len(q), -1).T.astype(np.float32)  # (C / 4, B)
        yield np.uint8(3 << shift), np.ascontiguousarray(met * np.float32(0.5**shift))
