"""Whether a change holds: the acceptance rule in fresh worktrees, and the smallest part of it that does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine import events as ev
from engine.errors import EnvironmentFailure
from engine.model import Advisory, Progress, Purpose, Step, TestReport, TestResult, Verdict
from engine.suites.layout import witness_files
from engine.tripwires import Tripwires
from engine.verify import acceptance, suspicion
from engine.verify.acceptance import Acceptance
from engine.verify.suspicion import Sources
from engine.workspace import diet
from engine.workspace.area import Area
from engine.workspace.changes import Hunk
from engine.workspace.diet import Slim

if TYPE_CHECKING:
    from engine.loop import Loop


@dataclass(slots=True)
class Verifying:
    """Judges what attempt ``number`` of a loop left."""

    loop: Loop
    number: int

    def verify(self) -> None:
        """The acceptance rule, in a fresh worktree with only the in-scope part of the change."""
        loop = self.loop
        row = loop.row(self.number)
        if row.verdict is not None or row.finished is None:
            return
        loop.checkpoint()
        loop.emit(ev.StepStarted(Step.VERIFY, self.number, "every suite, in a fresh worktree"))
        same = row.finished.tree == loop.earlier_tree(self.number)
        loop.emit(self._as_before(row.finished) if same else self._verified(row.finished))
        loop.emit(ev.StepFinished(Step.VERIFY, self.number))

    def _verified(self, finished: ev.AttemptFinished) -> ev.VerificationFinished:
        accepted, tampered, peeked = self._judge(finished.tree, Purpose.VERIFY)
        empty = bool(peeked) and accepted.holds
        notes: tuple[Advisory, ...] = ()
        if empty:
            accepted = replaced(accepted, reasons=peeked)
        if accepted.holds and not tampered:
            tripped = Tripwires(self.loop, finished.tree, finished.files).run()
            notes = tuple(tripped.notes)
            accepted = replaced(accepted, reasons=(*tripped.empty, *tripped.flaky))
            tampered, empty = tuple(tripped.made_up), bool(tripped.empty)
        verdict = Verdict.VERIFIED if accepted.holds else Verdict.REJECTED
        if tampered:
            verdict = Verdict.TAMPERED
        elif not accepted.holds and (finished.claimed or empty):
            verdict = Verdict.CLAIMED
        reasons = (*tampered, *accepted.reasons)
        return ev.VerificationFinished(self.number, finished.tree, verdict, reasons, accepted.progress, notes)

    def _as_before(self, finished: ev.AttemptFinished) -> ev.VerificationFinished:
        """An attempt that changed nothing keeps the verdict of the one before it."""
        earlier = self.loop.find_row(self.number - 1)
        verdict = Verdict.REJECTED
        reasons: tuple[str, ...] = ("nothing was changed",)
        progress = Progress(still=self.loop.baseline.targets)
        if earlier is not None and earlier.verdict is not None:
            verdict, progress = earlier.verdict, earlier.progress
            reasons = (f"attempt {self.number} changed nothing", *earlier.reasons)
        if finished.claimed and verdict is Verdict.REJECTED:
            verdict = Verdict.CLAIMED
        notes = earlier.notes if earlier is not None else ()
        return ev.VerificationFinished(self.number, finished.tree, verdict, reasons, progress, notes)

    def _judge(self, tree: str, purpose: Purpose) -> tuple[Acceptance, tuple[str, ...], tuple[str, ...]]:
        """Acceptance of a tree, each suite in a fresh worktree; what was interfered with; who looked at the tests."""
        loop = self.loop
        commit = loop.plan.repository.scratch_commit(tree, loop.workshop.snapshot.commit)
        reports = []
        for name in loop.plan.suites:
            loop.checkpoint()
            skipped = loop.left_out(name)
            # What one suite leaves behind must not reach the next.
            place = loop.workshop.place("verify", commit, fresh=skipped is None)
            reports.append(loop.suite(name, place, purpose, self.number, skipped))
        # What the audit showed before anything was changed is how this project is.
        audits = [e for s in loop.state.suites.values() for n, e in s.finished.items() if n.startswith(Purpose.AUDIT)]
        changed = _new(reports, audits, lambda r: r.rewritten)
        replaced = _new(reports, audits, lambda r: r.replaced)
        tampered = (
            *(f"{p} was changed while the tests ran" for p in changed),
            *(f"the code under test replaced {n}, a part of pytest: its results say nothing" for n in replaced),
        )
        seen = [f"{p} while the tests ran" for p in _new(reports, audits, lambda r: r.peeked)]
        swapped = tuple(p for p in seen if " replaced " in p)
        peeked = tuple(p for p in seen if p not in swapped)
        return acceptance.judge(loop.baseline, reports), (*tampered, *swapped), peeked

    def slim(self) -> None:
        """Take away what the targets do not need; what is left is verified again."""
        loop = self.loop
        row = loop.row(self.number)
        if row.verdict is not Verdict.VERIFIED or row.diet is not None or row.finished is None:
            return
        loop.checkpoint()
        loop.emit(ev.StepStarted(Step.DIET, self.number, "taking away what is not needed"))
        loop.emit(self._slimmed(row.finished))
        loop.emit(ev.StepFinished(Step.DIET, self.number))

    def look(self) -> None:
        """Name to the reviewer what an honest change seldom needs; what it never needs is not called verified."""
        loop = self.loop
        row = loop.row(self.number)
        if row.verdict is not Verdict.VERIFIED or row.suspicions is not None or row.judged:
            return
        snapshot, repository = loop.workshop.snapshot, loop.plan.repository
        texts = loop.keeper.texts(snapshot.tree, row.tree)
        found = row.notes
        if texts is not None:
            judges = witness_files((t.nodeid for t in loop.state.targets), loop.plan.prefix)
            paths = sorted(judges & set(loop.files))
            tests = {p: repository.blob(snapshot.tree, p).decode("utf-8", "replace") for p in paths}
            found += tuple(suspicion.look(Sources(*texts, tests), self._usual))
        loop.emit(ev.ChangeExamined(self.number, found))

    def _usual(self, word: str) -> bool:
        """Whether the project's own production code held this before anything was changed."""
        loop = self.loop
        args = ("grep", "-l", "-z", "-F", "-I", "-e", word, loop.workshop.snapshot.tree, "--", "*.py")
        try:
            found = loop.plan.repository.run(*args).split("\0")
        except EnvironmentFailure:  # git's way to say: nowhere
            return False
        return any(path and not loop.scope.refusal(path.split(":", 1)[1]) for path in found)

    def _slimmed(self, finished: ev.AttemptFinished) -> ev.DietFinished:
        loop = self.loop
        repository, base = loop.plan.repository, loop.workshop.snapshot.tree
        same = ev.DietFinished(self.number, finished.tree, finished.added, finished.removed, False)
        texts = loop.keeper.texts(base, finished.tree)
        if texts is None:
            return replace(same, note="a changed file is not text")
        before, after = texts
        all_pieces = diet.pieces(before, after)
        settings = loop.plan.config.diet
        if not settings.enabled and len(all_pieces) > 1:
            return replace(same, note="[diet] enabled = false")
        deadline = time.monotonic() + settings.budget_s
        slim = self._reduced(before, after, lambda: time.monotonic() > deadline)
        if not slim.dropped:
            return replace(same, minimal=slim.minimal, runs=slim.runs)
        left = diet.assemble(before, slim.kept, after)
        changes = {p: t.encode("utf-8", "surrogateescape") for p, t in left.items() if t is not None}
        tree = repository.tree_with(base, changes, loop.plan.home.scratch(loop.run))
        accepted, tampered, peeked = self._judge(tree, Purpose.DIET)
        if not accepted.holds or tampered or peeked:
            note = "the reduced change did not verify; the whole one stays"
            return replace(same, runs=slim.runs, note=note)
        stat = repository.numstat(base, tree)
        added, removed = sum(a for _, a, _ in stat), sum(r for _, _, r in stat)
        files = tuple(p for p, _, _ in stat)
        return ev.DietFinished(self.number, tree, added, removed, slim.minimal, len(slim.dropped), slim.runs, "", files)

    def _reduced(self, before: Mapping[str, str], after: Mapping[str, str], spent: Callable[[], bool]) -> Slim:
        """Hunks first, then the statements and lines of those that are needed."""

        def program(kept: Sequence[Hunk]) -> object:
            return diet.programs(diet.assemble(before, kept, after))

        runs, accepted = 0, self._holds(before, after)
        whole = diet.pieces(before, after)
        parses = program(whole) is not None

        def holds(kept: Sequence[Hunk]) -> bool:
            nonlocal runs
            if parses and program(kept) is None:  # no child is needed to say that this does not run
                return False
            runs += 1
            return accepted(kept)

        kept = diet.idle(whole, program)
        removed = [h for h in whole if not any(h is k for k in kept)]
        slim = diet.reduce(kept, holds, spent)
        fine = [f for h in slim.kept for f in diet.finer(h)]
        if slim.minimal and len(fine) > len(slim.kept):
            removed += slim.dropped
            slim = diet.reduce(fine, holds, spent)
        return Slim(slim.kept, (*removed, *slim.dropped), slim.minimal, runs)

    def _holds(self, before: Mapping[str, str], after: Mapping[str, str]) -> Callable[[Sequence[Hunk]], bool]:
        loop = self.loop
        place = loop.workshop.place("verify", loop.workshop.snapshot.commit, fresh=True)
        area = Area(place.worktree)
        by_suite: dict[str, list[str]] = {}
        for row in loop.state.targets:
            by_suite.setdefault(row.suite, []).append(row.nodeid)

        def holds(kept: Sequence[Hunk]) -> bool:
            loop.checkpoint()
            for path, text in diet.assemble(before, kept, after).items():
                if text is None:
                    (place.worktree / path).unlink(missing_ok=True)
                else:
                    area.write(path, text.encode("utf-8", "surrogateescape"))
            found: list[TestResult] = []
            for suite, nodeids in by_suite.items():
                report = loop.runner.report(suite, loop.plan.config.suites[suite], place, only=nodeids)
                found += report.results
            moved = acceptance.progress(loop.baseline, found)
            return not moved.still and not moved.gone

        return holds


def _new(
    reports: Sequence[TestReport],
    audits: Sequence[ev.SuiteFinished],
    names: Callable[[TestReport | ev.SuiteFinished], Sequence[str]],
) -> list[str]:
    """The first names of the reports that the audits do not hold."""
    known = {n for a in audits for n in names(a)}
    return sorted({n for r in reports for n in names(r)} - known)[:3]
