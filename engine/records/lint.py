"""What is wrong with a ledger, line by line, and what to write instead. For ledgers written by hand. Pure.

What the renderer writes has no finding; what has no error can be read back.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from engine.flow.routes import ALIASES, CONTRACTS, HANDOVER, SELF
from engine.model import Gate, GateStatus, Route, RouteKind
from engine.records import ledger
from engine.records.handwritten import DecisionLines, hop_of, place_of, read_row, route_of, state_of, status_of
from engine.records.ledger import GATE_HEAD, HOP_HEAD, REASONS, SECTIONS, STATES, TRACE_HEAD, LedgerError, anchors, row

REQUIRED = ("gates", "hoplog", "decision")
KNOWN = frozenset({SELF, *ALIASES, *ALIASES.values(), *CONTRACTS, *HANDOVER})
"""Agents a hop may lead to, or that a run hands over to."""

_ANCHOR = re.compile(r"<!-{2,3} {0,4}([A-Za-z]{1,20}) ?[:.-] ?(start|begin|end|stop) {0,4}-{2,3}>", re.I)
_RULE = re.compile(r"[\s|:-]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_SHOWN = 160


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong.

    Parameters
    ----------
    error
        A program cannot read it so, or it says what cannot be; else it is only unusual.
    write
        What to write instead; empty where the message says it.
    """

    line: int
    error: bool
    message: str
    write: str = ""

    @property
    def level(self) -> str:
        return "error" if self.error else "warning"

    def __str__(self) -> str:
        return f"{self.level}: {self.message}" + (f" (write: {self.write})" if self.write else "")


@dataclass(frozen=True, slots=True)
class _Mark:
    """An anchor where it was found, from line 1."""

    section: str
    start: bool
    line: int
    fenced: bool


@dataclass(slots=True)
class _Linter:
    lines: list[str]
    agents: Collection[str]
    found: list[Finding] = field(default_factory=list)
    gates: dict[str, tuple[Gate, int]] = field(default_factory=dict)
    bodies: dict[str, list[range]] = field(default_factory=dict)

    def error(self, line: int, message: str, write: str = "") -> None:
        self.found.append(Finding(line, True, message, write))

    def warn(self, line: int, message: str, write: str = "") -> None:
        self.found.append(Finding(line, False, message, write))

    # -- anchors ------------------------------------------------------------------------------------------------------

    def marks(self) -> Iterator[_Mark]:
        """Every anchor, those that are not quite one included."""
        fence, inside = "", ""
        for number, line in enumerate(self.lines, 1):
            opened = _FENCE.match(line)
            if opened and not inside:
                if not fence:
                    fence = opened[1]
                elif opened[1].startswith(fence) and not opened[2].strip():
                    fence = ""
            for match in _ANCHOR.finditer(line):
                section, start = match[1].lower(), match[2].lower() in ("start", "begin")
                if section not in SECTIONS:
                    continue
                wanted = anchors(section)[not start]
                if match[0] != wanted:
                    self.error(number, f"{match[0]} is not the anchor it looks like", wanted)
                elif line != wanted:
                    self.error(number, f"{wanted} must have a line of its own", wanted)
                if fence:
                    self.error(
                        number,
                        f"{wanted} stands in a code fence and counts all the same",
                        wanted.replace("<", "&lt;", 1) + ", or the section outside of the fence",
                    )
                elif start:
                    inside = inside or section
                elif section == inside:
                    inside = ""
                yield _Mark(section, start, number, bool(fence))

    def sections(self) -> dict[str, list[range]]:
        """The lines of each section (from 0), one range a table; what is wrong with the anchors is said."""
        marks = list(self.marks())
        bodies: dict[str, list[range]] = {name: [] for name in SECTIONS}
        if not marks:
            self.error(1, "this is no ledger: none of its anchors is there", " … ".join(anchors("gates")))
            self._unanchored()
            return bodies
        outside = [m for m in marks if not m.fenced]
        for name in SECTIONS:
            mine = [m for m in outside if m.section == name] or [m for m in marks if m.section == name]
            if not mine and name in REQUIRED:
                self.error(len(self.lines), f"the section {name} is missing", " … ".join(anchors(name)))
            self._pair(name, mine, outside, bodies)
        spans = sorted((r.start, r.stop, n) for n, found in bodies.items() for r in found)
        for (_, stop, name), (start, _, other) in pairwise(spans):
            if start <= stop:
                self.error(start, f"the section {other} begins inside {name}", f"{anchors(name)[1]} above it")
        return bodies

    def _unanchored(self) -> None:
        """Say where the sections of a ledger without anchors are, as far as they can be told."""
        looks = {"gates": _letters(GATE_HEAD.split("\n")[0]), "trace": _letters(TRACE_HEAD.split("\n")[1])}
        for name, title in looks.items():
            for number, line in enumerate(self.lines, 1):
                if "|" in line and _letters(line) == title:
                    what = "gate table" if name == "gates" else "trace table"
                    self.error(number, f"a {what} outside its anchors is not read", f"{anchors(name)[0]} above it")
        routes = (
            n for n, line in enumerate(self.lines, 1) if line[:1] in "-*+" and ("NEXT" in line or "FINALI" in line)
        )
        first = next((n for n in routes if hop_of(self.lines[n - 1])[0] is not None), 0)
        if first:
            self.error(first, "a hop outside its anchors is not read", f"{anchors('hoplog')[0]} above the hops")

    def _pair(self, name: str, mine: list[_Mark], all_: list[_Mark], bodies: dict[str, list[range]]) -> None:
        begin, end = anchors(name)
        first = opened = 0
        for mark in mine:
            if mark.start:
                if opened:
                    self._unclosed(name, opened, all_, bodies)
                if first:
                    what = {"gates": "gate table", "trace": "trace table", "hoplog": "hop log"}.get(name, name)
                    self.error(
                        mark.line,
                        f"a second {what}; the first begins in line {first}",
                        "its lines in the first, and this one away",
                    )
                first, opened = first or mark.line, mark.line
            elif opened:
                bodies[name].append(range(opened, mark.line - 1))
                opened = 0
            elif first:
                self.error(mark.line, f"a second {end}", "one, below the last line of the section")
            else:
                self.error(mark.line, f"{end} stands before any {begin}", f"{begin} above the section")
        if opened:
            self._unclosed(name, opened, all_, bodies)

    def _unclosed(self, name: str, opened: int, marks: list[_Mark], bodies: dict[str, list[range]]) -> None:
        after = next((m.line for m in marks if m.line > opened), len(self.lines) + 1)
        self.error(opened, f"{anchors(name)[0]} is never closed", f"{anchors(name)[1]} below its last line")
        bodies[name].append(range(opened, after - 1))

    # -- sections -----------------------------------------------------------------------------------------------------

    def run(self) -> list[Finding]:
        bodies = self.bodies = self.sections()
        for span in bodies["gates"]:
            self._gates(self._table(span, "gates", GATE_HEAD, ("name", "status", "evidence")))
        for span in bodies["trace"]:
            list(self._table(span, "trace", TRACE_HEAD, ("story", "schema", "tests", "code")))
        for span in bodies["hoplog"]:
            self._hops(span)
        for span in bodies["decision"]:
            self._decision(span)
        return sorted(set(self.found))

    def _body(self, span: range, head: str) -> Iterator[tuple[int, str]]:
        """The lines below the heading with their numbers; a heading that is missing or changed is said."""
        wanted = head.split("\n")
        lines = [(i + 1, self.lines[i]) for i in span if i < len(self.lines)]
        while lines and not lines[0][1]:
            lines.pop(0)
        if [text for _, text in lines[: len(wanted)]] == wanted:
            lines = lines[len(wanted) :]
        else:
            # A heading that is nearly there would else be reported again as a row.
            looks = {_letters(w) for w in wanted} - {""}
            near = [n for n, text in lines[: len(wanted) + 2] if _letters(text) in looks or _RULE.fullmatch(text)]
            where = near[0] if near else span.start
            self.error(where, "the heading is missing or changed", " ⏎ ".join(wanted))
            lines = [(n, text) for n, text in lines if n not in near]
        yield from ((n, text) for n, text in lines if text)

    def _table(
        self, span: range, name: str, head: str, columns: tuple[str, ...]
    ) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The rows of a table, as cells; as many as should be there."""
        titles, again = _letters(head.split("\n")[-2]), 0
        for number, line in self._body(span, head):
            if _letters(line) == titles and "|" in line:
                again = number
                self.error(
                    number, f"a second {name} table in one section", "its rows in the first, and its heading away"
                )
                continue
            if again == number - 1 and again and _RULE.fullmatch(line):
                again = number
                continue
            cells, right = read_row(line, len(columns))
            if cells is None:
                self.error(number, f"no row of the {name} table: {_cut(line)}", row(*(f"‹{c}›" for c in columns)))
            elif len(cells) != len(columns):
                want = f"{len(columns)} cells: {', '.join(columns)}"
                filled = (*cells, *(f"‹{c}›" for c in columns[len(cells) :]))
                self.error(number, f"{len(cells)} cells, want {want}", row(*filled))
            elif not right:
                pipe = "|" in "".join(cells)
                self.error(number, "a pipe in a cell ends it" if pipe else "not written as a row is", row(*cells))
                yield number, cells
            else:
                if any("\\|" in c for c in cells):
                    self.warn(number, r"\| is read as two characters", row(*(c.replace("\\|", "|") for c in cells)))
                yield number, cells

    def _gates(self, rows: Iterator[tuple[int, tuple[str, ...]]]) -> None:
        mine: dict[str, int] = {}
        for number, (name, word, evidence) in rows:
            gate = self._gate(number, name, word, evidence)
            if gate is None:
                continue
            if gate.name in mine:
                first = mine[gate.name]
                self.error(number, f"a second row for gate {gate.name}; the first is line {first}", "one row a gate")
            mine.setdefault(gate.name, number)
            self.gates.setdefault(gate.name, (gate, number))

    def _gate(self, number: int, name: str, word: str, evidence: str) -> Gate | None:
        status, reason, exact = status_of(word)
        if status is None:
            want = "want pass, fail or skipped (reason)"
            if exact:  # a word for "not yet"
                self.error(number, f"gate {name}: {_cut(word)}: a gate without a receipt yet has no row; {want}")
            else:
                self.error(number, f"gate {name}: status {_cut(word)!r}; {want}", row(name, "fail", evidence))
            return None
        gate = Gate(name, status, reason, evidence)
        if status is not GateStatus.SKIPPED and reason:
            better = row(name, str(status), f"{reason}; {evidence}" if evidence else reason)
            self.error(number, f"gate {name}: only skipped carries a reason in brackets", better)
            return Gate(name, status, "", evidence)
        if status is GateStatus.SKIPPED and not reason.strip():
            better = row(name, "skipped (missing-tool)", evidence)
            self.error(number, f"gate {name}: skipped without a reason; one of {', '.join(REASONS)}", better)
        elif not exact:
            self.error(number, f"gate {name}: status {_cut(word)!r}; want pass, fail or skipped (reason)", gate.word)
        elif status is GateStatus.SKIPPED and reason not in REASONS:
            near = difflib.get_close_matches(reason[:100], REASONS, 1, 0.5)
            write = f"skipped ({near[0]})" if near else ""
            self.warn(number, f"gate {name}: {_cut(reason)!r} is none of the standard reasons", write)
        return gate

    def _hops(self, span: range) -> None:
        for number, line in self._body(span, HOP_HEAD):
            hop, more = hop_of(line)
            if hop is None:
                want = "- [agent] text; NEXT→target"
                self.error(number, f"not a hop: {_cut(line)}", want)
                continue
            if more:
                also = ", ".join(more)
                right = ledger.hop_line(hop)
                self.error(number, f"a hop leads to one target, not also to {_cut(also)}", f"{right}, and a line each")
            elif line != ledger.hop_line(hop) and not _reads(line):
                self.error(number, "not written as a hop is", ledger.hop_line(hop))
            self._target(number, hop.route)

    def _target(self, number: int, route: Route) -> None:
        place = place_of(route.target)
        if not place or place in self.agents:
            return
        near = difflib.get_close_matches(place[:100], sorted(self.agents), 1, 0.6)
        self.warn(number, f"no known agent is called {_cut(place)!r}", near[0] if near else "")

    # -- decision -----------------------------------------------------------------------------------------------------

    def _decision(self, span: range) -> None:
        lines = [(i + 1, self.lines[i]) for i in span if i < len(self.lines)]
        written = DecisionLines.of(lines)
        where = span.start
        for key, fallback in (("State", "in-progress"), ("Why", "‹the reason›"), ("Next", "–")):
            found = written.fields.get(key)
            if found is None:
                self.error(where, f"the decision has no line {key}", f"**{key}:** {fallback}")
            elif not found.exact:
                self.error(found.line, f"not written as the line {key} is", f"**{key}:** {found.text}")
        for number, text in written.strays:
            what = f"{_cut(text)!r} is none" if text.strip() else "an empty line is none"
            self.error(number, f"a decision has the lines State, Why and Next; {what} of them")
        if written.order != sorted(written.order, key=("State", "Why", "Next").index):
            self.error(where, "the lines of the decision are in another order", "State, Why, Next")
        if (found := written.fields.get("State")) is not None:
            self._state(found.line, found.text)
        if (found := written.fields.get("Why")) is not None:
            if found.more > 2:
                self.error(found.line, f"Why takes {found.more + 1} lines", "at most three, or <br> between them")
            named = written.fields.get("State")
            if not found.text.strip() and named is not None and named.text != "in-progress":
                self.warn(found.line, "no reason is given", "**Why:** ‹the reason›")
        if (found := written.fields.get("Next")) is not None:
            self._next(found.line, found.text)

    def _state(self, number: int, text: str) -> None:
        if text not in STATES:
            better = state_of(text)
            self.error(number, f"state {_cut(text)!r}; want {', '.join(STATES)}", f"**State:** {better}")
        impl = self.gates.get("impl")
        if text == "ready" and impl is not None and impl[0].status is GateStatus.FAIL:
            self.error(number, f"ready, and gate impl is fail (line {impl[1]})", "**State:** needs-rework")

    def _next(self, number: int, text: str) -> None:
        if ledger.unescape(text) == "–":
            return
        route, exact = route_of(text)
        if route is None and text.strip().lower() in ("", "-", "—", "none", "nothing", "tbd", "n/a", "?"):
            self.error(number, f"next {_cut(text)!r}: nothing decided is written as a dash", "**Next:** –")
            return
        if route is None:
            self.error(
                number, f"next {_cut(text)!r}; want NEXT → agent or FINALIZE → agent", "**Next:** NEXT → ‹agent›"
            )
            return
        if not exact:
            self.error(number, f"next {_cut(text)!r}; want NEXT → agent or FINALIZE → agent", f"**Next:** {route}")
        for target in re.split(r", |,", route.target):
            self._target(number, Route(route.kind, ledger.unescape(target)))
        if route.kind is not RouteKind.FINALIZE:
            return
        impl = self.gates.get("impl")
        if impl is None:
            self.warn(number, "FINALIZE, and gate impl has no row")
        elif impl[0].status is not GateStatus.PASS:
            message = f"FINALIZE is legal only when gate impl is pass; it is {impl[0].word} (line {impl[1]})"
            self.error(number, message, f"**Next:** NEXT → {route.target}")


def lint(text: str, agents: Collection[str] = KNOWN) -> list[Finding]:
    """All findings, by line; empty if nothing is wrong.

    Parameters
    ----------
    text
        The file as it is: its line ends and its mark at the start too.
    agents
        Names a hop may lead to; those that made hops here are added.
    """
    linter = _Linter([], agents)
    if text.startswith("\ufeff"):
        linter.warn(1, "the file begins with a byte order mark", "it without: UTF-8 needs none")
        text = text[1:]
    lines = text.split("\n")
    linter.lines = [line.removesuffix("\r") for line in lines]
    makers = {hop.agent for line in linter.lines if line.startswith("- [") and (hop := hop_of(line)[0]) is not None}
    linter.agents = {*agents, *makers}
    found = linter.run()
    if carriage := [n for n, line in enumerate(lines, 1) if line.endswith("\r")]:
        # Outside the anchors it is a person's own; between them no line would be what it has to be.
        inside = {n for spans in linter.bodies.values() for s in spans for n in range(s.start, s.stop + 2)}
        many = f"{len(carriage)} lines end" if len(carriage) > 1 else "this line ends"
        bad = not inside.isdisjoint(carriage)
        found.append(Finding(carriage[0], bad, f"{many} with CR LF", "LF alone"))
        found.sort()
    if not any(f.error for f in found):
        try:
            ledger.parse(text)
        except LedgerError as error:
            found.append(Finding(1, True, str(error)))
    return found


def _reads(line: str) -> bool:
    """Whether the parser takes a hop line though it is not how we would write it (a bare ``<``, say)."""
    try:
        ledger.parse_hop(line)
    except LedgerError:
        return False
    return True


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]+", "", text.lower())


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
