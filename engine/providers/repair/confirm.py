"""Prove what the search found in fresh, plain pytest runs, and drop every edit that is not needed.

Only what this module lets through leaves the repairer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.providers.repair.budget import Budget, Stopped
from engine.providers.repair.plain import Outcome, run_plain
from engine.providers.repair.replay import Displaced, Step, replayed
from engine.providers.repair.scratch import Scratch
from engine.providers.repair.task import RepairTask


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A set of edits that a plain run has proved."""

    steps: tuple[Step, ...]
    sources: Mapping[str, str]
    fixed: frozenset[str]
    found: frozenset[str]
    note: str


class Confirmer:
    """Runs proposals in a copy nothing else was tried in.

    Parameters
    ----------
    original : text of every editable file before any edit.
    failing, passing : keys of the tests that matter.
    """

    def __init__(
        self,
        task: RepairTask,
        budget: Budget,
        original: Mapping[str, str],
        failing: Sequence[str],
        passing: Sequence[str],
    ) -> None:
        self._task = task
        self._budget = budget
        self._original = original
        self._failing = failing
        self._passing = passing
        self._doubted = False
        self._scratch: Scratch | None = None

    def close(self) -> None:
        if self._scratch is not None:
            self._scratch.remove()

    def confirm(self, steps: Sequence[Step], needless: Sequence[Step]) -> Confirmed | None:
        """The smallest provable part of these edits, or None if nothing of them holds.

        Parameters
        ----------
        needless : edits without which as much seemed to pass; they are dropped if a plain run agrees.
        """
        self._all = list(steps)
        kept = list(steps)
        outcome = self._run(kept)
        if self._fixed(outcome) and not self._holds(outcome):
            self._doubt()
        dropped = 0
        while kept and not self._holds(outcome):
            # The latest edit is the likeliest to have spoilt what the earlier ones had mended.
            better = None
            for step in reversed(kept):
                rest = [other for other in kept if other is not step]
                trial = self._run(rest)
                if self._holds(trial):
                    better = (rest, trial)
                    break
            rest, outcome = better if better is not None else (kept[:-1], self._run(kept[:-1]))
            dropped += len(kept) - len(rest)
            kept = rest
        if not kept:
            return None
        kept, outcome, spared = self._smallest(kept, outcome, [*needless] if not dropped else kept)
        notes = []
        if dropped:
            notes.append(f"{dropped} edit(s) did not hold in a fresh run and were dropped")
        if spared:
            notes.append(f"{spared} edit(s) turned out to be unneeded")
        fixed = self._fixed(outcome)
        if not fixed:
            return None
        found = frozenset(outcome.passed)
        return Confirmed(tuple(kept), replayed(self._original, self._all, kept), fixed, found, "; ".join(notes))

    def _doubt(self) -> None:
        """A test that fails in an unedited copy too (it asks git, say) tells nothing about an edit."""
        if not self._doubted:
            unedited = self._run([])
            self._passing = [key for key in self._passing if unedited.green(key)]
            self._doubted = True

    def _smallest(
        self, kept: list[Step], outcome: Outcome, doubtful: Sequence[Step]
    ) -> tuple[list[Step], Outcome, int]:
        """Leave out one edit after the other wherever just as much is mended without it."""
        spared = 0
        for step in doubtful if len(kept) > 1 else ():
            rest = [other for other in kept if other is not step]
            try:
                trial = self._run(rest)
            except Stopped:
                if self._budget.cancel_seen:
                    raise
                break  # proved as it is, only perhaps not the smallest
            if rest and self._holds(trial) and self._fixed(trial) >= self._fixed(outcome):
                kept, outcome, spared = rest, trial, spared + 1
        return kept, outcome, spared

    def _run(self, steps: Sequence[Step]) -> Outcome:
        if self._scratch is None:
            self._scratch = Scratch(self._task)
        texts = {path: self._original[path] for path in {step.candidate.path for step in self._all}}
        try:
            texts.update(replayed(self._original, self._all, steps))
        except Displaced as why:
            return Outcome(frozenset(), frozenset(), frozenset(), str(why), 0.0, False)
        self._budget.report("confirming", f"a fresh run with {len(steps)} edit(s)")
        self._budget.check(confirming=True)
        return run_plain(
            self._scratch,
            texts,
            [*self._failing, *self._passing],
            (),
            seconds=max(1.0, self._budget.left),
            check=self._budget.check_cancel,
        )

    def _holds(self, outcome: Outcome) -> bool:
        return bool(self._fixed(outcome)) and all(outcome.green(key) for key in self._passing)

    def _fixed(self, outcome: Outcome) -> frozenset[str]:
        return frozenset(key for key in self._failing if outcome.green(key))
