"""What goes wrong on the wire: bounded, counted, cancellable retries, and a clear word at the end."""

from __future__ import annotations

import threading
import time

import pytest

from engine.errors import ProviderError, Stopped
from engine.model import Exit, Outcome, Usage
from engine.providers.anthropic.retry import Backoff
from tests.engine.anthropic.conftest import Make
from tests.engine.anthropic.double import Bytes, Double, Hang, Refuse, Say, text, use
from tests.engine.anthropic.kit import EDITOR, KEY, QUICK

DONE = use("finish", outcome="done", summary="s")
EDIT = use(EDITOR, command="str_replace", path="lanes.py", old_str="v << i ", new_str="v << (2 * i) ")


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_passing_error_is_retried_and_counted(double: Double, attempt: Make, status: int) -> None:
    double.script = [Refuse(status), Refuse(status), Say([DONE])]
    run = attempt()
    assert run.run().outcome is Outcome.DONE
    assert run.report.usage.retries == 2
    assert len(run.report.said("retry")) == 2
    assert str(status) in run.report.said("retry")[0]


@pytest.mark.parametrize("status", [429, 500, 529])
def test_retries_are_bounded(double: Double, attempt: Make, status: int) -> None:
    double.script = [Refuse(status)] * (QUICK.limit + 1)
    run = attempt()
    with pytest.raises(ProviderError) as caught:
        run.run()
    assert caught.value.transient
    assert caught.value.exit is Exit.PROVIDER
    assert f"{QUICK.limit + 1} tries" in caught.value.message
    assert len(double.seen) == QUICK.limit + 1
    assert run.report.usage.retries == QUICK.limit


@pytest.mark.parametrize(("status", "word"), [(401, "key"), (402, "pay"), (403, "may not"), (404, "not found")])
def test_what_only_a_person_can_mend_ends_the_attempt_at_once(
    double: Double, attempt: Make, status: int, word: str
) -> None:
    double.script = [Refuse(status, f"we do not like {KEY}", "authentication_error")]
    run = attempt()
    with pytest.raises(ProviderError) as caught:
        run.run()
    assert len(double.seen) == 1
    assert word in caught.value.message
    assert caught.value.hint
    assert not caught.value.transient
    assert KEY not in str(caught.value)


def test_a_spending_limit_is_not_retried(double: Double, attempt: Make) -> None:
    double.script = [Refuse(429, "limit", "rate_limit_error", code="enforced_spend_limit_reached")]
    with pytest.raises(ProviderError, match="pay"):
        attempt().run()
    assert len(double.seen) == 1


def test_an_absurd_retry_after_is_capped(double: Double, attempt: Make) -> None:
    double.script = [Refuse(429, headers={"retry-after": "100000"}), Say([DONE])]
    started = time.monotonic()
    assert attempt().run().outcome is Outcome.DONE
    assert time.monotonic() - started < 5


def test_a_retry_after_is_kept(double: Double, attempt: Make) -> None:
    double.script = [Refuse(429, headers={"retry-after-ms": "300"}), Say([DONE])]
    started = time.monotonic()
    attempt(backoff=Backoff(limit=2, cap_s=5.0, base_s=0.01)).run()
    assert time.monotonic() - started >= 0.3


BUSY = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
UNUSABLE: dict[str, Say | Bytes | Hang] = {
    "cut before its end": Say([EDIT], cut_before="message_delta"),
    "cut within a call": Say([EDIT], cut_before="content_block_stop"),
    "no reason to stop": Say([EDIT], stop=None),
    "dropped": Say([EDIT], drop_before="message_delta"),
    "garbage at the end": Say([EDIT], garbage_before="message_delta"),
    "garbage midway": Say([EDIT], garbage_before="content_block_delta"),
    "error midway": Say([EDIT], error_before="message_delta"),
    "stalled": Say([EDIT], stall_before="message_delta"),
    "empty": Bytes(b"", "text/event-stream"),
    "a web page": Bytes(b"<html>hello</html>", "text/html"),
    "JSON of another kind": Bytes(b'{"oh": "no"}', "application/json"),
    "a JSON list": Bytes(b"[]", "application/json"),
    "an error that calls itself fine": Bytes(BUSY, "application/json"),
    "silence": Hang(),
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_a_broken_answer_is_never_acted_on(double: Double, attempt: Make, fault: str) -> None:
    double.script = [UNUSABLE[fault], Say([DONE])]
    run = attempt(timeout_s=0.5)
    assert run.run().outcome is Outcome.DONE
    assert run.tools.names() == ["finish"]
    assert run.report.usage.retries == 1
    assert double.bodies[0] == double.bodies[1]


def test_tokens_of_a_cut_answer_are_counted(double: Double, attempt: Make) -> None:
    double.script = [Say([EDIT], cut_before="message_delta"), Say([DONE])]
    run = attempt()
    run.run()
    assert run.report.usage.tokens_in == 200


def test_an_error_object_in_the_stream_may_be_final(double: Double, attempt: Make) -> None:
    body = b'{"type":"error","error":{"type":"authentication_error","message":"who are you"}}'
    double.script = [Bytes(body, "application/json")]
    with pytest.raises(ProviderError, match="who are you"):
        attempt().run()
    double.script = [Bytes(b"event: error\ndata: " + body + b"\n\n", "text/event-stream")]
    with pytest.raises(ProviderError, match="who are you"):
        attempt().run()


def test_nobody_listens(attempt: Make) -> None:
    run = attempt(url="http://127.0.0.1:9")
    with pytest.raises(ProviderError, match=r"no connection to http://127\.0\.0\.1:9") as caught:
        run.run()
    assert caught.value.transient
    assert "running" in caught.value.hint


def stopped_within(run: object, seconds: float, delay: float) -> None:
    threading.Timer(delay, run.cancel.cancel).start()  # type: ignore[attr-defined]
    started = time.monotonic()
    with pytest.raises(Stopped):
        run.run()  # type: ignore[attr-defined]
    assert time.monotonic() - started < seconds


@pytest.mark.parametrize("step", [Hang(), Say([text("hi")], stall_before="message_delta")], ids=["silent", "midway"])
def test_a_stop_wakes_a_blocked_read(double: Double, attempt: Make, step: Hang | Say) -> None:
    double.script = [step]
    stopped_within(attempt(timeout_s=60.0), 3.0, 0.5)


def test_a_stop_wakes_a_wait_before_a_retry(double: Double, attempt: Make) -> None:
    double.script = [Refuse(429, headers={"retry-after": "60"})]
    stopped_within(attempt(backoff=Backoff(limit=2, cap_s=60.0)), 3.0, 0.5)


def test_a_stop_before_the_start_sends_nothing(double: Double, attempt: Make) -> None:
    run = attempt()
    run.cancel.cancel()
    with pytest.raises(Stopped):
        run.run()
    assert double.seen == []


def test_retries_do_not_count_as_calls(double: Double, attempt: Make) -> None:
    double.script = [Refuse(500), Say([DONE])]
    run = attempt()
    run.run()
    assert run.report.usage == Usage(calls=1, tokens_in=100, tokens_out=10, retries=1)
