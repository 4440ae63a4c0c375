"""What a run may still use, and the question that is asked when that is used up.

In the dashboard the engine parks until a person raises the limit or ends the attempt; else the run ends, resumably.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine import events as ev
from engine.commands import Answer, EndAttempt, Raise
from engine.config import Budget
from engine.errors import AttemptEnded, BudgetSpent

HINTS = {
    "usd": "raise it with --max-usd or [budget] usd, then resume the run",
    "tokens": "raise [budget] tokens, then resume the run",
    "turns": "raise them with --max-turns or [budget] turns, then resume the run",
    "minutes": "resume with --max-minutes",
}


@dataclass(slots=True)
class Allowance:
    """The limits of a run as they are now.

    Parameters
    ----------
    ask
        Parks until the question with an id is answered; None: nobody can be asked.
    reopen
        Called with the id of a question whose answer was none.
    part
        What of the run is under way: an attempt, or a specialist's hop.
    """

    budget: Budget
    emit: Callable[[ev.Event], None] = lambda event: None
    ask: Callable[[str], Answer] | None = None
    reopen: Callable[[str], None] = lambda question: None
    part: str = ""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def of(cls, budget: Budget, raised: Mapping[str, float], fixed: tuple[str, ...] = ()) -> Allowance:
        """The settings' limits, and what a person made of them before the run was interrupted.

        Parameters
        ----------
        fixed
            Limits that were given anew with the command: what is typed last holds.
        """
        kept = {name: to for name, to in raised.items() if name not in fixed and to > getattr(budget, name)}
        return cls(_with(budget, kept))

    def reached(self, limit: str, spent: float, needed: float, why: str, *, between: bool = False) -> None:
        """The next step would pass ``limit``: return when it was raised.

        Parameters
        ----------
        needed
            What the limit must be at least for the run to go on.
        between
            No attempt is under way that could be judged as it stands.

        Raises
        ------
        BudgetSpent
            Nobody can be asked, or a person ends the run here.
        AttemptEnded
            The attempt is over, and what it has is to be judged.
        Stopped
            The run was stopped meanwhile.
        """
        allowed = float(getattr(self.budget, limit))
        question = f"{limit}-{next(self._numbers)}"
        self.emit(ev.BudgetReached(question, limit, spent, allowed, needed, why, self.ask is not None, between))
        if self.ask is None:
            raise BudgetSpent(why, hint=HINTS[limit])
        while True:
            answer = self.ask(question)
            if isinstance(answer, EndAttempt) and between:
                self.emit(ev.BudgetSettled(question, ev.RUN))
                raise BudgetSpent(why, hint=HINTS[limit])
            if isinstance(answer, EndAttempt):
                self.emit(ev.BudgetSettled(question, self.part, answer.forward))
                raise AttemptEnded(why)
            if isinstance(answer, Raise) and answer.limit == limit and answer.to >= needed:
                self.emit(ev.BudgetRaised(question, limit, answer.to))
                self.budget = _with(self.budget, {limit: answer.to})
                return
            self.reopen(question)

    def check_time(self, minutes: float, *, between: bool = False) -> None:
        """Ask when the run has worked for longer than it may; a timer ends it where nobody can be asked."""
        while self.ask is not None and minutes >= self.budget.minutes:
            told = f"the run took its {self.budget.minutes:g} minutes"
            self.reached("minutes", minutes, minutes + 1, told, between=between)


def _with(budget: Budget, limits: Mapping[str, float]) -> Budget:
    whole: dict[str, Any] = {n: to if n in ("usd", "minutes") else int(to) for n, to in limits.items()}
    return replace(budget, **whole)
