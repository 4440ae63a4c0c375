"""Line arithmetic on texts: how many lines a change adds and removes, and its hunks. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hunk:
    """One contiguous piece of a change: lines ``start:stop`` of the old text become ``new``."""

    path: str
    start: int
    stop: int
    new: tuple[str, ...]


def hunks(path: str, before: str, after: str) -> list[Hunk]:
    """The pieces that turn ``before`` into ``after``, in order."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return [Hunk(path, i, j, tuple(new[k:m])) for tag, i, j, k, m in matcher.get_opcodes() if tag != "equal"]


def apply_hunks(before: str, pieces: Sequence[Hunk]) -> str:
    """``before`` with some of its hunks applied.

    Examples
    --------
    >>> a, b = "1\\n2\\n3\\n", "1\\nx\\n3\\n"
    >>> apply_hunks(a, hunks("f", a, b)) == b
    True
    """
    lines = before.splitlines(keepends=True)
    out: list[str] = []
    at = 0
    for piece in sorted(pieces, key=lambda h: (h.start, h.stop)):
        out += lines[at : piece.start]
        out += piece.new
        at = piece.stop
    return "".join(out + lines[at:])


def line_counts(before: str, after: str) -> tuple[int, int]:
    """Added and removed lines."""
    pieces = hunks("", before, after)
    return sum(len(p.new) for p in pieces), sum(p.stop - p.start for p in pieces)
