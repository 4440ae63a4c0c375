"""The next token from its logits: the likeliest, or drawn from what the filters leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from kernels.errors import InputError
from kernels.ops.order import exp

RECENT = 64
"""Tokens back which a repetition is looked for."""

LARGEST = float(np.finfo(np.float32).max)

TINY = 1e-100
"""A temperature below which nothing but the likeliest has a chance anyway."""


@dataclass(slots=True)
class Sampler:
    """Draws tokens; the same logits and seed give the same tokens, with any machine and any release of NumPy 2.

    In this order: tokens of the last `RECENT` have a positive logit divided and a negative one multiplied by
    ``repetition_penalty``; logits are divided by ``temperature``; then only the ``top_k`` likeliest stay, of these the
    fewest whose probabilities add up to ``top_p``, and of these who have ``min_p`` of the likeliest one's.

    Parameters
    ----------
    temperature : 0 takes the likeliest, the first of equals.
    top_k : 0 keeps all.
    top_p, min_p : from 0 to 1; 1 and 0 keep all.
    repetition_penalty : above 0; 1 does nothing.
    seed : of NumPy's PCG64.

    Examples
    --------
    >>> Sampler().draw(np.array([0.5, 2.0, 1.0], np.float32))
    1
    >>> sampler = Sampler(temperature=1.0, top_k=2, seed=7)
    >>> [sampler.draw(np.array([0.5, 2.0, 1.0], np.float32)) for _ in range(5)]
    [1, 2, 2, 1, 1]
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0
    _random: np.random.PCG64 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        bounds = {
            "temperature": (self.temperature >= 0 and isfinite(self.temperature), "0 or more"),
            "top_k": (self.top_k >= 0, "0 or more"),
            "top_p": (0 < self.top_p <= 1, "above 0, at most 1"),
            "min_p": (0 <= self.min_p <= 1, "0 to 1"),
            "repetition_penalty": (
                self.repetition_penalty > 0 and isfinite(self.repetition_penalty),
                "above 0",
            ),
            "seed": (self.seed >= 0, "0 or more"),
        }
        for name, (good, wanted) in bounds.items():
            if not good:
                raise InputError(f"{name} is {getattr(self, name)}; want {wanted}")
        self._random = np.random.PCG64(self.seed)

    def draw(self, logits: NDArray[np.float32], before: Sequence[int] = ()) -> int:
        """A token, given (V,) logits and the tokens before it.

        Raises
        ------
        InputError
            The largest logit is not a finite number, so the model is damaged.
        """
        if not np.isfinite(logits.max()):
            raise InputError(
                "the model's logits are not numbers", hint="python -m kernels verify --deep looks at the file"
            )
        scores = logits + np.float32(0)  # a copy, in which no zero is negative
        if self.repetition_penalty != 1 and before:
            seen = np.unique(np.asarray(before[-RECENT:], np.int64))
            seen = seen[seen < len(scores)]
            factor = np.where(scores[seen] > 0, 1 / self.repetition_penalty, self.repetition_penalty)
            scores[seen] = np.clip(scores[seen] * factor, -LARGEST, LARGEST)
        if not self.temperature:
            return int(scores.argmax())
        order = _likeliest(scores, self.top_k)
        below = (scores[order].astype(np.float64) - scores[order[0]]) / max(self.temperature, TINY)
        # Sums one after the other, and an exp of our own: NumPy's depend on the machine.
        chances = exp(np.maximum(below, -LARGEST).astype(np.float32)).astype(np.float64)
        chances /= chances.cumsum()[-1]
        # The one that reaches top_p stays too.
        kept = (chances.cumsum() - chances < self.top_p) & (chances >= self.min_p * chances[0])
        order, reached = order[kept], chances[kept].cumsum()
        return int(order[np.searchsorted(reached, self._uniform() * reached[-1], side="right")])

    def _uniform(self) -> float:
        """From 0, below 1; 53 bits of the generator itself, as these stay the same from release to release."""
        return float(self._random.random_raw() >> 11) * 2.0**-53


def _likeliest(scores: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """(V,) without negative zeros → the numbers of all or the most largest, largest first, the first of equals first.

    A key of 64 bits holds a score, made an integer of the same order, above its number: keys differ, so any way of
    sorting gives the same, and NumPy's for integers is ten times as fast as its stable one.
    """
    bits = scores.view(np.int32)
    ordered = bits ^ (bits >> 31 & np.int32(0x7FFFFFFF))
    keys = (-ordered.astype(np.int64) << 32) + np.arange(len(scores))
    if 0 < most < len(keys):
        keys = np.partition(keys, most - 1)[:most]
    keys.sort()
    return keys & 0xFFFFFFFF
