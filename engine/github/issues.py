"""Opens an issue, once: a line in it that nobody sees says what it is about, and an open one about that is taken."""

from __future__ import annotations

import re
from typing import Any

from engine.github import thread
from engine.github.comment import quiet
from engine.github.wire import Wire

TITLE_CHARS = 250
BODY_CHARS = 65_000
_CODE = re.compile(r"(^(?:```[^`\n]*\n.*?^```|~~~[^\n]*\n.*?^~~~)[ \t]*$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"[0-9A-Za-z._-]{1,80}")


def create_issue(wire: Wire, title: str, body: str, key: str) -> str:
    """Open an issue, or find the open one of an earlier run; its address. It gets no label.

    Parameters
    ----------
    body
        Markdown; who is named in it is not called.
    key
        What the issue is about, a digest say: letters, digits, ``.``, ``_``, ``-``.

    Raises
    ------
    Unwritten
        GitHub refuses it.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of an issue")
    mark = f"<!-- bitnet-tui:issue {key} -->"
    who = thread.author(wire)
    text = _quiet(body)
    text = text if len(text) <= BODY_CHARS else text[: BODY_CHARS - 1] + "…"
    heading = " ".join(quiet(title).split())[:TITLE_CHARS]

    def open_or_find() -> str:
        if (there := _find(wire, mark, who)) is not None:
            return str(there.html_url)
        data = {"title": heading, "body": f"{text}\n\n{mark}\n"}
        return str(wire.rest.issues.create(*wire.where, data=data).parsed_data.html_url)

    return wire.attempt(open_or_find)


def _quiet(markdown: str) -> str:
    """Markdown that calls nobody; code calls nobody anyway, and is to be copied as it is."""
    parts = _CODE.split(markdown)
    return "".join(part if n % 2 else quiet(part) for n, part in enumerate(parts))


def _find(wire: Wire, mark: str, who: thread.Author) -> Any:
    """The oldest open issue of ours with this mark."""
    by = {"creator": who.login} if who.login else {}
    pages = wire.pages(wire.rest.issues.list_for_repo, *wire.where, state="open", sort="created", direction="asc", **by)
    for page in pages:
        for issue in page:
            body = issue.body if isinstance(issue.body, str) else ""
            if mark in body and _by(issue, who):
                return issue
    return None


def _by(issue: Any, who: thread.Author) -> bool:
    """Whether we wrote it: by name, or a bot with our mark in it."""
    if issue.user is None:
        return False
    return str(issue.user.login).lower() == who.login.lower() if who.login else str(issue.user.type) == "Bot"
