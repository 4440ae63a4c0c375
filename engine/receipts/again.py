"""The suites of a receipt once more: on its snapshot and on its tree, in fresh worktrees, confined as a run is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from engine import events as ev
from engine.errors import EnvironmentFailure
from engine.loop import Loop
from engine.model import Ended, Purpose, TestOutcome
from engine.receipts.difference import Difference, Kind
from engine.receipts.form import Receipt
from engine.receipts.outcomes import Around, Outcomes, around, compare, differing
from engine.verify import baseline
from engine.workspace.repository import Snapshot


@dataclass(slots=True)
class Again:
    """Runs them in the parts of an open loop.

    Parameters
    ----------
    loop
        Of a run that has not begun; its scratch is where everything happens.
    """

    loop: Loop
    receipt: Receipt
    notes: list[str] = field(default_factory=list)

    def differences(self) -> Iterator[Difference]:
        """Tests that do not come out as recorded, before the change and after it."""
        loop, receipt = self.loop, self.receipt
        taken = receipt.snapshot
        settings = {n: loop.recorder.redact.data(asdict(loop.plan.config.suites[n])) for n in loop.plan.suites}
        place = around(receipt, loop.plan, settings)
        self.notes += place.notes
        loop.open(Snapshot(taken.head, taken.branch, taken.commit, taken.tree, taken.dirty, taken.untracked))
        try:
            before = self._before(1)
            baseline.require_runnable(loop.state, loop.plan.suites)
        except EnvironmentFailure as failure:
            yield Difference(Kind.HERE, failure.message)
            return
        yield from self._absent()
        yield from self._compared("before", receipt.tests.before, before, place)
        if receipt.head.tree in ("", taken.tree):
            return
        loop.protect(row.nodeid for row in loop.state.tests.values())
        yield from self._compared("after", receipt.tests.after, self._after(1), place)

    def _before(self, number: int) -> Outcomes:
        loop = self.loop
        loop.emit(ev.ActivityReported("note", "before the change"))
        place = loop.workshop.place("work", self.receipt.snapshot.commit, fresh=True)
        for name in loop.plan.suites:
            loop.checkpoint()
            loop.suite(name, place, Purpose.AUDIT, number, None)
        return loop.state.outcomes(f"{Purpose.AUDIT}{number}")

    def _after(self, number: int) -> Outcomes:
        loop, receipt = self.loop, self.receipt
        loop.emit(ev.ActivityReported("note", "after the change"))
        commit = receipt.head.commit
        commit = commit or loop.plan.repository.scratch_commit(receipt.head.tree, receipt.snapshot.commit)
        for name in loop.plan.suites:
            loop.checkpoint()
            skipped = loop.left_out(name)
            place = loop.workshop.place("verify", commit, fresh=skipped is None)
            loop.suite(name, place, Purpose.VERIFY, number, skipped)
        return loop.state.outcomes(f"{Purpose.VERIFY}{number}")

    def _absent(self) -> Iterator[Difference]:
        """Suites that ran there and cannot here."""
        for name in self.loop.plan.suites:
            first = self.loop.state.suites[name].finished["audit1"]
            recorded = sum(k.startswith(f"{name} ") for k in self.receipt.tests.before)
            if first.ended is Ended.SKIPPED and recorded and not first.total:
                yield Difference(Kind.HERE, f"suite {name}: skipped ({first.reason}) here, {recorded} tests there")

    def _compared(self, when: str, recorded: Outcomes, seen: Outcomes, place: Around) -> Iterator[Difference]:
        """What differs, and once more where something does: a flaky test is nobody's forgery."""
        recorded, seen = self._both(recorded, seen)
        whole = when == "before" or self.receipt.tests.whole
        keys = differing(recorded, seen, self.receipt.undecided, whole=whole)
        if not keys:
            return
        self.loop.emit(ev.ActivityReported("note", f"{len(keys)} tests are not as recorded; once more"))
        _, second = self._both(recorded, self._before(2) if when == "before" else self._after(2))
        shaky = frozenset(differing(seen, second, self.receipt.undecided))
        yield from compare(when, recorded, seen, keys, shaky, place.kind)

    def _both(self, recorded: Outcomes, seen: Outcomes) -> tuple[dict[str, TestOutcome], dict[str, TestOutcome]]:
        """The outcomes of suites that ran there and here."""
        there = {k.split(" ", 1)[0] for k in self.receipt.tests.before}
        ran = {n for n in self.loop.plan.suites if self.loop.state.suites[n].finished["audit1"].total}
        for name in sorted(ran - there):
            note = f"suite {name} runs here and did not then: it decides nothing"
            self.notes += [note] if note not in self.notes else []
        both = ran & there
        one, other = ({k: o for k, o in side.items() if k.split(" ", 1)[0] in both} for side in (recorded, seen))
        return one, other
