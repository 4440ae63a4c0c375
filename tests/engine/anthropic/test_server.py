"""Which server, which key, which model, how much is asked of it, and what it may cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.config import Anthropic, Budget
from engine.errors import BudgetSpent, ConfigError, ProviderError
from engine.model import Exit, Outcome, Usage
from engine.providers.anthropic.client import NO_KEY, Wire, endpoint
from engine.providers.anthropic.pricing import Rate
from tests.engine.anthropic.conftest import Make
from tests.engine.anthropic.double import Body, Double, Refuse, Say, text, thinking, use
from tests.engine.anthropic.kit import EDITOR, KEY, Attempt

DONE = use("finish", outcome="done", summary="s")


def test_without_key_and_server_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ProviderError) as caught:
        Attempt("", tmp_path, environ={}).run()
    assert caught.value.exit is Exit.PROVIDER
    assert "ANTHROPIC_API_KEY" in caught.value.hint
    assert "base_url" in caught.value.hint


@pytest.mark.parametrize(
    "base",
    ["127.0.0.1:11434", "file:///etc/passwd", "http://", "http://[::1", "http://h:99999", "http://a b", "http://h:x"],
)
def test_a_base_url_that_is_no_address_is_a_mistake_in_the_settings(base: str) -> None:
    with pytest.raises(ConfigError):
        endpoint(Anthropic(base_url=base), {})


@pytest.mark.parametrize("base", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/messages/"])
def test_a_pasted_address_is_understood(base: str) -> None:
    assert endpoint(Anthropic(base_url=base), {}).base_url == "http://h:1"


def test_the_setting_wins_over_the_environment() -> None:
    environ = {"ANTHROPIC_BASE_URL": "http://env", "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_AUTH_TOKEN": "t"}
    assert endpoint(Anthropic(base_url="http://set"), environ).host == "set"
    where = endpoint(Anthropic(), environ)
    assert (where.host, where.api_key, where.auth_token) == ("env", KEY, "")
    assert KEY not in repr(where)


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    run = Attempt("http://me:hunter2@127.0.0.1:9", tmp_path)
    with pytest.raises(ProviderError, match=r"http://127\.0\.0\.1:9") as caught:
        run.run()
    assert "hunter2" not in str(caught.value) + str(run.transcript) + str(run.report.events)


def test_only_anthropics_own_hosts_are_its_own() -> None:
    assert endpoint(Anthropic(), {"ANTHROPIC_API_KEY": "k"}).own
    assert not endpoint(Anthropic(base_url="https://api.anthropic.com.evil.example"), {}).own


@pytest.mark.parametrize(
    ("environ", "bearer", "x_api_key"),
    [
        ({"ANTHROPIC_API_KEY": KEY}, f"Bearer {KEY}", KEY),
        ({"ANTHROPIC_AUTH_TOKEN": "tok"}, "Bearer tok", None),
        ({}, f"Bearer {NO_KEY}", NO_KEY),
    ],
)
def test_the_key_travels_in_both_headers(
    double: Double, attempt: Make, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], bearer: str, x_api_key: str
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "of-another-world")  # the process's own environment is not looked at
    double.script = [Say([DONE])]
    attempt(environ=environ).run()
    headers = double.seen[0].headers
    assert (headers["authorization"], headers.get("x-api-key")) == (bearer, x_api_key)


@pytest.mark.parametrize(
    ("auth", "bearer", "x_api_key"),
    [("auto", f"Bearer {KEY}", KEY), ("bearer", f"Bearer {KEY}", None), ("x-api-key", None, KEY)],
)
def test_the_key_travels_as_the_settings_say(
    double: Double, attempt: Make, auth: str, bearer: str | None, x_api_key: str | None
) -> None:
    double.script = [Say([DONE])]
    attempt(auth=auth, version="2023-06-01").run()
    headers = double.seen[0].headers
    assert (headers.get("authorization"), headers.get("x-api-key")) == (bearer, x_api_key)
    assert headers["anthropic-version"] == "2023-06-01"


def test_anthropics_own_server_gets_what_the_sdk_sends_and_no_more() -> None:
    wire = Wire(endpoint(Anthropic(), {"ANTHROPIC_API_KEY": KEY}), 1.0)
    headers = {str(k).lower(): v for k, v in wire.client.default_headers.items()}
    wire.close()
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "x-api-key" not in headers
    assert wire.client.max_retries == 0


def test_a_local_server_is_reached_without_the_proxy(
    double: Double, attempt: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    double.script = [Say([DONE])]
    assert attempt().run().outcome is Outcome.DONE


# -- profiles ---------------------------------------------------------------------------------------------------------


def rejecting(field: str) -> object:
    def look(body: Body) -> str:
        return f"{field}: Extra inputs are not permitted" if f'"{field}"' in str(body).replace("'", '"') else ""

    return look


@pytest.mark.parametrize("field", ["thinking", "cache_control", "strict", "max_characters"])
def test_a_server_that_takes_less_gets_the_plain_profile_once(double: Double, attempt: Make, field: str) -> None:
    double.rejects = rejecting(field)  # type: ignore[assignment]
    double.script = [Say([thinking("hm", ""), use("search", pattern="x")]), Say([DONE])]
    run = attempt()
    assert run.run().outcome is Outcome.DONE
    assert len(double.seen) == 3
    plain = double.bodies[1]
    assert isinstance(plain["system"], str)
    assert [t["name"] for t in plain["tools"]] == [EDITOR, "search", "run_tests", "finish"]
    assert all("input_schema" in t and "strict" not in t for t in plain["tools"])
    assert "cache_control" not in str(double.bodies[1:])
    assert "thinking" not in str([b["messages"] for b in double.bodies[1:]])
    (note,) = [n for n in run.report.said("note") if "plain" in n]
    assert field in note
    double.script = [Say([DONE])]
    run.run()
    assert len(double.seen) == 4, "what was learnt is kept for the next attempt"


def tool_types(body: Body) -> list[str | None]:
    return [t.get("type") for t in body["tools"]]


CALLED_IN_PROSE = '<tool_call>{"name": "search", "arguments": {"pattern": "x"}}</tool_call>'
IGNORED: dict[str, list[Say]] = {
    "another model answers": [Say([use("search", pattern="x")], model="qwen3-coder")],
    "a tool nobody offered": [Say([use("edit_file", path="lanes.py")])],
    "a call written as prose": [Say([text(CALLED_IN_PROSE)])],
    "prose alone": [Say([text("I have no way to edit files.")])],
}


@pytest.mark.parametrize("answer", IGNORED)
def test_a_server_that_ignores_the_editor_is_found_out_by_its_first_answer(
    double: Double, attempt: Make, answer: str
) -> None:
    double.script = [*IGNORED[answer], Say([DONE])]
    run = attempt(model="claude-sonnet-5-5")
    assert run.run().outcome is Outcome.DONE
    assert tool_types(double.bodies[0])[0] == "text_editor_20250728"
    assert tool_types(double.bodies[1]) == [None] * 4
    assert len([n for n in run.report.said("note") if "going on with profile plain" in n]) == 1


def test_a_server_that_showed_it_knows_the_editor_is_not_doubted(double: Double, attempt: Make) -> None:
    view = use(EDITOR, command="view", path="lanes.py")
    double.script = [Say([view]), Say([text("All is well.")]), Say([use("shell", x=1)]), Say([DONE])]
    assert attempt(model="claude-sonnet-5-5").run().outcome is Outcome.DONE
    assert tool_types(double.bodies[-1])[0] == "text_editor_20250728"


def test_a_profile_that_was_asked_for_is_not_doubted(double: Double, attempt: Make) -> None:
    double.script = [Say([text("hm")], model="qwen"), Say([DONE])]
    attempt(profile="claude", model="claude-sonnet-5-5").run()
    assert tool_types(double.bodies[1])[0] == "text_editor_20250728"


def test_a_call_written_as_prose_is_told_apart_from_prose(double: Double, attempt: Make) -> None:
    double.script = [Say([text(CALLED_IN_PROSE)]), Say([text("I call search.")]), Say([DONE])]
    attempt(profile="plain").run()
    written, prose = [b["messages"][-1]["content"][-1]["text"] for b in double.bodies[1:]]
    assert "as text" in written
    assert "as text" not in prose


def test_a_turn_of_nothing_but_thought_leaves_no_hole(double: Double, attempt: Make) -> None:
    double.script = [Say([thinking("hm", "")]), Say([DONE])]
    assert attempt(profile="plain").run().outcome is Outcome.DONE
    assert len(double.bodies[1]["messages"]) == 1


def test_a_request_that_stays_invalid_is_reported(double: Double, attempt: Make) -> None:
    double.script = [Refuse(400, "no", "invalid_request_error"), Refuse(422, "still no", "invalid_request_error")]
    with pytest.raises(ProviderError, match="still no"):
        attempt().run()


def test_a_profile_that_was_asked_for_is_kept(double: Double, attempt: Make) -> None:
    double.script = [Refuse(400, "thinking: no", "invalid_request_error")]
    with pytest.raises(ProviderError) as caught:
        attempt(profile="claude").run()
    assert "plain" in caught.value.hint
    double.script = [Say([DONE])]
    attempt(profile="plain").run()
    assert "thinking" not in double.bodies[1]


def test_a_model_that_is_no_claude_gets_tools_it_cannot_miss(double: Double, attempt: Make) -> None:
    double.script = [Say([DONE], model="qwen3-coder")]
    attempt(model="qwen3-coder").run()
    assert all("input_schema" in t for t in double.bodies[0]["tools"])
    assert double.bodies[0]["model"] == "qwen3-coder"


def test_a_lower_ceiling_of_tokens_is_taken(double: Double, attempt: Make) -> None:
    double.script = [Refuse(400, "max_tokens: 32000 > 8192", "invalid_request_error"), Say([DONE])]
    attempt().run()
    assert [b["max_tokens"] for b in double.bodies] == [32000, 8000]
    assert "thinking" in double.bodies[1]


def test_a_conversation_that_never_fits_ends_in_more_work(double: Double, attempt: Make) -> None:
    double.script = [Refuse(400, "prompt is too long: 2000000 tokens > 1000000 maximum", "invalid_request_error")]
    assert attempt().run().outcome is Outcome.MORE_WORK


# -- models -----------------------------------------------------------------------------------------------------------


def listed(model_id: str, created: str, **more: object) -> Body:
    return {"type": "model", "id": model_id, "display_name": model_id, "created_at": f"{created}T00:00:00Z", **more}


def test_an_alias_is_the_newest_active_model_of_its_line(double: Double, attempt: Make) -> None:
    double.models = [
        listed("claude-old", "2025-01-01", line="sonnet", lifecycle="active"),
        listed("claude-new", "2026-09-01", line="sonnet", lifecycle="active", max_tokens=9000),
        listed("claude-gone", "2026-10-01", line="sonnet", lifecycle="retired"),
        listed("claude-big", "2026-11-01", line="opus", lifecycle="active"),
    ]
    double.script = [Say([DONE]), Say([DONE])]
    run = attempt()
    run.run()
    run.run()
    assert [b["model"] for b in double.bodies] == ["claude-new"] * 2
    assert double.bodies[0]["max_tokens"] == 9000
    assert double.listings == 1


def test_a_list_without_lines_goes_by_name(double: Double, attempt: Make) -> None:
    double.models = [listed("claude-sonnet-4-6", "2025-08-01"), listed("claude-3-5-sonnet", "2024-10-22")]
    double.script = [Say([DONE])]
    attempt().run()
    assert double.bodies[0]["model"] == "claude-sonnet-4-6"


def test_the_only_model_of_a_server_is_used(double: Double, attempt: Make) -> None:
    double.models = [listed("qwen3-coder", "2026-01-01")]
    double.script = [Say([DONE])]
    run = attempt()
    run.run()
    assert double.bodies[0]["model"] == "qwen3-coder"
    assert "qwen3-coder" in run.report.said("note")[0]


@pytest.mark.parametrize("models", [[], [{"type": "model"}], [{"id": 7}, {"id": None}], "none", [[1]], {"a": 1}])
def test_a_list_that_makes_no_sense_is_as_good_as_none(double: Double, attempt: Make, models: Any) -> None:
    double.models = models
    double.script = [Say([DONE])]
    run = attempt()
    assert run.run().outcome is Outcome.DONE
    assert double.bodies[0]["model"].startswith("claude-sonnet-")
    assert "sonnet" in run.report.said("note")[0]


def test_an_alias_among_the_models_of_others_is_the_table_s(double: Double, attempt: Make) -> None:
    double.models = [listed("qwen3-coder", "2026-01-01"), listed("llama-5", "2026-02-01")]
    double.script = [Say([DONE])]
    attempt().run()
    assert double.bodies[0]["model"].startswith("claude-sonnet-")


def test_without_a_list_there_is_a_table(double: Double, attempt: Make) -> None:
    double.script = [Say([DONE])]
    attempt(brief={"model": "opus"}).run()
    assert double.bodies[0]["model"].startswith("claude-opus-")


def test_a_full_id_is_not_looked_up(double: Double, attempt: Make) -> None:
    double.models = []
    double.script = [Say([DONE])]
    attempt(model="claude-haiku-4-5").run()
    assert double.listings == 0
    assert double.bodies[0]["model"] == "claude-haiku-4-5"
    assert "thinking" not in double.bodies[0], "it is older than adaptive thinking"


# -- budgets ----------------------------------------------------------------------------------------------------------

LOOK = use("search", pattern="x")


def test_money_ends_an_attempt_before_the_next_request(double: Double, attempt: Make) -> None:
    double.script = [Say([LOOK], usage={"input_tokens": 600_000, "output_tokens": 0})]
    run = attempt(rates=Rate(1.0, 5.0), budget=Budget(usd=0.5))
    with pytest.raises(BudgetSpent, match=r"\$0\.60 of \$0\.50") as caught:
        run.run()
    assert "--max-usd" in caught.value.hint
    assert caught.value.exit is Exit.BUDGET
    assert len(double.seen) == 1


def test_tokens_and_turns_end_an_attempt(double: Double, attempt: Make) -> None:
    double.script = [Say([LOOK], usage={"input_tokens": 5000, "output_tokens": 1})]
    with pytest.raises(BudgetSpent, match="tokens"):
        attempt(budget=Budget(tokens=4000)).run()
    double.script = [Say([LOOK]), Say([LOOK])]
    with pytest.raises(BudgetSpent, match=r"turns are spent: 2 of 2") as caught:
        attempt(budget=Budget(turns=2)).run()
    assert "--max-turns" in caught.value.hint


def test_no_money_is_enough_for_a_free_server(double: Double, attempt: Make) -> None:
    double.script = [Say([LOOK]), Say([DONE])]
    run = attempt(budget=Budget(usd=0.0))
    assert run.run().outcome is Outcome.DONE
    assert run.report.usage.usd == 0.0


def test_what_a_run_used_before_counts(attempt: Make) -> None:
    with pytest.raises(BudgetSpent):
        attempt(spent=Usage(calls=80)).run()


def test_a_model_without_a_price_is_said_to_have_none(double: Double, attempt: Make) -> None:
    double.script = [Say([LOOK], model="claude-epic-1"), Say([DONE], model="claude-epic-1")]
    run = attempt()
    run.run()
    assert not [n for n in run.report.said("note") if "price" in n], "a server of one's own costs nothing"
