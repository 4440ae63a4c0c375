"""What goes wrong on the wire: bounded, counted, cancellable retries, and a clear word at the end."""

from __future__ import annotations

import gzip
import json
import threading
import time

import pytest

from engine.errors import ProviderError, Stopped
from engine.model import Exit, Outcome, Usage
from engine.providers.anthropic.forecast import CHARS_A_TOKEN
from engine.providers.anthropic.retry import Backoff, BrokenAnswer
from engine.providers.anthropic.tee import Bounded
from tests.engine.anthropic.conftest import Make
from tests.engine.anthropic.double import Body, Bytes, Double, Hang, Pings, Refuse, Say, text, thinking, use
from tests.engine.anthropic.kit import EDITOR, KEY, QUICK

DONE = use("finish", outcome="done", summary="s")
VIEW = use(EDITOR, command="view", path="lanes.py")
EDIT = use(EDITOR, command="str_replace", path="lanes.py", old_str="v << i ", new_str="v << (2 * i) ")


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


def test_a_retry_after_is_kept(double: Double, attempt: Make) -> None:
    double.script = [Refuse(429, headers={"retry-after-ms": "300"}), Say([DONE])]
    started = time.monotonic()
    attempt(backoff=Backoff(limit=2, cap_s=5.0, base_s=0.01)).run()
    assert time.monotonic() - started >= 0.3


BUSY = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
LONG = "prompt is too long: 2000000 tokens > 1000000 maximum"
DATE = "Thu, 01 Jan 99999 00:00:00 GMT"

# Each is met in the second turn, after a file was viewed; then the server is well again.
AGAIN: dict[str, Say | Bytes | Hang | Refuse] = {
    **{str(status): Refuse(status) for status in (408, 409, 425, 429, 500, 502, 503, 504, 520, 529)},
    "429, wait for a day": Refuse(429, headers={"retry-after": "100000"}),
    "429, wait until a date": Refuse(429, headers={"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    "429, wait until no date": Refuse(429, headers={"retry-after": DATE}),
    "429, wait for less than nothing": Refuse(429, headers={"retry-after": "-5"}),
    "429, wait for no number": Refuse(429, headers={"retry-after": "nan"}),
    "429, wait for ever": Refuse(429, headers={"retry-after": "inf", "retry-after-ms": "nan"}),
    "cut before its end": Say([EDIT], cut_before="message_delta"),
    "cut within a call": Say([EDIT], cut_before="content_block_stop"),
    "cut before anything": Say([EDIT], cut_before="message_start"),
    "no reason to stop": Say([EDIT], stop=None),
    "dropped at the start": Say([EDIT], drop_before="message_start"),
    "dropped midway": Say([EDIT], drop_before="content_block_delta"),
    "dropped at the end": Say([EDIT], drop_before="message_delta"),
    "garbage at the end": Say([EDIT], garbage_before="message_delta"),
    "garbage midway": Say([EDIT], garbage_before="content_block_delta"),
    "error at the start": Say([EDIT], error_before="message_start"),
    "error midway": Say([EDIT], error_before="message_delta"),
    "stalled": Say([EDIT], stall_before="message_delta"),
    "empty": Bytes(b"", "text/event-stream"),
    "a web page": Bytes(b"<html>hello</html>", "text/html"),
    "JSON of another kind": Bytes(b'{"oh": "no"}', "application/json"),
    "a JSON list": Bytes(b"[]", "application/json"),
    "JSON that is none": Bytes(b'{"content": [', "application/json"),
    "a message without an end": Bytes(json.dumps(Say([EDIT], stop=None).message()).encode(), "application/json"),
    "an error that calls itself fine": Bytes(BUSY, "application/json"),
    "silence": Hang(),
}


@pytest.mark.parametrize("fault", AGAIN)
def test_a_passing_fault_is_retried_counted_and_nothing_of_it_is_run(double: Double, attempt: Make, fault: str) -> None:
    double.script = [Say([VIEW]), AGAIN[fault], Say([DONE])]
    run = attempt(timeout_s=0.5)
    assert run.run().outcome is Outcome.DONE
    assert run.tools.names() == [EDITOR, "finish"]
    assert run.report.usage.retries == len(run.report.said("retry")) == 1
    assert double.bodies[1] == double.bodies[2], "the same request"


PERSON: dict[str, tuple[Refuse, str]] = {
    "401": (Refuse(401, f"we do not like {KEY}", "authentication_error"), "does not accept the key"),
    "402": (Refuse(402, "no funds", "billing_error"), "cannot pay"),
    "403": (Refuse(403, "not yours", "permission_error"), "may not do this"),
    "404": (Refuse(404, "model: none such", "not_found_error"), "not found"),
    "400 of a credit": (Refuse(400, "Your credit balance is too low", "invalid_request_error"), "cannot pay"),
    "429 of a limit": (Refuse(429, "limit", "rate_limit_error", code="enforced_spend_limit_reached"), "cannot pay"),
    "405": (Refuse(405), "answered 405"),
    "501": (Refuse(501), "answered 501"),
    "a redirection": (Refuse(307, headers={"location": "http://127.0.0.1:9/"}), "answered 307"),
}


@pytest.mark.parametrize("fault", PERSON)
def test_what_only_a_person_can_mend_ends_the_attempt_at_once(double: Double, attempt: Make, fault: str) -> None:
    step, words = PERSON[fault]
    double.script = [step]
    run = attempt()
    with pytest.raises(ProviderError, match=words) as caught:
        run.run()
    assert len(double.seen) == 1
    assert caught.value.hint
    assert not caught.value.transient
    assert caught.value.exit is Exit.PROVIDER
    assert KEY not in str(caught.value)


FULL: dict[str, Say | Refuse] = {
    "400": Refuse(400, LONG, "invalid_request_error"),
    "400 by its code": Refuse(400, "no", "invalid_request_error", code="context_length_exceeded"),
    "413": Refuse(413, "too large", "request_too_large"),
    "the window is full": Say([EDIT], stop="model_context_window_exceeded"),
}


@pytest.mark.parametrize("fault", FULL)
def test_a_conversation_too_long_is_shortened_and_goes_on(double: Double, attempt: Make, fault: str) -> None:
    double.script = [Say([VIEW]), Say([use("search", pattern="x")]), FULL[fault], Say([DONE])]
    run = attempt()
    (run.tools.root / "lanes.py").write_text("# long\n" * 500)
    assert run.run().outcome is Outcome.DONE
    assert run.tools.names() == [EDITOR, "search", "finish"]
    assert "[left out to save room" in str(double.bodies[3]["messages"])
    assert len(str(double.bodies[3])) < len(str(double.bodies[2]))
    assert run.report.usage.retries == 0


@pytest.mark.parametrize("stop", ["max_tokens", "model_context_window_exceeded", "refusal"])
def test_a_call_in_an_answer_that_stopped_early_is_never_run(double: Double, attempt: Make, stop: str) -> None:
    double.script = [Say([VIEW]), Say([use("search", pattern="x")]), Say([EDIT], stop=stop)]
    double.script += [] if stop == "refusal" else [Say([DONE])]
    run = attempt()
    (run.tools.root / "lanes.py").write_text("# long\n" * 500)
    run.run()
    assert (EDITOR, EDIT["input"]) not in run.tools.calls


def test_tokens_of_a_cut_answer_are_counted(double: Double, attempt: Make) -> None:
    double.script = [Say([EDIT], cut_before="message_delta"), Say([DONE])]
    run = attempt()
    run.run()
    assert run.report.usage.tokens_in == 200


@pytest.mark.parametrize("block", [text("x" * 6_000), thinking("y" * 6_000), use("search", pattern="z" * 6_000)])
def test_what_a_cut_answer_had_written_is_paid_for(double: Double, attempt: Make, block: Body) -> None:
    usage = {"input_tokens": 100, "output_tokens": 1}
    double.script = [Say([block], usage=usage, cut_before="content_block_stop"), Say([DONE])]
    run = attempt()
    run.run()
    assert run.report.usage.tokens_out >= 6_000 / CHARS_A_TOKEN


def test_an_answer_of_nothing_but_signs_of_life_ends(double: Double, attempt: Make) -> None:
    double.script = [Pings()]
    with pytest.raises(ProviderError, match="the answer does not end") as caught:
        attempt(timeout_s=0.05, backoff=Backoff(limit=0)).run()
    assert caught.value.transient


def test_an_answer_is_bounded_however_it_is_compressed() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 100_000
    for body, encoding in ((b"x" * 1001, ""), (bomb, "gzip")):
        with pytest.raises(BrokenAnswer, match="more than 1,000 bytes"):
            list(Bounded([body], encoding, 1000, 60.0))
    with pytest.raises(BrokenAnswer, match="damaged"):
        list(Bounded([b"no gzip"], "gzip", 1000, 60.0))
    with pytest.raises(BrokenAnswer, match="not asked for"):
        list(Bounded([b"x"], "br", 1000, 60.0))
    whole = gzip.compress(b"event: ping\n\n" * 9)
    assert b"".join(Bounded([whole[:7], whole[7:]], "gzip", 1000, 60.0)) == b"event: ping\n\n" * 9


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
    """A stop is heard well before what is waited for would end by itself."""
    threading.Timer(delay, run.cancel.cancel).start()  # type: ignore[attr-defined]
    started = time.monotonic()
    with pytest.raises(Stopped):
        run.run()  # type: ignore[attr-defined]
    assert time.monotonic() - started < seconds


@pytest.mark.parametrize("step", [Hang(), Say([text("hi")], stall_before="message_delta")], ids=["silent", "midway"])
def test_a_stop_wakes_a_blocked_read(double: Double, attempt: Make, step: Hang | Say) -> None:
    double.script = [step]
    stopped_within(attempt(timeout_s=60.0), 30.0, 0.5)


def test_a_stop_wakes_a_wait_before_a_retry(double: Double, attempt: Make) -> None:
    double.script = [Refuse(429, headers={"retry-after": "60"})]
    stopped_within(attempt(backoff=Backoff(limit=2, cap_s=60.0)), 30.0, 0.5)


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
