"""The layout the machine code reads: "lanes are rows".

A block of i2_s is 32 bytes; four bytes that begin at a multiple of four are a word, and a field of it holds four
neighbours of one row. The words of 2 L rows, L being the 32-bit lanes of a vector, are transposed::

    i2_s   row 0:  word 0, word 1, …                 here   word 0 of row 0, of row 1, … of row 2 L - 1,
           row 1:  word 0, word 1, …                        word 1 of row 0, …

so that a vector is a word from each of L rows, and a matrix one stream from end to end. Rows are filled up to a
multiple of 2 L and columns to one of 128, with zero weights. The copy takes as many bytes as the i2_s codes, made once
a matrix and kept as long as it lives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.fast.memory import aligned
from kernels.formats.i2_s import BLOCK, STRIDE
from kernels.packed import i2s_codes

if TYPE_CHECKING:
    from kernels.packed import PackedMatrix

VECTORS = 2
"""Vectors of rows in a group: they share what is loaded of the activations."""

WORDS = STRIDE // 4
"""Words of a row in a block."""


def padded(cols: int) -> int:
    """Columns in whole blocks."""
    return -(-cols // BLOCK) * BLOCK


def repack(matrix: PackedMatrix, lanes: int) -> NDArray[np.uint32]:
    """A matrix in any format → (groups, K / 16, 2 L) words, aligned to a cache line.

    Examples
    --------
    >>> from kernels import PackedMatrix
    >>> repack(PackedMatrix.from_float(np.ones((5, 256))), lanes=4).shape
    (1, 16, 8)
    """
    rows = matrix.shape[0]
    words = i2s_codes(matrix).view(np.uint32)  # (M, K / 16)
    height = VECTORS * lanes
    groups = -(-rows // height)
    out = aligned((groups, words.shape[1], height), np.uint32)
    whole = rows // height
    out[:whole] = words[: whole * height].reshape(whole, height, words.shape[1]).transpose(0, 2, 1)
    if whole < groups:
        out[whole] = 0x55_55_55_55  # zero weights
        out[whole, :, : rows - whole * height] = words[whole * height :].T
    return out
