"""The arithmetic in NumPy: what the other implementations must equal, written to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels.ops import checks
from kernels.ops.host import Floats, HostArrays
from kernels.ops.order import exp, lanes_sum
from kernels.product import product
from kernels.ternary import quantize_activations

if TYPE_CHECKING:
    from kernels.backend import Backend
    from kernels.ops import Kind, Stored
    from kernels.ops.head import Head
    from kernels.packed import PackedMatrix

TILE = 2**18
"""Numbers multiplied at a time: a megabyte, about an L2 cache."""

EXACT_COLS = 2**10
"""Columns whose int8 products float32 can sum in any order without rounding: 127 · 128 each."""

_QUIET = np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")


class PlainOps(HostArrays):
    """Follows `kernels.ops.order` literally; ternary products are the backend's."""

    def __init__(self, backend: Backend) -> None:
        self.name = backend.name
        self._backend = backend

    @_QUIET
    def rms_norm(self, x: Floats, weight: Floats, eps: float) -> Floats:
        """(T, D), (D,) → (T, D)."""
        checks.rms_norm(x, weight)
        total = lanes_sum((x * x).astype(np.float64))  # (T,)
        mean = (total / x.shape[1]).astype(np.float32)
        factor = np.float32(1) / np.sqrt(mean + np.float32(eps))
        normed: Floats = x * factor[:, np.newaxis] * weight
        return normed

    @_QUIET
    def rope(self, x: Floats, cos: Floats, sin: Floats) -> Floats:
        """(T, H, hd), (T, r) twice → (T, H, hd)."""
        checks.rope(x, cos, sin)
        pairs = cos.shape[1]
        first, second, rest = np.split(x, (pairs, 2 * pairs), axis=2)
        c, s = cos[:, np.newaxis], sin[:, np.newaxis]  # (T, 1, r)
        return np.concatenate([first * c - second * s, first * s + second * c, rest], axis=2)

    @_QUIET
    def attention(self, q: Floats, k: Stored, v: Stored, start: int, scale: float) -> Floats:
        """(T, H, hd), (capacity, KV, hd) twice → (T, H · hd)."""
        checks.attention(q, k, v, start)
        (tokens, heads, size), served = q.shape, k.shape[1]
        grouped = q.reshape(tokens, served, heads // served, size)
        out = np.empty_like(grouped)
        step = max(1, TILE // (heads // served * max(1, start + tokens) * size))
        for first in range(0, tokens, step):
            last = min(first + step, tokens)
            for head in range(served):
                seen = slice(0, start + last), head
                out[first:last, head] = _attend(grouped[first:last, head], k[seen], v[seen], np.float32(scale))
        return out.reshape(tokens, heads * size)

    @_QUIET
    def gate(self, gate: Floats, up: Floats, kind: Kind) -> Floats:
        """(T, F) twice → (T, F)."""
        checks.gate(gate, up, kind)
        if kind == "silu":
            return gate / (np.float32(1) + exp(-gate)) * up
        positive = np.maximum(gate, np.float32(0))
        return positive * positive * up

    @_QUIET
    def add(self, a: Floats, b: Floats) -> Floats:
        """(T, D) twice → (T, D)."""
        checks.add(a, b)
        return a + b

    @_QUIET
    def dense(self, x: Floats, head: Head) -> Floats:
        """(T, D) and (V, D) → (T, V)."""
        checks.dense(x, head)
        rows, cols = head.shape
        out = np.empty((len(x), rows), np.float32)
        step = max(1, TILE // cols)
        if head.scale is None:
            for top in range(0, rows, step):
                some = head.weights[top : top + step].astype(np.float32)
                for token, values in enumerate(x):
                    out[token, top : top + step] = lanes_sum(some * values)
            return out
        q, factor = quantize_activations(x)
        for top in range(0, rows, step):
            sums = _int8_sums(q, head.weights[top : top + step])
            out[:, top : top + step] = sums.astype(np.float32) / factor[:, np.newaxis] * head.scale[top : top + step]
        return out

    def to_int8(self, head: Head) -> Head:
        """(V, D) floats → int8."""
        return head.to_int8()

    @_QUIET
    def linears(self, x: Floats, matrices: Sequence[PackedMatrix]) -> tuple[Floats, ...]:
        """(T, K) and several (M, K) → as many (T, M)."""
        checks.linears(x, matrices)
        quantized = quantize_activations(x)
        return tuple(product(matrix, quantized, self._backend) for matrix in matrices)


def _attend(q: Floats, k: Stored, v: Stored, scale: np.float32) -> Floats:
    """(T, G, hd), (n, hd) twice, the last T of n being the tokens themselves → (T, G, hd)."""
    k, v = k.astype(np.float32, copy=False), v.astype(np.float32, copy=False)
    seen = causal(len(q), len(k))
    return weighed(shares(dots(q, k) * scale, seen), v, seen)


def causal(tokens: int, positions: int) -> NDArray[np.bool_]:
    """(T, n): what each of the last T of n positions sees, itself and all before it."""
    return np.arange(positions) <= np.arange(positions - tokens, positions)[:, np.newaxis]


def dots(q: Floats, k: Floats) -> Floats:
    """(T, G, hd), (n, hd) → (T, G, n)."""
    return lanes_sum(q[:, :, np.newaxis] * k)


def shares(scores: Floats, seen: NDArray[np.bool_]) -> Floats:
    """(T, G, n), (T, n) → (T, G, n): softmax of what is seen, 0 for the rest."""
    scores = np.where(seen[:, np.newaxis], scores, -np.float32(np.inf))
    powers = exp(scores - scores.max(axis=2, keepdims=True))
    powers = np.where(seen[:, np.newaxis], powers, np.float32(0))
    return powers * (np.float32(1) / lanes_sum(powers))[:, :, np.newaxis]


def weighed(shares: Floats, v: Floats, seen: NDArray[np.bool_]) -> Floats:
    """(T, G, n), (n, hd), (T, n) → (T, G, hd)."""
    # Positions first, so that they are added one after the other; what is not seen may be anything, as 0 times it.
    parts = shares.transpose(2, 0, 1)[..., np.newaxis] * v[:, np.newaxis, np.newaxis]  # (n, T, G, hd)
    parts = np.where(seen.T[:, :, np.newaxis, np.newaxis], parts, np.float32(0))
    total: Floats = np.add.reduce(parts, axis=0, initial=0)
    return total


def _int8_sums(q: NDArray[np.int8], weights: NDArray[np.generic]) -> NDArray[np.int32]:
    """(T, D), (V, D) int8 → (T, V), by float32 matrix products that cannot round."""
    sums = np.zeros((len(q), len(weights)), np.int32)
    for left in range(0, q.shape[1], EXACT_COLS):
        some = slice(left, left + EXACT_COLS)
        sums += (q[:, some].astype(np.float32) @ weights[:, some].T.astype(np.float32)).astype(np.int32)
    return sums
