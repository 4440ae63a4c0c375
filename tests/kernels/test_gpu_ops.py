"""The arithmetic of a forward pass on a CUDA device equals NumPy's to the bit; there, and as source on the CPU."""

import numpy as np
import pytest
from matmul_checks import random_matrix
from ops_checks import NASTY, equal, normal, some

from kernels import InputError, select_backend
from kernels.gpu.ops import GpuOps
from kernels.ops import select
from kernels.ops.head import Head

pytest_plugins = ["gpu_on_cpu"]

plain = select(select_backend("numpy"))


@pytest.fixture
def ops(gpu):
    chosen = select(select_backend("gpu"))
    assert isinstance(chosen, GpuOps)
    return chosen


def check(ops, operation, *arrays, **others):
    """The operation gives the same bits on both."""
    got = getattr(ops, operation)(*map(ops.put, arrays), **others)
    equal(ops.get(got), getattr(plain, operation)(*arrays, **others))


@pytest.mark.parametrize(("tokens", "size"), [(0, 8), (1, 1), (3, 40), (2, 256), (1, 5000)])
def test_gpu_rms_norm_is_the_same_sum(ops, tokens, size):
    check(ops, "rms_norm", normal(0, tokens, size), some(1, size), eps=1e-5)
    check(ops, "rms_norm", some(0, tokens, size, broken=True), some(1, size), eps=0.0)


@pytest.mark.parametrize("pairs", [1, 7, 10])
def test_gpu_rope_turns_the_same_and_leaves_the_rest(ops, pairs):
    check(ops, "rope", some(0, 3, 2, 20), some(1, 3, pairs), some(2, 3, pairs))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("tokens", "start", "size"), [(1, 0, 6), (5, 30, 20), (2, 299, 32), (3, 10, 40)])
def test_gpu_attention_is_the_same_sum(ops, tokens, start, size, dtype):
    q = some(0, tokens, 4, size, nasty=0.02 * (tokens == 5), broken=True)
    k, v = (some(seed, start + tokens + 3, 2, size, nasty=0).astype(dtype) for seed in (1, 2))
    k[start + tokens :] = v[start + tokens :] = np.nan
    check(ops, "attention", q, k, v, start=start, scale=0.3)


def test_gpu_attention_in_parts_is_the_same_sum(ops, monkeypatch):
    monkeypatch.setattr("kernels.gpu.ops.SCORES", 4 * 4 * 9 * 2)  # two tokens at a time
    check(ops, "attention", normal(0, 5, 4, 8), normal(1, 9, 2, 8), normal(2, 9, 2, 8), start=4, scale=0.3)


@pytest.mark.parametrize("kind", ["relu2", "silu"])
def test_gpu_gate_is_the_same(ops, kind):
    check(ops, "gate", some(0, 3, 300, nasty=0.5, broken=True), some(1, 3, 300), kind=kind)
    x = np.concatenate([np.linspace(-110, 95, 2001), NASTY, [np.nan, np.inf, -np.inf]]).astype(np.float32)[np.newaxis]
    check(ops, "gate", x, np.ones_like(x), kind=kind)


def test_gpu_add_is_the_same(ops):
    check(ops, "add", some(0, 3, 100, nasty=0.5, broken=True), some(1, 3, 100))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("tokens", "rows", "size"), [(1, 1, 1), (1, 130, 96), (2, 37, 40), (5, 37, 50), (4, 3, 1000)])
def test_gpu_dense_is_the_same_sum(ops, dtype, tokens, rows, size):
    x, head = normal(0, tokens, size), Head(normal(1, rows, size).astype(dtype))
    equal(ops.get(ops.dense(ops.put(x), head)), plain.dense(x, head))
    small = ops.to_int8(head)
    equal(ops.get(ops.dense(ops.put(x), small)), plain.dense(x, small))


def test_gpu_dense_takes_any_half(ops):
    """All that are a number, subnormal ones too."""
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    head = Head(np.where(np.isfinite(halves), halves, np.float16(0)).reshape(512, 128))
    x = np.ones((1, 128), np.float32)
    equal(ops.get(ops.dense(ops.put(x), head)), plain.dense(x, head))


@pytest.mark.parametrize("tokens", [1, 8, 9, 40])
@pytest.mark.parametrize("rows", [(70, 1, 33), (16, 40), (33, 0, 17), (0, 0), (20, 20, 20, 20)])
def test_gpu_linears_are_the_same_product(ops, tokens, rows):
    x, matrices = some(0, tokens, 256), [random_matrix(count, 256)[1] for count in rows]
    for got, expected in zip(ops.linears(ops.put(x), matrices), plain.linears(x, matrices), strict=True):
        equal(ops.get(got), expected)


@pytest.mark.parametrize("size", [128, 896])
def test_gpu_what_was_normed_is_quantized_at_once(stand_in, size):
    """One launch for both, and one for the products of up to three matrices; what was normed before it is not."""
    cupy, ops = stand_in("random"), GpuOps()
    x, weight = normal(0, 2, size), normal(1, size)
    matrices = [random_matrix(rows, size)[1] for rows in (20, 5, 17)]
    first, second = (ops.rms_norm(ops.put(each), ops.put(weight), 1e-5) for each in (x, x * 2))
    cupy.launched.clear()
    for normed, launched in ((second, ["gemv_three"]), (first, ["quantize_rows", "gemv_three"])):
        expected = plain.linears(ops.get(normed), matrices)
        for got, right in zip(ops.linears(normed, matrices), expected, strict=True):
            equal(ops.get(got), right)
        assert cupy.launched == launched
        cupy.launched.clear()


@pytest.mark.parametrize("kind", ["add", "relu2", "silu"])
@pytest.mark.parametrize(("tokens", "size"), [(1, 40), (3, 300), (0, 8)])
def test_gpu_what_two_arrays_make_is_normed_at_once(stand_in, kind, tokens, size):
    """One launch where the norm of it comes next, else one before whatever comes: nobody sees it unwritten."""
    cupy, ops = stand_in("random"), GpuOps()
    a, b, weight = some(0, tokens, size, broken=True), some(1, tokens, size), some(2, size)

    def made(by, a, b):
        return by.add(a, b) if kind == "add" else by.gate(a, b, kind)

    expected = made(plain, a, b)
    there = ops.put(weight)
    for asked in ("norm", "host", "other", "twice", "refused"):
        cupy.launched.clear()
        x = made(ops, ops.put(a), ops.put(b))
        if asked == "norm":
            equal(ops.get(ops.rms_norm(x, there, 1e-5)), plain.rms_norm(expected, weight, 1e-5))
            assert cupy.launched == [f"rms_norm_of_{kind}"] * bool(tokens)
        elif asked == "other":
            other = some(3, 2, size)
            equal(ops.get(ops.rms_norm(ops.put(other), there, 1e-5)), plain.rms_norm(other, weight, 1e-5))
            assert cupy.launched == [kind] * bool(tokens) + ["rms_norm"]
        elif asked == "refused":
            with pytest.raises(InputError):
                ops.rms_norm(x, ops.put(some(2, size + 1)), 1e-5)
        elif asked == "twice":
            equal(ops.get(ops.add(x, x)), plain.add(expected, expected))
        equal(ops.get(x), expected)


def test_gpu_keep_writes_where_there_is_room_alone(ops):
    x, cache = some(0, 2, 3, 4), some(1, 5, 3, 4)
    for start in range(-1, 6):
        there = ops.put(cache.copy())
        ops.keep(ops.put(x), there, start)
        expected = cache.copy()
        for token in range(2):
            if start >= 0 and start + token < 5:
                expected[start + token] = x[token]
        equal(ops.get(there), expected)


REFUSED = {
    "an array of the host": lambda ops: ops.add(some(0, 2, 8), ops.put(some(0, 2, 8))),
    "another shape": lambda ops: ops.add(ops.put(some(0, 2, 8)), ops.put(some(0, 1, 8))),
    "doubles": lambda ops: ops.add(*[ops.put(np.ones((2, 8)))] * 2),
    "a weight too short": lambda ops: ops.rms_norm(ops.put(some(0, 2, 8)), ops.put(some(0, 7)), 1e-5),
    "angles of another token": lambda ops: ops.rope(*map(ops.put, (some(0, 2, 1, 8), some(0, 1, 4), some(0, 2, 4)))),
    "more angles than pairs": lambda ops: ops.rope(*map(ops.put, (some(0, 2, 1, 8), some(0, 2, 5), some(0, 2, 5)))),
    "beyond the cache": lambda ops: ops.attention(*map(ops.put, [some(0, 2, 2, 8)] * 3), 1, 1.0),
    "a cache of the host": lambda ops: ops.keep(ops.put(some(0, 2, 2, 8)), some(0, 9, 2, 8), 0),
    "a cache of another width": lambda ops: ops.keep(*map(ops.put, (some(0, 2, 2, 8), some(0, 9, 2, 4))), 0),
    "an unknown gate": lambda ops: ops.gate(*[ops.put(some(0, 2, 8))] * 2, "gelu"),
    "a head of another width": lambda ops: ops.dense(ops.put(some(0, 2, 8)), Head(some(0, 3, 4))),
    "a matrix of another width": lambda ops: ops.linears(ops.put(some(0, 2, 8)), [random_matrix(4, 128)[1]]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_gpu_ops_refuse(stand_in, what):
    stand_in("forward")
    with pytest.raises(InputError):
        REFUSED[what](GpuOps())
