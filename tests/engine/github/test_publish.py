"""The rungs in order, once each, whatever becomes of them: a run's end on GitHub, without the run."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support import git, make_repo

from engine import events as ev
from engine.cancel import CancelToken
from engine.config import GitHubSettings
from engine.feed import Feed
from engine.github.publish import Publishing
from engine.github.wire import Patience
from engine.launch import Options, Plan, prepare
from engine.model import Gate, GateStatus
from engine.providers.anthropic.retry import Backoff
from engine.recorder import Recorder
from engine.records.journal import Journal
from tests.engine.github.conftest import QUICK
from tests.engine.github.server import NO_APP, TOKEN, Fault, Server, refuse
from tests.engine.github.test_comment import hops, said

CHECKS, COMMENTS = ".*/check-runs", ".*/issues/.*comments"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = make_repo(tmp_path_factory.mktemp("repo"), {"m.py": "x = 1\n"})
    git(folder, "remote", "add", "origin", "git@github.com:octo/calc.git")
    return prepare(Options(folder, publish="on"), {})


@dataclass
class End:
    """The end of a run on a branch with pull request 7."""

    plan: Plan
    server: Server
    folder: Path
    dirty: int = 0
    cancel: CancelToken = field(default_factory=CancelToken)
    backoff: Backoff = QUICK

    def __post_init__(self) -> None:
        self.server.pull(7, "main")
        environ = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": self.server.url}
        self.plan = dataclasses.replace(self.plan, environ=environ)
        self.recorder = Recorder(Journal(self.folder / "journal.jsonl"), Feed(), self.folder / "run.log")
        head = self.plan.repository.run("rev-parse", "HEAD")
        self.recorder.emit(ev.SnapshotTaken(head, "main", head, head, self.dirty, 0))
        self.recorder.emit(ev.GateSet(Gate("impl", GateStatus.PASS, "", "verified")))

    def go(self, run: str = "run-1") -> str:
        patience = Patience(budget_s=20.0, silence_s=20.0, backoff=self.backoff)
        return Publishing(run, self.plan, self.recorder, self.cancel, patience).go(said("one"))

    @property
    def written(self) -> list[str]:
        return [p.kind for p in self.recorder.state.published if p.url]

    @property
    def left_out(self) -> list[tuple[str, str]]:
        return [(p.kind, p.reason) for p in self.recorder.state.published if not p.url]


@pytest.fixture
def end(plan: Plan, github: Server, tmp_path: Path) -> Iterator[End]:
    made = End(plan, github, tmp_path)
    yield made
    made.recorder.journal.close()


def test_a_check_run_and_the_comment_of_the_branchs_pull_request(end: End) -> None:
    assert end.go() == ""
    assert end.written == ["check run", "comment"]
    assert hops(end.server.comments[0]["body"]) == ["one"]


@pytest.mark.parametrize(
    ("publish", "environ", "reason"),
    [
        ("auto", {}, "not-asked"),
        ("auto", {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "octo/other"}, "other-repository"),
        ("auto", {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "octo/calc"}, ""),
        ("off", {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "octo/calc"}, "off"),
        ("on", {"GITHUB_TOKEN": "", "PATH": ""}, "no-token"),
        ("on", {"GITHUB_API_URL": "http://api.example.org"}, "insecure-api"),
    ],
)
def test_nothing_is_sent_unless_somebody_asked_and_it_can_be(
    end: End, publish: str, environ: dict[str, str], reason: str
) -> None:
    config = dataclasses.replace(end.plan.config, github=GitHubSettings(publish))
    end.plan = dataclasses.replace(end.plan, config=config, environ={**end.plan.environ, **environ})
    if reason:
        assert end.go().startswith(f"CHECK-SKIPPED: reason={reason} (")
        assert end.server.seen == []
    else:
        assert end.go() == ""


def test_what_is_written_is_not_written_again_by_a_run_that_goes_on(end: End) -> None:
    end.server.faults = [refuse("POST", COMMENTS, 500, times=99)]
    assert end.go() == ""
    assert (end.written, end.left_out) == (["check run"], [("comment", "server-error")])
    end.server.faults.clear()
    end.server.seen.clear()
    assert end.go() == ""
    assert end.written == ["check run", "comment"]
    assert end.server.count("GET", CHECKS) == end.server.count("POST", CHECKS) == 0


@pytest.mark.parametrize(
    ("faults", "line", "written"),
    [
        ([("GET", 403, NO_APP)], "no-app-permission", ["commit status", "comment"]),
        ([("POST", 403, NO_APP)], "no-app-permission", ["commit status", "comment"]),
        ([("POST", 404, "Not Found")], "not-found", ["commit status", "comment"]),
        ([("POST", 422, "Validation Failed")], "refused", ["commit status", "comment"]),
        ([("POST", 500, "")], "server-error", ["commit status", "comment"]),
        ([("GET", 401, "Bad credentials")], "bad-token", []),
    ],
)
def test_where_a_check_run_is_refused_the_next_rung_is_tried(
    end: End, faults: list[tuple[str, int, str]], line: str, written: list[str]
) -> None:
    end.server.faults = [refuse(method, CHECKS, status, text, times=99) for method, status, text in faults]
    said_so = end.go()
    assert said_so.startswith(f"CHECK-SKIPPED: reason={line} (GitHub answered {faults[0][1]}")
    assert ("in its place: commit status and comment" in said_so) is bool(written)
    assert end.written == written


def test_a_limit_that_is_met_again_and_again_leads_down(end: End) -> None:
    limit = {"headers": {"retry-after": "0"}, "times": 99}
    end.server.faults = [refuse("POST", CHECKS, 403, "You have exceeded a secondary rate limit", **limit)]
    assert end.go().startswith("CHECK-SKIPPED: reason=rate-limit")
    assert end.server.count("POST", CHECKS) == QUICK.limit + 1
    assert end.written == ["commit status", "comment"]


def test_with_everything_refused_the_file_is_what_there_is(end: End) -> None:
    end.server.faults = [refuse(m, ".*/repos/.*", 403, NO_APP, times=99) for m in ("GET", "POST")]
    assert end.go().startswith("CHECK-SKIPPED: reason=no-app-permission")
    assert end.written == []
    assert [kind for kind, _ in end.left_out] == ["check run", "commit status", "comment"]


def test_a_tree_that_github_does_not_have_gets_no_verdict_but_a_comment(
    plan: Plan, github: Server, tmp_path: Path
) -> None:
    end = End(plan, github, tmp_path, dirty=2)
    assert end.go().startswith("CHECK-SKIPPED: reason=dirty (2 changed and 0 untracked files")
    assert end.written == ["comment"]
    assert github.checks == github.statuses == []


def test_a_stop_while_it_is_written_ends_the_writing_and_not_the_run(end: End) -> None:
    end.server.faults = [Fault("GET", CHECKS, silent=True)]

    def stop() -> None:
        while not end.server.seen:
            time.sleep(0.005)
        end.cancel.cancel()

    threading.Thread(target=stop, daemon=True).start()
    assert end.go() == "CHECK-SKIPPED: reason=stopped (stopped on request)"
    assert len(end.server.seen) == 1


def test_a_defect_of_ours_is_said_with_its_file_and_costs_no_run(end: End) -> None:
    end.backoff = Backoff(limit=1, jitter=lambda: 1 / 0)
    end.server.faults = [refuse("GET", CHECKS, 500)]
    end.plan.home.run("run-1").mkdir(parents=True, exist_ok=True)
    said_so = end.go()
    assert said_so.startswith("CHECK-SKIPPED: reason=defect")
    file = end.plan.home.run("run-1") / "crash-github.txt"
    assert str(file) in said_so
    assert "ZeroDivisionError" in file.read_text(encoding="utf-8")
    assert TOKEN not in file.read_text(encoding="utf-8")


def test_a_token_of_gh_is_a_key_from_then_on(end: End, tmp_path: Path) -> None:
    program = tmp_path / "gh"
    program.write_text("#!/bin/sh\necho plain-words-of-gh-7\n", encoding="utf-8")
    program.chmod(0o755)
    end.plan = dataclasses.replace(end.plan, environ={"PATH": str(tmp_path), "GITHUB_API_URL": end.server.url})
    assert end.go().startswith("CHECK-SKIPPED: reason=bad-token")
    end.recorder.line("it was plain-words-of-gh-7")
    assert "plain-words" not in (end.folder / "run.log").read_text(encoding="utf-8")
    assert "plain-words" not in end.recorder.journal.path.read_text(encoding="utf-8")
