"""The arithmetic of a forward pass: NumPy equals sums by hand, machine code equals NumPy, to the bit and everywhere."""

import numpy as np
import ops_checks as by_hand
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ops_checks import NASTY, equal, some

from kernels import quantize_activations, select_backend
from kernels.ops import select
from kernels.ops.head import Head
from kernels.ops.order import exp

sizes = st.one_of(st.integers(1, 40), st.sampled_from([64, 80, 100]))
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")
numpy_ops = select(select_backend("numpy"))


@quiet
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99), tokens=st.integers(0, 3), size=sizes, broken=st.booleans())
def test_inference_rms_norm_is_the_sum_by_hand(seed, tokens, size, broken):
    x, weight = some(seed, tokens, size, broken=broken), some(seed + 1, size)
    equal(numpy_ops.rms_norm(x, weight, 1e-5), by_hand.rms_norm(x, weight, 1e-5))


@quiet
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), tokens=st.integers(0, 3), heads=st.integers(1, 3), half=st.integers(1, 20))
def test_inference_rope_is_as_by_hand(seed, tokens, heads, half):
    x, cos, sin = some(seed, tokens, heads, 2 * half), some(seed + 1, tokens, half), some(seed + 2, tokens, half)
    equal(numpy_ops.rope(x, cos, sin), by_hand.rope(x, cos, sin))


@quiet
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.integers(1, 10)),
    start=st.integers(0, 40),
    spare=st.integers(0, 3),
    nasty=st.sampled_from([0, 0.02]),
)
def test_inference_attention_is_the_sum_by_hand(seed, shape, start, spare, nasty):
    tokens, served, group, half = shape
    capacity = start + tokens + spare
    q = some(seed, tokens, served * group, 2 * half, nasty=nasty, broken=bool(nasty))
    k, v = (some(seed + n, capacity, served, 2 * half, nasty=nasty, broken=bool(nasty)) for n in (1, 2))
    k[start + tokens :] = v[start + tokens :] = np.nan
    equal(numpy_ops.attention(q, k, v, start, 0.3), by_hand.attention(q, k, v, start, 0.3))


@quiet
@pytest.mark.parametrize("kind", ["relu2", "silu"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), tokens=st.integers(0, 3), size=sizes)
def test_inference_gate_is_as_by_hand(kind, seed, tokens, size):
    gate, up = some(seed, tokens, size, nasty=0.5, broken=True), some(seed + 1, tokens, size)
    equal(numpy_ops.gate(gate, up, kind), by_hand.gate(gate, up, kind))


@quiet
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), tokens=st.integers(0, 3), rows=st.integers(0, 5), size=sizes, broken=st.booleans())
def test_inference_dense_is_the_sum_by_hand(dtype, seed, tokens, rows, size, broken):
    x, weights = some(seed, tokens, size, broken=broken), some(seed + 1, rows, size, broken=broken).astype(dtype)
    equal(numpy_ops.dense(x, Head(weights)), by_hand.dense(x, weights))


@quiet
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), tokens=st.integers(0, 3), rows=st.integers(0, 5), size=st.sampled_from([1, 50, 3000]))
def test_inference_dense_int8_is_the_sum_by_hand(seed, tokens, rows, size):
    x, head = some(seed, tokens, size), Head(some(seed + 1, rows, size, nasty=0)).to_int8()
    equal(numpy_ops.dense(x, head), by_hand.dense_int8(*quantize_activations(x), head.weights, head.scale))


@quiet
def test_inference_exp_is_within_two_units_and_as_by_hand():
    x = np.concatenate([np.linspace(-110, 95, 20001), NASTY, [np.nan, np.inf, -np.inf]]).astype(np.float32)
    exact = np.exp(x.astype(np.float64))
    got = exp(x)
    equal(got, np.array([by_hand.exp(value) for value in x], np.float32))
    usual = np.isfinite(x) & (exact < np.finfo(np.float32).max)
    assert (np.abs(got - exact)[usual] <= 2 * np.spacing(exact[usual].astype(np.float32))).all()
    assert (got[np.isfinite(x) & ~usual] == np.inf).all()
