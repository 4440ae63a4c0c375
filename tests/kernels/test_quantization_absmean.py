"""Weights to ternary: the rounding, the scale, and the matrices that have no obvious answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kernels import InputError, quantize_weights

matrices = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.floats(-100, 100, width=32))


def test_quantization_absmean_by_hand():
    ternary, scale = quantize_weights([[2.0, -2.0, 0.5, -0.5], [0.75, -0.25, 1.5, 0.5]])
    assert (ternary.dtype, scale.dtype) == (np.int8, np.float32)
    assert scale == 1.0
    assert ternary.tolist() == [[1, -1, 0, 0], [1, 0, 1, 0]]  # 0.5 is a tie and goes to the even 0


def test_quantization_absmean_keeps_weights_that_are_ternary(golden):
    some = golden["ternary"] != 0
    ternary, scale = quantize_weights(golden["ternary"] * golden["scale"])
    np.testing.assert_array_equal(ternary, golden["ternary"])
    assert scale == pytest.approx(golden["scale"] * some.mean(), rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(w=matrices)
def test_quantization_absmean_is_the_nearest_of_three(w):
    ternary, scale = quantize_weights(w)
    assert float(scale) == pytest.approx(np.abs(w.astype(float)).mean(), rel=1e-6, abs=1e-44)
    assert set(np.unique(ternary)) <= {-1, 0, 1}
    ratio = w.astype(float) / float(scale) if scale else np.zeros(w.shape)
    chosen = np.abs(ratio - ternary)
    for other in (-1, 0, 1):
        assert (chosen <= np.abs(ratio - other) * (1 + 1e-6) + 1e-6).all()


@settings(max_examples=50, deadline=None)
@given(w=matrices, power=st.integers(-8, 8))
def test_quantization_absmean_follows_a_factor_and_a_sign(w, power):
    w[np.abs(w) < 2.0**-100] = 0  # stay clear of subnormals, where a factor of two is not exact
    ternary, scale = quantize_weights(w)
    scaled, its_scale = quantize_weights(-w * np.float32(2.0**power))
    np.testing.assert_array_equal(scaled, -ternary)
    assert its_scale == scale * np.float32(2.0**power)


def test_quantization_absmean_of_zeros_is_zeros_with_the_scale_zero():
    ternary, scale = quantize_weights(np.zeros((3, 4)))
    assert not ternary.any()
    assert scale == 0


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
def test_quantization_absmean_of_nothing_is_nothing(shape):
    ternary, scale = quantize_weights(np.zeros(shape))
    assert ternary.shape == shape
    assert (scale, scale.dtype) == (0, np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_quantization_absmean_names_the_first_that_is_not_finite(bad):
    w = np.ones((3, 4))
    w[1, 2:] = bad
    with pytest.raises(InputError, match=r"weights\[1, 2\] is"):
        quantize_weights(w)


def test_quantization_absmean_survives_the_ends_of_float32():
    huge = np.full((2, 3), np.finfo(np.float32).max)
    assert quantize_weights(huge)[0].all()
    assert quantize_weights(huge)[1] == np.finfo(np.float32).max
    tiny = np.float32(2.0**-149)
    ternary, scale = quantize_weights([[tiny, -tiny, np.float32(1.0)]])
    assert ternary.tolist() == [[0, 0, 1]]
    assert scale == np.float32(1 / 3)
    ternary, scale = quantize_weights([[tiny, 0, 0]])  # the mean is no float32 any more
    assert (ternary.tolist(), scale) == ([[0, 0, 0]], 0)
    assert quantize_weights([[tiny, -tiny, 0]])[0].tolist() == [[1, -1, 0]]


def test_quantization_absmean_wants_a_matrix():
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        quantize_weights(np.ones(3))
