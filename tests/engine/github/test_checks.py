"""Check run and commit status over HTTP: found by name and commit, renewed, never doubled, whatever goes wrong."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from engine.errors import Stopped
from engine.github.check import Verdict, verdict, write_check, write_status
from engine.github.unwritten import Unreachable, Unwritten
from engine.model import Gate, GateStatus
from engine.records.receipt import CHECK
from engine.state import RunState
from tests.engine.github.conftest import Kit
from tests.engine.github.server import NO_APP, Fault, Server, refuse

SHA = "a" * 40
SAID = Verdict(SHA, "run-1", "success", "impl: pass", "verified", "verified")
CREATE, LIST, STATUS = ".*/check-runs", ".*/commits/.*/check-runs", ".*/statuses/.*"


def ours(github: Server) -> list[tuple[str, str]]:
    return [(c["conclusion"], c["external_id"]) for c in github.checks if c["name"] == CHECK]


def test_one_check_run_is_made_and_then_renewed(github: Server, kit: Kit) -> None:
    with kit.wire() as wire:
        url = write_check(wire, SAID)
        assert url == write_check(wire, SAID)
        assert github.count("PATCH", ".*") == 0, "what stands there already is not written again"
        assert url == write_check(wire, replace(SAID, run="run-2", conclusion="failure"))
    assert ours(github) == [("failure", "run-2")]
    assert github.checks[0]["output"]["title"] == "impl: pass"
    assert kit.told == []


def test_check_runs_of_other_names_and_commits_are_left_alone(github: Server, kit: Kit) -> None:
    github.check("b" * 40, CHECK)
    github.check(SHA, "build")
    with kit.wire() as wire:
        write_check(wire, SAID)
    assert len(github.checks) == 3
    assert github.checks[0]["output"]["title"] is None


def test_a_check_run_is_found_behind_a_page_of_others(github: Server, kit: Kit) -> None:
    with kit.wire() as wire:
        write_check(wire, SAID)
        mine = github.checks[0]
        for n in range(105):
            github.checks.insert(0, mine | {"id": mine["id"] + 1000 + n, "external_id": "run-2"})
        write_check(wire, replace(SAID, run="run-2"))
    assert mine["external_id"] == "run-2"
    assert len(github.checks) == 106
    assert github.count("PATCH", ".*") == 1


@pytest.mark.parametrize(
    "trouble",
    [
        Fault("POST", CREATE, lost=True),
        Fault("POST", CREATE, silent=True),
        Fault("POST", CREATE, broken=True),
        refuse("POST", CREATE, 500),
        refuse("POST", CREATE, 502),
        refuse("POST", CREATE, 409),
        refuse("GET", LIST, 503, headers={"retry-after": "0"}),
        refuse("POST", CREATE, 403, "You have exceeded a secondary rate limit", headers={"retry-after": "0"}),
        refuse("POST", CREATE, 429, headers={"retry-after": "Sat, 01 Nov 2025 00:00:00 GMT"}),
        refuse("POST", CREATE, 403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}),
    ],
)
def test_trouble_that_passes_leaves_one_check_run(github: Server, kit: Kit, trouble: Fault) -> None:
    github.faults = [trouble]
    with kit.wire(silence_s=0.5 if trouble.silent else 10.0) as wire:
        if trouble.broken:
            with pytest.raises(Unwritten, match="unreadable"):
                write_check(wire, SAID)
        write_check(wire, SAID)
        assert wire.retries == len(kit.told)
        assert trouble.silent or wire.retries == (0 if trouble.broken else 1)
    assert ours(github) == [("success", "run-1")]


def test_trouble_that_stays_ends_after_bounded_retries(github: Server, kit: Kit) -> None:
    github.faults = [refuse("POST", CREATE, 500, "boom", times=99)]
    with (
        kit.wire() as wire,
        pytest.raises(Unwritten, match=r"server-error: .*500: boom; gave up after 4 tries") as caught,
    ):
        write_check(wire, SAID)
    assert not caught.value.final
    assert github.count("POST", CREATE) == 4
    assert [t.split("; ")[1].split(" in")[0] for t in kit.told] == [f"retry {n} of 3" for n in (1, 2, 3)]


@pytest.mark.parametrize("headers", [{"retry-after": "600"}, {}])
def test_a_limit_that_lasts_longer_than_we_may_wait_is_not_asked_against(
    github: Server, kit: Kit, headers: dict[str, str]
) -> None:
    github.faults = [refuse("GET", LIST, 403, "You have exceeded a secondary rate limit", headers=headers, times=9)]
    with kit.wire() as wire, pytest.raises(Unreachable, match=r"rate-limit.*it asks to wait \d+ s"):
        write_check(wire, SAID)
    assert len(github.seen) == 1


@pytest.mark.parametrize(
    ("fault", "reason", "final"),
    [
        (refuse("POST", CREATE, 403, NO_APP), "no-app-permission", False),
        (refuse("GET", LIST, 404, "Not Found"), "not-found", False),
        (refuse("POST", CREATE, 422, "Validation Failed"), "refused", False),
        (refuse("GET", LIST, 401, "Bad credentials"), "bad-token", True),
    ],
)
def test_what_will_not_pass_is_asked_once(github: Server, kit: Kit, fault: Fault, reason: str, final: bool) -> None:
    github.faults = [fault]
    with kit.wire() as wire, pytest.raises(Unwritten) as caught:
        write_check(wire, SAID)
    assert (caught.value.reason, caught.value.final) == (reason, final)
    assert kit.told == []
    assert ours(github) == []


def test_a_commit_that_github_does_not_have_is_named_as_such(github: Server, kit: Kit) -> None:
    github.commits = set()
    with kit.wire() as wire:
        for write in (write_check, write_status):
            with pytest.raises(Unwritten, match="unknown-commit"):
                write(wire, SAID)


def test_a_wrong_token_is_shown_to_nobody(github: Server, kit: Kit) -> None:
    with kit.wire(token="ghs_wrong") as wire, pytest.raises(Unreachable, match="bad-token") as caught:
        write_check(wire, SAID)
    assert "ghs_wrong" not in str(caught.value) + repr(caught.value)


def test_two_runs_at_once_end_with_the_same_word_on_both(github: Server, kit: Kit) -> None:
    """The other one makes its check run between our look and ours."""
    other = lambda: github.check(SHA, CHECK, conclusion="failure", external_id="run-0")  # noqa: E731
    github.faults = [Fault("POST", CREATE, before=other)]
    with kit.wire() as wire:
        write_check(wire, SAID)
    assert ours(github) == [("success", "run-1"), ("success", "run-1")]


def test_a_twin_of_another_app_is_not_ours_to_change(github: Server, kit: Kit) -> None:
    other = lambda: github.check(SHA, CHECK, app=2, conclusion="failure", external_id="x")  # noqa: E731
    github.faults = [Fault("POST", CREATE, before=other)]
    with kit.wire() as wire:
        write_check(wire, SAID)
    assert ours(github) == [("failure", "x"), ("success", "run-1")]


# -- the end of patience ----------------------------------------------------------------------------------------------


def test_a_stop_ends_a_wait_and_a_silence_at_once(github: Server, kit: Kit) -> None:
    for fault in (
        Fault("GET", LIST, silent=True),
        refuse("GET", LIST, 503, headers={"retry-after": "2"}, times=9),
    ):
        kit = Kit(github)
        github.faults, github.seen = [fault], []
        threading.Thread(target=_when_asked, args=(github, kit), daemon=True).start()
        with kit.wire(silence_s=30) as wire, pytest.raises(Stopped):
            write_check(wire, SAID)
        assert len(github.seen) == 1


def _when_asked(github: Server, kit: Kit) -> None:
    while not github.seen:
        time.sleep(0.005)
    time.sleep(0.05)
    kit.cancel.cancel()


def test_a_slow_server_holds_nobody_longer_than_the_budget(github: Server, kit: Kit) -> None:
    github.faults = [Fault("GET", LIST, silent=True, times=9)]
    with kit.wire(silence_s=30, budget_s=0.3) as wire, pytest.raises(Unreachable, match=r"more than 0\.3 s"):
        write_check(wire, SAID)
    asked = len(github.seen)
    with pytest.raises(Unreachable, match=r"more than 0\.3 s"):
        write_status(wire, SAID)
    assert len(github.seen) == asked <= 1


def test_no_server_at_all_is_a_network_that_fails(kit: Kit) -> None:
    kit.server.__exit__()
    with kit.wire() as wire, pytest.raises(Unreachable, match="network: no connection to GitHub"):
        write_check(wire, SAID)


# -- status -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conclusion", "state"), [("success", "success"), ("failure", "failure"), ("neutral", "success")]
)
def test_a_status_says_the_same_in_fewer_words(github: Server, kit: Kit, conclusion: str, state: str) -> None:
    said = replace(SAID, conclusion=conclusion, title="impl: skipped (n/a-surface)", evidence="x\n" * 300)
    with kit.wire() as wire:
        url = write_status(wire, said)
        write_status(wire, said)
    (made,) = github.statuses
    assert (made["state"], made["context"]) == (state, CHECK)
    assert made["description"].startswith("impl: skipped (n/a-surface): x x")
    assert len(made["description"]) == 140
    assert url.endswith(f"/octo/calc/commit/{SHA}")


def test_a_lost_answer_leaves_one_status(github: Server, kit: Kit) -> None:
    github.faults = [Fault("POST", STATUS, lost=True)]
    with kit.wire() as wire:
        write_status(wire, SAID)
        write_status(wire, replace(SAID, conclusion="failure"))
        write_status(wire, SAID)
    assert [s["state"] for s in github.statuses] == ["success", "failure", "success"]


# -- what is said -----------------------------------------------------------------------------------------------------


def test_the_summary_is_bounded_and_calls_and_shows_nothing() -> None:
    gate = Gate("impl", GateStatus.FAIL, "", "@octo | <img src=x> key-1234 \udcff " + "e" * 70_000)
    said = verdict(RunState(gates={"impl": gate}), SHA, lambda text: text.replace("key-1234", "‹redacted›"))
    assert said.conclusion == "failure"
    assert len((said.summary + said.title + said.evidence).encode()) > 130_000
    assert len(said.summary) <= 65_535
    assert "@octo" not in said.summary
    assert "<img" not in said.summary
    assert "key-1234" not in said.summary + said.description + said.evidence
    assert len(said.description) == 140


def test_an_old_server_of_ones_own_is_asked_in_its_version(github: Server, kit: Kit) -> None:
    with kit.wire(host="ghe.example.org") as wire:
        write_check(wire, SAID)
    assert github.versions == {"2022-11-28"}
