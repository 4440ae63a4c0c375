"""Runs of the command that speak to GitHub, and runs that must not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git

from engine.records import ledger
from engine.records.receipt import CHECK
from tests.engine.github.server import NO_APP, TOKEN, Server, refuse

SCRIPT = [edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]
QUIET = {"GITHUB_ACTIONS": "", "GH_TOKEN": "", "GITHUB_REPOSITORY": "", "GITHUB_EVENT_PATH": ""}


def workflow(folder: Path, server: Server, sha: str) -> dict[str, str]:
    """The environment of a workflow for pull request 7."""
    file = folder.parent / "event.json"
    file.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": sha}}}), encoding="utf-8")
    return QUIET | {
        "GITHUB_ACTIONS": "true",
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_REPOSITORY": "octo/calc",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_API_URL": server.url,
        "GITHUB_EVENT_PATH": str(file),
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_SHA": sha,
        "GITHUB_RUN_ID": "42",
    }


def found(folder: Path, word: str) -> list[str]:
    files = [p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
    return [str(p) for p in files if word.encode() in p.read_bytes()]


def test_a_workflows_runs_leave_one_check_run_and_one_comment(
    repo: Callable[..., Path], command: Command, github: Server, tmp_path: Path
) -> None:
    folder = repo()
    git(folder, "remote", "add", "origin", "https://github.com/octo/calc")
    sha = git(folder, "rev-parse", "HEAD")
    github.comment("please fix", "alice")
    environ = workflow(folder, github, sha)

    first = command("--json", *command.script(SCRIPT), cwd=folder, **environ)
    assert first.code == 0, first.out + first.err
    (check,) = github.checks
    assert (check["name"], check["head_sha"], check["conclusion"]) == (CHECK, sha, "success")
    assert check["external_id"] == first.result["run"]
    assert check["details_url"] == "https://github.com/octo/calc/actions/runs/42"
    (_, comment) = github.comments
    assert [h.text for h in ledger.parse(comment["body"]).hops] == [e["hop"]["text"] for e in first.of("HopAdded")]
    assert first.result["published"] == {"check run": check["html_url"], "comment": comment["html_url"]}
    assert first.result["check"] == ""
    receipt = json.loads(Path(first.result["receipt"]).read_text(encoding="utf-8"))
    assert [p["kind"] for p in receipt["published"]] == ["check run", "comment"]
    assert github.statuses == []

    # A person writes into the comment, the app loses its right to check runs: a status stands in for it.
    github.edit(comment, lambda body: "Alice: nice.\n\n" + body)
    github.faults = [refuse("POST", ".*/check-runs", 403, NO_APP), refuse("GET", ".*/check-runs", 403, NO_APP)]
    second = command("--no-tui", *command.script([finish(DONE)]), cwd=folder, **environ)
    assert second.code == 1, second.out + second.err
    assert "CHECK-SKIPPED: reason=no-app-permission" in second.out
    assert "in its place: commit status and comment" in second.out
    assert len(github.checks) == 1
    assert [s["state"] for s in github.statuses] == ["failure"]
    assert len(github.comments) == 2
    assert comment["body"].startswith("Alice: nice.\n\n")
    assert len(ledger.parse(comment["body"]).hops) == 2

    assert TOKEN not in first.out + first.err + second.out + second.err
    assert found(tmp_path, TOKEN) == []
    assert git(folder, "tag") == ""


def test_a_repository_without_remote_is_told_so_and_ends_as_ever(
    repo: Callable[..., Path], command: Command, github: Server
) -> None:
    folder = repo({"test_m.py": "def test_cpu_a(): assert True\n"})
    answer = command("--no-tui", "--publish", cwd=folder, **QUIET, GITHUB_TOKEN=TOKEN, GITHUB_API_URL=github.url)
    assert answer.code == 0, answer.out + answer.err
    why = "the repository has no remote, so there is nowhere to write to"
    assert f"CHECK-SKIPPED: reason=no-remote ({why})" in answer.out
    assert github.seen == []


def test_github_that_fails_changes_no_exit_code(repo: Callable[..., Path], command: Command, github: Server) -> None:
    """Asked for by hand: a file GitHub does not have, and no pull request."""
    folder = repo({"test_m.py": "def test_cpu_a(): assert True\n"})
    git(folder, "remote", "add", "hub", "git@github.com:octo/calc.git")
    (folder / "notes.txt").write_text("mine\n", encoding="utf-8")
    environ = QUIET | {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url}
    answer = command("--json", "--publish", cwd=folder, **environ)
    assert answer.code == 0, answer.out + answer.err
    assert answer.result["check"].startswith("CHECK-SKIPPED: reason=dirty (0 changed and 1 untracked files")
    kinds = {e["kind"]: e["reason"] for e in answer.of("Published")}
    assert kinds == {"check run": "dirty", "comment": "no-pull-request"}
    assert github.checks == github.statuses == github.comments == []


def test_a_repository_may_not_speak_for_its_user(repo: Callable[..., Path], command: Command) -> None:
    folder = repo(CALC | {"bitnet-tui.toml": "[github]\npublish = 'on'\n"})
    answer = command("--json", cwd=folder, **QUIET)
    assert answer.code == 2
    assert "write to GitHub in your name" in answer.result["why"]
    assert "--publish" in answer.result["hint"]


def test_what_is_missing_upstream_becomes_one_issue(
    repo: Callable[..., Path], command: Command, github: Server
) -> None:
    files = {
        "calc/__init__.py": "import math\n",
        "tests/test_a.py": "import calc\ndef test_cpu_a(): assert calc.pack()\n",
    }
    folder = repo(files | {"bitnet-tui.toml": '[flow]\nfollow = "auto"\n[retries]\nlimit = 0\n'})
    git(folder, "remote", "add", "origin", "https://github.com/octo/calc")
    environ = workflow(folder, github, git(folder, "rev-parse", "HEAD"))
    script = command.script([finish({"outcome": "dependency", "summary": "calc.pack is another package's"})])
    first = command("--json", *script, cwd=folder, **environ)
    assert first.code == 1, first.out + first.err
    (issue,) = github.issues
    assert issue["title"] == "calc.pack is missing: 1 test fails"
    assert "- [ ] `tests/test_a.py::test_cpu_a` passes" in issue["body"]
    assert first.result["published"]["issue"] == issue["html_url"]
    again = command("--json", *script, cwd=folder, **environ)
    assert again.result["published"]["issue"] == issue["html_url"]
    assert len(github.issues) == 1
