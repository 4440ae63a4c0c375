"""How a run stands: its state and the rows it is made of. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase

from msgspec import field

from engine import events as ev
from engine.model import (
    Advisory,
    DiffStat,
    Ended,
    Exit,
    Gate,
    Hop,
    Label,
    Noun,
    Progress,
    Proposal,
    Purpose,
    RetryBudget,
    Step,
    TestOutcome,
    TestResult,
    Usage,
    Verdict,
)


def stage(purpose: Purpose, round_: int) -> str:
    """Name a round of suites: ``audit1``, ``attempt2``, ``verify2``."""
    return f"{purpose}{round_}"


class TestRow(Noun, frozen=True):
    """One test over the whole run."""

    suite: str
    nodeid: str
    outcomes: Mapping[str, TestOutcome] = field(default_factory=dict)  # by stage
    latest: TestResult | None = None
    label: Label | None = None
    target: bool = False
    why: str = ""  # it is no target although it is red, and what to do

    __test__ = False

    @property
    def key(self) -> str:
        return f"{self.suite} {self.nodeid}"

    @property
    def outcome(self) -> TestOutcome | None:
        return self.latest.outcome if self.latest else None

    @property
    def opened(self) -> bool:
        """It is a file that could not be collected, and now it can be: its tests are rows of their own."""
        return self.label is Label.UNCOLLECTABLE and self.outcome not in (None, TestOutcome.ERROR)

    @property
    def history(self) -> tuple[TestOutcome, ...]:
        """The audit's outcome, then one per verified attempt."""
        numbers = {
            int(s.lstrip(ascii_lowercase)) for s in self.outcomes if s.startswith((Purpose.VERIFY, Purpose.REACH))
        }
        pairs = ((stage(Purpose.VERIFY, n), stage(Purpose.REACH, n)) for n in sorted(numbers))
        keys = ["audit1", *(whole if whole in self.outcomes else part for whole, part in pairs)]
        return tuple(self.outcomes[k] for k in keys if k in self.outcomes)


class SuiteRow(Noun, frozen=True):
    """One suite: what runs now, and how its last run ended."""

    name: str
    running: str = ""  # the stage, while it runs
    expected: int = 0
    done: int = 0
    last: ev.SuiteFinished | None = None
    finished: Mapping[str, ev.SuiteFinished] = field(default_factory=dict)  # by stage

    @property
    def skipped(self) -> bool:
        return self.last is not None and self.last.ended is Ended.SKIPPED


class AttemptRow(Noun, frozen=True):
    number: int
    provider: str = ""
    hint: str = ""
    started_at: float = 0.0
    finished_at: float = 0.0
    failing_before: int = 0
    failing_after: int | None = None  # after verification
    finished: ev.AttemptFinished | None = None
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    progress: Progress = Progress()
    diet: ev.DietFinished | None = None
    slim: ev.DietFinished | None = None  # what the diet by itself came to, whatever was brought back since
    whole: bool = True  # every suite ran in its verification
    restored: tuple[int, ...] = ()  # pieces a person brought back after the diet
    reverted: tuple[int, ...] = ()  # pieces a person took away that the diet had left
    touched: int = 0  # times a person changed what is in it
    again: int = 0  # times it became another change: touched, or another one in its place
    first: ev.AttemptFinished | None = None  # as it ended, once a runner-up is in its place
    taken: int = -1  # which runner-up that is
    turned_down: Mapping[int, str] = field(default_factory=dict)  # runners-up that did not verify, and why
    first_ran: str = ""  # what ran before the whole suite did, in a line
    notes: tuple[Advisory, ...] = ()  # of its verification
    advisories: tuple[Advisory, ...] = ()  # raised while it was made, and not before
    followed: tuple[Advisory, ...] = ()  # of those that were open, earlier attempts' too
    ignored: tuple[Advisory, ...] = ()
    suspicions: tuple[Advisory, ...] | None = None  # None: nobody has looked
    judged: bool = False  # every gate is set
    usage: Usage = Usage()

    @property
    def diff(self) -> DiffStat:
        if self.diet is not None:
            return DiffStat(len(self.files), self.diet.added, self.diet.removed, self.diet.minimal)
        if self.finished is not None:
            return DiffStat(len(self.finished.files), self.finished.added, self.finished.removed)
        return DiffStat()

    @property
    def removed(self) -> tuple[ev.Piece, ...]:
        """What the diet took away, pieces that were brought back included."""
        return self.slim.removed_pieces if self.slim is not None else ()

    @property
    def by_hand(self) -> bool:
        """Whether a person put this change together: nobody claimed that it is green, or minimal."""
        return bool(self.restored or self.reverted)

    @property
    def plausible(self) -> str:
        """How far its passing tests can be trusted, where many changes pass them; empty: not told."""
        done = self.finished
        if done is None or not done.confidence:
            return ""
        others = f"{done.alternatives} {'alternative' if done.alternatives == 1 else 'alternatives'}"
        return f"plausible, {others}, confidence {done.confidence}"

    @property
    def slimmed(self) -> str:
        """``+340 −12 → +3 −1``: before the diet and after it; one of them where it took nothing away."""
        whole = DiffStat(0, self.finished.added, self.finished.removed) if self.finished else self.diff
        return f"{whole} → {self.diff}" if self.diet is not None and self.diet.dropped else str(self.diff)

    @property
    def change(self) -> str:
        """``+340 −12 → +3 −1, minimal``: how large the change is, and what is known of that."""
        words = f", runner-up {self.taken + 1} by hand" if self.taken >= 0 else ""
        words += ", minimal" if self.diff.minimal else ""
        if words and self.diet is not None and self.diet.pinned:
            words += f" but for {_pieces(self.diet.pinned)} that [diet] pin keeps"
        words += f", with {_pieces(len(self.restored))} brought back" if self.restored else ""
        return self.slimmed + words + (f", {_pieces(len(self.reverted))} taken away by hand" if self.reverted else "")

    @property
    def files(self) -> tuple[str, ...]:
        """What the change touches, as far as it was not taken away."""
        if self.diet is not None and self.diet.dropped:
            return self.diet.files
        return self.finished.files if self.finished else ()

    @property
    def doubted(self) -> bool:
        """Whether only a person can say that what it holds is honest."""
        return any(a.grave for a in self.suspicions or ())

    @property
    def look_first(self) -> str:
        """What a reviewer should see, in a few words; empty if nothing was found."""
        found = self.suspicions or ()
        places = ", ".join(f"{a.code} {a.path}:{a.line}" for a in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return f"look first at {places}{more}" if found else ""

    @property
    def stage(self) -> str:
        """The round that shows this attempt's tree as it is now."""
        return stage(Purpose.VERIFY if self.whole else Purpose.REACH, self.number)

    @property
    def tree(self) -> str:
        if self.diet is not None:
            return self.diet.tree
        return self.finished.tree if self.finished else ""


class SpecialistRow(Noun, frozen=True):
    """An agent that was run because a route named it."""

    hop: int
    agent: str
    started: ev.SpecialistStarted
    finished: ev.SpecialistFinished | None = None
    hopped: bool = False  # its hop line is written


def _pieces(number: int) -> str:
    return f"{number} {'piece' if number == 1 else 'pieces'}"


class RunState(Noun, frozen=True):
    """Everything that can be shown of a run."""

    started: ev.RunStarted | None = None
    started_at: float = 0.0
    updated_at: float = 0.0
    seq: int = 0
    guard: ev.GuardChecked | None = None
    environment: ev.EnvironmentProbed | None = None
    snapshot: ev.SnapshotTaken | None = None
    audit: ev.AuditFinished | None = None
    step: Step | None = None
    step_note: str = ""
    step_since: float = 0.0
    step_seconds: Mapping[str, float] = field(default_factory=dict)  # by step; what was cut off by a kill is not in it
    tests: Mapping[str, TestRow] = field(default_factory=dict)
    suites: Mapping[str, SuiteRow] = field(default_factory=dict)
    attempts: tuple[AttemptRow, ...] = ()
    specialists: tuple[SpecialistRow, ...] = ()
    retries: RetryBudget = RetryBudget()
    gates: Mapping[str, Gate] = field(default_factory=dict)
    hops: tuple[Hop, ...] = ()
    hop_times: tuple[float, ...] = ()
    proposal: Proposal | None = None  # waiting for an answer
    pieces: tuple[ev.Piece, ...] = ()  # of the change it is about; a person may take them away
    before: RunState | None = None  # as it was when a runner-up was taken, should that not verify
    decision: ev.DecisionTaken | None = None  # the last one taken
    decisions: tuple[ev.DecisionTaken, ...] = ()
    advisories: tuple[Advisory, ...] = ()
    activity: tuple[str, ...] = ()  # the last lines of what the provider does
    activity_live: bool = False  # the last of them is a sign of life, to be replaced by the next
    usage: Usage = Usage()
    first_call: Usage | None = None  # which no cache can serve
    models: Mapping[str, Usage] = field(default_factory=dict)  # by model id
    forecast: ev.CallEstimated | None = None  # of the call that is made, or was made last
    limit: ev.BudgetReached | None = None  # waiting for an answer
    raised: Mapping[str, float] = field(default_factory=dict)  # limits a person raised
    settled: ev.BudgetSettled | None = None  # how a person ended the attempt at a limit
    model: str = ""
    paused: bool = False
    stopping: bool = False
    checkout: ev.CheckoutCompared | None = None
    commit: ev.CommitCreated | None = None
    receipt: ev.ReceiptWritten | None = None
    ledger: ev.LedgerWritten | None = None
    published: tuple[ev.Published, ...] = ()
    ended: ev.RunFinished | ev.RunInterrupted | ev.RunFailed | None = None

    @property
    def attempt(self) -> AttemptRow | None:
        return self.attempts[-1] if self.attempts else None

    def specialist(self, hop: int) -> SpecialistRow | None:
        """The ``hop``-th agent that was run after the attempts, counted from 1."""
        return next((r for r in self.specialists if r.hop == hop), None)

    @property
    def asking(self) -> SpecialistRow | None:
        """The specialist the open question is about, if it is not about an attempt."""
        asked = self.proposal
        return next((r for r in self.specialists if asked is not None and asked.id == f"hop-{r.hop}"), None)

    @property
    def advised(self) -> tuple[Advisory, ...]:
        """Open advisories on what attempts did: a provider can follow them."""
        raised = {a.key for row in self.attempts for a in row.advisories}
        return tuple(a for a in self.advisories if a.key in raised)

    @property
    def followed(self) -> int:
        """How many were followed so far."""
        return sum(len(row.followed) for row in self.attempts)

    @property
    def deciding(self) -> bool:
        return self.proposal is not None and self.ended is None

    @property
    def cached(self) -> float | None:
        """Share of the input that came from the server's cache, from the second call on; None: not told."""
        first = self.first_call or Usage()
        read = self.usage.cached - first.cached
        total = read + self.usage.tokens_in - first.tokens_in
        return read / total if self.usage.cached and total > 0 else None

    @property
    def parked(self) -> bool:
        """Whether a question is open that only a person answers."""
        return self.ended is None and (self.proposal is not None or self.limit is not None)

    @property
    def impossible(self) -> bool:
        """It failed before anything was known of the tests: there is nothing to go on with."""
        failed = isinstance(self.ended, ev.RunFailed) and self.ended.exit in (Exit.USAGE, Exit.ENVIRONMENT)
        return failed and self.audit is None

    @property
    def status(self) -> str:
        """One word: where the run stands."""
        if isinstance(self.ended, ev.RunFinished):
            return "finished"
        if self.ended is not None:
            return "interrupted" if isinstance(self.ended, ev.RunInterrupted) else "failed"
        if self.stopping:
            return "stopping"
        if self.limit is not None:
            return "at a limit"
        if self.deciding:
            return "deciding"
        if self.paused:
            return "paused"
        return str(self.step) if self.step else "starting"

    @property
    def targets(self) -> tuple[TestRow, ...]:
        return tuple(self.tests[k] for k in self.audit.targets if k in self.tests) if self.audit else ()

    @property
    def failing(self) -> tuple[TestRow, ...]:
        """Tests that are red now, targets first, in the order they were met."""
        red = [t for t in self.tests.values() if t.outcome is not None and t.outcome.red and not t.opened]
        return tuple(sorted(red, key=lambda t: not t.target))

    def outcomes(self, stage_: str, suite: str | None = None) -> dict[str, TestOutcome]:
        """Outcomes by test key of one round."""
        return {
            key: row.outcomes[stage_]
            for key, row in self.tests.items()
            if stage_ in row.outcomes and (suite is None or row.suite == suite)
        }
