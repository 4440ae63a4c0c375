"""The same promises against a double that is not ours: llmock plays the server and passes a verdict on the client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ProviderError
from engine.model import Outcome
from engine.providers.anthropic.retry import Backoff
from tests.engine.anthropic.kit import EDITOR, Attempt

MODEL = "claude-sonnet-5-5"  # a full id: the list of models is not asked for, so faults hit messages
FIX = {"command": "str_replace", "path": "lanes.py", "old_str": "v << i ", "new_str": "v << (2 * i) "}
DONE = {"outcome": "done", "summary": "s"}


@pytest.fixture
def run(llmock: Any, tmp_path: Path) -> Attempt:
    backoff = Backoff(limit=3, cap_s=1.0, base_s=0.12)  # long enough for its verdict on who backs off
    return Attempt(llmock.base_url("anthropic"), tmp_path, model=MODEL, timeout_s=1.5, backoff=backoff)


def test_two_turns_turn_a_red_test_green(llmock: Any, run: Attempt) -> None:
    llmock.call_tool(EDITOR, {"command": "view", "path": "lanes.py"}, text="Let me see.")
    llmock.call_tool(EDITOR, FIX).call_tool("run_tests", {"suite": "cpu"}).call_tool("finish", DONE)
    assert "1 failed" in run.tools._pytest()
    assert run.run().outcome is Outcome.DONE
    assert "1 passed" in run.tools._pytest()
    assert run.tools.names() == [EDITOR, EDITOR, "run_tests", "finish"]
    assert "1 passed" in str(llmock.last_request.body["messages"][-1])
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize(
    "fault",
    [
        lambda m: m.rate_limit(times=2, retry_after=0.02),
        lambda m: m.fail(529),
        lambda m: m.fail(500, times=2),
        lambda m: m.fail(408),
        lambda m: m.fail(409),
        lambda m: m.fail(503),
        lambda m: m.fail(504),
        lambda m: m.truncate(after_chunks=4),
        lambda m: m.disconnect(after_chunks=3),
        lambda m: m.corrupt(after_chunks=3),
        lambda m: m.stall(after_chunks=2, seconds=6.0),
        lambda m: m.break_tool_call("malformed_arguments"),
    ],
    ids=["429", "529", "500", "408", "409", "503", "504", "truncate", "disconnect", "corrupt", "stall", "broken call"],
)
def test_a_fault_is_survived_and_nothing_of_it_is_run(
    llmock: Any, run: Attempt, fault: Callable[[Any], object]
) -> None:
    fault(llmock)
    llmock.call_tool("finish", DONE, times=None)
    assert run.run().outcome is Outcome.DONE
    assert run.tools.names() == ["finish"]
    verdict = llmock.verdict()
    assert len(verdict.calls) == 2 or any(len(call.attempts) > 1 for call in verdict.calls)  # it asked again
    # What was sent whole before the client hung up looks to the double as if it had been read to its end.
    unsure = {"malformed_chunk_ignored"}
    assert not verdict.errors
    assert {warning.code for warning in verdict.warnings} <= unsure


def test_an_unknown_tool_is_answered(llmock: Any, run: Attempt) -> None:
    llmock.break_tool_call("unknown_tool").call_tool("finish", DONE, times=None)
    assert run.run().outcome is Outcome.DONE
    assert run.tools.names()[0] not in (EDITOR, "search", "run_tests", "finish")


def test_a_refusal_routes_forward(llmock: Any, run: Attempt) -> None:
    from llmock.scenarios import Reply

    llmock.add(Reply(text="I will not.", finish_reason="content_filter"))
    finish = run.run()
    assert finish.outcome is Outcome.ARCHITECTURE
    assert finish.evidence == "I will not."


def test_text_alone_ends_in_more_work(llmock: Any, run: Attempt) -> None:
    llmock.tool_mode("off").reply("All done, trust me.", times=None)
    assert run.run().outcome is Outcome.MORE_WORK
    assert len(llmock.requests) == 3


def test_an_outage_is_given_up_on(llmock: Any, tmp_path: Path) -> None:
    llmock.outage(status=503)
    run = Attempt(llmock.base_url("anthropic"), tmp_path, model=MODEL)  # its retry-after of a second is capped here
    with pytest.raises(ProviderError) as caught:
        run.run()
    assert caught.value.transient
    assert len(llmock.requests) == 4


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_key_that_does_not_do_is_not_tried_twice(llmock: Any, run: Attempt, status: int) -> None:
    llmock.fail(status, times=None)
    with pytest.raises(ProviderError):
        run.run()
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


def test_the_wait_a_server_asks_for_is_kept(llmock: Any, tmp_path: Path) -> None:
    run = Attempt(llmock.base_url("anthropic"), tmp_path, model=MODEL, backoff=Backoff(limit=3, cap_s=5.0, base_s=0.01))
    llmock.rate_limit(retry_after=1.0).call_tool("finish", DONE, times=None)
    run.run()
    llmock.assert_resilient(strict=True)


def test_an_alias_is_found_in_its_list_of_models(llmock: Any, tmp_path: Path) -> None:
    llmock.call_tool("finish", DONE, times=None)
    run = Attempt(llmock.base_url("anthropic"), tmp_path)
    run.run()
    assert llmock.last_request.model == "claude-sonnet-4-6"
