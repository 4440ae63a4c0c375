"""The arithmetic of the forward pass keeps its order, row by row, and what is not a number stays none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kernels import PackedMatrix, matmul, select_backend
from kernels.ops import Head
from kernels.ops.plain import PlainOps, exp, ordered

floats = st.floats(width=32, min_value=-1e3, max_value=1e3)


@pytest.fixture(params=["numpy", "fast"])
def ops(request):
    from kernels.ops import select

    return select(select_backend(request.param))


@pytest.fixture
def fixed():
    return PlainOps(select_backend("numpy"), fixed=True)


def in_turn(terms):
    """The order, spelled out."""
    lanes = np.zeros(16, terms.dtype)
    for index, term in enumerate(terms):
        lanes[index % 16] += term
    for width in (8, 4, 2, 1):
        lanes = lanes[:width] + lanes[width : 2 * width]
    return lanes[0]


@given(arrays(np.float32, st.integers(1, 100), elements=floats))
def test_inference_sums_keep_their_order(terms):
    assert ordered(terms) == in_turn(terms)


def test_inference_exp_is_close_and_never_below_zero():
    x = np.concatenate([np.linspace(-87, 0, 300_001), [-1e3, -np.inf]]).astype(np.float32)
    exact = np.exp(x.astype(np.float64))
    assert (np.abs(exp(x) - exact)[:-2] <= 2 * np.spacing(exact[:-2].astype(np.float32))).all()
    assert exp(x)[-2:].tolist() == [0, 0]
    assert np.isnan(exp(np.array([np.nan], np.float32)))[0]


def data(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("size", [1, 15, 16, 17, 256, 2560])
def test_inference_rms_norm(ops, size):
    x, weight = data(3, size) * 100, data(size, seed=1)
    for got, row in zip(ops.rms_norm(x, weight, 1e-5), x, strict=True):
        mean = np.float32(in_turn((row * row).astype(np.float64)) / size)
        assert (got == row * (np.float32(1) / np.sqrt(mean + np.float32(1e-5))) * weight).all()
    assert not ops.rms_norm(np.zeros((1, size), np.float32), weight, 1e-5).any()


@pytest.mark.parametrize("turned", [2, 32, 64])
def test_inference_rope_turns_pairs_and_leaves_the_rest(ops, turned):
    x, angle = data(4, 3, 64), data(4, turned // 2, seed=1)
    got = ops.rope(x, np.cos(angle), np.sin(angle))
    pairs = x[..., : turned // 2] + 1j * x[..., turned // 2 : turned]
    expected = pairs * np.exp(1j * angle.astype(np.float64))[:, np.newaxis]
    assert np.allclose(got[..., : turned // 2], expected.real, atol=1e-6)
    assert np.allclose(got[..., turned // 2 : turned], expected.imag, atol=1e-6)
    assert (got[..., turned:] == x[..., turned:]).all()


@pytest.mark.parametrize(("tokens", "start", "heads", "kv_heads", "size"), [
    (1, 0, 4, 2, 64), (1, 100, 20, 5, 128), (7, 0, 4, 4, 16), (33, 17, 6, 2, 20), (130, 3, 2, 1, 8),
])  # fmt: skip
@pytest.mark.parametrize("half", [False, True])
def test_inference_attention_keeps_its_order(ops, tokens, start, heads, kv_heads, size, half):
    q, k, v = data(tokens, heads, size), data(start + tokens + 5, kv_heads, size, seed=1), None
    v = data(*k.shape, seed=2)
    k[start + tokens :] = np.nan  # not filled: must not be looked at
    got = ops.attention(q, k, v, start, half=half).reshape(tokens, heads, size)
    factor = np.float32(1) / np.sqrt(np.float32(size))
    for token in {0, tokens // 2, tokens - 1}:
        for head in {0, heads - 1}:
            seen, group = start + token + 1, head // (heads // kv_heads)
            scores = np.array([in_turn(q[token, head] * k[at, group]) * factor for at in range(seen)])
            powers = exp(scores - scores.max())
            weights = powers / in_turn(powers)
            if half:
                weights = weights.astype(np.float16).astype(np.float32)
            expected = np.zeros(size, np.float32)
            for at in range(seen):
                expected += weights[at] * v[at, group]
            assert (got[token, head] == expected).all()


@pytest.mark.parametrize("kind", ["relu2", "silu"])
def test_inference_gate(ops, kind):
    gate, up = data(3, 50) * 30, data(3, 50, seed=1)
    wide = gate.astype(np.float64)
    expected = np.maximum(wide, 0) ** 2 * up if kind == "relu2" else wide / (1 + np.exp(-wide)) * up
    assert np.allclose(ops.gate(gate, up, kind), expected, rtol=1e-6, atol=1e-30)
    assert np.isnan(ops.gate(np.full((1, 1), np.nan, np.float32), np.ones((1, 1), np.float32), kind)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("tokens", "rows", "cols"), [(1, 700, 256), (3, 33, 40), (5, 1, 17)])
def test_inference_dense_keeps_its_order(fixed, dtype, tokens, rows, cols):
    x, weights = data(tokens, cols), data(rows, cols, seed=1).astype(dtype)
    got = fixed.dense(x, Head(weights))
    for row in {0, rows // 2, rows - 1}:
        assert got[-1, row] == in_turn(x[-1] * weights[row].astype(np.float32))
    loose = PlainOps(select_backend("numpy"), fixed=False).dense(x, Head(weights))
    assert np.allclose(got, loose, rtol=1e-4, atol=1e-4)


def test_inference_dense_int8_is_exact(ops):
    weights, x = data(300, 256, seed=1).astype(np.float16), data(3, 256)
    head = Head.int8(weights)
    got = ops.dense(x, head)
    factor = np.float32(127) / np.abs(x).max(axis=1)
    q = np.rint(x * factor[:, np.newaxis]).astype(np.int64)
    sums = (q @ head.weights.T.astype(np.int64)).astype(np.float32)
    assert (got == sums / factor[:, np.newaxis] * head.scale).all()
    assert np.abs(head.weights).max() == 127
    assert (np.abs(weights.astype(np.float32) - head.weights * head.scale[:, np.newaxis]) <= head.scale[:, None]).all()
    assert not Head.int8(np.zeros((2, 3), np.float32)).weights.any()


def test_inference_linears_are_products(ops):
    x = data(3, 256)
    matrices = [PackedMatrix.from_float(data(rows, 256, seed=rows)) for rows in (5, 64)]
    for got, matrix in zip(ops.linears(x, matrices), matrices, strict=True):
        assert (got == matmul(matrix, x, backend="numpy")).all()


def test_inference_add(ops):
    assert (ops.add(data(2, 3), data(2, 3, seed=1)) == data(2, 3) + data(2, 3, seed=1)).all()
