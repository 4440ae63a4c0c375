"""The next token from its logits: the likeliest, or drawn from what the filters leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from kernels.errors import InputError

RECENT = 64
"""Tokens back which a repetition is looked for."""


@dataclass(slots=True)
class Sampler:
    """Draws tokens; the same logits and seed give the same tokens, on any machine with this version of NumPy.

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
    _random: np.random.Generator = field(init=False, repr=False)

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
        self._random = np.random.Generator(np.random.PCG64(self.seed))

    def draw(self, logits: NDArray[np.float32], before: Sequence[int] = ()) -> int:
        """A token, given (V,) logits and the tokens before it.

        Raises
        ------
        InputError
            A logit is not a number, so the model is damaged.
        """
        if np.isnan(logits).any():
            raise InputError(
                "the model's logits are not numbers", hint="python -m kernels verify --deep looks at the file"
            )
        scores = logits.astype(np.float64)
        if self.repetition_penalty != 1 and before:
            seen = np.unique(np.asarray(before[-RECENT:], np.int64))
            scores[seen] *= np.where(scores[seen] > 0, 1 / self.repetition_penalty, self.repetition_penalty)
        if not self.temperature:
            return int(scores.argmax())
        order = np.argsort(-scores, kind="stable")[: self.top_k or None]
        powers = np.exp((scores[order] - scores[order[0]]) / self.temperature)
        chances = powers / powers.sum()
        # The one that reaches top_p stays too.
        kept = (chances.cumsum() - chances < self.top_p) & (chances >= self.min_p * chances[0])
        order, chances = order[kept], chances[kept]
        reached = (chances / chances.sum()).cumsum()
        return int(order[min(np.searchsorted(reached, self._random.random(), side="right"), len(order) - 1)])
