"""The ledger as a comment: what of it is ours, and what it becomes. Pure; :mod:`engine.github.thread` reads and writes.

Beside the ledger's anchors a comment of ours holds a line that nobody sees: which runs put how many hops into it. So a
run that writes twice adds its hops once, and one that has the same to say as the run before it says it again.
"""

from __future__ import annotations

import re
from dataclasses import replace

from engine.github.unwritten import Unwritten
from engine.model import Gate, Hop, Route
from engine.records import ledger
from engine.records.ledger import Ledger, LedgerError

LIMIT = 65_000  # GitHub takes 65,536 characters
RUNS = 30  # that are remembered
_CAPS = (None, 4000, 1000, 250, 60)
_SECTIONS = ("gates", "hoplog", "decision")
_SECTION = re.compile(r"<!-- (gates|trace|hoplog|decision):start -->.*?<!-- \1:end -->", re.DOTALL)
_MARK = re.compile(r"\n?<!-- bitnet-tui:ledger((?: [0-9A-Za-z_-]{1,60}:[0-9]{1,6})*) -->\n?")
_LOUD = re.compile(
    r"(?<![A-Za-z0-9])@(?=[A-Za-z0-9])|#(?=[0-9])|(?<![A-Za-z0-9])GH-(?=[0-9])|\](?=[(\[:])", re.IGNORECASE
)
_SILENT = "\u200b"


def is_ledger(body: str) -> bool:
    """Whether a comment holds the three sections a ledger is found by."""
    return all(f"<!-- {name}:start -->" in body and f"<!-- {name}:end -->" in body for name in _SECTIONS)


def is_marked(body: str) -> bool:
    """Whether a run of ours has said that it wrote this."""
    return _MARK.search(body) is not None


def merged(body: str, ours: Ledger, run: str) -> str:
    """What a comment becomes with what a run has to say; the whole comment, where ``body`` is empty.

    Everything outside the anchors stays as it is, byte for byte. What does not fit is cut from our own evidence.

    Raises
    ------
    Unwritten
        Its ledger is broken, or it is full.
    """
    known = _runs(body)
    for cap in _CAPS:
        said = _said(ours, cap)
        text = _merge(body, said, known.get(run, 0))
        text = _marked(text, {**known, run: max(known.get(run, 0), len(said.hops))})
        if len(text) <= LIMIT:
            return text
    raise Unwritten("comment-full", f"the comment holds {len(body)} characters: there is no room for another hop")


def absorbed(older: str, younger: str) -> str:
    """What the older of two ledgers becomes when the younger one is to go: it gets hops and gates it lacks."""
    known, more = _runs(older), _runs(younger)
    lost = {run: count for run, count in more.items() if run not in known}
    if not lost:
        return older
    theirs = _parsed(_unix(younger))
    mine = _parsed(_unix(older))
    names = {g.name for g in mine.gates}
    gates = tuple(g for g in theirs.gates if g.name not in names)
    text = _merge(older, Ledger(gates, mine.trace, theirs.hops, mine.decision), 0)
    text = _marked(text, {**known, **lost})
    if len(text) > LIMIT:
        raise Unwritten("comment-full", "two ledgers do not fit into one comment")
    return text


def of_people(body: str) -> str:
    """What of a comment no run wrote."""
    return _MARK.sub("", _SECTION.sub("", body)).strip()


def quiet(text: str) -> str:
    """Text from elsewhere that calls nobody: no mention, no reference to an issue, no link by another name.

    Examples
    --------
    >>> quiet("@octo").encode("ascii", "backslashreplace")
    b'@\\\\u200bocto'
    """
    return _LOUD.sub(lambda m: m[0] + _SILENT, sendable(text))


def sendable(text: str) -> str:
    """Text as it can be sent: a file's name need not be text."""
    return text.encode("utf-8", "replace").decode()


def _merge(body: str, said: Ledger, known: int) -> str:
    """The document with the sections renewed; ``known`` of the hops are in it already."""
    document = _unix(body)
    there = _parsed(document).hops if is_ledger(document) else ()
    try:
        return ledger.update(document, replace(said, hops=(*there, *said.hops[known:])))
    except LedgerError as error:
        raise _broken(error) from error


def _parsed(document: str) -> Ledger:
    try:
        return ledger.parse(document)
    except LedgerError as error:
        raise _broken(error) from error


def _broken(error: LedgerError) -> Unwritten:
    return Unwritten("ledger-broken", f"the ledger in the comment does not have its form: {error}"[:300])


def _unix(body: str) -> str:
    """A comment that was edited in a browser has other line ends; those inside the anchors are ours."""
    return _SECTION.sub(lambda m: m[0].replace("\r\n", "\n"), body)


def _runs(body: str) -> dict[str, int]:
    """Which runs put how many hops into a comment."""
    found = _MARK.search(body)
    pairs = (entry.rpartition(":") for entry in found[1].split()) if found else ()
    return {run: int(count) for run, _, count in pairs}


def _marked(text: str, runs: dict[str, int]) -> str:
    last = list(runs.items())[-RUNS:]
    mark = "<!-- bitnet-tui:ledger" + "".join(f" {run}:{count}" for run, count in last) + " -->"
    if found := _MARK.search(text):
        line = found[0].strip("\n")
        return text.replace(line, mark, 1)
    return text + ("" if text.endswith("\n") else "\n") + mark + "\n"


def _said(ours: Ledger, cap: int | None) -> Ledger:
    """What a run has to say, calling nobody, no part of it longer than ``cap``."""

    def fit(text: str) -> str:
        text = quiet(text)
        return text if cap is None or len(text) <= cap else text[: cap - 1] + "…"

    def gate(g: Gate) -> Gate:
        return Gate(g.name, g.status, fit(g.reason), fit(g.evidence))

    def hop(h: Hop) -> Hop:
        return Hop(quiet(h.agent), fit(h.text), Route(h.route.kind, quiet(h.route.target)))

    decision = replace(ours.decision, why=fit(ours.decision.why))
    trace = tuple(ledger.Trace(*map(fit, (t.story, t.schema, t.tests, t.code))) for t in ours.trace)
    return Ledger(tuple(map(gate, ours.gates)), trace, tuple(map(hop, ours.hops)), decision)
