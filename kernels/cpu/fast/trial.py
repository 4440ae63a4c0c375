"""A tier's code against what NumPy computes: what new code must pass before anyone calls it."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.fast.backend import FastBackend
from kernels.cpu.fast.load import Code
from kernels.cpu.fast.ops import FastOps
from kernels.cpu.fast.tiers import Tier
from kernels.formats.i2_s import I2S
from kernels.ops.head import Head
from kernels.ops.plain import PlainOps
from kernels.packed import PackedMatrix

if TYPE_CHECKING:
    from kernels.ops import Ops

SHAPES = ((1, 128, 1), (70, 640, 1), (33, 384, 7), (64, 896, 19), (40, 2176, 31), (40, 640, 70))
"""Rows, columns and tokens: whole and broken groups, spans and tiles of every width."""


def differs(code: Code, tier: Tier) -> str:
    """The first product the code gets wrong, in words; empty if none."""
    backend = FastBackend(code, tier)
    random = np.random.default_rng(0)
    for rows, cols, batch in SHAPES:
        ternary = random.integers(-1, 2, (rows, cols)).astype(np.int8)
        q = random.integers(-128, 128, (batch, cols)).astype(np.int8)
        if not _equal(backend, ternary, q):
            return f"{rows} x {cols}, {batch} tokens"
    for weight, value in product((-1, 1), (-128, 127)):
        for batch in (1, 2, 6, 25):
            if not _equal(backend, np.full((17, 1280), weight, np.int8), np.full((batch, 1280), value, np.int8)):
                return f"all weights {weight}, all activations {value}, {batch} tokens"
    return _differing_operation(backend)


def _differing_operation(backend: FastBackend) -> str:
    """The first float operation that differs from NumPy's by a bit."""
    fast, plain = FastOps(backend), PlainOps(backend)
    random = np.random.default_rng(1)

    def some(*shape: int) -> NDArray[np.float32]:
        return random.normal(size=shape).astype(np.float32)

    for tokens in (1, 5):
        x, q, kv, head = some(tokens, 75), some(tokens, 10, 38), some(2, tokens + 20, 2, 38), Head(some(19, 75))
        heads = head, Head(head.weights.astype(np.float16)), head.to_int8()
        calls: list[tuple[str, tuple[Any, ...]]] = [("dense", (x, each)) for each in heads]
        calls += ("rms_norm", (x, x[0], 1e-5)), ("rope", (q, some(tokens, 19), some(tokens, 19)))
        calls += ("attention", (q, *kv, 17, 0.2)), ("attention", (q, *kv.astype(np.float16), 17, 0.2)), ("add", (x, x))
        calls += ("gate", (x, x, "relu2")), ("gate", (x, x, "silu")), ("rope", (q, some(tokens, 11), some(tokens, 11)))
        for name, given in calls:
            if getattr(fast, name)(*given).tobytes() != getattr(plain, name)(*given).tobytes():
                return f"{name}, {tokens} tokens"
    if _differing_record(fast, plain, some(5, 40)):
        return "what was recorded"
    wrong = any((fast.to_int8(each).weights != each.to_int8().weights).any() for each in heads[:2])
    return "to_int8" if wrong else ""


def _differing_record(fast: FastOps, plain: PlainOps, x: NDArray[np.float32]) -> bool:
    """Whether a step that is recorded for the first token differs for one of the next."""
    weight, again = x[0].copy(), Head(x)
    caches = {each: np.zeros((5, 1, 40), np.float32) for each in (fast, plain)}

    def work(do: Ops, h: NDArray[np.float32], start: int, cos: Any, sin: Any) -> NDArray[np.float32]:
        cache = caches[do if do in caches else fast]
        turned = do.rope(do.rms_norm(h, weight, 1e-5).reshape(1, 1, 40), cos, sin)
        do.keep(turned, cache, start)
        return do.add(do.attention(turned, cache, cache, start, 0.2), h)

    for start in range(5):
        inputs = x[start : start + 1], start, x[:1, :20].copy(), x[1:2, :20].copy()
        if fast.run(work, inputs, again).tobytes() != plain.run(work, inputs).tobytes():
            return True
    return False


def _equal(backend: FastBackend, ternary: NDArray[np.int8], q: NDArray[np.int8]) -> bool:
    matrix = PackedMatrix(I2S().pack(ternary, 1.0), (ternary.shape[0], ternary.shape[1]))
    return bool((backend.accumulate(matrix, q) == q.astype(np.int32) @ ternary.T.astype(np.int32)).all())
