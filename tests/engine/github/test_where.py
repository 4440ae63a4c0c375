"""Which repository, which server, which token, which pull request; and what a refusal means. Nothing is sent here."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from support import git, make_repo

from engine.github import pull, refusal, remote, token
from engine.github.pull import Pull
from engine.github.remote import Remote
from engine.github.unwritten import Unwritten
from engine.workspace.repository import Repository

OCTO = Remote("github.com", "octo", "calc")
SHA, OTHER = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://github.com/octo/calc.git", OCTO),
        ("https://github.com/octo/calc/", OCTO),
        ("https://me:pass@GitHub.com/octo/calc", OCTO),
        ("https://www.github.com/octo/calc", OCTO),
        ("git@github.com:octo/calc.git", OCTO),
        ("github.com:octo/calc", OCTO),
        ("ssh://git@github.com/octo/calc.git", OCTO),
        ("ssh://git@ssh.github.com:443/octo/calc.git", OCTO),
        ("git://github.com/octo/calc", OCTO),
        ("https://ghe.example.org:8443/octo/calc.git", Remote("ghe.example.org", "octo", "calc")),
        ("git@acme.ghe.com:octo/calc.v2.git", Remote("acme.ghe.com", "octo", "calc.v2")),
        ("https://github.com/octo", None),
        ("https://github.com/a/b/c", None),
        ("https://github.com/octo/..", None),
        ("https://github.com/octo/ca lc", None),
        ("file:///srv/octo/calc.git", None),
        ("../octo/calc.git", None),
        ("/srv/calc.git", None),
        ("C:\\octo\\calc", None),
        ("ext::sh -c evil", None),
        ("", None),
    ],
)
def test_a_remotes_address_is_understood_in_all_its_forms(address: str, found: Remote | None) -> None:
    assert remote.parse(address) == found


@pytest.mark.parametrize(
    ("host", "environ", "answer"),
    [
        ("github.com", {}, True),
        ("acme.ghe.com", {}, True),
        ("github.com.evil.example", {}, False),
        ("evilghe.com", {}, False),
        ("ghe.example.org", {}, False),
        ("ghe.example.org", {"GH_HOST": "ghe.example.org"}, True),
        ("ghe.example.org", {"GITHUB_SERVER_URL": "https://ghe.example.org"}, True),
    ],
)
def test_a_host_is_githubs_only_if_github_or_the_user_says_so(
    host: str, environ: Mapping[str, str], answer: bool
) -> None:
    assert remote.is_github(host, environ) is answer


def test_the_api_is_where_the_server_has_it() -> None:
    assert remote.api("github.com", {}) == "https://api.github.com"
    assert remote.api("acme.ghe.com", {}) == "https://api.acme.ghe.com"
    assert remote.api("ghe.example.org", {}) == "https://ghe.example.org/api/v3"
    # The environment speaks for its own server, and for no other.
    mine = {"GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_SERVER_URL": "https://ghe.example.org"}
    assert remote.api("ghe.example.org", mine) == "http://127.0.0.1:9"
    assert remote.api("github.com", mine) == "https://api.github.com"
    with pytest.raises(Unwritten, match="insecure-api"):
        remote.api("github.com", {"GITHUB_API_URL": "http://api.example.org"})


MIRROR = Remote("gitlab.example.org", "octo", "calc")
FORK = Remote("github.com", "me", "calc")
ACTIONS = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "Octo/Calc"}


@pytest.mark.parametrize(
    ("remotes", "upstream", "environ", "found"),
    [
        ({}, "", {}, "no-remote"),
        ({"origin": None}, "", {}, "not-github"),
        ({"origin": MIRROR}, "origin", {}, "not-github"),
        ({"origin": FORK, "upstream": OCTO}, "upstream", {}, OCTO),
        ({"origin": FORK, "upstream": OCTO}, "", {}, FORK),
        ({"origin": MIRROR, "hub": OCTO}, "origin", {}, OCTO),
        ({"one": FORK, "two": OCTO}, "", {}, "which-remote"),
        ({"origin": FORK, "upstream": OCTO}, "origin", ACTIONS, OCTO),
        ({"origin": FORK}, "", ACTIONS, "other-repository"),
        ({}, "", ACTIONS, "no-remote"),
    ],
)
def test_one_remote_is_chosen_or_the_reason_is_said(
    remotes: dict[str, Remote | None], upstream: str, environ: Mapping[str, str], found: Remote | str
) -> None:
    if isinstance(found, Remote):
        assert remote.choose(remotes, upstream, environ) == found
        return
    with pytest.raises(Unwritten) as caught:
        remote.choose(remotes, upstream, environ)
    assert caught.value.reason == found
    assert caught.value.words


def test_a_checkout_says_where_it_belongs_and_what_its_branch_is_called_there(tmp_path: Path) -> None:
    here = Repository.open(make_repo(tmp_path, {"a": ""}))
    with pytest.raises(Unwritten, match="no-remote"):
        remote.find(here, "main", {})
    git(tmp_path, "remote", "add", "origin", "https://example.org/me/calc.git")
    git(tmp_path, "remote", "add", "hub", "gh:octo/calc.git")
    git(tmp_path, "config", "url.git@github.com:.insteadOf", "gh:")
    assert remote.followed(here, "main") == "main"
    git(tmp_path, "config", "branch.main.remote", "hub")
    git(tmp_path, "config", "branch.main.merge", "refs/heads/fix/add")
    assert remote.find(here, "main", {}) == OCTO
    assert remote.find(here, "", {}) == OCTO
    assert remote.followed(here, "main") == "fix/add"


# -- token ------------------------------------------------------------------------------------------------------------


def gh(folder: Path, body: str) -> dict[str, str]:
    """A program `gh` as the first of the path."""
    program = folder / "gh"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_the_token_is_the_environments_else_that_of_gh(tmp_path: Path) -> None:
    path = gh(tmp_path, 'test "$*" = "auth token --hostname github.com" && echo gho_fromgh')
    assert token.find("github.com", path | {"GITHUB_TOKEN": " t1 "}).value == "t1"
    assert token.find("github.com", path | {"GITHUB_TOKEN": "t1", "GH_TOKEN": "t2"}).value == "t2"
    found = token.find("github.com", path)
    assert (found.value, found.source) == ("gho_fromgh", "gh auth token")
    assert "fromgh" not in repr(found) + str(found)


def test_a_token_goes_to_the_server_it_is_for(tmp_path: Path) -> None:
    path = gh(tmp_path, "exit 1")
    with pytest.raises(Unwritten, match="no-token"):
        token.find("ghe.example.org", path | {"GITHUB_TOKEN": "t1"})
    assert token.find("ghe.example.org", path | {"GH_ENTERPRISE_TOKEN": "t3"}).value == "t3"
    own = {"GITHUB_TOKEN": "t1", "GITHUB_SERVER_URL": "https://ghe.example.org"}
    assert token.find("ghe.example.org", path | own).value == "t1"
    assert token.find("acme.ghe.com", path | {"GITHUB_TOKEN": "t1"}).value == "t1"


def test_a_gh_that_waits_for_a_keyring_or_knows_nothing_is_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token, "PATIENCE", 0.2)
    for body in ("exec sleep 30", "echo half; exit 1", "printf ''"):
        with pytest.raises(Unwritten, match="gh auth login"):
            token.find("github.com", gh(tmp_path, body))
    with pytest.raises(Unwritten, match="gh auth login"):
        token.find("github.com", {"PATH": "."})


def test_what_cannot_be_a_token_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(Unwritten, match="bad-token") as caught:
        token.find("github.com", {"GITHUB_TOKEN": "line one\nsecret two"})
    assert "secret" not in str(caught.value)


# -- pull request -----------------------------------------------------------------------------------------------------


def event(folder: Path, data: object) -> dict[str, str]:
    file = folder / "event.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(file)}


@pytest.mark.parametrize(
    ("data", "ref", "found"),
    [
        ({"pull_request": {"number": 7, "head": {"sha": SHA}}}, "", Pull(7, SHA)),
        ({"pull_request": {"number": 7, "head": {"sha": "$(rm)"}}}, "", Pull(7)),
        ({"pull_request": {"number": True}}, "refs/pull/8/merge", Pull(8)),
        ({"issue": {"number": 9, "pull_request": {"url": "x"}}}, "", Pull(9)),
        ({"issue": {"number": 9}}, "refs/heads/main", Pull()),
        ({}, "refs/pull/8/merge", Pull(8)),
        ("not json", "refs/pull/8/head", Pull(8)),
        ([1], "refs/tags/refs/pull/8/merge", Pull()),
    ],
)
def test_a_workflows_pull_request_is_that_of_its_event_else_of_its_ref(
    tmp_path: Path, data: object, ref: str, found: Pull
) -> None:
    environ = event(tmp_path, data) | {"GITHUB_REF": ref}
    assert pull.of_environment(environ) == found
    assert pull.of_environment({k: v for k, v in environ.items() if k != "GITHUB_ACTIONS"}) == Pull()


def test_what_a_merge_made_for_the_workflow_shows_is_said_of_the_pull_requests_commit() -> None:
    merge = {"GITHUB_SHA": OTHER, "GITHUB_REF": "refs/pull/7/merge"}
    assert Pull(7, SHA).commit(OTHER, merge) == SHA
    assert Pull(7, SHA).commit("c" * 40, merge) == "c" * 40  # something else was checked out
    assert Pull(7).commit(OTHER, merge) == OTHER
    assert Pull(7, SHA).commit(OTHER, {"GITHUB_SHA": OTHER, "GITHUB_REF": "refs/heads/x"}) == OTHER


# -- refusals ---------------------------------------------------------------------------------------------------------

NOW = time.time()


@pytest.mark.parametrize(
    ("status", "said", "headers", "reason", "again", "wait"),
    [
        (401, "Bad credentials", {}, "bad-token", False, None),
        (403, "Resource not accessible by integration", {}, "no-app-permission", False, None),
        (403, "Resource not accessible by personal access token", {}, "no-app-permission", False, None),
        (403, "You must authenticate via a GitHub App.", {}, "no-app-permission", False, None),
        (404, "Resource not accessible by integration", {}, "no-app-permission", False, None),
        (403, "Must have admin rights", {}, "no-permission", False, None),
        (403, "You have exceeded a secondary rate limit", {"retry-after": "3"}, "rate-limit", True, 3.0),
        (403, "You have exceeded a secondary rate limit", {}, "rate-limit", True, 60.0),
        (403, "no", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 9)}, "rate-limit", True, 9.0),
        (429, "", {"retry-after": "0"}, "rate-limit", True, 0.0),
        (429, "", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, "rate-limit", True, 60.0),
        (404, "Not Found", {}, "not-found", False, None),
        (409, "", {}, "conflict", True, None),
        (412, "", {}, "conflict", True, None),
        (422, "No commit found for SHA: x", {}, "unknown-commit", False, None),
        (422, "Validation Failed", {}, "refused", False, None),
        (400, "Problems parsing JSON", {}, "refused", False, None),
        (500, "", {}, "server-error", True, None),
        (503, "", {"retry-after": "2"}, "server-error", True, 2.0),
        (501, "", {}, "server-error", False, None),
    ],
)
def test_each_status_has_one_meaning(
    status: int, said: str, headers: dict[str, str], reason: str, again: bool, wait: float | None
) -> None:
    found = refusal.judge(status, said, headers, float(int(NOW)))
    assert (found.reason, found.again, found.wait, found.final) == (reason, again, wait, status == 401)
    assert str(status) in found.words
