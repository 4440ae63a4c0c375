"""Multiply packed ternary weights with an int8 vector, without unpacking the matrix."""

from types import ModuleType
from typing import Any

import numpy as np

from ternary.pack import LANES


def gemv(packed: Any, q: Any, *, xp: ModuleType = np) -> Any:
    """Integer product of a packed matrix and a vector, one lane of the bytes at a time.

    Lane ``l`` holds columns ``l``, ``l + 4``, ``l + 8``, …; where the last byte of a row is
    partly used, the upper lanes are one column shorter.

    Parameters
    ----------
    packed : (rows, bytes) uint8, as `pack` makes it
    q : (cols,) int8
    xp : the array module both live in, NumPy or CuPy

    Returns
    -------
    products : (rows,) int32

    Examples
    --------
    >>> gemv(np.array([[146]], np.uint8), np.array([10, 20, 30, 40], np.int8)).tolist()
    [30]
    """
    rows, width = packed.shape
    if not width * LANES - LANES < len(q) <= width * LANES:
        raise ValueError(f"{width} bytes a row do not fit a vector of {len(q)}")
    products = xp.zeros(rows, dtype=xp.int16)
    for lane in range(LANES):
        column = q[lane::LANES].astype(xp.int32)
        codes = (packed[:, : len(column)] >> (2 * lane)) & 3  # (rows, len(column))
        products += (codes.astype(xp.int32) - 1) @ column
    return products
