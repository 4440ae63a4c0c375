"""The order in which floats are summed, and what ``exp`` is: definitions that every implementation follows to the bit.

Lanes of 16: a sum of n values has 16 lanes, all of them 0 at first. Lane l adds the values l, l + 16, l + 32, … in this
order; then lanes l and l + 8 are added, then l and l + 4, l and l + 2, and the last two. In a dot product each value is
a product, rounded before it is added: nothing is fused. A vector of 4, 8 or 16 numbers does this without waste.

``exp(x)``: x is held between two bounds beyond which the result is 0 or infinite, ``n = round(x / ln 2)`` to even,
``r = x - n · ln 2`` in two steps, then Taylor's polynomial by Horner's rule, a multiplication and an addition a degree,
and the product with 2**n in two factors, so that what is too small for a normal number is rounded once.
"""

from __future__ import annotations

import math
import struct
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", np.float32, np.float64)

LANES = 16
"""Partial sums of every sum."""

EXP_BOUNDS = (-105.0, 89.0)
"""Below the first exp is 0 in float32, above the second it is infinite."""

LOG2_E = 1 / math.log(2)

LN2_HIGH = 355 / 512
"""ln 2 in ten bits: its product with any n that occurs is exact."""

LN2_LOW = math.log(2) - LN2_HIGH

EXP_TERMS = tuple(1 / math.factorial(degree) for degree in range(7, -1, -1))
"""Taylor's coefficients, highest first: off by 5e-9 at ln 2 / 2."""

MAGIC = 12582912.0
"""1.5 · 2**23: its neighbours are the integers, so adding it rounds, halves to even, for magnitudes below 2**22."""


def bits(value: float) -> int:
    """A float32 as an integer."""
    return int.from_bytes(struct.pack("<f", value), "little")


def lanes_sum(values: NDArray[Float]) -> NDArray[Float]:
    """(…, n) → (…): the sum in lanes of 16.

    Examples
    --------
    >>> lanes_sum(np.arange(40, dtype=np.float32)).item()
    780.0
    """
    over = -values.shape[-1] % LANES
    if over:
        values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, over)])
    lanes = values.reshape(*values.shape[:-1], values.shape[-1] // LANES, LANES)
    total: NDArray[Float] = np.add.reduce(lanes, axis=-2, initial=0)  # (…, 16); row by row
    while total.shape[-1] > 1:
        half = total.shape[-1] // 2
        total = total[..., :half] + total[..., half:]
    return total[..., 0]


def exp(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """e**x for each of any shape, within two units in the last place.

    Examples
    --------
    >>> exp(np.array([0.0, 1.0, -np.inf, 100.0], np.float32)).tolist()
    [1.0, 2.7182817459106445, 0.0, inf]
    """
    low, high = (np.float32(bound) for bound in EXP_BOUNDS)
    x = np.minimum(np.maximum(x, low), high)
    shifted = x * np.float32(LOG2_E) + np.float32(MAGIC)
    n = shifted - np.float32(MAGIC)
    r = x - n * np.float32(LN2_HIGH) - n * np.float32(LN2_LOW)
    result = np.full_like(x, EXP_TERMS[0])
    for term in EXP_TERMS[1:]:
        result = result * r + np.float32(term)
    exponent = shifted.view(np.int32) - np.int32(bits(MAGIC))
    half = exponent >> 1
    with np.errstate(over="ignore", under="ignore"):
        return result * _power_of_two(half) * _power_of_two(exponent - half)


def _power_of_two(exponent: NDArray[np.int32]) -> NDArray[np.float32]:
    return ((exponent + 127) << 23).view(np.float32)
