"""Machine code does the arithmetic of a forward pass as NumPy does, to the bit: on every tier, with any threads."""

import re
import threading

import fast_tiers
import matmul_checks as checks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ops_checks import equal, some

from kernels import select_backend
from kernels.cpu.fast import floats, sweeps
from kernels.cpu.fast.build import assemble
from kernels.cpu.fast.load import load
from kernels.cpu.fast.ops import FastOps
from kernels.cpu.fast.tiers import named
from kernels.cpu.fast.trial import differs
from kernels.ops import Ops, order, select
from kernels.ops.head import Head

plain = select(select_backend("numpy"))
tiers = pytest.mark.parametrize("tier", fast_tiers.NAMES)
seeds = st.integers(0, 99)
threads = st.integers(1, 3)
halves = st.sampled_from([np.float32, np.float16])
tokens = st.one_of(st.integers(0, 9), st.sampled_from([16, 33, 130]))
sizes = st.one_of(st.integers(1, 40), st.sampled_from([64, 100, 128, 257, 640]))


def fast(tier: str, threads: int = 1) -> Ops:
    return FastOps(fast_tiers.backend(tier, threads))


@tiers
@settings(max_examples=40, deadline=None)
@given(seed=seeds, threads=threads, tokens=tokens, size=sizes, broken=st.booleans())
def test_cpu_ops_rms_norm_is_the_same(tier, seed, threads, tokens, size, broken):
    x, weight = some(seed, tokens, size, broken=broken), some(seed + 1, size, broken=broken)
    equal(fast(tier, threads).rms_norm(x, weight, 1e-5), plain.rms_norm(x, weight, 1e-5))


@tiers
@settings(max_examples=20, deadline=None)
@given(seed=seeds, threads=threads, tokens=tokens, heads=st.integers(1, 5), half=sizes, broken=st.booleans())
def test_cpu_ops_rope_is_the_same(tier, seed, threads, tokens, heads, half, broken):
    x, *angles = (some(seed, tokens, *shape, broken=broken) for shape in ((heads, 2 * half), (half,), (half,)))
    equal(fast(tier, threads).rope(x, *angles), plain.rope(x, *angles))


@tiers
@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    threads=threads,
    tokens=st.one_of(st.integers(0, 5), st.sampled_from([17, 130])),
    served=st.integers(1, 3),
    group=st.sampled_from([1, 2, 3, 4, 5, 8]),
    half=st.sampled_from([1, 3, 8, 20, 32, 64]),
    start=st.one_of(st.integers(0, 40), st.just(150)),
    spare=st.integers(0, 20),
    nasty=st.sampled_from([0, 0.001]),
    stored=halves,
)
def test_cpu_ops_attention_is_the_same(tier, seed, threads, tokens, served, group, half, start, spare, nasty, stored):
    capacity = start + tokens + spare
    q = some(seed, tokens, served * group, 2 * half, nasty=nasty, broken=bool(nasty))
    cached = (some(seed + n, capacity, served, 2 * half, nasty=nasty, broken=bool(nasty)) for n in (1, 2))
    with np.errstate(over="ignore", under="ignore"):
        k, v = (each.astype(stored) for each in cached)
    k[start + tokens :] = v[start + tokens :] = np.nan
    equal(fast(tier, threads).attention(q, k, v, start, 0.3), plain.attention(q, k, v, start, 0.3))


@tiers
@pytest.mark.parametrize("kind", ["relu2", "silu"])
@settings(max_examples=20, deadline=None)
@given(seed=seeds, threads=threads, tokens=tokens, size=sizes)
def test_cpu_ops_gate_is_the_same(tier, kind, seed, threads, tokens, size):
    gate, up = some(seed, tokens, size, nasty=0.5, broken=True), some(seed + 1, tokens, size, broken=True)
    equal(fast(tier, threads).gate(gate, up, kind), plain.gate(gate, up, kind))


@tiers
def test_cpu_ops_exp_is_the_same_everywhere_it_matters(tier):
    """Through the gate, whose other steps are known: every 2**20th of all floats, and the bounds densely."""
    every = np.arange(0, 2**32, 2**12 + 1, np.uint64).astype(np.uint32).view(np.float32)
    gate = np.concatenate([every, np.linspace(-110, 110, 100001, dtype=np.float32)])[np.newaxis]
    equal(fast(tier).gate(gate, np.ones_like(gate), "silu"), plain.gate(gate, np.ones_like(gate), "silu"))


@tiers
@settings(max_examples=20, deadline=None)
@given(seed=seeds, threads=threads, tokens=tokens, size=sizes)
def test_cpu_ops_add_is_the_same(tier, seed, threads, tokens, size):
    a, b = some(seed, tokens, size, broken=True), some(seed + 1, tokens, size, broken=True)
    equal(fast(tier, threads).add(a, b), plain.add(a, b))


@tiers
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@settings(max_examples=40, deadline=None)
@given(seed=seeds, threads=threads, tokens=tokens, rows=st.integers(0, 40), size=sizes, broken=st.booleans())
def test_cpu_ops_dense_is_the_same(tier, dtype, seed, threads, tokens, rows, size, broken):
    x, weights = some(seed, tokens, size, broken=broken), some(seed + 1, rows, size, broken=broken)
    with np.errstate(over="ignore", under="ignore"):
        head = Head(weights.astype(dtype))
    equal(fast(tier, threads).dense(x, head), plain.dense(x, head))


@tiers
def test_cpu_ops_dense_widens_every_half(tier):
    """All 2**16 of them, by a column of ones and sixteen rows of each value."""
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    head = Head(np.ascontiguousarray(np.repeat(every[:, np.newaxis], 1, axis=1)))
    equal(fast(tier).dense(np.ones((1, 1), np.float32), head), plain.dense(np.ones((1, 1), np.float32), head))
    wide = Head(every.reshape(-1, 32))
    one_hot = np.eye(32, dtype=np.float32)
    equal(fast(tier).dense(one_hot, wide), plain.dense(one_hot, wide))


@tiers
@settings(max_examples=40, deadline=None)
@given(seed=seeds, threads=threads, tokens=tokens, rows=st.integers(0, 40), size=sizes)
def test_cpu_ops_dense_int8_is_the_same(tier, seed, threads, tokens, rows, size):
    x, head = some(seed, tokens, size), Head(some(seed + 1, rows, size, nasty=0)).to_int8()
    equal(fast(tier, threads).dense(x, head), plain.dense(x, head))


@tiers
@settings(max_examples=20, deadline=None)
@given(
    seed=seeds, threads=threads, rows=st.integers(0, 40), size=sizes, dtype=st.sampled_from([np.float32, np.float16])
)
def test_cpu_ops_round_a_head_the_same(tier, seed, threads, rows, size, dtype):
    weights = some(seed, rows, size, nasty=0)
    weights[1::3] *= np.float32(1e-37)  # some units are not normal
    weights[2::5] = 0
    with np.errstate(under="ignore"):
        head = Head(weights.astype(dtype))
    got, expected = fast(tier, threads).to_int8(head), plain.to_int8(head)
    np.testing.assert_array_equal(got.weights, expected.weights)
    equal(got.scale, expected.scale)
    assert fast(tier).to_int8(got) is got


@tiers
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("batch", [1, 5])
def test_cpu_ops_dense_int8_of_the_worst_case_does_not_wrap(tier, sign, batch):
    head = Head(np.full((9, 6912), sign * 127, np.int8), np.ones(9, np.float32))
    x = np.full((batch, 6912), -127, np.float32)
    assert (fast(tier).dense(x, head) == np.float32(-sign * 127 * 127 * 6912)).all()


@tiers
@settings(max_examples=20, deadline=None)
@given(seed=seeds, threads=threads, tokens=tokens, rows=st.lists(st.integers(0, 70), max_size=4))
def test_cpu_ops_linears_are_the_same(tier, seed, threads, tokens, rows):
    x = some(seed, tokens, 256)
    matrices = [checks.random_matrix(count, 256)[1] for count in rows]
    got, expected = fast(tier, threads).linears(x, matrices), plain.linears(x, matrices)
    assert len(got) == len(expected) == len(rows)
    for one, other in zip(got, expected, strict=True):
        equal(one, other)


@tiers
def test_cpu_ops_do_not_know_who_else_calls(tier):
    """Threads that call at the same time each have their own room, and share helpers as they come."""
    ops = fast(tier, 2)
    q, kv, x = some(0, 7, 8, 64, nasty=0), some(1, 2, 60, 2, 64, nasty=0), some(3, 7, 96)
    head = Head(some(2, 300, 96)).to_int8()
    attended, seen = plain.attention(q, *kv, 50, 0.1), plain.dense(x, head)
    wrong = []

    def call() -> None:
        for _ in range(40):
            wrong.extend(() if (ops.attention(q, *kv, 50, 0.1) == attended).all() else ["attention"])
            wrong.extend(() if (ops.dense(x, head) == seen).all() else ["dense"])

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert not any(caller.is_alive() for caller in callers)
    assert wrong == []


def test_cpu_ops_take_mapped_unaligned_and_read_only_arrays(tmp_path):
    weights = some(0, 40, 96, nasty=0).astype(np.float16)
    (tmp_path / "head").write_bytes(b"abc" + weights.tobytes())
    mapped = Head(np.memmap(tmp_path / "head", np.float16, "r", 3, weights.shape))
    x = np.frombuffer(b"?" + some(1, 3, 96).tobytes(), np.uint8)[1:].view(np.float32).reshape(3, 96)
    assert not x.flags.aligned
    assert not x.flags.writeable
    ops = select(select_backend("fast"))
    equal(ops.dense(x, mapped), plain.dense(x, Head(weights)))
    equal(ops.rms_norm(x, x[0], 1e-6), plain.rms_norm(x, x[0], 1e-6))
    heads = x.reshape(3, 4, 24)
    equal(ops.attention(heads, heads, heads, 0, 1.0), plain.attention(heads, heads, heads, 0, 1.0))


FUSED = re.compile(r"\b(v?fn?m(add|sub|la|ls|acc|sac)\w*|x[sv]n?m(add|sub)\w*)\b")


@pytest.mark.parametrize(("tier", "triple"), fast_tiers.TRIPLES)
def test_cpu_ops_never_fuse_a_product_with_a_sum(tier, triple):
    text = fast_tiers.assembly(tier, triple)
    assert FUSED.search(text) is None
    widens = {"x86_64": "vcvtph2ps", "aarch64": "fcvtl"}.get(named(tier).arch)
    assert widens is None or text.count(widens) >= 8


def test_cpu_ops_the_pattern_of_fused_instructions_finds_them():
    for found in ("vfmadd231ps", "vfnmadd132ss", "fmadd", "fmla", "fmls", "vfmacc.vv", "xvmaddasp", "xsmsubadp"):
        assert FUSED.search(f"\t{found}\t")
    for other in ("vpmaddubsw", "vpmaddwd", "vfmul.vv", "fmul", "madd", "xvmulsp"):
        assert FUSED.search(f"\t{other}\t") is None


def test_cpu_ops_trial_finds_arithmetic_that_differs_by_a_bit(monkeypatch):
    tier = named("portable")
    assert differs(*fast_tiers.code("portable")) == ""
    monkeypatch.setattr(floats, "EXP_TERMS", (*order.EXP_TERMS[:-3], 0.50000006, *order.EXP_TERMS[-2:]))
    assert differs(load(assemble(tier)), tier) == "attention, 1 tokens"
    monkeypatch.undo()
    monkeypatch.setattr(sweeps, "_relu2", lambda b, gate, up: b.fmul(gate, b.fmul(gate, up)))
    assert differs(load(assemble(tier)), tier) == "gate, 1 tokens"
