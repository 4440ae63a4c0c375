"""Which pull request a run is about: the one a workflow runs for, else the open one of the branch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.github.remote import in_actions
from engine.github.unwritten import Unwritten
from engine.github.wire import Wire

_REF = re.compile(r"refs/pull/([1-9]\d{0,9})/(?:merge|head)")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
EVENT_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Pull:
    """What the environment says of the pull request a workflow runs for."""

    number: int = 0  # 0: it runs for none
    head: str = ""  # its newest commit, where it is known

    def commit(self, head: str, environ: Mapping[str, str]) -> str:
        """The commit to speak of, when a run started from ``head``.

        A workflow checks out a merge that GitHub made for the occasion and shows nowhere. What is found out about it
        is said of the pull request's own commit, as GitHub's checks of workflows are.
        """
        made_for_us = head == environ.get("GITHUB_SHA") and environ.get("GITHUB_REF", "").endswith("/merge")
        return self.head if self.head and made_for_us else head


def of_environment(environ: Mapping[str, str]) -> Pull:
    """The pull request of the workflow that runs us."""
    if not in_actions(environ):
        return Pull()
    event = _event(environ.get("GITHUB_EVENT_PATH", ""))
    pull = event.get("pull_request")
    if isinstance(pull, dict) and _number(pull):
        head = pull.get("head")
        sha = head.get("sha") if isinstance(head, dict) else None
        return Pull(_number(pull), sha if isinstance(sha, str) and _SHA.fullmatch(sha) else "")
    issue = event.get("issue")
    if isinstance(issue, dict) and isinstance(issue.get("pull_request"), dict) and _number(issue):
        return Pull(_number(issue))
    match = _REF.fullmatch(environ.get("GITHUB_REF", ""))
    return Pull(int(match[1])) if match else Pull()


def of_branch(wire: Wire, branch: str) -> int:
    """The open pull request of a branch of the repository, the newest if there are several.

    Raises
    ------
    Unwritten
        There is none.
    """
    if not branch:
        raise Unwritten("no-pull-request", "HEAD is detached: no branch that a pull request could be of")

    def look() -> list[int]:
        head = f"{wire.remote.owner}:{branch}"
        found = wire.rest.pulls.list(*wire.where, state="open", head=head, per_page=100).parsed_data
        # Some servers leave out a filter whose branch they do not know, and list all.
        return [p.number for p in found if p.head.ref == branch]

    numbers = wire.attempt(look)
    if not numbers:
        raise Unwritten("no-pull-request", f"branch {branch} has no open pull request in {wire.remote}")
    return max(numbers)


def _event(path: str) -> dict[str, Any]:
    """What GitHub wrote down about the event; empty if it cannot be read."""
    try:
        file = Path(path)
        if not path or file.stat().st_size > EVENT_BYTES:
            return {}
        event = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _number(thing: Mapping[str, Any]) -> int:
    number = thing.get("number")
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 0
