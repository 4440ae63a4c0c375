"""The arithmetic of other programs where it rounds more than ours, in NumPy. For comparison only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kernels.errors import InputError
from kernels.ops import checks
from kernels.ops.host import Floats
from kernels.ops.order import exp, lanes_sum
from kernels.ops.plain import PlainOps

if TYPE_CHECKING:
    from kernels.backend import Backend
    from kernels.ops import Stored
    from kernels.packed import PackedMatrix

BLOCK = 256
"""Activations ggml's Q8_K rounds together."""


class QuirkOps(PlainOps):
    """`PlainOps`, rounding as another program does.

    Parameters
    ----------
    half : probabilities to float16, before they weigh the values.
    blocks : activations to int8 by blocks of 256: the largest number, by magnitude, becomes -127, whatever its sign.
    """

    def __init__(self, backend: Backend, *, half: bool = False, blocks: bool = False) -> None:
        super().__init__(backend)
        self._half = half
        self._blocks = blocks

    def attention(self, q: Floats, k: Stored, v: Stored, start: int, scale: float) -> Floats:
        """(T, H, hd), (capacity, KV, hd) twice → (T, H · hd)."""
        if not self._half:
            return super().attention(q, k, v, start, scale)
        checks.attention(q, k, v, start)
        (tokens, heads, size), served = q.shape, k.shape[1]
        grouped = q.reshape(tokens, served, heads // served, size)
        out = np.empty((tokens, heads * size), np.float32)
        for token in range(tokens):
            seen = start + token + 1
            wide = (each[:seen].astype(np.float32) for each in (k, v))
            keys, values = (each.transpose(1, 0, 2)[:, np.newaxis] for each in wide)  # (KV, 1, seen, hd)
            scores = lanes_sum(grouped[token][:, :, np.newaxis] * keys) * np.float32(scale)  # (KV, H / KV, seen)
            powers = exp(scores - scores.max(axis=-1, keepdims=True))
            shares = powers * (np.float32(1) / lanes_sum(powers))[..., np.newaxis]
            halves = shares.astype(np.float16).astype(np.float32)
            out[token] = np.add.reduce(halves[..., np.newaxis] * values, axis=-2).reshape(-1)
        return out

    def linears(self, x: Floats, matrices: Sequence[PackedMatrix]) -> tuple[Floats, ...]:
        """(T, K) and several (M, K) → as many (T, M); by blocks, K in multiples of 256."""
        if not self._blocks:
            return super().linears(x, matrices)
        if x.shape[1] % BLOCK:
            raise InputError(f"{x.shape[1]} columns; blocks of {BLOCK} do not fill them")
        blocks = x.reshape(len(x), -1, BLOCK)
        largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., np.newaxis], axis=-1)
        with np.errstate(divide="ignore"):
            factor = np.where(largest == 0, np.float32(0), np.float32(-127) / largest)
            step = np.where(largest == 0, np.float32(0), np.float32(1) / factor)  # (T, blocks, 1)
        q = np.minimum(127, np.rint(blocks * factor))
        return tuple(_product(q, step[..., 0], matrix) for matrix in matrices)


def _product(q: Floats, step: Floats, matrix: PackedMatrix) -> Floats:
    ternary = matrix.unpack().reshape(matrix.shape[0], -1, BLOCK).astype(np.float32)
    total = np.zeros((len(q), matrix.shape[0]), np.float32)
    for block in range(q.shape[1]):
        sums = q[:, block] @ ternary[:, block].T  # exact: below 2**24
        total += sums * (step[:, block, np.newaxis] * matrix.scale)
    return total
