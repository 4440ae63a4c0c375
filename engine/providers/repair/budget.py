"""Know when to stop: the clock, the count of edits, the caller's wish; and tell the caller how far things are.

It must not decide what to do with the time, nor report more often than a screen can use.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.providers.repair.task import Phase, RepairTask, SearchProgress

REPORT_EVERY_S = 0.2


class Stopped(Exception):
    """The search has to end now; the message says why."""


class Budget:
    """Time and edits left, and the caller's cancel.

    Parameters
    ----------
    task : gives the limits.
    progress : called at most five times a second, and whenever the phase changes.
    cancelled : asked at every `check`.
    """

    def __init__(
        self, task: RepairTask, progress: Callable[[SearchProgress], None], cancelled: Callable[[], bool]
    ) -> None:
        self._began = time.monotonic()
        self._seconds = task.budget_s
        self._most = task.max_candidates
        self._progress = progress
        self._cancelled = cancelled
        self._phase: Phase | None = None
        self._reported = 0.0
        self.tried = 0
        self.best = 0
        self.fixed = 0
        self.reserve = 0.0
        self.cancel_seen = False

    @property
    def spent(self) -> float:
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds until the whole budget is gone."""
        return self._seconds - self.spent

    def check(self, *, confirming: bool = False) -> None:
        """Raise `Stopped` if the search has to end; ``confirming`` may use the time held back for it."""
        self.check_cancel()
        if self.left <= (0.0 if confirming else self.reserve):
            raise Stopped("the time was used up")
        if not confirming:
            self.check_edits()

    def check_edits(self) -> None:
        """Raise `Stopped` if as many edits were tried as may be; asked after each one, so that it is never more."""
        if self.tried >= self._most:
            raise Stopped(f"{self.tried} edits were tried, the most that were allowed")

    def check_cancel(self) -> None:
        """Raise `Stopped` if the caller wants no more."""
        if self.cancel_seen or self._cancelled():
            self.cancel_seen = True
            raise Stopped("it was cancelled")

    def report(self, phase: Phase, message: str) -> None:
        """Tell the caller, unless it was told a moment ago."""
        now = time.monotonic()
        if phase == self._phase and now - self._reported < REPORT_EVERY_S:
            return
        self._phase, self._reported = phase, now
        used = min(1.0, self.spent / self._seconds) if self._seconds > 0 else 1.0
        self._progress(SearchProgress(phase, message, self.tried, self.best, self.fixed, used))
