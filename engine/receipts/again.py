"""The suites of a receipt once more: on its snapshot and on its tree, in fresh worktrees, confined as a run is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from engine import events as ev
from engine.errors import EnvironmentFailure
from engine.loop import Loop
from engine.model import Ended, Purpose, TestOutcome
from engine.receipts import consistency
from engine.receipts.difference import Difference, Kind
from engine.receipts.form import Receipt
from engine.receipts.outcomes import Around, Outcomes, around, compare, differing
from engine.verify import baseline
from engine.workspace.repository import Snapshot

ROUNDS = 3
"""How often a test that decides nothing has to pass before the change, and not after it, to be called broken by it."""
_SHOWN = 20


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
    _rounds: dict[tuple[str, int], Outcomes] = field(default_factory=dict)
    _named: set[str] = field(default_factory=set)  # tests something was said about

    def differences(self) -> Iterator[Difference]:
        """Tests that do not come out as recorded, before the change and after it."""
        loop, receipt = self.loop, self.receipt
        taken = receipt.snapshot
        settings = {n: loop.recorder.redact.data(asdict(loop.plan.config.suites[n])) for n in loop.plan.suites}
        place = around(receipt, loop.plan, settings)
        self.notes += place.notes
        loop.open(Snapshot(taken.head, taken.branch, taken.commit, taken.tree, taken.dirty, taken.untracked))
        try:
            before = self._round("before", 1)
            baseline.require_runnable(loop.state, loop.plan.suites)
        except EnvironmentFailure as failure:
            yield Difference(Kind.HERE, failure.message)
            return
        yield from self._absent()
        yield from self._compared("before", receipt.tests.before, before, place)
        if receipt.head.tree in ("", taken.tree):
            return
        loop.protect(row.nodeid for row in loop.state.tests.values())
        yield from self._compared("after", receipt.tests.after, self._round("after", 1), place)
        yield from self._broken(place)
        yield from self._worthless(place)
        yield from self._unseen()

    def _round(self, when: str, number: int) -> Outcomes:
        """All suites once, before the change or after it; each round runs once."""
        if (when, number) not in self._rounds:
            self._rounds[when, number] = self._before(number) if when == "before" else self._after(number)
        return self._rounds[when, number]

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
            if recorded and not first.total:
                self._named |= {k for k in self.receipt.targets if k.startswith(f"{name} ")}
                why = f"skipped ({first.reason})" if first.ended is Ended.SKIPPED else "no test"
                yield Difference(Kind.HERE, f"suite {name}: {why} here, {recorded} tests there")

    def _compared(self, when: str, recorded: Outcomes, seen: Outcomes, place: Around) -> Iterator[Difference]:
        """What differs, and once more where something does: a flaky test is nobody's forgery."""
        recorded, seen = self._both(recorded, seen)
        whole = when == "before" or self.receipt.tests.whole
        keys = differing(recorded, seen, self.receipt.undecided, whole=whole)
        if not keys:
            return
        self._named |= set(keys)
        self.loop.emit(ev.ActivityReported("note", f"{len(keys)} tests are not as recorded; once more"))
        _, second = self._both(recorded, self._round(when, 2))
        shaky = frozenset(differing(seen, second, self.receipt.undecided))
        yield from compare(when, recorded, seen, keys, shaky, place.kind)

    def _broken(self, place: Around) -> Iterator[Difference]:
        """Tests said to decide nothing that the change breaks here, as often as one looks: no flaky test does that."""
        left = sorted(self.receipt.undecided)
        for number in range(1, ROUNDS + 1):
            left = [k for k in left if _passed(self._round("before", number), k)]
            if not left:
                return
            left = [k for k in left if not _passed(self._round("after", number), k)]
            if not left:
                return
            if number < ROUNDS:
                said = f"{len(left)} tests that decide nothing pass before the change and not after it; once more"
                self.loop.emit(ev.ActivityReported("note", said))
        for key in left[:_SHOWN]:
            what = f"{key} decides nothing in the receipt; here the change breaks it, {ROUNDS} times of {ROUNDS}"
            yield Difference(place.kind, what)
        if len(left) > _SHOWN:
            yield Difference(
                place.kind, f"{len(left) - _SHOWN} more tests that decide nothing are broken by the change"
            )

    def _worthless(self, place: Around) -> Iterator[Difference]:
        """Suites whose word does not count after the change: no run would have called that verified."""
        if not self.receipt.passes:
            return
        for name in self.loop.plan.suites:
            finished = self.loop.state.suites[name].finished
            first, last = finished["audit1"], finished["verify1"]
            odd = [last.problem] if last.problem else []
            odd += [f"{used} was imported in place of {wanted}" for used, wanted in last.foreign]
            odd += [f"{path} was changed while it ran" for path in last.rewritten if path not in first.rewritten]
            odd += [f"the code replaced {part}" for part in last.replaced if part not in first.replaced]
            odd += [f"the code looked at its tests: {how}" for how in last.peeked if how not in first.peeked]
            if odd:
                yield Difference(place.kind, f"suite {name} after the change: {odd[0]}")

    def _unseen(self) -> Iterator[Difference]:
        """Targets of a receipt that passes which nobody saw red and then green here, for whatever reason."""
        receipt = self.receipt
        if not receipt.passes:
            return
        before, held = self._round("before", 1), consistency.green(receipt, self._round("after", 1))
        seen = {k for k in receipt.targets if k in held and k in before and before[k].red}
        if left := sorted(set(receipt.targets) - seen - self._named):
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            yield Difference(Kind.HERE, f"not seen red before the change and green after it here: {left[0]}{more}")

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


def _passed(outcomes: Outcomes, key: str) -> bool:
    return key in outcomes and outcomes[key].passed
