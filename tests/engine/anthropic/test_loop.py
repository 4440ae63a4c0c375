"""From the first request to the finish, over real HTTP on loopback."""

from __future__ import annotations

import json

import pytest

from engine.model import Outcome, TestOutcome, TestResult
from tests.engine.anthropic.conftest import Make
from tests.engine.anthropic.double import Body, Double, Say, text, thinking, use
from tests.engine.anthropic.kit import EDITOR, KEY, TEST

FIX = {"command": "str_replace", "path": "lanes.py", "old_str": "v << i ", "new_str": "v << (2 * i) "}
DONE = use("finish", outcome="done", summary="lanes are two bits wide", evidence="1 passed")


def results(body: Body) -> list[Body]:
    return [b for b in body["messages"][-1]["content"] if b["type"] == "tool_result"]


def test_two_turns_turn_a_red_test_green(double: Double, attempt: Make) -> None:
    double.script = [
        Say([thinking("two bits a lane"), text("I look first."), use(EDITOR, command="view", path="lanes.py")]),
        Say([use(EDITOR, **FIX), use("run_tests", suite="cpu")]),
        Say([DONE]),
    ]
    run = attempt()
    before = run.tools._pytest()
    finish = run.run()
    assert "1 failed" in before
    assert "1 passed" in run.tools._pytest()
    assert (run.tools.root / "test_it.py").read_text() == TEST
    assert finish.outcome is Outcome.DONE
    assert (finish.summary, finish.evidence) == ("lanes are two bits wide", "1 passed")
    assert run.tools.names() == [EDITOR, EDITOR, "run_tests", "finish"]
    edited, tested = results(double.bodies[2])
    assert edited["content"] == "lanes.py written"
    assert "1 passed" in tested["content"]
    assert run.report.said("thought") == ["two bits a lane"]
    assert run.report.said("text") == ["I look first."]


def test_a_request_thinks_caches_and_offers_the_built_in_editor(double: Double, attempt: Make) -> None:
    double.script = [Say([use("search", pattern="pack")]), Say([DONE])]
    attempt().run()
    first, second = double.bodies
    assert first["stream"] is True
    assert first["thinking"] == {"type": "adaptive"}
    assert [t["name"] for t in first["tools"]] == [EDITOR, "search", "run_tests", "finish"]
    assert first["tools"][0]["type"] == "text_editor_20250728"
    assert all(t["strict"] for t in first["tools"][1:])
    mark = {"type": "ephemeral"}
    assert first["system"][-1]["cache_control"] == first["tools"][-1]["cache_control"] == mark
    assert second["messages"][-1]["content"][-1]["cache_control"] == mark
    assert [t["content"][-1].get("cache_control") for t in second["messages"] if t["role"] == "user"] == [mark, mark]
    assert json.dumps(second).count("cache_control") == 4
    assert (first["system"], first["tools"]) == (second["system"], second["tools"])


def test_effort_is_asked_for_without_thoughts_and_said_where_it_cannot_be(double: Double, attempt: Make) -> None:
    double.script = [Say([DONE])] * 2
    attempt(thinking=False, effort="low").run()
    assert double.bodies[0]["output_config"] == {"effort": "low"}
    assert "thinking" not in double.bodies[0]
    plain = attempt(profile="plain", effort="low")
    plain.run()
    assert "output_config" not in double.bodies[1]
    assert "[anthropic] effort = 'low' has no effect: profile plain asks for none" in plain.report.said("note")


def test_thoughts_go_back_unchanged(double: Double, attempt: Make) -> None:
    double.script = [Say([thinking("hm", "signed"), use("search", pattern="x")]), Say([DONE])]
    attempt().run()
    said = double.bodies[1]["messages"][1]["content"]
    assert said[0] == {"type": "thinking", "thinking": "hm", "signature": "signed"}


def test_a_refused_call_is_passed_on_and_ends_nothing(double: Double, attempt: Make) -> None:
    locked = {**FIX, "path": "test_it.py"}
    double.script = [Say([use(EDITOR, **locked)]), Say([use("no_such_tool", x=1)]), Say([DONE])]
    run = attempt()
    assert run.run().outcome is Outcome.DONE
    (refused,), (unknown,) = results(double.bodies[1]), results(double.bodies[2])
    assert refused["is_error"] is True
    assert "protected" in refused["content"]
    assert unknown["is_error"] is True


def test_nothing_is_done_after_a_finish(double: Double, attempt: Make) -> None:
    double.script = [Say([DONE, use(EDITOR, **FIX)])]
    run = attempt()
    run.run()
    assert run.tools.names() == ["finish"]


@pytest.mark.parametrize("raw", ['{"command": "view", "path": "lan', "[1, 2]", '"text"', '{"command": nonsense'])
def test_an_input_that_is_no_object_is_not_run(double: Double, attempt: Make, raw: str) -> None:
    double.script = [Say([text("I look."), use(EDITOR)], raw_input=raw), Say([DONE])]
    run = attempt()
    assert run.run().outcome is Outcome.DONE
    assert run.report.usage.retries == 0, "the model is told of its mistake; the same request is not paid again"
    assert run.tools.names() == ["finish"]
    (answer,) = results(double.bodies[1])
    assert answer["is_error"] is True
    assert "JSON" in answer["content"]


def test_text_alone_is_nudged_twice_and_then_taken_as_more_work(double: Double, attempt: Make) -> None:
    double.script = [Say([text("Done!")]), Say([]), Say([text("I said done.")])]
    finish = attempt().run()
    assert finish.outcome is Outcome.MORE_WORK
    assert finish.summary == "I said done."
    assert len(double.seen) == 3
    assert "finish" in double.bodies[1]["messages"][-1]["content"][-1]["text"]


def test_a_refusal_of_the_model_routes_forward(double: Double, attempt: Make) -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "cannot help with that"}
    double.script = [Say([text("No.")], stop="refusal", details=details)]
    finish = attempt().run()
    assert finish.outcome is Outcome.ARCHITECTURE
    assert "refused" in finish.summary
    assert finish.evidence == "cannot help with that"


def test_an_answer_cut_at_its_limit_is_not_run(double: Double, attempt: Make) -> None:
    double.script = [
        Say([thinking("long", ""), use(EDITOR, **FIX)], stop="max_tokens"),
        Say([text("half a sen")], stop="max_tokens"),
        Say([DONE]),
    ]
    run = attempt()
    assert run.run().outcome is Outcome.DONE
    assert run.tools.names() == ["finish"]
    assert results(double.bodies[1])[0]["is_error"] is True
    assert [b["type"] for b in double.bodies[1]["messages"][1]["content"]] == ["tool_use"]


def test_answers_that_are_always_cut_end_the_attempt(double: Double, attempt: Make) -> None:
    double.script = [Say([text(f"part {n}")], stop="max_tokens") for n in range(4)]
    assert attempt().run().outcome is Outcome.MORE_WORK


def test_a_paused_turn_goes_on_where_it_was(double: Double, attempt: Make) -> None:
    double.script = [Say([text("wait")], stop="pause_turn"), Say([DONE])]
    assert attempt().run().outcome is Outcome.DONE
    assert double.bodies[1]["messages"][-1] == {"role": "assistant", "content": [text("wait")]}


def test_a_window_that_stays_full_ends_in_more_work(double: Double, attempt: Make) -> None:
    double.script = [Say([text("")], stop="model_context_window_exceeded")]
    assert attempt().run().outcome is Outcome.MORE_WORK


def test_the_reason_to_stop_may_be_wrong_about_calls(double: Double, attempt: Make) -> None:
    double.script = [Say([use("search", pattern="x")], stop="end_turn"), Say([DONE], stop="stop_sequence")]
    assert attempt().run().outcome is Outcome.DONE


def test_a_server_that_does_not_stream_is_understood(double: Double, attempt: Make) -> None:
    double.script = [Say([text("hi"), use("search", pattern="x")], as_json=True), Say([DONE], as_json=True)]
    run = attempt()
    assert run.run().outcome is Outcome.DONE
    assert run.tools.names() == ["search", "finish"]
    assert run.report.usage.calls == 2


def test_long_answers_of_tools_are_cut_at_line_ends(double: Double, attempt: Make) -> None:
    double.script = [Say([use(EDITOR, command="view", path="lanes.py")]), Say([DONE])]
    run = attempt()
    (run.tools.root / "lanes.py").write_text("".join(f"line {n}\n" for n in range(9000)))
    run.run()
    shown = results(double.bodies[1])[0]["content"]
    assert len(shown) < 17_000
    assert "view_range" in shown
    assert shown.endswith("line 8999")


def test_usage_and_cost_are_counted(double: Double, attempt: Make) -> None:
    usage = {
        "input_tokens": 1000,
        "cache_creation_input_tokens": 2000,
        "cache_read_input_tokens": 50_000,
        "output_tokens": 300,
    }
    double.script = [Say([DONE], usage=usage)]
    run = attempt()
    run.run()
    used = run.report.usage
    assert (used.calls, used.tokens_in, used.cached, used.tokens_out, used.usd) == (1, 3000, 50_000, 300, 0.0)


def test_a_server_may_leave_usage_out(double: Double, attempt: Make) -> None:
    double.script = [Say([use("search", pattern="x")], usage={}), Say([DONE], usage={})]
    run = attempt()
    assert run.run().outcome is Outcome.DONE
    assert (run.report.usage.calls, run.report.usage.retries, run.report.usage.tokens_in) == (2, 0, 0)


def test_a_server_that_counts_less_than_nothing_lengthens_no_budget(double: Double, attempt: Make) -> None:
    double.script = [Say([DONE], usage={"input_tokens": -(10**9), "output_tokens": -5, "cache_read_input_tokens": -1})]
    run = attempt()
    run.run()
    assert (run.report.usage.tokens_in, run.report.usage.tokens_out, run.report.usage.cached) == (0, 0, 0)


def test_the_transcript_holds_the_talk_and_not_the_key(double: Double, attempt: Make) -> None:
    double.script = [Say([text(f"your key is {KEY}"), DONE])]
    run = attempt()
    run.run()
    assert [r["kind"] for r in run.transcript] == ["start", "request", "answer"]
    assert "lanes are two bits wide" in json.dumps(run.transcript)
    assert KEY not in json.dumps(run.transcript)
    assert KEY not in str(run.report.events)


def test_half_a_character_never_keeps_a_request_from_being_sent(double: Double, attempt: Make) -> None:
    broken = use("search", pattern="\ud83d")
    double.script = [Say([text("half \ud83d"), broken], as_json=True), Say([DONE])]
    target = TestResult("cpu", "test_it.py::test_x", TestOutcome.FAILED, message="caf\udce9", detail="E \udce9")
    run = attempt(brief={"targets": (target,), "prompt": "do \udce9"})
    assert run.run().outcome is Outcome.DONE
    assert "caf\ufffd" in double.bodies[0]["messages"][0]["content"][0]["text"]
    assert double.bodies[1]["messages"][1]["content"][1]["input"] == {"pattern": "\ufffd"}
