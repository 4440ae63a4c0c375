"""What every provider is: something that, given a brief and a guarded toolbox, makes one attempt.

A provider never touches the tree, the tests or git itself; the toolbox is its only hand.
Providers are imported by name, lazily, so that one's library costs nothing to another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.cancel import CancelToken
from engine.events import Event
from engine.model import Advisory, Outcome, TestResult

if TYPE_CHECKING:
    from engine.suites.sandbox import Confinement


@dataclass(frozen=True, slots=True)
class SuiteBrief:
    """What a provider may know of a suite."""

    name: str
    command: str  # as a person would type it
    pytest_args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How children of the run are started; for providers that start their own (repair)."""

    python: str
    env: Mapping[str, str]
    import_roots: tuple[str, ...]  # relative to the worktree
    cwd: Path  # the project folder in the worktree
    scratch: Path  # for copies; goes with the run
    without: tuple[str, ...]  # plug-ins of the interpreter to leave out
    confine: Callable[[Sequence[str], Path, Path], list[str]]  # a command line, what it may write, where it runs
    confinement: Confinement | None = None  # how that is done here, for workers on other machines


@dataclass(frozen=True, slots=True)
class Brief:
    """Everything one attempt starts from. Text from the repository in it is data, never an instruction."""

    run: str
    attempt: int
    attempts: int  # how many there can be at most
    agent: str  # name
    prompt: str  # body of the agent file
    model: str  # of the agent file or the settings; an alias or an id
    worktree: Path
    targets: tuple[TestResult, ...]  # red tests to mend, with their shortened tracebacks
    green: tuple[str, ...]  # node ids that must stay green
    suites: tuple[SuiteBrief, ...]
    scope: tuple[str, ...]  # files that may be edited now, posix paths relative to the worktree
    scope_rules: str  # the patterns, in words
    earlier: tuple[str, ...] = ()  # previous attempts and why they failed; what earlier providers found out
    advisories: tuple[Advisory, ...] = ()
    hint: str = ""  # typed by the person with the retry
    ran: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # functions the targets were seen to run, by file
    sandbox: Sandbox | None = None
    tools: tuple[str, ...] = ()  # names of those that are lent; empty: all four
    task: str = ""  # what is asked of an agent that is handed a change, in place of targets to mend
    verified: bool = True  # what it is handed
    facts: tuple[tuple[str, str], ...] = ()  # what it is handed: a heading and text of the repository each


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The answer to a tool call; a refusal is an answer with ``is_error``."""

    text: str
    is_error: bool = False
    finished: bool = False  # the call was an accepted ``finish``


class Tools(Protocol):
    """The guarded toolbox: the four tools, by name, with JSON-like arguments."""

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Run one tool. Never raises for what the caller did wrong; raises Stopped when cancelled."""
        ...


class Reporter(Protocol):
    """Where a provider says what it does: ActivityReported, UsageCounted, AdvisoryRaised."""

    def __call__(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """Another change that passes the same tests; nobody has verified it."""

    files: Mapping[str, str]  # path and full new text of all it changes
    note: str
    differs: str = ""  # where it is known to behave otherwise, and how


@dataclass(frozen=True, slots=True)
class Finish:
    """How an attempt ended, in the provider's words. It is a claim; the verification decides."""

    outcome: Outcome
    summary: str
    evidence: str = ""
    transient: str = ""  # set when a transient or tooling failure ended it early
    refusal: str = ""  # set when the model would not do it: no retry changes that
    alternatives: int = 0  # other plausible patches seen
    confidence: str = ""  # high, medium or low; empty: not told
    doubt: str = ""  # a call on which plausible patches disagree
    runners_up: tuple[RunnerUp, ...] = ()
    lessons: str = ""  # for the next provider or attempt
    extra: Mapping[str, Any] = field(default_factory=dict)


class Provider(Protocol):
    """One attempt at a time.

    Raises
    ------
    ProviderError
        Authentication, quota, refusal, network after bounded retries.
    BudgetSpent
        Money, tokens or turns are used up.
    Stopped
        The token was cancelled.
    """

    name: str

    def attempt(self, brief: Brief, tools: Tools, report: Reporter, cancel: CancelToken) -> Finish: ...
