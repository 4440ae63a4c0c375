"""Where a text speaks of a file: lines carry it invisibly, so that a key can open what is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content
from textual.style import Style

from engine.state import RunState

_MARK = "place"


class Place(NamedTuple):
    """A file as the engine names it, and a line; 0: nowhere in particular."""

    path: str
    line: int = 0


def marked(content: Content, path: str, line: int = 0) -> Content:
    """``content``, which speaks of this file."""
    return content.stylize(Style.from_meta({_MARK: (path, line)})) if path else content


def nearest(lines: Sequence[Content], top: int) -> Place | None:
    """The place of the line at ``top``, else of the next one that has one, else of the one before."""
    here = range(max(0, top), len(lines))
    for number in (*here, *range(min(top, len(lines)) - 1, -1, -1)):
        for span in lines[number].spans:
            if isinstance(span.style, Style) and (found := span.style.meta.get(_MARK)):
                return Place(*found)
    return None


def of(chosen: str, state: RunState) -> Place | None:
    """The place of a row: where the test failed, else where it is; what an attempt changed first."""
    kind, _, name = chosen.partition(":")
    if kind == "test" and name in state.tests:
        row = state.tests[name]
        if row.latest is not None and row.latest.path:
            return Place(row.latest.path, row.latest.line)
        return Place(row.nodeid.partition("::")[0])
    if kind == "suite" and name in state.suites:
        last = state.suites[name].last
        errors = last.collect_errors if last is not None else ()
        return Place(errors[0].nodeid.partition("::")[0]) if errors else None
    if kind == "attempt" and name.isdigit():
        files = next((a.files for a in state.attempts if a.number == int(name)), ())
        return Place(files[0]) if files else None
    return None
