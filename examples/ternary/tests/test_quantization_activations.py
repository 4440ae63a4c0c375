"""Activations: one absmax scale a row, nearest integer, halves to even."""

import numpy as np

from ternary import quantize_activations


def test_quantization_activations_round_halves_to_even():
    q, scale = quantize_activations([127.0, 0.5, 1.5, 2.5, -0.5, -1.5, 0.75, -0.25])
    assert scale.tolist() == [1.0]
    assert q.tolist() == [127, 0, 2, 2, 0, -2, 1, 0]


def test_quantization_activations_are_off_by_half_a_step_at_most():
    x = np.random.default_rng(2).normal(size=(8, 50)).astype(np.float32)
    q, scale = quantize_activations(x)
    assert (np.abs(q * scale - x) <= 0.501 * scale).all()


def test_quantization_activations_largest_magnitude_becomes_127():
    q, scale = quantize_activations([[-254.0, 2.0, 0.0], [0.0, 1270.0, -1270.0]])
    assert q.tolist() == [[-127, 1, 0], [0, 127, -127]]
    assert scale.tolist() == [[2.0], [10.0]]


def test_quantization_activations_of_zero_stay_zero():
    q, scale = quantize_activations(np.zeros(6))
    assert not q.any()
    assert (scale > 0).all()


def test_quantization_activations_are_int8_with_a_float32_scale():
    q, scale = quantize_activations([0.25, -3.0])
    assert (q.dtype, scale.dtype) == (np.int8, np.float32)
