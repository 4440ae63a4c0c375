"""Whether a change holds: quick tests first, then the smallest part of it that does, then every suite once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine import events as ev
from engine.dieting import Dieting
from engine.errors import EnvironmentFailure
from engine.model import Outcome, Progress, Purpose, Step, TestReport, Verdict
from engine.selecting import Selection
from engine.state import AttemptRow
from engine.suites.layout import witness_files
from engine.tripwires import Tripwires
from engine.verify import acceptance, suspicion
from engine.verify.acceptance import Acceptance
from engine.verify.prose import MOST_PAGES, is_page
from engine.verify.suspicion import Sources

if TYPE_CHECKING:
    from engine.loop import Loop


_LOGGED = " logged a line of "  # how the tests' wires tell that logging has shown one, in an exception


@dataclass(frozen=True, slots=True)
class Judged:
    """A tree under the acceptance rule; what was interfered with, and who looked at the tests."""

    accepted: Acceptance
    tampered: tuple[str, ...]
    peeked: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return self.accepted.holds and not self.tampered and not self.peeked


@dataclass(slots=True)
class Verifying:
    """Judges what attempt ``number`` of a loop left."""

    loop: Loop
    number: int

    def go(self) -> None:
        """What is quick comes first; the whole suite runs once, over what is left."""
        self.probe()
        self.slim()
        self.verify()
        self.look()

    def probe(self) -> None:
        """The targets and what the change can reach, in a fresh worktree: what fails here need not run further."""
        loop = self.loop
        row = loop.row(self.number)
        if row.verdict is not None or row.finished is None or row.diet is not None or self._same(row):
            return
        if row.finished.outcome == Outcome.DONE or row.touched:  # its claim, or the first probe, has run them
            return
        texts = loop.keeper.texts(loop.workshop.snapshot.tree, row.finished.tree)
        selection = loop.selecting.select(*texts) if texts is not None else None
        if selection is None or selection.whole:  # all of it is as quick
            return
        loop.checkpoint()
        loop.emit(ev.StepStarted(Step.VERIFY, self.number, "the targets, and the tests the change can reach"))
        verdict = self._verdict(row.finished, row.finished.tree, self._judge(row.finished.tree, selection))
        if verdict.verdict is not Verdict.VERIFIED:
            loop.emit(replace(verdict, whole=False))
        loop.emit(ev.StepFinished(Step.VERIFY, self.number))

    def verify(self) -> None:
        """The acceptance rule, in a fresh worktree with only the in-scope part of the change."""
        loop = self.loop
        row = loop.row(self.number)
        if row.verdict is not None or row.finished is None:
            return
        loop.checkpoint()
        loop.emit(ev.StepStarted(Step.VERIFY, self.number, "every suite, in a fresh worktree"))
        loop.emit(self._as_before(row.finished) if self._same(row) else self._verified(row))
        loop.emit(ev.StepFinished(Step.VERIFY, self.number))

    def _same(self, row: AttemptRow) -> bool:
        """Whether the attempt changed nothing, and nobody else did."""
        earlier = self.loop.earlier_tree(self.number)
        return row.finished is not None and row.finished.tree == earlier and not row.by_hand

    def _verified(self, row: AttemptRow) -> ev.VerificationFinished:
        done = row.finished
        assert done is not None
        tree, files, judged = row.tree, row.files, self._judge(row.tree)
        if row.diet is not None and row.diet.dropped and not row.by_hand and not judged.holds:
            # A test may need what was taken away though nobody saw it run that.
            note = "the reduced change did not verify; the whole one stays"
            same = ev.DietFinished(self.number, done.tree, done.added, done.removed, False, runs=row.diet.runs)
            self.loop.emit(replace(same, note=note))
            tree, files, judged = done.tree, done.files, self._judge(done.tree)
        found = self._verdict(done, tree, judged)
        if found.verdict is not Verdict.VERIFIED:
            return found
        tripped = Tripwires(self.loop, tree, files).run()
        reasons = (*tripped.made_up, *tripped.empty, *tripped.flaky)
        verdict = Verdict.VERIFIED if not reasons else Verdict.REJECTED
        if tripped.made_up:
            verdict = Verdict.TAMPERED
        elif tripped.empty or (tripped.flaky and done.claimed and not row.by_hand):
            verdict = Verdict.CLAIMED
        return replace(found, verdict=verdict, reasons=reasons, notes=tuple(tripped.notes))

    def _verdict(self, finished: ev.AttemptFinished, tree: str, judged: Judged) -> ev.VerificationFinished:
        """What the acceptance rule alone makes of a tree."""
        reasons = judged.accepted.reasons
        empty = bool(judged.peeked) and judged.accepted.holds
        if empty:
            reasons = judged.peeked
        verdict = Verdict.REJECTED if reasons else Verdict.VERIFIED
        if judged.tampered:
            verdict = Verdict.TAMPERED
        elif reasons and ((finished.claimed and not self.loop.row(self.number).by_hand) or empty):
            verdict = Verdict.CLAIMED  # what a person put together, nobody claimed
        progress = judged.accepted.progress
        return ev.VerificationFinished(self.number, tree, verdict, (*judged.tampered, *reasons), progress)

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

    def _judge(self, tree: str, selection: Selection | None = None) -> Judged:
        """Acceptance of a tree, each suite in a fresh worktree: of all tests, or of some.

        And what was interfered with, and who looked at the tests.
        """
        loop = self.loop
        commit = loop.plan.repository.scratch_commit(tree, loop.workshop.snapshot.commit)
        purpose = Purpose.VERIFY if selection is None else Purpose.REACH

        def suite(name: str, tests: Sequence[str] | None) -> TestReport:
            loop.checkpoint()
            skipped = loop.left_out(name)
            # What one suite leaves behind must not reach the next.
            place = loop.workshop.place("verify", commit, fresh=skipped is None)
            return loop.suite(name, place, purpose, self.number, skipped, only=tests)

        if selection is None:
            by, reports = loop.baseline, [suite(name, None) for name in loop.plan.suites]
        else:
            by, reports = loop.selecting.run(self.number, selection, suite)
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
        touched = self._touched(tree) if any(_LOGGED in p for p in seen) else frozenset()
        peeked = tuple(p for p in seen if p not in swapped and (_LOGGED not in p or p.split(_LOGGED)[0] in touched))
        return Judged(acceptance.judge(by, reports), (*tampered, *swapped), peeked)

    def _touched(self, tree: str) -> frozenset[str]:
        """Files that differ from the snapshot."""
        before = self.loop.workshop.snapshot.tree
        return frozenset(self.loop.plan.repository.run("diff", "--name-only", "-z", before, tree).split("\0"))

    def slim(self) -> None:
        """Take away what the targets do not need."""
        loop = self.loop
        row = loop.row(self.number)
        if row.verdict is not None or row.diet is not None or row.finished is None or self._same(row):
            return
        loop.checkpoint()
        loop.emit(ev.StepStarted(Step.DIET, self.number, "taking away what is not needed"))
        if (slim := Dieting(loop, self.number).slim(row.finished)) is not None:
            loop.emit(slim)
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
            found += tuple(suspicion.look(Sources(*texts, tests), self._usual, self._pages))
        loop.emit(ev.ChangeExamined(self.number, found))

    def _pages(self) -> Iterator[str]:
        """The project's documentation before anything was changed."""
        tree, repository = self.loop.workshop.snapshot.tree, self.loop.plan.repository
        for path in list(filter(is_page, self.loop.files))[:MOST_PAGES]:
            yield repository.blob(tree, path).decode("utf-8", "replace")

    def _usual(self, word: str) -> bool:
        """Whether the project's own production code held this before anything was changed."""
        loop = self.loop
        args = ("grep", "-l", "-z", "-F", "-I", "-e", word, loop.workshop.snapshot.tree, "--", "*.py")
        try:
            found = loop.plan.repository.run(*args).split("\0")
        except EnvironmentFailure:  # git's way to say: nowhere
            return False
        return any(path and not loop.scope.refusal(path.split(":", 1)[1]) for path in found)


def _new(
    reports: Sequence[TestReport],
    audits: Sequence[ev.SuiteFinished],
    names: Callable[[TestReport | ev.SuiteFinished], Sequence[str]],
) -> list[str]:
    """The first names of the reports that the audits do not hold."""
    known = {n for a in audits for n in names(a)}
    return sorted({n for r in reports for n in names(r)} - known)[:3]
