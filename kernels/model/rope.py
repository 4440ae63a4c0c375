"""Sines and cosines of positions: computed in float64, rounded once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from kernels.gguf.bitnet import Sizes
from kernels.ops.host import Floats

CHUNK = 512
"""Positions that are computed together, when the first of them is met."""


def tables(sizes: Sizes) -> Callable[[int, int], tuple[Floats, Floats]]:
    """What gives (cosine, sine) of positions first to last, each (positions, r / 2) float32.

    ``angle = position * base ** (-2 i / r)`` (Su et al., arXiv:2104.09864), pair i being dimensions i and i + r / 2.
    """
    frequency = sizes.rope_base ** (-np.arange(0, sizes.rope_dimensions, 2, dtype=np.float64) / sizes.rope_dimensions)

    @cache
    def chunk(number: int) -> tuple[Floats, Floats]:
        angle = np.arange(number * CHUNK, (number + 1) * CHUNK, dtype=np.float64)[:, np.newaxis] * frequency
        return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)

    def part(first: int, last: int) -> tuple[Floats, Floats]:
        numbers = range(first // CHUNK, -(-last // CHUNK))
        if len(numbers) == 1:
            cos, sin = chunk(numbers[0])
        else:
            cos, sin = (np.concatenate(each) for each in zip(*map(chunk, numbers), strict=True))
        here = slice(first - numbers[0] * CHUNK, last - numbers[0] * CHUNK)
        return cos[here], sin[here]

    return part
