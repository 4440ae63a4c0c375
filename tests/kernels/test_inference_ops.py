"""The arithmetic of a forward pass: NumPy equals sums by hand, machine code equals NumPy, to the bit and everywhere."""

import types

import numpy as np
import ops_checks as by_hand
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matmul_checks import random_matrix
from ops_checks import NASTY, equal, normal, some

from kernels import BackendError, InputError, quantize_activations, select_backend
from kernels.backend import why_not
from kernels.ops import select
from kernels.ops.head import Head
from kernels.ops.order import exp

sizes = st.one_of(st.integers(1, 40), st.sampled_from([64, 80, 100]))
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")
numpy_ops = select(select_backend("numpy"))


@quiet
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99), tokens=st.integers(0, 3), size=sizes, nasty=st.sampled_from([0, 0.1]))
def test_inference_rms_norm_is_the_sum_by_hand(seed, tokens, size, nasty):
    x, weight = some(seed, tokens, size, nasty=nasty, broken=bool(seed % 2)), some(seed + 1, size)
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
@given(
    seed=st.integers(0, 99),
    tokens=st.integers(0, 3),
    rows=st.integers(0, 5),
    size=sizes,
    nasty=st.sampled_from([0, 0.1]),
)
def test_inference_dense_is_the_sum_by_hand(dtype, seed, tokens, rows, size, nasty):
    x, weights = (
        some(seed + n, lines, size, nasty=nasty, broken=bool(seed % 2)) for n, lines in ((0, tokens), (1, rows))
    )
    weights = weights.astype(dtype)
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


EVERYWHERE = [numpy_ops, *([select(select_backend("fast", threads=2))] if why_not("fast") is None else [])]
everywhere = pytest.mark.parametrize("ops", EVERYWHERE, ids=lambda ops: ops.name)


@everywhere
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), tokens=st.integers(2, 40), start=st.integers(0, 20))
def test_inference_a_token_does_not_depend_on_the_others(ops, seed, tokens, start):
    """Alone, in two pieces, or beside a token that is broken: the same bits."""
    x, weight, up, q = normal(seed, tokens, 96), normal(1, 96), some(2, tokens, 96), some(seed, tokens, 6, 32)
    wide = some(seed, tokens, 128)
    kv, angles = some(3, 2, start + tokens, 2, 32), some(4, 2, tokens, 16)
    heads = [Head(some(5, 33, 96)), Head(some(5, 33, 96)).to_int8()]
    matrices = [random_matrix(70, 128)[1]]
    calls = {
        "rms_norm": lambda rows: ops.rms_norm(x[rows], weight, 1e-5),
        "rope": lambda rows: ops.rope(q[rows], *(angle[rows] for angle in angles)),
        "attention": lambda rows: ops.attention(q[rows], *kv, start + rows.start, 0.2),
        "relu2": lambda rows: ops.gate(x[rows], up[rows], "relu2"),
        "silu": lambda rows: ops.gate(x[rows], up[rows], "silu"),
        "dense": lambda rows: ops.dense(x[rows], heads[0]),
        "dense_int8": lambda rows: ops.dense(x[rows], heads[1]),
        "linears": lambda rows: ops.linears(wide[rows], matrices)[0],
    }
    for call in calls.values():
        whole = call(slice(0, tokens))
        equal(np.concatenate([call(slice(0, 1)), call(slice(1, tokens))]), whole)
        equal(call(slice(tokens - 1, tokens)), whole[-1:])


@everywhere
def test_inference_attention_widens_what_is_stored_in_half(ops):
    q, kv = some(0, 5, 4, 32), some(1, 2, 9, 2, 32, nasty=0).astype(np.float16)
    equal(ops.attention(q, *kv, 2, 0.2), ops.attention(q, *kv.astype(np.float32), 2, 0.2))


@everywhere
def test_inference_attention_reads_nothing_behind_the_token(ops):
    """What later tokens of the batch have put there may be anything."""
    q, kv = some(0, 5, 4, 32), some(1, 2, 9, 2, 32)
    whole = ops.attention(q, *kv, 2, 0.2)
    kv[:, 4:] = np.nan
    equal(ops.attention(q, *kv, 2, 0.2)[:2], whole[:2])
    assert np.isnan(ops.attention(q, *kv, 2, 0.2)[2:]).all()


@everywhere
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_inference_what_is_quantized_must_be_finite(ops, bad):
    x = some(0, 300, 128)
    x[299, 5] = x[270, 7] = bad
    with pytest.raises(InputError, match=r"activations\[270, 7\] is"):
        ops.dense(x, Head(some(1, 9, 128)).to_int8())
    with pytest.raises(InputError, match=r"activations\[270, 7\] is"):
        ops.linears(x, [random_matrix(70, 128)[1], random_matrix(4, 128)[1]])


X, Q, KV, ANGLES = np.ones((2, 8), "f4"), np.ones((2, 4, 8), "f4"), np.ones((9, 2, 8), "f4"), np.ones((2, 4), "f4")
HEAD, MATRIX = Head(np.ones((3, 8), "f2")), random_matrix(4, 128)[1]
REFUSED = {
    "x is not float32": lambda ops: ops.rms_norm(X.astype(float), X[0], 1e-5),
    "x has one axis": lambda ops: ops.rms_norm(X[0], X[0], 1e-5),
    "no columns": lambda ops: ops.rms_norm(X[:, :0], X[0, :0], 1e-5),
    "a weight too short": lambda ops: ops.rms_norm(X, X[0, :7].copy(), 1e-5),
    "not contiguous": lambda ops: ops.rms_norm(np.ones((2, 16), "f4")[:, ::2], X[0], 1e-5),
    "other byte order": lambda ops: ops.add(X, X.astype(">f4")),
    "angles of another token": lambda ops: ops.rope(Q, ANGLES[:1], ANGLES),
    "odd heads": lambda ops: ops.rope(Q[:, :, :7].copy(), ANGLES[:, :3].copy(), ANGLES[:, :3].copy()),
    "positions beyond the cache": lambda ops: ops.attention(Q, KV, KV, 8, 1.0),
    "a position before it": lambda ops: ops.attention(Q, KV, KV, -1, 1.0),
    "heads that share unevenly": lambda ops: ops.attention(Q[:, :3].copy(), KV, KV, 0, 1.0),
    "values of another shape": lambda ops: ops.attention(Q, KV, KV[:8], 0, 1.0),
    "keys and values stored otherwise": lambda ops: ops.attention(Q, KV, KV.astype("f2"), 0, 1.0),
    "keys of another width": lambda ops: ops.attention(Q, KV[:, :, :6].copy(), KV, 0, 1.0),
    "an unknown gate": lambda ops: ops.gate(X, X, "gelu"),
    "gates of other widths": lambda ops: ops.gate(X, X[:, :4].copy(), "silu"),
    "another number of tokens": lambda ops: ops.add(X, X[:1]),
    "a head of another width": lambda ops: ops.dense(X[:, :4].copy(), HEAD),
    "x with three axes": lambda ops: ops.dense(Q, HEAD),
    "matrices of another width": lambda ops: ops.linears(X, [MATRIX]),
    "one matrix of another width": lambda ops: ops.linears(np.ones((1, 128), "f4"), [MATRIX, random_matrix(4, 256)[1]]),
}


@everywhere
@pytest.mark.parametrize("what", REFUSED)
def test_inference_refuses(ops, what):
    with pytest.raises(InputError):
        REFUSED[what](ops)


def test_inference_there_is_no_arithmetic_for_a_backend_of_products_alone():
    with pytest.raises(BackendError, match="'tpu' computes products alone"):
        select(types.SimpleNamespace(name="tpu"))


@quiet
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_inference_int8_head_is_within_half_a_unit(dtype):
    weights = some(0, 700, 96, nasty=0).astype(dtype)
    weights[3] = 0
    weights[4] = 0
    weights[4, 5] = -6e-8  # the least float16
    head = Head(weights).to_int8()
    assert head.weights.min() == -127
    assert head.weights.max() == 127
    back = head.weights * head.scale[:, np.newaxis].astype(np.float64)
    assert (np.abs(back - weights) <= head.scale[:, np.newaxis] * 0.5001).all()
    assert not head.weights[3].any()
    assert head.weights[4].tolist() == [0] * 5 + [-127] + [0] * 90
    assert head.to_int8() is head


def test_inference_int8_head_of_numbers_below_the_normal_ones_is_zero():
    head = Head(np.array([[1e-45, -3e-45], [2e-43, -2e-43], [3e38, -3e38]], np.float32)).to_int8()
    assert head.weights.tolist() == [[0, 0], [0, 0], [127, -127]]
    assert head.scale[:2].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("weights", "scale"),
    [
        (np.ones((3, 8)), None),
        (np.ones(8, "f4"), None),
        (np.ones((3, 0), "f4"), None),
        (np.ones((3, 16), "f2")[:, ::2], None),
        (np.ones((3, 8), "f2"), np.ones(3, "f4")),
        (np.ones((3, 8), "i1"), None),
        (np.ones((3, 8), "i1"), np.ones(3)),
        (np.ones((3, 8), "i1"), np.ones(2, "f4")),
        (np.full((3, 8), -128, "i1"), np.ones(3, "f4")),
        (np.broadcast_to(np.int8(1), (1, 2**17 + 1)), np.ones(1, "f4")),
    ],
)
def test_inference_head_refuses(weights, scale):
    with pytest.raises(InputError):
        Head(weights, scale)


@everywhere
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_inference_head_that_is_not_finite_stays_float(ops, bad):
    weights = some(0, 1900, 96)
    weights[1890, 3] = bad
    with pytest.raises(InputError, match="row 1890 of the head is not finite"):
        ops.to_int8(Head(weights))
