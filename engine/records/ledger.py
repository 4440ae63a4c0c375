"""The ledger: one Markdown document, edited in place between its anchors. A rendering, never a store. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from engine.model import Gate, GateStatus, Hop, Route, RouteKind

STATES = ("in-progress", "ready", "needs-rework")
REASONS = (
    "missing-tool",
    "bounded-by-policy",
    "n/a-surface",
    "out-of-scope",
    "degraded-provider",
    "no-cpp-reference",
    "generative flow",
)
"""What `skipped` says in its brackets."""

SECTIONS = ("gates", "trace", "hoplog", "decision")


def anchors(section: str) -> tuple[str, str]:
    """The comments a section stands between."""
    return f"<!-- {section}:start -->", f"<!-- {section}:end -->"


_GATES, _TRACE, _HOPS, _DECISION = map(anchors, SECTIONS)
GATE_HEAD = "| Gate | Status | Evidence |\n| ---- | ------ | -------- |"
TRACE_HEAD = (
    "### Story → Schema → Tests → Code\n"
    "| Story/AC | Schema types / examples | Tests (names) | Code paths |\n"
    "|---------|--------------------------|---------------|------------|"
)
HOP_HEAD = "### Hop log"

# What would end a cell, a line or an anchor is written as an entity, and read back.
_ESCAPES = (
    ("&", "&amp;"),
    ("|", "&#124;"),
    ("`", "&#96;"),
    ("<", "&lt;"),
    (">", "&gt;"),
    ("\r", "&#13;"),
    ("\n", "<br>"),
)
_OTHER_BREAKS = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")


class LedgerError(ValueError):
    """A document that is no ledger, or a broken one; says where."""


@dataclass(frozen=True, slots=True)
class Decision:
    state: str  # in-progress, ready or needs-rework
    why: str
    next: Route | None  # None while nothing is decided


@dataclass(frozen=True, slots=True)
class Trace:
    """A row of the trace table."""

    story: str
    schema: str
    tests: str
    code: str


@dataclass(frozen=True, slots=True)
class Ledger:
    gates: tuple[Gate, ...] = ()
    trace: tuple[Trace, ...] = ()
    hops: tuple[Hop, ...] = ()
    decision: Decision = Decision("in-progress", "", None)


def escape(text: str) -> str:
    """Text as it stands in a cell or a line; :func:`unescape` gives it back."""
    for raw, written in _ESCAPES:
        text = text.replace(raw, written)
    return _OTHER_BREAKS.sub(lambda m: f"&#{ord(m[0])};", text)


def unescape(text: str) -> str:
    text = text.replace("<br>", "\n").replace("&lt;", "<").replace("&gt;", ">")
    text = re.sub(r"&#(\d+);", lambda m: chr(int(m[1])), text)
    return text.replace("&amp;", "&")


def _cell(text: str) -> str:
    """A cell keeps its inner text; edges are spaces of the table, so edge spaces are written as entities."""
    written = escape(text)
    stripped = written.strip(" \t")
    left = len(written) - len(written.lstrip(" \t"))
    right = len(written) - left - len(stripped)
    coded = "".join(f"&#{ord(c)};" for c in written[:left])
    return coded + stripped + "".join(f"&#{ord(c)};" for c in written[len(written) - right :] if right)


def _name(text: str) -> str:
    """The name of an agent: what would end it in a hop line is written as an entity too."""
    return _cell(text).replace("]", "&#93;").replace("→", "&#8594;")


def row(*cells: str) -> str:
    """A line of a table."""
    return "| " + " | ".join(_cell(c) for c in cells) + " |"


def hop_line(hop: Hop) -> str:
    """``- [agent] text; NEXT→target``"""
    return f"- [{_name(hop.agent)}] {_cell(hop.text)}; {hop.route.kind}→{_name(hop.route.target)}"


def _gates_block(gates: tuple[Gate, ...]) -> str:
    rows = [row(g.name, g.word, g.evidence) for g in gates]
    return "\n".join([_GATES[0], GATE_HEAD, *rows, _GATES[1]])


def _hops_block(hops: tuple[Hop, ...]) -> str:
    return "\n".join([_HOPS[0], HOP_HEAD, *(hop_line(h) for h in hops), _HOPS[1]])


def _decision_block(decision: Decision) -> str:
    after = str(decision.next) if decision.next else "–"
    lines = [f"**State:** {decision.state}", f"**Why:** {_cell(decision.why)}", f"**Next:** {_cell(after)}"]
    return "\n".join([_DECISION[0], *lines, _DECISION[1]])


def _trace_block(trace: tuple[Trace, ...]) -> str:
    rows = [row(t.story, t.schema, t.tests, t.code) for t in trace]
    return "\n".join([_TRACE[0], TRACE_HEAD, *rows, _TRACE[1]])


def render(ledger: Ledger) -> str:
    """The full block, all four sections."""
    blocks = (
        _gates_block(ledger.gates),
        _trace_block(ledger.trace),
        _hops_block(ledger.hops),
        _decision_block(ledger.decision),
    )
    return "\n\n".join(blocks) + "\n"


def _between(text: str, anchors: tuple[str, str], what: str) -> str:
    start, end = anchors
    if text.count(start) != 1 or text.count(end) != 1:
        raise LedgerError(f"{what}: want exactly one {start} and one {end}")
    i, j = text.index(start) + len(start), text.index(end)
    if j < i:
        raise LedgerError(f"{what}: {end} stands before {start}")
    return text[i:j].strip("\n")


def _cells(line: str, count: int, what: str) -> list[str]:
    if not (line.startswith("| ") and line.endswith(" |")):
        raise LedgerError(f"{what}: not a table row: {line!r}")
    cells = line[2:-2].split(" | ")
    if len(cells) != count:
        raise LedgerError(f"{what}: {len(cells)} cells, want {count}: {line!r}")
    return [unescape(c) for c in cells]


def _body(text: str, head: str, what: str) -> list[str]:
    if not text.startswith(head):
        raise LedgerError(f"{what}: its heading is missing or changed")
    return [line for line in text[len(head) :].split("\n") if line]


def _gate(line: str) -> Gate:
    name, word, evidence = _cells(line, 3, "gates")
    match = re.fullmatch(r"(pass|fail|skipped)(?: \((.*)\))?", word, re.S)
    if match is None or (match[1] == "skipped") != (match[2] is not None):
        raise LedgerError(f"gates: {name}: status {word!r}; want pass, fail or skipped (reason)")
    return Gate(name, GateStatus(match[1]), match[2] or "", evidence)


_HOP = re.compile(r"- \[([^\]]*)\] (.*); (NEXT|FINALIZE)→(.+)")


def parse_hop(line: str) -> Hop:
    """Read one hop line, strictly."""
    match = _HOP.fullmatch(line)
    if match is None:
        raise LedgerError(f"hoplog: want `- [agent] text; NEXT→target`: {line!r}")
    return Hop(unescape(match[1]), unescape(match[2]), Route(RouteKind(match[3]), unescape(match[4])))


# People write up to three lines of reasons, and their editors take a space at the end of a line away.
_DECIDED = re.compile(r"\*\*State:\*\* (.*)\n\*\*Why:\*\* ?(.*(?:\n.*){0,2}?)\n\*\*Next:\*\* (.*)")


def _decision(text: str) -> Decision:
    match = _DECIDED.fullmatch(text)
    if match is None:
        raise LedgerError("decision: want the lines State, Why and Next")
    state, why, after = match[1], unescape(match[2]), unescape(match[3])
    if state not in STATES:
        raise LedgerError(f"decision: state {state!r}; want {', '.join(STATES)}")
    if after == "–":
        return Decision(state, why, None)
    route = re.fullmatch(r"(NEXT|FINALIZE) → (.+)", after, re.S)
    if route is None:
        raise LedgerError(f"decision: next {after!r}; want NEXT → agent or FINALIZE → agent")
    return Decision(state, why, Route(RouteKind(route[1]), route[2]))


def parse(text: str) -> Ledger:
    """Read a ledger back, strictly.

    Raises
    ------
    LedgerError
        An anchor is missing, doubled or crossed, or a line does not have its form.
    """
    trace: tuple[Trace, ...] = ()
    if _TRACE[0] in text:
        rows = _body(_between(text, _TRACE, "trace"), TRACE_HEAD, "trace")
        trace = tuple(Trace(*_cells(line, 4, "trace")) for line in rows)
    return Ledger(
        gates=tuple(_gate(line) for line in _body(_between(text, _GATES, "gates"), GATE_HEAD, "gates")),
        trace=trace,
        hops=tuple(parse_hop(line) for line in _body(_between(text, _HOPS, "hoplog"), HOP_HEAD, "hoplog")),
        decision=_decision(_between(text, _DECISION, "decision")),
    )


def update(document: str, ledger: Ledger) -> str:
    """The document with its sections renewed; everything outside the anchors survives byte for byte.

    Hops are appended only: what stands in the document stays, in its order.

    Raises
    ------
    LedgerError
        It has anchors, and is no ledger one could edit: two gate tables, say. Whose text it is decides what to do.
    """
    if not any(anchor in document for section in SECTIONS for anchor in anchors(section)):
        gap = "" if not document else "\n" if document.endswith("\n") else "\n\n"
        return document + gap + render(ledger)
    there = parse(document)
    named = {g.name: g for g in ledger.gates}
    gates = tuple(named.pop(g.name, g) for g in there.gates) + tuple(named.values())
    hops = _appended(there.hops, ledger.hops)
    merged = replace(ledger, gates=gates, hops=hops)
    blocks = [
        (_GATES, _gates_block(merged.gates)),
        (_HOPS, _hops_block(hops)),
        (_DECISION, _decision_block(merged.decision)),
    ]
    if _TRACE[0] in document and merged.trace:
        blocks.append((_TRACE, _trace_block(merged.trace)))
    for (start, end), block in blocks:
        i, j = document.index(start), document.index(end) + len(end)
        document = document[:i] + block + document[j:]
    return document


def _appended(there: tuple[Hop, ...], ours: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """The hops that stand there, and behind them those of ours that do not yet; people add some of their own."""
    left = list(ours)
    for hop in there:
        if left and hop == left[0]:
            left.pop(0)
    return (*there, *left)
