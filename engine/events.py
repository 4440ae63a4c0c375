"""The events of a run, in past tense: the one truth everything shown is folded from. No IO.

A journal line is ``{"v":1,"seq":n,"at":…,"type":"GateSet",…}``; :func:`to_record` and :func:`from_record`
are its only writer and reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from engine.model import (
    Advisory,
    CollectError,
    Ended,
    Gate,
    Hop,
    Label,
    Progress,
    Proposal,
    Purpose,
    Route,
    Step,
    TestResult,
    Usage,
    Verdict,
)

VERSION = 1


@dataclass(frozen=True, slots=True)
class RunStarted:
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


@dataclass(frozen=True, slots=True)
class RunResumed:
    pid: int


@dataclass(frozen=True, slots=True)
class GuardChecked:
    flow: str
    allowed: bool


@dataclass(frozen=True, slots=True)
class EnvironmentProbed:
    python: str
    python_version: str
    pytest_version: str
    platform: str
    protections: tuple[str, ...]
    packages_sha256: str = ""


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    head: str
    branch: str  # "" when HEAD is detached
    commit: str
    tree: str
    dirty: int  # tracked files that differ from HEAD
    untracked: int


@dataclass(frozen=True, slots=True)
class StepStarted:
    step: Step
    attempt: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class StepFinished:
    step: Step
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class SuiteStarted:
    suite: str
    purpose: Purpose
    round: int  # audit round, or number of the attempt


@dataclass(frozen=True, slots=True)
class SuiteCollected:
    suite: str
    purpose: Purpose
    round: int
    total: int


@dataclass(frozen=True, slots=True)
class TestFinished:
    purpose: Purpose
    round: int
    result: TestResult

    __test__ = False


@dataclass(frozen=True, slots=True)
class SuiteFinished:
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


@dataclass(frozen=True, slots=True)
class AuditFinished:
    """Every test by label; ``targets`` are the reds this run is to mend."""

    targets: tuple[str, ...]
    flaky: tuple[str, ...] = ()
    counts: dict[str, int] | None = None
    rewritten: tuple[str, ...] = ()  # protected files that the tests themselves write


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    number: int
    provider: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ActivityReported:
    """What the provider is doing, for people. ``kind``: note, thought, text, search, locate, retry;
    progress where the line only replaces the one before."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolCalled:
    tool: str
    summary: str
    ok: bool
    seconds: float = 0.0
    answer: str = ""  # first line of the result


@dataclass(frozen=True, slots=True)
class EditApplied:
    path: str
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class UsageCounted:
    provider: str
    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    number: int
    provider: str
    outcome: str
    summary: str
    tree: str  # git tree of the snapshot with the attempt's in-scope changes
    files: tuple[str, ...]
    added: int
    removed: int
    claimed: bool  # the provider said done, and its own last run agreed
    transient: str = ""  # a transient failure that ended it early
    refusal: str = ""  # the model would not do it
    alternatives: int = 0
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class VerificationFinished:
    attempt: int
    tree: str
    verdict: Verdict
    reasons: tuple[str, ...]
    progress: Progress


@dataclass(frozen=True, slots=True)
class DietFinished:
    attempt: int
    tree: str
    added: int
    removed: int
    minimal: bool
    dropped: int = 0  # pieces taken away
    runs: int = 0
    note: str = ""
    files: tuple[str, ...] = ()  # that still differ, when something was taken away


@dataclass(frozen=True, slots=True)
class GateSet:
    gate: Gate


@dataclass(frozen=True, slots=True)
class ProposalMade:
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class DecisionTaken:
    id: str
    route: Route
    by: str  # user or policy
    hint: str = ""


@dataclass(frozen=True, slots=True)
class HopAdded:
    hop: Hop


@dataclass(frozen=True, slots=True)
class AdvisoryRaised:
    advisory: Advisory


@dataclass(frozen=True, slots=True)
class Paused:
    pass


@dataclass(frozen=True, slots=True)
class Continued:
    pass


@dataclass(frozen=True, slots=True)
class StopRequested:
    now: bool = True


@dataclass(frozen=True, slots=True)
class CheckoutCompared:
    untouched: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class CommitCreated:
    branch: str
    sha: str
    subject: str


@dataclass(frozen=True, slots=True)
class ReceiptWritten:
    path: str
    sha256: str
    check: str = ""  # CHECK-SKIPPED: reason=… when no check run could be written


@dataclass(frozen=True, slots=True)
class LedgerWritten:
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    exit: int
    why: str
    route: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunInterrupted:
    exit: int
    why: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class RunFailed:
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
    | AttemptFinished
    | VerificationFinished
    | DietFinished
    | GateSet
    | ProposalMade
    | DecisionTaken
    | HopAdded
    | AdvisoryRaised
    | Paused
    | Continued
    | StopRequested
    | CheckoutCompared
    | CommitCreated
    | ReceiptWritten
    | LedgerWritten
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
    ProposalMade,
    DecisionTaken,
    HopAdded,
    CommitCreated,
    ReceiptWritten,
    LedgerWritten,
    RunFinished,
    RunInterrupted,
    RunFailed,
)


@dataclass(frozen=True, slots=True)
class Record:
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
