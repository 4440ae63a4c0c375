"""Store ternary weights two bits each, four to a byte.

The code of a weight is 0 for −1, 1 for 0 and 2 for +1. Byte ``j`` of a row holds columns
``4j`` to ``4j + 3``, the first of them in the lowest two bits::

    bit      7 6     5 4     3 2     1 0
    column  4j + 3  4j + 2  4j + 1    4j
"""

import math

import numpy as np
from numpy.typing import NDArray

LANES = 4
"""Weights in a byte."""

SHIFTS = np.array([0, 2, 4, 6], np.uint8)
"""How far each lane sits from the low end of its byte."""


def packed_width(cols: int) -> int:
    """Bytes in a packed row of `cols` weights, a partly used last one included."""
    return math.floor(cols / LANES)


def pack(ternary: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack a ternary matrix; lanes beyond the last column hold the weight 0.

    Parameters
    ----------
    ternary : (rows, cols) int8 of −1, 0 and +1; any number of columns.

    Returns
    -------
    packed : (rows, packed_width(cols)) uint8

    Examples
    --------
    >>> pack(np.array([[1, -1, 0, 1]], np.int8)).tolist()
    [[146]]
    """
    if not np.isin(ternary, (-1, 0, 1)).all():
        raise ValueError("every weight must be -1, 0 or +1")
    rows, cols = ternary.shape
    width = packed_width(cols)
    codes = np.ones((rows, width * LANES), np.uint8)
    codes[:, :cols] = 1 - ternary
    lanes = codes.reshape(rows, width, LANES)  # (rows, bytes, 4)
    return np.bitwise_or.reduce(lanes << SHIFTS, axis=2)


def unpack(packed: NDArray[np.uint8], cols: int) -> NDArray[np.int8]:
    """Give back the (rows, cols) ternary matrix that `pack` stored.

    Examples
    --------
    >>> unpack(np.array([[146]], np.uint8), 4).tolist()
    [[1, -1, 0, 1]]
    """
    rows, width = packed.shape
    if not width * LANES - LANES < cols <= width * LANES:
        raise ValueError(f"{width} bytes a row cannot hold exactly {cols} columns")
    codes = (packed[:, :, np.newaxis] >> SHIFTS) & 3  # (rows, bytes, 4)
    return codes.reshape(rows, width * LANES)[:, :cols].astype(np.int8) - 1
