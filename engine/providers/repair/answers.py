"""The verdicts on a stream of candidates, in their order, with a way to ask about one of them again in between.

What was under way is taken up again afterwards, so that the order, and with it the search, stays the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from engine.providers.repair.attempt import Situation
from engine.providers.repair.edits import Candidate
from engine.providers.repair.locate import Spot
from engine.providers.repair.pool import Pool
from engine.providers.repair.trial import Trial, Verdict

Placed = tuple[Candidate, Spot]


class Answers:
    """An iterator over candidates with their places and verdicts.

    Parameters
    ----------
    factor : stretches the limits of every test.
    """

    def __init__(self, pool: Pool, situation: Situation, source: Iterator[Placed], factor: float = 1.0) -> None:
        self._pool = pool
        self._situation = situation
        self._source = source
        self._factor = factor
        self._given: deque[Placed] = deque()
        self._running: Iterator[tuple[Trial, Verdict]] | None = None

    def __iter__(self) -> Answers:
        return self

    def __next__(self) -> tuple[Candidate, Spot, Verdict]:
        if self._running is None:
            self._running = self._pool.run(self._trials())
        _, verdict = next(self._running)
        candidate, spot = self._given.popleft()
        return candidate, spot, verdict

    def _trials(self) -> Iterator[Trial]:
        while True:
            placed = next(self._source, None)
            if placed is None:
                return
            self._given.append(placed)
            yield self.trial(*placed, self._factor)

    def trial(self, candidate: Candidate, spot: Spot, factor: float) -> Trial:
        """A quick look at a candidate, with limits so much wider."""
        trial = self._situation.trial(candidate, spot)
        return trial if factor == 1.0 else replace(trial, factor=factor)

    def again(self, candidate: Candidate, spot: Spot, factor: float) -> Verdict:
        """The verdict on one candidate with wider limits; the others wait."""
        self.close()
        self._source = chain(self._given, self._source)
        self._given = deque()
        return self._pool.one(self.trial(candidate, spot, factor))

    def close(self) -> None:
        """Stop what is under way."""
        if self._running is not None:
            self._running.close()  # type: ignore[attr-defined]
            self._running = None
