"""The one comment of a pull request that holds the ledger: found, read again right before it is written, made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.github import comment
from engine.github.unwritten import Clash, Unwritten
from engine.github.wire import Wire
from engine.records.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Author:
    """Whose token it is, as comments name their author."""

    login: str = ""  # empty: an app's that does not say

    def wrote(self, entry: Any) -> bool:
        """Whether a comment or an issue is of this author's making; somebody's quotation of one is not.

        An app that may not ask for its own name takes what a bot wrote with our mark in it.
        """
        if entry.user is None:
            return False
        if self.login:
            return str(entry.user.login).lower() == self.login.lower()
        return str(entry.user.type) == "Bot" and comment.is_marked(_body(entry))


def author(wire: Wire) -> Author:
    """Who we are to GitHub: a user says so, an app must not ask."""
    try:
        return Author(wire.attempt(lambda: str(wire.rest.users.get_authenticated().parsed_data.login)))
    except Unwritten as refused:
        if refused.final:
            raise
        return Author()


def write(wire: Wire, number: int, ours: Ledger, run: str, who: Author) -> str:
    """Bring the ledger of a run into the pull request's comment; its address.

    Raises
    ------
    Unwritten
        GitHub refuses it, others kept writing, or its ledger is broken.
    """
    return wire.attempt(lambda: _write(wire, number, ours, run, who))


def _write(wire: Wire, number: int, ours: Ledger, run: str, who: Author) -> str:
    found = _ours(wire, number, who)
    if not found:
        body = comment.merged("", ours, run)
        made = wire.rest.issues.create_comment(*wire.where, number, data={"body": body}).parsed_data
        found = _ours(wire, number, who)
        if len(found) <= 1:
            return str(made.html_url)
        # Another run made one at the same time: what a run says stays in the older one.
    for younger in found[1:]:
        if comment.is_marked(_body(younger)):
            _absorb(wire, found[0].id, younger.id)
    return _renew(wire, found[0].id, lambda body: comment.merged(body, ours, run))


def _ours(wire: Wire, number: int, who: Author) -> list[Any]:
    """Comments of ours that hold a ledger, the oldest first."""
    pages = wire.pages(wire.rest.issues.list_comments, *wire.where, number)
    found = [c for page in pages for c in page if who.wrote(c) and comment.is_ledger(_body(c))]
    return sorted(found, key=lambda c: int(c.id))


def _renew(wire: Wire, entry: int, change: Callable[[str], str]) -> str:
    """Write a comment anew from what stands there now; its address.

    GitHub knows no condition on a write. So it is read right before, and looked at after: what another run wrote over
    is written again. A person's edit in between these two requests is all that can be lost.

    Raises
    ------
    Clash
        It did not last, or is gone.
    """
    before = _get(wire, entry)
    if before is None:
        raise Clash("the comment is gone")
    wanted = change(_body(before))
    if _same(wanted, _body(before)):
        return str(before.html_url)
    try:
        wire.rest.issues.update_comment(*wire.where, entry, data={"body": wanted})
    except Exception as error:
        if _status(error) == 422:  # also said where two writes meet
            raise Clash("GitHub did not take the comment") from error
        raise
    after = _get(wire, entry)
    if after is None or not _same(change(_body(after)), _body(after)):
        raise Clash("the comment was changed by others while it was written")
    return str(after.html_url)


def _absorb(wire: Wire, older: int, younger: int) -> None:
    """Two ledgers become one; the younger goes, unless a person wrote something into it."""
    entry = _get(wire, younger)
    if entry is None:
        return
    _renew(wire, older, lambda body: comment.absorbed(body, _body(entry)))
    again = _get(wire, younger)
    if again is not None and not comment.of_people(_body(again)):
        _unless_gone(lambda: wire.rest.issues.delete_comment(*wire.where, younger))


def _get(wire: Wire, entry: int) -> Any:
    """A comment as it stands now; None if it is gone."""
    return _unless_gone(lambda: wire.rest.issues.get_comment(*wire.where, entry).parsed_data)


def _unless_gone(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception as error:
        if _status(error) in (404, 410):
            return None
        raise


def _status(error: Exception) -> int:
    """The status of an answer that the client raised; 0 for any other error."""
    return int(getattr(getattr(error, "response", None), "status_code", 0))


def _same(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but the ends of their lines and of themselves, which a server may change."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


def _body(entry: Any) -> str:
    return entry.body if isinstance(entry.body, str) else ""
