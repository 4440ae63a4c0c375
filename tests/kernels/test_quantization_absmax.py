"""Activations to int8: bit for bit what the C++ programs do, ties and tiny rows included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kernels import InputError, quantize_activations


def test_quantization_absmax_equals_the_goldens(golden):
    q, scale = quantize_activations(golden["x"])
    assert (q.dtype, scale.dtype) == (np.int8, np.float32)
    np.testing.assert_array_equal(q, golden["act_q"])
    np.testing.assert_array_equal(scale.view(np.uint32), golden["act_scale"].view(np.uint32))
    np.testing.assert_array_equal(q.sum(axis=1, dtype=np.int32), golden["act_sum"])


@pytest.mark.parametrize("row", range(8))
def test_quantization_absmax_equals_the_goldens_on_hard_rows(row, edges):
    q, scale = quantize_activations(edges["aq_x"][row : row + 1])
    np.testing.assert_array_equal(q[0], edges["aq_q"][row])
    assert scale[0] == edges["aq_scale"][row]


def test_quantization_absmax_rounds_halves_to_even():
    q, scale = quantize_activations([[127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5]])
    assert scale.tolist() == [1.0]
    assert q.tolist() == [[127, 0, 2, 2, 0, -2, -2]]


@settings(max_examples=100, deadline=None)
@given(x=arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.floats(-1e4, 1e4, width=32)))
def test_quantization_absmax_is_off_by_half_a_step_at_most(x):
    q, scale = quantize_activations(x)
    assert (np.abs(q / scale.astype(float)[:, None] - x) <= 0.5001 / scale.astype(float)[:, None]).all()
    largest = np.abs(x).max(axis=1)
    assert (np.abs(q.astype(int)).max(axis=1)[largest >= 1e-5] == 127).all()


@settings(max_examples=50, deadline=None)
@given(x=arrays(np.float32, (3, 7), elements=st.floats(-8, 8, width=32)))
def test_quantization_absmax_rows_do_not_know_each_other(x):
    q, scale = quantize_activations(x)
    for row in range(3):
        alone, its_scale = quantize_activations(x[row : row + 1])
        np.testing.assert_array_equal(alone[0], q[row])
        assert its_scale[0] == scale[row]


def test_quantization_absmax_of_zeros_is_zeros_with_the_floor_scale():
    q, scale = quantize_activations(np.zeros((2, 5)))
    assert not q.any()
    assert scale.tolist() == [12_700_000.0] * 2


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
def test_quantization_absmax_of_nothing_is_nothing(shape):
    q, scale = quantize_activations(np.zeros(shape))
    assert q.shape == shape
    assert scale.shape == shape[:1]
    assert np.isfinite(scale).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_quantization_absmax_names_the_first_that_is_not_finite(bad):
    x = np.ones((3, 4))
    x[2, 1] = bad
    with pytest.raises(InputError, match=r"activations\[2, 1\] is"):
        quantize_activations(x)


def test_quantization_absmax_of_the_largest_float32_does_not_overflow():
    largest = np.finfo(np.float32).max
    assert quantize_activations([[largest, -largest, 0]])[0].tolist() == [[127, -127, 0]]


def test_quantization_absmax_wants_a_matrix():
    with pytest.raises(InputError, match=r"add an axis"):
        quantize_activations(np.ones(4))
