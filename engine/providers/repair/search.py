"""Search for the smallest edits that turn red tests green: locate, try, keep, repeat, prove. Readable top to bottom.

It never writes to the project it was given: everything happens in scratch copies, and only proved texts are returned.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from engine.providers.repair.answer import answer, at_failure, empty_handed, last_lines, nearest_miss
from engine.providers.repair.attempt import Plausible, Situation
from engine.providers.repair.budget import Budget, Stopped
from engine.providers.repair.choose import RUNNERS_UP, Outlook, runners_up
from engine.providers.repair.confirm import Confirmed, Confirmer
from engine.providers.repair.dodged import dodged
from engine.providers.repair.edits import combined, shown
from engine.providers.repair.generate import Quarry
from engine.providers.repair.history import SecondThoughts, Standing
from engine.providers.repair.lab import Lab
from engine.providers.repair.locate import Spot
from engine.providers.repair.needless import needless
from engine.providers.repair.observe import Seen, expected_errors, file_of, raised_errors, spelled_words, wanted_names
from engine.providers.repair.replay import Step
from engine.providers.repair.rounds import Memory, Round
from engine.providers.repair.scratch import keys_of
from engine.providers.repair.source import Source, Unreadable
from engine.providers.repair.synth.synthesis import Synthesis
from engine.providers.repair.task import RepairResult, RepairTask, SearchProgress
from engine.providers.repair.told import told
from engine.providers.repair.trial import ENDLESS, PASSED, Sign
from engine.providers.repair.zygote import Gone
from engine.workspace.encoding import decoded

_GREEN_CLOCK_S = 1.0  # a green test that takes longer under the tracer is not watched to its end
_TRACE_SHARE = 0.3  # of the budget, at most, to watch the green tests


def search(
    task: RepairTask, *, progress: Callable[[SearchProgress], None], cancelled: Callable[[], bool]
) -> RepairResult:
    """Look for edits that mend the failing tests of ``task`` and break none of the passing ones.

    Parameters
    ----------
    progress : told where the search stands, at most five times a second and at each change of phase.
    cancelled : asked several times a second; once true, the search ends with what was proved so far.

    Returns
    -------
    Proved texts and edits; without any, an empty result whose note says what was seen.
    """
    budget = Budget(task, progress, cancelled)
    quest = Quest(task, budget)
    try:
        quest.run()
    finally:
        quest.close()
    budget.report("done", quest.result.note)
    return quest.result


class Quest:
    """The state of one search."""

    def __init__(self, task: RepairTask, budget: Budget) -> None:
        self._task = task
        self._budget = budget
        self._notes: list[str] = []
        self._failing = keys_of(task, task.failing)
        self._passing = keys_of(task, task.passing)
        self._sources = self._read()
        self._spelled = spelled_words(self._tests())
        self._original = {path: source.text for path, source in self._sources.items()}
        self._steps: list[Step] = []
        self._located: list[Spot] = []
        self._outlook = Outlook()
        self._memory = Memory()
        red = list(dict.fromkeys(self._failing.values()))
        whole = [key for key in red if "::" not in key]
        keys = [*red, *dict.fromkeys(key for key in self._passing.values() if key not in set(red))]
        self._reds = len(red)
        self._lab = Lab(task, keys, whole, budget.check)
        self._confirmer = Confirmer(task, budget, self._original, red, list(dict.fromkeys(self._passing.values())))
        self._seen: dict[int, Seen] = {}
        self._red: list[int] = []
        self._green: list[int] = []
        self._fickle: frozenset[int] = frozenset()
        self.result = self._answer(None)

    def close(self) -> None:
        self._lab.close()
        self._confirmer.close()

    def run(self) -> None:
        """Go through the phases; however they end, `result` says what is proved."""
        confirmed: Confirmed | None = None
        try:
            self._budget.report("locating", "starting the tests")
            if self._worth_it():
                self._look()
                self._rounds()
        except Stopped as stop:
            self._notes.append(f"The search ended because {stop}.")
        except Gone as gone:
            self._notes.append(f"The tests could not be run: {last_lines(str(gone))}")
        try:
            doubtful = self._doubtful()
        finally:
            self._lab.close()
        try:
            if self._steps:
                confirmed = self._confirmer.confirm(self._steps, doubtful)
        except Stopped as stop:
            self._notes.append(f"{len(self._steps)} edit(s) looked right but were not proved, because {stop}.")
        self.result = self._answer(confirmed)

    def _read(self) -> dict[str, Source]:
        sources = {}
        for path in self._task.editable:
            name = path.rpartition("/")[2]
            if (
                not name.endswith(".py")
                or name == "conftest.py"
                or name.startswith("test_")
                or name.endswith("_test.py")
            ):
                continue
            try:
                sources[path] = Source.read(self._task.root, path)
            except Unreadable as error:
                self._notes.append(f"Skipped a file that cannot be edited: {error}.")
        return sources

    def _tests(self) -> Iterator[str]:
        """The text of each file with a red test."""
        for name in dict.fromkeys(key.split("::")[0] for key in self._failing.values()):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                yield decoded((self._task.root / name).read_bytes())

    def _worth_it(self) -> bool:
        if not self._failing:
            self._notes.append("None of the failing tests lies in a file that exists.")
        elif not self._sources:
            self._notes.append("There is no editable Python file to work on.")
        elif os.name != "posix":
            self._notes.append("This platform has no process groups, which the search needs.")
        return bool(self._failing and self._sources and os.name == "posix")

    def _look(self) -> None:
        """Collect, run everything once under the tracer, and sort the tests into red and green."""
        greeting = self._lab.open()
        if unsafe := self._lab.settle():
            self._notes.append(unsafe)
        keys = self._lab.keys
        files = [at for at, key in enumerate(keys[: self._reds]) if "::" not in key]
        self._budget.report("locating", f"watching {len(keys)} tests")
        red = [at for at in range(len(keys)) if at in greeting.found and self._is_red(at)]
        seen = self._lab.trace(red)
        began = time.monotonic()
        until = began + _TRACE_SHARE * self._task.budget_s
        near = {file_of(keys[at]) for at in red}
        rest = [at for at in range(len(keys)) if at in greeting.found and not self._is_red(at)]
        rest.sort(key=lambda at: file_of(keys[at]) not in near)  # should the time not do for all of them
        watched = self._lab.trace(rest, seconds=min(_GREEN_CLOCK_S, self._task.test_timeout_s), until=until)
        seen |= {at: view for at, view in watched.items() if view.sign.code != ENDLESS}
        self._seen = seen
        self._red = [*files, *(at for at in red if at not in seen or not seen[at].sign.passed)]
        self._green = [at for at in rest if at not in seen or seen[at].sign.passed]
        self._lab.know(seen)
        self._fickle = self._lab.fickle(seen)
        whole_run = sum(view.seconds for view in seen.values())
        self._budget.reserve = min(0.4 * self._task.budget_s, 1.0 + 1.5 * self._lab.start_s + 1.5 * whole_run)
        self._mention(red)

    def _is_red(self, at: int) -> bool:
        """A failing test of the task, or any test of a file that could not be collected before."""
        return at < self._reds or self._lab.keys[at].split("::")[0] in self._lab.keys[: self._reds]

    def _mention(self, red: Sequence[int]) -> None:
        absent = [key for at, key in enumerate(self._lab.keys[: self._reds]) if "::" in key and at not in red]
        if absent:
            self._notes.append(f"{len(absent)} failing test(s) were not collected, such as {absent[0]}.")
        calm = [at for at in red if at in self._seen and self._seen[at].sign.passed]
        if calm:
            self._notes.append(f"{len(calm)} failing test(s) passed when run again, such as {self._lab.keys[calm[0]]}.")

    def _rounds(self) -> None:
        number = 0
        written = Synthesis(self._lab, self._budget)
        thoughts = SecondThoughts()
        while self._red:
            self._budget.check()
            red, green = tuple(self._red), tuple(self._green)
            situation = Situation(self._sources, self._seen, red, green, self._lab.keys, self._fickle)
            greeting = self._lab.greeting
            assert greeting is not None
            texts = [view.text for at, view in self._seen.items() if not view.sign.passed]
            texts += [error["text"] for error in greeting.errors]
            wanted, expected = wanted_names(texts), expected_errors(texts)
            frames = tuple((path, line) for error in greeting.errors for path, line in error["frames"])
            kinds = [view.sign.kind for view in self._seen.values()] + [error["kind"] for error in greeting.errors]
            hints = (wanted, expected, raised_errors(kinds), self._spelled)
            favoured = told(self._seen[at].text for at in self._red if at in self._seen)
            quarry = Quarry(self._sources, self._lab.ran_at_import(), *hints, favoured=favoured)
            turn = Round(
                self._lab,
                self._budget,
                situation,
                quarry,
                self._memory,
                number,
                frames,
                wanted,
                self._task.seed,
                thoughts.most,
                thoughts.whole_only,
                written,
            )
            located = turn.locate()
            self._located = self._located or located
            self._budget.best = 0
            self._budget.report("searching", f"round {number + 1}: {len(self._red)} red tests")
            try:
                found = turn.search()
            except Stopped:
                if not turn.plausible:
                    self._notes += [said for said in (nearest_miss(turn), at_failure(turn)) if said]
                gain = max((len(p.mended) for p in turn.plausible if p.whole), default=0)
                back = thoughts.given_up(self._budget.fixed + gain)
                self._note_standing(back) if back is not None else self._keep_best(turn)
                raise
            number += 1
            if not found:
                back = thoughts.instead(self._standing())
                if back is None:
                    self._notes.append(empty_handed(turn))
                    return
                self._return_to(back)
                continue
            thoughts.accepted(found, self._standing())
            others = runners_up(turn.choice, found, self._sources, self._original)
            self._outlook = self._outlook.then(turn.choice, found, tuple(islice(others, RUNNERS_UP)))
            self._accept(found, situation, number - 1)

    def _standing(self) -> Standing:
        return Standing(
            self._sources,
            tuple(self._steps),
            dict(self._seen),
            tuple(self._red),
            tuple(self._green),
            dict(self._memory.changed),
            dict(self._memory.tried),
            self._budget.fixed,
            self._outlook,
        )

    def _note_standing(self, there: Standing) -> None:
        self._sources, self._steps, self._seen = dict(there.sources), list(there.steps), dict(there.seen)
        self._red, self._green = list(there.red), list(there.green)
        self._memory.changed, self._memory.tried = dict(there.changed), dict(there.tried)
        self._budget.fixed = there.fixed
        self._outlook = there.outlook

    def _return_to(self, there: Standing) -> None:
        """Make an earlier or later state of the search its starting point again."""
        texts = {path: source.text for path, source in there.sources.items() if source is not self._sources[path]}
        apart = {id(step): step for step in (*self._steps, *there.steps)}
        shared = {id(step) for step in self._steps} & {id(step) for step in there.steps}
        early = any(step.candidate.early for at, step in apart.items() if at not in shared)
        self._note_standing(there)
        self._lab.rebase(texts, imported_again=early)
        self._lab.know(self._seen)
        self._fickle = self._lab.fickle(self._seen)

    def _keep_best(self, turn: Round) -> None:
        """Out of time: an edit that mends something is still worth a proof."""
        ranked = turn.choice.order or sorted(turn.plausible, key=lambda p: p.rank)
        whole = [p for p in ranked if p.whole]
        if whole and not self._budget.cancel_seen:
            self._note_steps(whole[:1])
            self._outlook = self._outlook.then(turn.choice, whole[:1], ())

    def _accept(self, found: Sequence[Plausible], situation: Situation, number: int) -> None:
        """Make the edits the new starting point and see what the tests do now."""
        edits = [candidate for plausible in found for candidate in plausible.candidates]
        texts = combined(self._sources, edits)
        for plausible in found:
            for at in situation.relevant(plausible.spot):
                self._memory.changed[at] = number
        sources, seen = self._sources, dict(self._seen)
        self._note_steps(found)
        before = list(self._lab.keys)
        self._lab.rebase(texts, imported_again=any(edit.early for edit in edits))
        if len(self._lab.keys) > len(before):
            self._red = [at for at in self._red if "::" in before[at]]
            assert self._lab.greeting is not None
            self._red += [at for at in range(len(before), len(self._lab.keys)) if at in self._lab.greeting.found]
        again = sorted({*self._red, *(at for p in found for at in situation.guards(p.spot, None))})
        assert self._lab.greeting is not None
        again = [at for at in again if at in self._lab.greeting.found]
        self._seen.update(self._lab.trace(again))
        self._believe(found)
        if place := dodged(found, sources, seen, self._seen):
            self._outlook = replace(self._outlook, unsure=True)
            self._notes.append(f"No test runs {place} any more, from where an exception came.")
        self._lab.know(self._seen)
        self._red = [at for at in self._red if not (at in self._seen and self._seen[at].sign.passed)]
        self._red = [at for at in self._red if "::" in self._lab.keys[at] or self._still_broken(self._lab.keys[at])]
        mended = [at for at in again if self._seen.get(at) is not None and self._seen[at].sign.passed]
        self._green = sorted({*self._green, *mended} - set(self._red))
        if self._red:
            self._fickle = self._lab.fickle(self._seen)
        self._budget.fixed = self._reds - sum(1 for at in self._red if at < self._reds)

    def _believe(self, found: Sequence[Plausible]) -> None:
        """A test that an edit mends when given enough time has passed, though it was too long to be watched."""
        for at in {at for plausible in found if plausible.factor > 1.0 for at in plausible.mended}:
            if at in self._seen and self._seen[at].sign.code == ENDLESS:
                self._seen[at] = replace(self._seen[at], sign=Sign(PASSED, "", 0, -1))

    def _still_broken(self, path: str) -> bool:
        assert self._lab.greeting is not None
        return any(error["path"] == path for error in self._lab.greeting.errors)

    def _note_steps(self, found: Sequence[Plausible]) -> None:
        """Write the edits down, each on the text that its forerunners leave."""
        for edit in sorted((c for p in found for c in p.candidates), key=lambda c: (c.path, -c.start)):
            source = self._sources[edit.path]
            self._steps.append(Step(edit, shown(source, edit), source.text[edit.start : edit.end]))
            self._sources = {**self._sources, edit.path: Source(edit.path, edit.applied(source.text))}

    def _doubtful(self) -> list[Step]:
        red = set(self._red)
        mended = tuple(at for at in range(self._reds) if at not in red and at in self._seen)
        if self._budget.cancel_seen or not mended:
            return []
        try:
            return needless(self._steps, self._original, self._sources, mended, self._lab.pool)
        except (Stopped, Gone):
            return list(self._steps)

    def _answer(self, confirmed: Confirmed | None) -> RepairResult:
        outlook = self._outlook
        if confirmed is not None and len(confirmed.steps) < len(self._steps):
            outlook = outlook.without_runners_up()
        return answer(self._task, self._failing, confirmed, self._budget, self._located, outlook, tuple(self._notes))
