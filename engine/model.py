"""The nouns of a run: frozen records and enums. No IO, no behaviour beyond questions about themselves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import ClassVar

import msgspec


class Exit(IntEnum):
    """Exit codes of a headless run; interface, never renumbered."""

    OK = 0
    NOT_GREEN = 1
    USAGE = 2
    INTEGRITY = 3
    BUDGET = 4
    ENVIRONMENT = 5
    PROVIDER = 6
    DEFECT = 7
    INTERRUPTED = 130


class GateStatus(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    SKIPPED = "skipped"


class Step(StrEnum):
    """Where in its journey a run is."""

    ANALYZE = "analyze"
    EDIT = "edit"
    TEST = "test"
    VERIFY = "verify"
    DIET = "diet"
    JUDGE = "judge"


class TestOutcome(StrEnum):
    """How one test ended. ``timeout`` and ``crashed`` are red that pytest itself could not report."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    RERUN = "rerun"

    __test__: ClassVar[bool] = False  # pytest would try to collect the name

    @property
    def red(self) -> bool:
        """Does not hold now and could hold after a change."""
        return self in RED

    @property
    def passed(self) -> bool:
        return self is TestOutcome.PASSED


RED = frozenset({TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.TIMEOUT, TestOutcome.CRASHED})


class Label(StrEnum):
    """What the red audit says of a test."""

    RED = "always-red"
    FLAKY = "flaky"
    ORDER = "order-dependent"  # red after other tests, green without them
    ENVIRONMENT = "environment-broken"  # red for want of something no production change can bring
    GREEN = "green"
    SKIPPED = "skipped"
    UNCOLLECTABLE = "not-collectable"


class Purpose(StrEnum):
    """Why a suite runs."""

    AUDIT = "audit"
    ALONE = "alone"  # the red tests of the audit by themselves
    ATTEMPT = "attempt"
    VERIFY = "verify"
    REACH = "reach"  # targets, and the tests a change can reach
    REVIEW = "review"  # after a specialist's change
    DIET = "diet"  # in journals of before the whole suite ran last


class Ended(StrEnum):
    """How the child of a suite ended."""

    FINISHED = "finished"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    STOPPED = "stopped"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """What the verification says of an attempt."""

    VERIFIED = "verified"  # every rule of acceptance holds in a fresh worktree
    REJECTED = "rejected"  # the provider did not get there and did not say it had
    CLAIMED = "claimed"  # green was claimed, and the verification does not confirm it
    TAMPERED = "tampered"  # the evidence itself was interfered with


class Outcome(StrEnum):
    """What a provider says of its attempt when it finishes; the nine of the specification, and ``more-work``."""

    DONE = "done"
    MORE_WORK = "more-work"
    OPTIMISE = "optimise"
    HARDEN = "harden"
    ARCHITECTURE = "architecture"
    DEPENDENCY = "dependency"
    PERFORMANCE = "performance"
    SECURITY = "security"
    DOCS = "docs"
    INTEGRATION = "integration"


class RouteKind(StrEnum):
    NEXT = "NEXT"
    FINALIZE = "FINALIZE"


def test_key(suite: str, nodeid: str) -> str:
    """Name a test across suites: the suite, a space, pytest's node id."""
    return f"{suite} {nodeid}"


test_key.__test__ = False  # type: ignore[attr-defined]


class Noun(msgspec.Struct, frozen=True, gc=False):
    """A frozen record. A struct, because sixty dataclasses would cost 60 ms of every start.

    It cannot be part of a cycle, so the garbage collector need not look at the thousands of them.
    """


class TestResult(Noun, frozen=True):
    """One test in one run of a suite."""

    suite: str
    nodeid: str
    outcome: TestOutcome
    phase: str = "call"  # setup, call, teardown or collect: where it did not hold
    seconds: float = 0.0
    message: str = ""  # one line
    detail: str = ""  # shortened traceback and captured output
    path: str = ""  # file and line that failed, relative to the project
    line: int = 0
    marked: bool = False  # a skip or an expected failure that a mark in the test file asks for

    __test__: ClassVar[bool] = False

    @property
    def key(self) -> str:
        return test_key(self.suite, self.nodeid)


class Unfit(Noun, frozen=True):
    """A red test that is no target: it decides nothing, in either direction."""

    suite: str
    nodeid: str
    label: Label
    why: str  # goes on after the test's name
    advice: str  # what a person can do

    @property
    def key(self) -> str:
        return test_key(self.suite, self.nodeid)


class CollectError(Noun, frozen=True):
    """A file pytest could not collect. ``ours`` says whether a production change can mend it."""

    nodeid: str
    message: str
    detail: str = ""
    ours: bool = False


class Ran(Noun, frozen=True):
    """Functions of the project a test began, by file: the first line of each.

    ``set_up`` ran before the test itself; what fixtures of a wider scope made there, others build on.
    """

    set_up: Mapping[str, tuple[int, ...]]
    body: Mapping[str, tuple[int, ...]]


class TestReport(Noun, frozen=True):
    """What one run of a suite showed, after the report of the child was checked."""

    suite: str
    results: tuple[TestResult, ...]
    exit_code: int
    ended: Ended = Ended.FINISHED
    seconds: float = 0.0
    collect_errors: tuple[CollectError, ...] = ()
    foreign: tuple[tuple[str, str], ...] = ()  # (module file used, file that should have been used)
    problem: str = ""  # why the report cannot be trusted or is absent
    reason: str = ""  # why the suite did not run, when it was skipped
    left_out: int = 0  # tests a skipped suite would have run
    rewritten: tuple[str, ...] = ()  # files that judge the work and were changed while it ran
    replaced: tuple[str, ...] = ()  # parts of pytest that the code under test replaced
    peeked: tuple[str, ...] = ()  # how the code under test looked at the tests
    ran: Mapping[str, Ran] = {}  # by node id, where it was asked for
    note: str = ""  # which of its tests ran, where somebody chose

    __test__: ClassVar[bool] = False

    @property
    def green(self) -> bool:
        """A suite in which nothing passed is not green."""
        return (
            self.exit_code == 0
            and self.ended is Ended.FINISHED
            and not self.collect_errors
            and not self.problem
            and any(r.outcome.passed for r in self.results)
        )


class Progress(Noun, frozen=True):
    """What changed against the baseline, by test key."""

    fixed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


class Gate(Noun, frozen=True):
    name: str
    status: GateStatus
    reason: str = ""  # only with skipped: one of the standard words
    evidence: str = ""

    @property
    def word(self) -> str:
        """Status as it is written everywhere: ``skipped`` always carries its reason."""
        return f"{self.status} ({self.reason})" if self.status is GateStatus.SKIPPED else str(self.status)


class Route(Noun, frozen=True):
    kind: RouteKind
    target: str  # an agent; ``self`` for a retry

    def __str__(self) -> str:
        return f"{self.kind} → {self.target}"

    @property
    def retry(self) -> bool:
        return self.kind is RouteKind.NEXT and self.target == "self"


class Hop(Noun, frozen=True):
    agent: str
    text: str
    route: Route


class Option(Noun, frozen=True):
    """A route the person may choose, or why it is off."""

    route: Route
    allowed: bool
    outcome: str  # which of the outcomes of the specification it stands for
    why_not: str = ""


class Proposal(Noun, frozen=True):
    """What may happen next. ``recommended`` indexes ``options`` and is always allowed."""

    id: str
    options: tuple[Option, ...]
    recommended: int
    reason: str

    @property
    def best(self) -> Option:
        return self.options[self.recommended]


class RetryBudget(Noun, frozen=True):
    limit: int = 2
    used: int = 0

    @property
    def spent(self) -> bool:
        return self.used >= self.limit


class Advisory(Noun, frozen=True):
    code: str
    text: str
    path: str = ""
    line: int = 0
    grave: bool = False  # keeps a change from being verified until a person has looked

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same as another: lines move."""
        return self.code, self.path, self.text

    def __str__(self) -> str:
        where = f" ({self.path}{f':{self.line}' if self.line else ''})" if self.path else ""
        return f"[ADVISORY] {self.code}: {self.text}{where}"


class Usage(Noun, frozen=True):
    """What providers used so far. ``retries`` are the client's own, inside an attempt."""

    calls: int = 0
    tokens_in: int = 0  # not served from the cache, cache writes included
    cached: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    retries: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.cached + other.cached,
            self.tokens_out + other.tokens_out,
            self.usd + other.usd,
            self.retries + other.retries,
        )


class DiffStat(Noun, frozen=True):
    files: int = 0
    added: int = 0
    removed: int = 0
    minimal: bool = False

    def __str__(self) -> str:
        return f"+{self.added} −{self.removed}"
