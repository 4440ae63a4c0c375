"""A tier's code against integers NumPy sums: what new code must pass before anyone calls it."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.fast.backend import FastBackend
from kernels.cpu.fast.load import Code
from kernels.cpu.fast.tiers import Tier
from kernels.formats.i2_s import I2S
from kernels.packed import PackedMatrix

SHAPES = ((1, 128, 1), (70, 640, 1), (33, 384, 7), (64, 896, 19), (40, 2176, 31))
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
    return ""


def _equal(backend: FastBackend, ternary: NDArray[np.int8], q: NDArray[np.int8]) -> bool:
    matrix = PackedMatrix(I2S().pack(ternary, 1.0), (ternary.shape[0], ternary.shape[1]))
    return bool((backend.accumulate(matrix, q) == q.astype(np.int32) @ ternary.T.astype(np.int32)).all())
