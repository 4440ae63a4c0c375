"""The whole layer, from floats to floats."""

import numpy as np
import pytest

from ternary import BitLinear


@pytest.fixture
def weights():
    magnitude = np.arange(1, 7)[:, np.newaxis]
    return np.random.default_rng(3).normal(size=(6, 12)) * magnitude


def test_inference_linear_is_exact_where_nothing_has_to_be_rounded():
    # Each row is ±its scale, each input a whole number of steps of 1: only exact products remain.
    weights = np.array([[2, -2, 2, 2, -2, 2], [-0.5, -0.5, 0.5, 0.5, 0.5, -0.5]])
    x = np.array([127, 3, -64, 0, 11, 2])
    assert BitLinear.from_float(weights)(x).tolist() == (weights @ x).tolist()


def test_inference_linear_follows_the_dequantized_product(weights):
    x = np.random.default_rng(4).normal(size=12)
    step = max(abs(x)) / 127
    for row, y in zip(weights, BitLinear.from_float(weights)(x), strict=True):
        scale = sum(abs(w) for w in row) / len(row)
        dequantized = [scale * max(-1, min(1, round(w / scale))) for w in row]
        product = sum(w * v for w, v in zip(dequantized, x, strict=True))
        assert y == pytest.approx(product, abs=0.51 * step * sum(map(abs, dequantized)))


def test_inference_linear_of_zero_is_zero(weights):
    assert not BitLinear.from_float(weights)(np.zeros(12)).any()


def test_inference_linear_doubles_with_its_input(weights):
    layer, x = BitLinear.from_float(weights), np.linspace(-1, 1, 12)
    np.testing.assert_array_equal(layer(2 * x), 2 * layer(x))


def test_inference_linear_gives_one_float32_a_row(weights):
    y = BitLinear.from_float(weights)(np.ones(12))
    assert (y.shape, y.dtype) == ((6,), np.float32)
