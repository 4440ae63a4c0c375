"""The check run of a commit, and the commit status in its place: found again by name, renewed, never doubled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.github.comment import quiet, sendable
from engine.github.wire import Wire
from engine.records.ledger import escape
from engine.records.receipt import CHECK, check_run
from engine.state import RunState

SUMMARY_CHARS = 65_000  # GitHub takes 65,535
TITLE_CHARS = 250
DESCRIPTION_CHARS = 140
_STATES = {"success": "success", "failure": "failure", "neutral": "success"}
"""A status knows no neutral. Pending would block a merge for ever, and failure would be a claim."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a commit."""

    sha: str
    run: str
    conclusion: str
    title: str
    evidence: str  # one line, as it is
    summary: str  # Markdown
    details: str = ""  # where more is to be seen

    @property
    def description(self) -> str:
        """The title with what it rests on, as long as a status takes."""
        return _cut(" ".join(f"{self.title}: {self.evidence}".split()), DESCRIPTION_CHARS)


def verdict(state: RunState, sha: str, redact: Callable[[str], str], *, note: str = "", details: str = "") -> Verdict:
    """What the run's gates say of the commit it started from."""
    said = {name: sendable(redact(text)) for name, text in check_run(state).items()}

    def cell(text: str) -> str:
        return escape(quiet(redact(text)))

    rows = [f"| {cell(g.name)} | {cell(g.word)} | {cell(g.evidence)} |" for g in state.gates.values()]
    table = "\n".join(["| Gate | Status | Evidence |", "| ---- | ------ | -------- |", *rows])
    run = state.started.run if state.started else ""
    parts = [cell(said["summary"]), table, note, f"Run `{run}` of bitnet-tui."]
    summary = "\n\n".join(p for p in parts if p)
    return Verdict(
        sha=sha,
        run=run,
        conclusion=said["conclusion"],
        title=_cut(said["title"], TITLE_CHARS),
        evidence=said["summary"],
        summary=_cut(summary, SUMMARY_CHARS),
        details=details,
    )


def write_check(wire: Wire, verdict: Verdict) -> str:
    """Write the check run; its address.

    Where two runs made one each at the same time, both are given the same result: GitHub shows the newer one and
    keeps the other, and neither can be deleted.
    """

    def write() -> str:
        found = _checks(wire, verdict.sha)
        if not found:
            made = _create(wire, verdict)
            # Another run may have done the same since we looked.
            found = [c for c in _checks(wire, verdict.sha) if _app(c) == _app(made)] or [made]
        renewed = [check if _holds(check, verdict) else _update(wire, check, verdict) for check in found]
        return str(renewed[0].html_url or renewed[0].url)

    return wire.attempt(write)


def _checks(wire: Wire, sha: str) -> list[Any]:
    """Check runs of our name on a commit, the oldest first."""
    pages = wire.pages(wire.rest.checks.list_for_ref, *wire.where, sha, check_name=CHECK, filter_="all")
    found = [c for page in pages for c in page.check_runs if c.name == CHECK and c.head_sha == sha]
    return sorted(found, key=lambda c: int(c.id))


def _app(check: Any) -> int | None:
    return check.app.id if check.app is not None else None


def _create(wire: Wire, verdict: Verdict) -> Any:
    return wire.rest.checks.create(
        *wire.where, data=_body(verdict) | {"name": CHECK, "head_sha": verdict.sha}
    ).parsed_data


def _update(wire: Wire, check: Any, verdict: Verdict) -> Any:
    return wire.rest.checks.update(*wire.where, check.id, data=_body(verdict)).parsed_data


def _body(verdict: Verdict) -> dict[str, Any]:
    body: dict[str, Any] = {
        "status": "completed",
        "conclusion": verdict.conclusion,
        "external_id": verdict.run,
        "output": {"title": verdict.title, "summary": verdict.summary},
    }
    return body | ({"details_url": verdict.details} if verdict.details else {})


def _holds(check: Any, verdict: Verdict) -> bool:
    """Whether there is nothing to renew."""
    there = (check.status, check.conclusion, check.external_id, check.output.title, check.output.summary)
    return there == ("completed", verdict.conclusion, verdict.run, verdict.title, verdict.summary)


def write_status(wire: Wire, verdict: Verdict) -> str:
    """Write the commit status; where it is to be seen. A status is never changed: the newest of a name counts."""
    state = _STATES[verdict.conclusion]

    def write() -> str:
        newest = next((s for s in _statuses(wire, verdict.sha) if s.context == CHECK), None)
        if newest is None or (newest.state, newest.description) != (state, verdict.description):
            body = {"state": state, "context": CHECK, "description": verdict.description}
            body |= {"target_url": verdict.details} if verdict.details else {}
            wire.rest.repos.create_commit_status(*wire.where, verdict.sha, data=body)
        return f"https://{wire.remote.host}/{wire.remote}/commit/{verdict.sha}"

    return wire.attempt(write)


def _statuses(wire: Wire, sha: str) -> Any:
    """The statuses of a commit, the newest first."""
    for page in wire.pages(wire.rest.repos.list_commit_statuses_for_ref, *wire.where, sha):
        yield from page


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
