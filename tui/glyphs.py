"""The few signs that carry meaning, in two alphabets, and the filter that keeps the plain one plain."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from engine.model import GateStatus, TestOutcome


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One cell each; always shown beside a word, never instead of it."""

    holds: str
    fails: str
    skipped: str
    absent: str
    asks: str
    advisory: str
    alive: str
    hop: str
    used: str
    unused: str
    paused: str
    here: str
    plain: bool = False

    def gate(self, status: GateStatus) -> str:
        return {GateStatus.PASS: self.holds, GateStatus.FAIL: self.fails}.get(status, self.skipped)

    def outcome(self, outcome: TestOutcome | None) -> str:
        if outcome is None:
            return self.absent
        if outcome.red:
            return self.fails
        return self.skipped if outcome is TestOutcome.SKIPPED else self.holds


UNICODE = Glyphs("✓", "✗", "–", "·", "?", "▲", "◐", "●", "●", "○", "‖", "▶")
ASCII = Glyphs("+", "x", "-", ".", "?", "!", "*", "*", "*", "o", "=", ">", plain=True)


def choose(name: str, environ: Mapping[str, str] | None = None, encoding: str | None = None) -> Glyphs:
    """The set called ``name``; ``auto`` looks at the terminal and the locale.

    Examples
    --------
    >>> choose("auto", {"TERM": "linux"}, "UTF-8").holds
    '+'
    """
    if name in ("unicode", "ascii"):
        return UNICODE if name == "unicode" else ASCII
    environ = os.environ if environ is None else environ
    encoding = locale.getpreferredencoding(False) if encoding is None else encoding
    utf8 = encoding.lower().replace("-", "").replace("_", "") == "utf8"
    utf8 = utf8 and environ.get("LC_ALL") not in ("C", "POSIX")  # where Python itself writes UTF-8 nevertheless
    return UNICODE if utf8 and environ.get("TERM") != "linux" else ASCII


# Typography of ours, one cell to one cell, so that nothing moves.
_PLAIN = str.maketrans(
    dict(zip("✓✗–·▲◐●○‖▶→←−…│─▁▂▃▄▅▆▇█×≤≥“”‘’", "+x-.!**o=>><-~|-........x<>\"\"''", strict=True))
    | {"┃": "|", "━": "-", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "┏": "+", "┓": "+", "┗": "+", "┛": "+"}
    | {"⏎": "<", "▌": "|", "▐": "|", "▎": "|", "▏": "|", "▕": "|", "▊": "|", "▔": "-", "↑": "^", "↓": "v"}
    | {"Δ": "d", "µ": "u", "±": "~"}
)


def plain(text: str) -> str:
    """``text`` in ASCII, cell for cell; what has no likeness is a question mark a cell."""
    if text.isascii():
        return text
    return "".join(c if c.isascii() else "?" * cell_len(c) for c in text.translate(_PLAIN))


class PlainFilter(LineFilter):
    """The last hand on every line when the ascii glyphs are on: borders, toasts and data included."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(plain(text), style, control) for text, style, control in segments]
