"""The integer product against Python integers, on bytes packed by hand."""

import random

import numpy as np
import pytest

from ternary import gemv


def packed_by_hand(matrix):
    """Four columns a byte, the first one worth least; −1, 0, +1 are the digits 0, 1, 2."""
    packed = []
    for row in matrix:
        digits = [w + 1 for w in row] + [1] * (-len(row) % 4)
        quads = [digits[i : i + 4] for i in range(0, len(digits), 4)]
        packed.append([sum(d * 4**i for i, d in enumerate(quad)) for quad in quads])
    return np.array(packed, np.uint8)


@pytest.mark.parametrize("cols", [1, 3, 4, 33])
def test_cpu_gemv_matches_python_integers(cols):
    rng = random.Random(cols)
    matrix = [[rng.randint(-1, 1) for _ in range(cols)] for _ in range(6)]
    vector = [rng.randint(-127, 127) for _ in range(cols)]
    expected = [sum(w * v for w, v in zip(row, vector, strict=True)) for row in matrix]
    assert gemv(packed_by_hand(matrix), np.array(vector, np.int8)).tolist() == expected


def test_cpu_gemv_ignores_the_unused_lanes():
    all_plus_one = np.array([[0b10_10_10_10]], np.uint8)
    assert gemv(all_plus_one, np.array([1, 2, 3], np.int8)).tolist() == [6]


@pytest.mark.parametrize(("code", "weight"), [(0b10_10_10_10, 1), (0b00_00_00_00, -1)])
def test_cpu_gemv_of_a_wide_row_does_not_wrap(code, weight):
    packed = np.full((2, 75), code, np.uint8)
    products = gemv(packed, np.full(300, 127, np.int8))
    assert products.dtype == np.int32
    assert products.tolist() == [weight * 300 * 127] * 2


def test_cpu_gemv_refuses_a_vector_that_does_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        gemv(np.zeros((1, 2), np.uint8), np.zeros(4, np.int8))
