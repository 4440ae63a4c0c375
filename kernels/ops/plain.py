"""The forward pass's arithmetic in NumPy: the oracle of the fixed order, and what runs where nothing faster can."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels.ops import LANES, Activation, Floats, Head
from kernels.product import matmul
from kernels.ternary import quantize_activations

if TYPE_CHECKING:
    from kernels.backend import Backend
    from kernels.packed import PackedMatrix

DETERMINISTIC = "BITNET_DETERMINISTIC"
"""Environment variable: anything but empty and 0 keeps the order of all sums fixed, in NumPy at a price in speed."""

ROWS = 512
"""Rows of a dense matrix that are widened at once."""

EXPONENT = np.float32(1.44269502), np.float32(0.693359375), np.float32(-2.12194440e-4)
"""1 / ln 2, and ln 2 in two parts: whole numbers times the first are exact in float32."""

SERIES = tuple(np.float32(1 / n) for n in (5040, 720, 120, 24, 6, 2, 1, 1))
"""exp(r) for |r| ≤ ln 2 / 2, highest power first: the first term left out is below 2**-27."""


class PlainOps:
    """See `kernels.ops.Ops`.

    Parameters
    ----------
    backend : computes the ternary products.
    fixed : keep the order of sums; otherwise products of floats go through BLAS. Default: what the environment says.
    """

    def __init__(self, backend: Backend, fixed: bool | None = None) -> None:
        self.name = backend.name
        self._backend = backend
        self._fixed = os.environ.get(DETERMINISTIC, "") not in ("", "0") if fixed is None else fixed

    def rms_norm(self, x: Floats, weight: Floats, eps: float) -> Floats:
        """(T, D), (D,) → (T, D)."""
        mean = (ordered((x * x).astype(np.float64)) / x.shape[-1]).astype(np.float32)
        factor = np.float32(1) / np.sqrt(mean + np.float32(eps))
        normed: Floats = x * factor[:, np.newaxis] * weight
        return normed

    def rope(self, x: Floats, cos: Floats, sin: Floats) -> Floats:
        """(T, H, d), (T, r), (T, r) → (T, H, d)."""
        half = cos.shape[-1]
        low, high = x[..., :half], x[..., half : 2 * half]
        cos, sin = cos[:, np.newaxis], sin[:, np.newaxis]
        turned = low * cos - high * sin, low * sin + high * cos, x[..., 2 * half :]
        return np.concatenate(turned, axis=-1)

    def attention(self, q: Floats, k: Floats, v: Floats, start: int, *, half: bool = False) -> Floats:
        """(T, H, d), (C, KV, d), (C, KV, d) → (T, H d)."""
        tokens, heads, size = q.shape
        groups = q.reshape(tokens, k.shape[1], heads // k.shape[1], size)
        factor = np.float32(1) / np.sqrt(np.float32(size))
        out = np.empty((tokens, heads * size), np.float32)
        for token in range(tokens):
            seen = start + token + 1
            keys, values = (each[:seen].transpose(1, 0, 2)[:, np.newaxis] for each in (k, v))  # (KV, 1, seen, d)
            weights = softmax(ordered(groups[token][:, :, np.newaxis] * keys) * factor)  # (KV, H / KV, seen)
            if half:
                weights = weights.astype(np.float16).astype(np.float32)
            out[token] = np.add.reduce(weights[..., np.newaxis] * values, axis=-2).reshape(-1)
        return out

    def gate(self, gate: Floats, up: Floats, kind: Activation) -> Floats:
        """(T, F), (T, F) → (T, F)."""
        if kind == "relu2":
            positive = np.maximum(gate, np.float32(0))
            return positive * positive * up
        # exp of what is not positive: the other half follows by symmetry, and nothing overflows.
        small = exp(-np.abs(gate))
        return gate * np.where(gate < 0, small, np.float32(1)) / (np.float32(1) + small) * up

    def add(self, a: Floats, b: Floats) -> Floats:
        """(T, D), (T, D) → (T, D)."""
        return a + b

    def dense(self, x: Floats, head: Head) -> Floats:
        """(T, D), (V, D) → (T, V)."""
        if head.scale is not None:
            return self._dense_int8(x, head.weights, head.scale)
        out = np.empty((len(x), len(head.weights)), np.float32)
        for first in range(0, len(head.weights), ROWS):
            rows = head.weights[first : first + ROWS].astype(np.float32, copy=False)
            if self._fixed:
                for token, one in enumerate(x):
                    out[token, first : first + ROWS] = ordered(rows * one)
            else:
                out[:, first : first + ROWS] = x @ rows.T
        return out

    def _dense_int8(self, x: Floats, weights: NDArray[np.generic], scale: Floats) -> Floats:
        q, factor = quantize_activations(x)
        sums = np.empty((len(x), len(weights)), np.float32)
        wide = q.T.astype(np.float64)  # exact: sums stay far below 2**53
        for first in range(0, len(weights), ROWS):
            sums[:, first : first + ROWS] = (weights[first : first + ROWS].astype(np.float64) @ wide).T
        return sums / factor[:, np.newaxis] * scale

    def linears(self, x: Floats, matrices: Sequence[PackedMatrix]) -> tuple[Floats, ...]:
        """(T, K) and matrices of (M_i, K) → (T, M_i)."""
        if self.name != "numpy":
            return tuple(matmul(matrix, x, backend=self._backend) for matrix in matrices)
        quantized = quantize_activations(x)
        return tuple(matmul(matrix, quantized, backend=self._backend) for matrix in matrices)


def ordered(terms: NDArray[np.floating]) -> NDArray[np.floating]:
    """Sum over the last axis in 16 lanes, in the order `kernels.ops` describes.

    Examples
    --------
    >>> ordered(np.array([[1, 2, 3]], np.float32))
    array([6.], dtype=float32)
    """
    missing = -terms.shape[-1] % LANES
    if missing:
        terms = np.pad(terms, [(0, 0)] * (terms.ndim - 1) + [(0, missing)])
    # Along an axis that is not the last, NumPy adds one row after the other.
    lanes = np.add.reduce(terms.reshape(*terms.shape[:-1], -1, LANES), axis=-2)
    for width in (8, 4, 2, 1):
        lanes = lanes[..., :width] + lanes[..., width:]
    total: NDArray[np.floating] = lanes[..., 0]
    return total


def exp(x: Floats) -> Floats:
    """e to the power of x ≤ 0, in steps every machine rounds alike; within 2 ulp, 0 below -87.

    Examples
    --------
    >>> [round(float(value), 6) for value in exp(np.array([0, -1, -100], np.float32))]
    [1.0, 0.367879, 0.0]
    """
    inverse, high, low = EXPONENT
    held = np.maximum(x, np.float32(-87))
    power = np.rint(held * inverse)
    rest = held - power * high - power * low
    value = np.full_like(rest, SERIES[0])
    for term in SERIES[1:]:
        value = value * rest + term
    scaled = np.ldexp(value, np.where(np.isfinite(power), power, 0).astype(np.int32))
    return np.where(x < -87, np.float32(0), scaled)


def softmax(scores: Floats) -> Floats:
    """Along the last axis."""
    powers = exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / ordered(powers)[..., np.newaxis]
