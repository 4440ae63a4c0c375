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

from ctypes import addressof, c_char
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kernels.formats.i2_s import BLOCK, STRIDE
from kernels.packed import i2s_codes

if TYPE_CHECKING:
    from kernels.packed import PackedMatrix

Item = TypeVar("Item", bound=np.generic)

VECTORS = 2
"""Vectors of rows in a group: they share what is loaded of the activations."""

WORDS = STRIDE // 4
"""Words of a row in a block."""

LINE = 64
"""Bytes of a cache line, on which the stream starts."""

_AT_START: Any = (c_char * 0).from_buffer


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


def aligned(shape: tuple[int, ...], dtype: type[Item]) -> NDArray[Item]:
    """An array that begins on a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.empty(size + LINE, np.uint8)
    skip = -room.ctypes.data % LINE
    return room[skip : skip + size].view(dtype).reshape(shape)


def address(array: NDArray[Any]) -> int:
    """Where the values of a contiguous array begin; a quarter of the time ``array.ctypes.data`` takes."""
    try:
        return addressof(_AT_START(array))
    except TypeError:  # read-only
        return array.ctypes.data
