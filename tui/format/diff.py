"""A unified diff as lines that read without colour: the files first, then every hunk with line numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content

from engine.events import Piece
from tui.format.places import marked
from tui.format.text import clean, count, fit, line
from tui.glyphs import Glyphs
from tui.theme import ALIVE, BAD, GOOD, MUTED, STRONG

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)")
MOST = 20_000


class Hunk(NamedTuple):
    """A hunk as it is shown: lines ``start`` to ``stop`` (not with it) of the old file, and what it begins with."""

    path: str
    start: int
    stop: int
    line: int  # of the new file
    row: int  # of what is drawn


class Drawn(NamedTuple):
    """A diff as rows, and where its hunks are in them."""

    rows: list[Content]
    hunks: list[Hunk]


def within(hunk: Hunk, pieces: Sequence[Piece]) -> tuple[int, ...]:
    """The pieces of a change that lie in a hunk.

    The lines around a change are part of its hunk: where the engine sees it a line or two from where git does, it is
    still in there.
    """
    mine = [p for p in pieces if p.path == hunk.path and hunk.start <= p.line <= p.line + p.removed <= hunk.stop]
    return tuple(p.index for p in mine)


def files(diff: str) -> list[tuple[str, int, int]]:
    """Every file of a diff with its added and removed lines."""
    found: list[tuple[str, int, int]] = []
    left_old = left_new = 0
    for text in diff.split("\n"):
        if left_old > 0 or left_new > 0:
            name, added, removed = found[-1]
            found[-1] = (name, added + text.startswith("+"), removed + text.startswith("-"))
            left_old -= not text.startswith(("+", "\\"))
            left_new -= not text.startswith(("-", "\\"))
        elif text.startswith("diff --git "):
            found.append((text.rsplit(" b/", 1)[-1], 0, 0))
        elif text.startswith("+++ ") and not found:
            found.append((text[4:].removeprefix("b/"), 0, 0))
        elif (hunk := _HUNK.match(text)) is not None and found:
            left_old, left_new = int(hunk[2] or 1), int(hunk[4] or 1)
    return found


def lines(diff: str, glyphs: Glyphs, width: int) -> list[Content]:
    return drawn(diff, glyphs, width).rows


def drawn(diff: str, glyphs: Glyphs, width: int, here: int = -1) -> Drawn:
    """The whole diff, hunk number ``here`` marked; a long line goes on below itself, its end may be what changed."""
    out: list[Content] = []
    found: list[Hunk] = []
    path = ""
    stat = files(diff)
    for name, added, removed in stat:
        out.append(line((f"{fit(clean(name), 44)} ", STRONG), (f"+{added:<4}", GOOD), (f" −{removed}", BAD)))
    old = new = left_old = left_new = 0
    path = stat[0][0] if stat else ""
    texts = diff.rstrip("\n").split("\n")
    for text in texts[:MOST]:
        begun = len(out)
        if left_old > 0 or left_new > 0:
            sign, body, was = text[:1], clean(text[1:]), new
            if sign == "+":
                out += _folded(f"     {new:>4} ", "+ ", body, GOOD, width)
                new, left_new = new + 1, left_new - 1
            elif sign == "-":
                out += _folded(f"{old:>4}      ", "− ", body, BAD, width)
                old, left_old = old + 1, left_old - 1
            elif sign == "\\":
                out.append(line((f"          {clean(text)}", MUTED)))
            else:
                out += _folded(f"{old:>4} {new:>4} ", "  ", body, "", width)
                old, new, left_old, left_new = old + 1, new + 1, left_old - 1, left_new - 1
            out[begun] = marked(out[begun], path, was)
        elif (hunk := _HUNK.match(text)) is not None:
            old, new = int(hunk[1]), int(hunk[3])
            left_old, left_new = int(hunk[2] or 1), int(hunk[4] or 1)
            start = old if left_old else old + 1  # of none: git names the line before
            style = f"{ALIVE} reverse" if len(found) == here else ALIVE
            head = line((f"{glyphs.here} line {new}", style), (clean(hunk[5]), MUTED))
            out += [Content(""), marked(head, path, new)]
            found.append(Hunk(path, start, start + left_old, new, len(out) - 1))
        elif text.startswith(("--- a/", "+++ b/")):
            path = text[6:].removesuffix("\t")
        elif text.startswith("diff --git "):
            path = text.rsplit(" b/", 1)[-1]
            if len(stat) > 1:
                out += [Content(""), line((clean(path), STRONG))]
        elif text.startswith(("new file", "deleted file", "rename ", "Binary ")):
            out.append(line((clean(text), MUTED)))
    if len(texts) > MOST:
        out.append(line((f"{count(len(texts) - MOST, 'more line')} in patch.diff", MUTED)))
    return Drawn(out, found)


def _folded(numbers: str, sign: str, body: str, style: str, width: int) -> list[Content]:
    first, *rest = Content(body).fold(max(16, width - len(numbers) - len(sign)))
    indent = " " * (len(numbers) + len(sign))
    head = line((numbers, MUTED), (f"{sign}{first.plain}", style))
    return [head, *(line((f"{indent}{part.plain}", style)) for part in rest)]
