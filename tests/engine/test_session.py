"""Answers that cross from the front end's thread to the engine's: each question takes one that means something."""

from __future__ import annotations

import io
import signal
import threading
from types import SimpleNamespace

import pytest

from engine.commands import Decide, Restore, Stop
from engine.feed import Feed
from engine.headless import stopping
from engine.model import Exit, Option, Proposal, Route, RouteKind
from engine.session import Session, Steering

ON = Route(RouteKind.FINALIZE, "docs")
QUESTION = Proposal("after-1", (Option(ON, True, "done"),), 0, "all green")


def test_an_answer_that_means_nothing_leaves_the_question_open_for_one_more() -> None:
    refused = threading.Semaphore(0)
    taken = []

    def run(feed: Feed, steering: Steering) -> Exit:
        while isinstance(answer := steering.answer(QUESTION), Restore):
            taken.append(answer)
            steering.refuse(QUESTION.id)
            refused.release()
        taken.append(answer)
        return Exit.OK

    session = Session(run, Feed(), ask=True)
    session.start()
    unknown, other = Restore(QUESTION.id, (7,)), Decide("after-2", ON)
    assert session.send(unknown)
    assert refused.acquire(timeout=30)
    assert session.send(other)  # to a question that is not asked: nobody hears it
    decided = Decide(QUESTION.id, ON)
    assert session.send(decided)
    assert not session.send(decided)
    assert session.join(30) is Exit.OK
    assert taken == [unknown, decided]
    assert not session.send(unknown)


def test_a_signal_in_the_middle_of_a_line_on_stderr_is_a_request_to_stop(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A buffer is not to be entered twice: Python raises where a handler prints while its stream is printed to."""

    class Busy(io.StringIO):
        def write(self, text: str) -> int:
            raise RuntimeError("reentrant call")

    monkeypatch.setattr("sys.stderr", Busy())
    asked: list[object] = []
    with stopping(SimpleNamespace(send=asked.append)):  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGINT)
    assert asked == [Stop(now=True)]
    assert capfd.readouterr().err == "stopping… (again: end at once)\n"
