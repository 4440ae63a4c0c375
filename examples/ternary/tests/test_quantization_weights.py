"""Weights: one absmean scale a row, and the rounding to three values."""

import numpy as np

from ternary import quantize_weights


def test_quantization_weights_scale_is_the_mean_magnitude_of_each_row():
    ternary, scale = quantize_weights([[1.0, -1.0, 0.0, 2.0], [40.0, -10.0, 0.0, 30.0]])
    assert scale.tolist() == [[1.0], [20.0]]
    assert ternary.tolist() == [[1, -1, 0, 1], [1, 0, 0, 1]]


def test_quantization_weights_round_to_the_nearest_of_three():
    ternary, scale = quantize_weights([[0.375, -0.375, 0.625, -0.625, 2.0, -2.0]])
    assert scale.tolist() == [[1.0]]
    assert ternary.tolist() == [[0, 0, 1, -1, 1, -1]]


def test_quantization_weights_of_one_magnitude_keep_their_signs():
    ternary, _ = quantize_weights([[0.5, -0.5, -0.5], [-0.5, 0.5, -0.5]])
    assert ternary.tolist() == [[1, -1, -1], [-1, 1, -1]]


def test_quantization_weights_of_zero_stay_zero():
    ternary, scale = quantize_weights(np.zeros((3, 5)))
    assert not ternary.any()
    assert (scale > 0).all()


def test_quantization_weights_are_int8_with_a_float32_scale():
    ternary, scale = quantize_weights(np.random.default_rng(1).normal(size=(4, 7)))
    assert (ternary.dtype, scale.dtype) == (np.int8, np.float32)
    assert set(np.unique(ternary)) <= {-1, 0, 1}
