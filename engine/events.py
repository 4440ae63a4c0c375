"""The events of a run, in past tense: the one truth everything shown is folded from. No IO.

A journal line is ``{"v":1,"seq":n,"at":…,"type":"GateSet",…}``; :func:`to_record` and :func:`from_record`
are its only writer and reader.
"""

from __future__ import annotations

from typing import Any

import msgspec

from engine.model import (
    Advisory,
    CollectError,
    Ended,
    Gate,
    Hop,
    Label,
    Noun,
    Progress,
    Proposal,
    Purpose,
    Route,
    Step,
    TestResult,
    Unfit,
    Usage,
    Verdict,
)

VERSION = 1


class RunStarted(Noun, frozen=True):
    run: str
    root: str  # git root of the target
    prefix: str  # project folder inside it, "" for the root itself
    version: str
    agent: str
    providers: tuple[str, ...]
    suites: tuple[str, ...]
    retry_limit: int
    config: str = ""  # where the settings came from
    why_provider: str = ""
    # What else was asked for, so that a resumed run goes on the same way.
    tests: tuple[str, ...] = ()
    agent_source: str = ""
    script: str = ""
    apply: bool = False
    publish: str = ""
    limits: dict[str, float] | None = None  # of the budget, as typed


class RunResumed(Noun, frozen=True):
    pid: int
    providers: tuple[str, ...] = ()
    limits: dict[str, float] | None = None  # as typed, now or before; what a person raised is in them


class GuardChecked(Noun, frozen=True):
    flow: str
    allowed: bool


class EnvironmentProbed(Noun, frozen=True):
    python: str
    python_version: str
    pytest_version: str
    platform: str
    protections: tuple[str, ...]
    packages_sha256: str = ""


class SnapshotTaken(Noun, frozen=True):
    head: str
    branch: str  # "" when HEAD is detached
    commit: str
    tree: str
    dirty: int  # tracked files that differ from HEAD
    untracked: int


class StepStarted(Noun, frozen=True):
    step: Step
    attempt: int = 0
    note: str = ""


class StepFinished(Noun, frozen=True):
    step: Step
    attempt: int = 0


class SuiteStarted(Noun, frozen=True):
    suite: str
    purpose: Purpose
    round: int  # audit round, or number of the attempt


class SuiteCollected(Noun, frozen=True):
    suite: str
    purpose: Purpose
    round: int
    total: int


class TestFinished(Noun, frozen=True):
    purpose: Purpose
    round: int
    result: TestResult

    __test__ = False


class SuiteFinished(Noun, frozen=True):
    suite: str
    purpose: Purpose
    round: int
    exit_code: int
    ended: Ended
    seconds: float
    total: int
    problem: str = ""
    reason: str = ""
    left_out: int = 0
    collect_errors: tuple[CollectError, ...] = ()
    foreign: tuple[tuple[str, str], ...] = ()
    rewritten: tuple[str, ...] = ()  # files that judge the work and were changed while it ran
    replaced: tuple[str, ...] = ()  # parts of pytest that the code under test replaced
    peeked: tuple[str, ...] = ()  # how the code under test looked at the tests


class AuditFinished(Noun, frozen=True):
    """Every test by label; ``targets`` are the reds this run is to mend."""

    targets: tuple[str, ...]
    flaky: tuple[str, ...] = ()
    counts: dict[str, int] | None = None
    unfit: tuple[Unfit, ...] = ()  # red, and no change is asked to mend them


class AttemptStarted(Noun, frozen=True):
    number: int
    provider: str
    hint: str = ""


class ActivityReported(Noun, frozen=True):
    """What the provider is doing, for people. ``kind``: note, thought, text, search, locate, retry;
    progress where the line only replaces the one before."""

    kind: str
    text: str


class ToolCalled(Noun, frozen=True):
    tool: str
    summary: str
    ok: bool
    seconds: float = 0.0
    answer: str = ""  # first line of the result


class EditApplied(Noun, frozen=True):
    path: str
    added: int
    removed: int


class UsageCounted(Noun, frozen=True):
    provider: str
    model: str
    usage: Usage


class CallEstimated(Noun, frozen=True):
    """What the next call of a model will take, as far as can be told before it is made."""

    provider: str
    model: str
    tokens_in: int  # all of them
    cached: int  # of those, what the server should still have
    tokens_out: int  # the most it may write
    usd: float  # with an answer of the usual length
    most: float  # with the longest answer


class BudgetReached(Noun, frozen=True):
    """The next step would pass a limit; in the dashboard a person is asked, else it ends the run."""

    id: str
    limit: str  # usd, tokens, turns or minutes
    spent: float
    allowed: float
    needed: float  # least the limit must be for the run to go on
    why: str
    asked: bool = True  # a person, who is waited for
    between: bool = False  # no attempt is under way: to finish ends the run, resumably


class BudgetRaised(Noun, frozen=True):
    """A person lets the run use more."""

    id: str
    limit: str
    to: float


RUN = "the run"
"""The part that ends where no attempt is under way."""


class BudgetSettled(Noun, frozen=True):
    """A person has what is under way judged as it stands; ``forward``: and the run then hands over."""

    id: str
    part: str  # an attempt, a specialist's hop, or the run
    forward: bool = False


class TestsSelected(Noun, frozen=True):
    """What runs before the whole suite does, by suite, of how many tests, and why."""

    attempt: int
    chosen: dict[str, int]
    of: dict[str, int]
    why: tuple[str, ...] = ()

    __test__ = False


class RunnerUp(Noun, frozen=True):
    """Another change by which the same tests pass; a person may take it in place of the one that is proposed."""

    note: str
    tree: str  # git tree of the snapshot with this change
    files: tuple[str, ...]
    added: int
    removed: int
    lines: tuple[str, ...] = ()  # its first ones, with their signs
    differs: str = ""  # where it is known to behave otherwise, and how


class AttemptFinished(Noun, frozen=True):
    number: int
    provider: str
    outcome: str
    summary: str
    tree: str  # git tree of the snapshot with the attempt's in-scope changes
    files: tuple[str, ...]
    added: int
    removed: int
    claimed: bool  # the provider said done: its own last run agreed, or it insisted
    transient: str = ""  # a transient failure that ended it early
    refusal: str = ""  # the model would not do it
    alternatives: int = 0  # other changes that were seen to pass the same tests
    evidence: str = ""
    confidence: str = ""  # high, medium or low: how far passing tests can be trusted here; empty: not told
    doubt: str = ""  # a call on which changes that pass all tests disagree
    runners_up: tuple[RunnerUp, ...] = ()


class VerificationFinished(Noun, frozen=True):
    attempt: int
    tree: str
    verdict: Verdict
    reasons: tuple[str, ...]
    progress: Progress
    notes: tuple[Advisory, ...] = ()  # what a reviewer should know; they decide nothing
    whole: bool = True  # every suite ran; else only the targets and what the change can reach


class Piece(Noun, frozen=True):
    """A piece of a change, to be shown: ``lines`` are its first ones."""

    index: int  # among all pieces of the change, as they are cut
    path: str
    line: int
    added: int
    removed: int
    lines: tuple[str, ...] = ()


class DietFinished(Noun, frozen=True):
    attempt: int
    tree: str
    added: int
    removed: int
    minimal: bool
    dropped: int = 0  # pieces taken away
    runs: int = 0
    note: str = ""
    files: tuple[str, ...] = ()  # that still differ, when something was taken away
    pinned: int = 0  # pieces that [diet] pin keeps
    removed_pieces: tuple[Piece, ...] = ()  # what was taken away; a person may bring it back


class PiecesRestored(Noun, frozen=True):
    """A person brought back pieces that the diet had taken away, or (none) is content with what it left after all."""

    attempt: int
    pieces: tuple[int, ...]


class PiecesReverted(Noun, frozen=True):
    """A person took pieces away that were still in the change."""

    attempt: int
    pieces: tuple[int, ...]


class RunnerUpTaken(Noun, frozen=True):
    """A person wants a runner-up in place of the change that was proposed; ``index`` -1: the first one again."""

    attempt: int
    index: int


class RunnerUpRefused(Noun, frozen=True):
    """A runner-up did not verify: what was proposed before it stays."""

    attempt: int
    index: int
    why: str


class ChangeExamined(Noun, frozen=True):
    """Places of the change a reviewer should see; grave ones take back that it was verified."""

    attempt: int
    advisories: tuple[Advisory, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why a person must look before this is called verified."""
        return tuple(f"{a.path}:{a.line}: {a.text}: a person must look first" for a in self.advisories if a.grave)


class GateSet(Noun, frozen=True):
    gate: Gate


class ProposalMade(Noun, frozen=True):
    proposal: Proposal
    pieces: tuple[Piece, ...] = ()  # of the change; the person who is asked may take them away
    runners_up: int = 0  # changes that may be taken in place of this one


class DecisionTaken(Noun, frozen=True):
    id: str
    route: Route
    by: str  # user or policy
    hint: str = ""
    dispatch: bool = False  # the agent is to be run here


class HopAdded(Noun, frozen=True):
    hop: Hop
    specialist: int = 0  # which specialist of the run made it; 0: an attempt


class SpecialistStarted(Noun, frozen=True):
    """An agent a route names is run: ``hop`` counts them from 1."""

    hop: int
    agent: str
    tree: str  # it begins with


class SpecialistFinished(Noun, frozen=True):
    hop: int
    agent: str
    gate: Gate  # its own
    tree: str  # it leaves
    outcome: str = ""  # what its model says; empty: there was none
    summary: str = ""
    evidence: str = ""
    model: str = ""  # who it was, or why none
    undone: str = ""  # why its change was taken back
    files: tuple[str, ...] = ()  # it changed
    added: int = 0
    removed: int = 0
    kept: tuple[str, ...] = ()  # what it wrote into the run's folder
    commit: str = ""  # on the run's branch


class AdvisoryRaised(Noun, frozen=True):
    advisory: Advisory


class AdvisoriesSettled(Noun, frozen=True):
    """What became of the advisories that were open while an attempt was made."""

    attempt: int
    followed: tuple[Advisory, ...] = ()  # what they name is not in the change
    open: tuple[Advisory, ...] = ()


class Paused(Noun, frozen=True):
    pass


class Continued(Noun, frozen=True):
    pass


class StopRequested(Noun, frozen=True):
    now: bool = True


class CheckoutCompared(Noun, frozen=True):
    untouched: bool
    note: str = ""


class CommitCreated(Noun, frozen=True):
    branch: str
    sha: str
    subject: str


class ReceiptWritten(Noun, frozen=True):
    path: str
    sha256: str
    check: str = ""  # CHECK-SKIPPED: reason=… when no check run could be written


class Published(Noun, frozen=True):
    """Something was written to GitHub, or (no ``url``) was not, and why."""

    kind: str  # check run, commit status, comment
    url: str
    reason: str = ""  # one word
    words: str = ""


class LedgerWritten(Noun, frozen=True):
    path: str
    sha256: str


class RunFinished(Noun, frozen=True):
    exit: int
    why: str
    route: str = ""
    seconds: float = 0.0


class RunInterrupted(Noun, frozen=True):
    exit: int
    why: str
    hint: str = ""


class RunFailed(Noun, frozen=True):
    exit: int
    why: str
    hint: str = ""
    traceback: str = ""  # file


Event = (
    RunStarted
    | RunResumed
    | GuardChecked
    | EnvironmentProbed
    | SnapshotTaken
    | StepStarted
    | StepFinished
    | SuiteStarted
    | SuiteCollected
    | TestFinished
    | SuiteFinished
    | AuditFinished
    | AttemptStarted
    | ActivityReported
    | ToolCalled
    | EditApplied
    | UsageCounted
    | CallEstimated
    | BudgetReached
    | BudgetRaised
    | BudgetSettled
    | TestsSelected
    | AttemptFinished
    | VerificationFinished
    | DietFinished
    | PiecesRestored
    | PiecesReverted
    | RunnerUpTaken
    | RunnerUpRefused
    | ChangeExamined
    | GateSet
    | ProposalMade
    | DecisionTaken
    | HopAdded
    | SpecialistStarted
    | SpecialistFinished
    | AdvisoryRaised
    | AdvisoriesSettled
    | Paused
    | Continued
    | StopRequested
    | CheckoutCompared
    | CommitCreated
    | ReceiptWritten
    | LedgerWritten
    | Published
    | RunFinished
    | RunInterrupted
    | RunFailed
)

TYPES: dict[str, type[Any]] = {t.__name__: t for t in Event.__args__}

# What must be on disk before the run goes on: the ends of steps, and everything a person decided.
DURABLE: tuple[type[Any], ...] = (
    RunStarted,
    SnapshotTaken,
    SuiteFinished,
    AuditFinished,
    AttemptFinished,
    VerificationFinished,
    DietFinished,
    PiecesRestored,
    PiecesReverted,
    RunnerUpTaken,
    RunnerUpRefused,
    BudgetRaised,
    BudgetSettled,
    ProposalMade,
    DecisionTaken,
    HopAdded,
    SpecialistFinished,
    CommitCreated,
    ReceiptWritten,
    LedgerWritten,
    Published,
    RunFinished,
    RunInterrupted,
    RunFailed,
)


class Record(Noun, frozen=True):
    """An event with its place and time in the journal."""

    seq: int
    at: float  # seconds since the epoch
    event: Event


def to_record(record: Record) -> dict[str, Any]:
    """Plain data of one journal line."""
    head = {"v": VERSION, "seq": record.seq, "at": round(record.at, 3), "type": type(record.event).__name__}
    body: dict[str, Any] = msgspec.to_builtins(record.event)
    return head | body


def from_record(data: dict[str, Any]) -> Record:
    """Read one journal line back.

    Raises
    ------
    ValueError
        The line is not of this version, of no known type, or lacks a field.
    """
    if data.get("v") != VERSION:
        raise ValueError(f"journal version {data.get('v')!r}; this program reads version {VERSION}")
    kind = TYPES.get(str(data.get("type")))
    if kind is None:
        raise ValueError(f"unknown event type {data.get('type')!r}")
    try:
        return Record(int(data["seq"]), float(data["at"]), msgspec.convert(data, kind))
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise ValueError(f"event {data.get('type')}: {error}") from error


__all__ = ["DURABLE", "TYPES", "VERSION", "Event", "Label", "Record", "from_record", "to_record"]
