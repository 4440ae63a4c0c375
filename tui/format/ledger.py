"""The ledger as a page: its Markdown read line by line. What it says is data: nothing in it is obeyed."""

from __future__ import annotations

import re

from textual.content import Content

from engine.model import GateStatus
from engine.records.ledger import unescape
from tui.format.text import clean, fit, line, wrapped
from tui.glyphs import Glyphs
from tui.theme import ALIVE, BAD, GOOD, MUTED, STRONG

MOST = 4_000
LEAST_CELLS = 8
GAP = 2  # between columns
_ANCHOR = re.compile(r"<!--.*-->$")
_HEADING = re.compile(r"(#{1,6}) +(.*)")
_HOP = re.compile(r"- \[([^\]]*)\] (.*); (NEXT|FINALIZE)→(.*)")
_FIELD = re.compile(r"\*\*([^*]{1,40}):\*\* ?(.*)")
_RULE = re.compile(r"\|[\s:|-]+\|?$")


def empty(*, ended: bool) -> str:
    """Why there is none to see."""
    if ended:
        return "No ledger: the run ended before one was written."
    return "No ledger yet. It is written at every hop and at the end of the run; L shows it here as it is renewed."


def lines(text: str, glyphs: Glyphs, width: int) -> list[Content]:
    """The whole document; a long cell goes on below itself."""
    out: list[Content] = []
    table: list[list[str]] = []
    texts = text.split("\n")
    for raw in [*texts[:MOST], ""]:
        written = raw.rstrip("\r")
        if written.startswith("|"):
            if not _RULE.match(written):
                table.append(cells(written))
            continue
        if table:
            out += _table(table, glyphs, width)
            table = []
        out += _line(written, width, blank_before=bool(out) and bool(out[-1].plain))
    while out and not out[-1].plain:
        out.pop()
    if len(texts) > MOST:
        out.append(line((f"{len(texts) - MOST} more lines in ledger.md", MUTED)))
    return out


def cells(row: str) -> list[str]:
    """The texts of a table's row, as they were before they were written down."""
    inner = row.strip().removeprefix("|").removesuffix("|")
    return [_said(cell.strip()) for cell in inner.split("|")]


def _said(written: str) -> str:
    return clean(unescape(written))


def _line(written: str, width: int, *, blank_before: bool) -> list[Content]:
    """One line that is no table's."""
    if not written.strip():
        return [Content("")] if blank_before else []
    if _ANCHOR.match(written.strip()):
        return []
    if heading := _HEADING.match(written):
        return wrapped(_said(heading[2]), width, STRONG)
    if hop := _HOP.match(written):
        first = f"{_said(hop[1])}  "
        body = line((first, ALIVE), (f"{hop[3]} → {_said(hop[4])}", STRONG), f"  {_said(hop[2])}")
        return _hanging(body, width)
    if found := _FIELD.match(written):
        return _hanging(
            line((f"{_said(found[1])}: ", MUTED), (_said(found[2]), STRONG if found[1] == "State" else "")), width
        )
    return wrapped(_said(written), width)


def _hanging(body: Content, width: int) -> list[Content]:
    first, *rest = body.wrap(max(LEAST_CELLS, width - 2)) or [Content("")]
    return [first, *(Content("  ") + part for part in rest)]


def _table(rows: list[list[str]], glyphs: Glyphs, width: int) -> list[Content]:
    """Columns as wide as they need as far as there is room; a long cell goes on below itself."""
    columns = max(len(r) for r in rows)
    padded = [_marked(r, glyphs) + [""] * (columns - len(r)) for r in rows]
    needs = [max(1, *(Content(r[n]).cell_length for r in padded)) for n in range(columns)]
    widths = _shared(needs, width - GAP * (columns - 1))
    out: list[Content] = []
    for number, texts in enumerate(padded):
        wraps = [Content(text).wrap(w) if text else [] for text, w in zip(texts, widths, strict=True)]
        styles = [MUTED] * columns if number == 0 else [_style(rows[number], n) for n in range(columns)]
        for deep in range(max(1, *(len(w) for w in wraps))):
            parts: list[str | tuple[str, str]] = []
            for found, cell, style in zip(wraps, widths, styles, strict=True):
                parts += [(fit(found[deep].plain if deep < len(found) else "", cell), style), " " * GAP]
            out.append(line(*parts[:-1]).truncate(width))
    return out


def _shared(needs: list[int], room: int) -> list[int]:
    """What each column gets: all it needs, or an equal part of what those that need less leave."""
    widths = [0] * len(needs)
    left = max(room, len(needs))
    for place, n in enumerate(sorted(range(len(needs)), key=needs.__getitem__)):
        widths[n] = max(1, min(needs[n], left // (len(needs) - place)))
        left -= widths[n]
    return widths


def _marked(row: list[str], glyphs: Glyphs) -> list[str]:
    """A gate's status with its sign before the word."""
    word = _status(row)
    return [row[0], f"{glyphs.gate(GateStatus(word))} {row[1]}", *row[2:]] if word else list(row)


def _status(row: list[str]) -> str:
    word = row[1].partition(" ")[0] if len(row) == 3 else ""
    return word if word in set(GateStatus) else ""


def _style(row: list[str], column: int) -> str:
    """A gate's status says its colour; its name is strong."""
    word = _status(row)
    if column == 0 or not word:
        return STRONG if word else ""
    quiet = MUTED if word == GateStatus.SKIPPED else ""
    return {GateStatus.PASS: GOOD, GateStatus.FAIL: BAD}.get(GateStatus(word), MUTED) if column == 1 else quiet
