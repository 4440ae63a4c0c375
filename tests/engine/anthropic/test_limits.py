"""Whole runs that reach a limit: alone they end with 4 and go on with more; a person raises it, or ends the attempt."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from support import CALC, FIX_ADD, FIX_MUL, Command

from engine import events as ev
from engine.cancel import CancelToken
from engine.commands import Decide, EndAttempt, Raise, Restore
from engine.events import Record
from engine.feed import Feed
from engine.launch import Options, prepare
from engine.model import Exit, Proposal
from engine.replaying import cuts_of, providers_of, replay
from engine.run import Run
from engine.session import Answer, Steering
from tests.engine.anthropic.double import Double, Say, use
from tests.engine.anthropic.kit import EDITOR

PRICED = {**CALC, "bitnet-tui.toml": "[flow]\n[suites.cpu]\n[prices.sonnet]\ninput = 2.0\noutput = 10.0\n"}
USAGE = {"input_tokens": 200, "cache_creation_input_tokens": 9_800, "cache_read_input_tokens": 0, "output_tokens": 900}
CACHED = USAGE | {"cache_creation_input_tokens": 600, "cache_read_input_tokens": 9_800}
EDITS = Say([use(EDITOR, **FIX_ADD), use(EDITOR, **FIX_MUL)], usage=USAGE)
DONE = Say([use("finish", outcome="done", summary="the operators were wrong")], usage=CACHED)


def test_alone_a_run_ends_before_the_call_it_cannot_pay_for_and_goes_on_with_more(
    double: Double, repo: Callable[..., Path], command: Command
) -> None:
    server = {"ANTHROPIC_API_KEY": "sk-ant-nobody", "ANTHROPIC_BASE_URL": double.url}
    folder = repo(PRICED)
    double.script = [EDITS]
    first = command("--json", "--max-usd", "0.07", cwd=folder, **server)
    assert first.code == Exit.BUDGET, first.err
    assert "the next call may cost" in first.result["why"]
    assert "--max-usd" in first.result["hint"]
    assert first.result["cost"]["usd"] <= 0.07
    assert first.of("BudgetReached")[0]["limit"] == "usd"
    double.script = [EDITS, DONE]
    second = command("resume", "--max-usd", "0.5", cwd=folder, **server)
    assert second.code == Exit.OK, second.out + second.err
    assert "cost: $0." in second.out
    assert "for 3 calls: " in second.out
    assert "(cached 48 %)" in second.out


class Person(Steering):
    """Answers every question at a limit the same way."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        super().__init__(CancelToken(), ask=True)
        self._said = answer
        self.asked: list[str] = []
        self.decided: list[str] = []

    def reply(self, question: str) -> Answer:
        self.asked.append(question)
        return self._said(question)

    def answer(self, proposal: Proposal) -> Decide | Restore:
        self.decided.append(proposal.id)
        return Decide(proposal.id, proposal.best.route)


class Kept(Feed):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[ev.Event] = []

    def publish(self, record: Record) -> None:
        self.events.append(record.event)


def run(
    folder: Path, double: Double, lean_python: Path, person: Person, **limits: float
) -> tuple[Exit, list[ev.Event]]:
    environ = {**os.environ, "ANTHROPIC_BASE_URL": double.url, "VIRTUAL_ENV": str(lean_python)}
    feed = Kept()
    return Run(prepare(Options(folder, max_turns=1, **limits), environ))(feed, person), feed.events


def test_a_person_raises_a_limit_and_the_attempt_goes_on(
    double: Double, repo: Callable[..., Path], lean_python: Path
) -> None:
    double.script = [EDITS, DONE]
    person = Person(lambda question: Raise(question, question.split("-")[0], 60))
    code, events = run(repo(PRICED), double, lean_python, person, max_minutes=0.001)  # over before the first call
    assert code is Exit.OK
    assert person.asked == ["minutes-1", "turns-2"]
    assert not person.cancel.cancelled, "where a person is asked, no timer ends the run"
    assert [(e.limit, e.to) for e in events if isinstance(e, ev.BudgetRaised)] == [("minutes", 60), ("turns", 60)]


@pytest.mark.parametrize("forward", [False, True])
def test_an_attempt_a_person_ends_is_judged_as_it_stands(
    double: Double, repo: Callable[..., Path], lean_python: Path, forward: bool
) -> None:
    """The edits were right: what was left out is only the model's own word for it."""
    double.script = [EDITS if not forward else Say([use(EDITOR, **FIX_ADD)], usage=USAGE)]
    person = Person(lambda question: EndAttempt(question, forward))
    folder = repo(PRICED)
    code, events = run(folder, double, lean_python, person)
    (ended,) = [e for e in events if isinstance(e, ev.AttemptFinished)]
    assert ended.outcome == "more-work"
    assert ended.summary.startswith("ended at a limit: the turns are spent")
    (decided,) = [e for e in events if isinstance(e, ev.DecisionTaken)]
    assert decided.by == "user"
    if forward:
        assert code is Exit.NOT_GREEN
        assert person.decided == [], "it is not asked again"
        assert not decided.route.retry, "although there was progress"
        again = replay(folder, "", os.environ | {"VIRTUAL_ENV": str(lean_python)}, watch=lambda _: nullcontext())
        assert again.found == (), "made again, it ends where the person ended it"
    else:
        assert code is Exit.OK
        assert person.decided == ["after-1"]


def test_time_that_is_up_between_attempts_ends_the_run_when_a_person_says_so(
    double: Double, repo: Callable[..., Path], lean_python: Path
) -> None:
    person = Person(EndAttempt)
    code, events = run(repo(PRICED), double, lean_python, person, max_minutes=1e-9)
    assert code is Exit.BUDGET
    assert person.asked == ["minutes-1"]
    assert isinstance(events[-1], ev.RunInterrupted)
    assert not any(isinstance(e, ev.SuiteStarted) for e in events), "it is asked before the tests run, too"


class Late(Person):
    """One whose time is up as soon as the repairer searches."""

    late = False

    @property
    def minutes(self) -> float:
        return 100.0 if self.late else 0.0


def test_what_the_repairer_found_outlives_a_finish_at_a_limit(repo: Callable[..., Path], lean_python: Path) -> None:
    person = Late(EndAttempt)

    class Watching(Kept):
        def publish(self, record: Record) -> None:
            super().publish(record)
            person.late |= isinstance(record.event, ev.ActivityReported) and record.event.kind == "locate"

    environ = {**os.environ, "VIRTUAL_ENV": str(lean_python)}
    feed = Watching()
    code = Run(prepare(Options(repo(), providers=("repair",)), environ))(feed, person)
    assert code is Exit.BUDGET
    (ended,) = [e for e in feed.events if isinstance(e, ev.AttemptFinished)]
    assert (ended.outcome, ended.files) == ("done", ("calc/__init__.py",))
    (reached,) = [e for e in feed.events if isinstance(e, ev.BudgetReached)]
    assert reached.between


def test_where_a_person_ended_an_attempt_is_known_from_the_journal() -> None:
    started, called = ev.AttemptStarted(1, "anthropic"), ev.ToolCalled("search", "x", True)
    settled = ev.BudgetSettled("turns-1", "attempt 1")
    begun = ev.RunStarted("r", "/r", "", "0", "a", ("anthropic",), ("cpu",), 2)
    events = [begun, started, called, settled, ev.RunResumed(1, ("repair",)), started, called, called, settled]
    records = [Record(n, 0.0, event) for n, event in enumerate(events, 1)]
    assert cuts_of(records)["attempt 1"].tools == 2
    assert providers_of(records) == {1: ("repair",)}
    assert cuts_of(records[:-1]) == {}
    assert cuts_of([Record(1, 0.0, ev.BudgetSettled("minutes-1", ev.RUN))]) == {}
