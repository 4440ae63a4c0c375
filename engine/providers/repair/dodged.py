"""Whether an edit mends tests by keeping the line that broke from being run at all. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.providers.repair.attempt import Plausible
from engine.providers.repair.edits import Candidate
from engine.providers.repair.observe import Seen
from engine.providers.repair.source import Source


def dodged(
    found: Sequence[Plausible], sources: Mapping[str, Source], before: Mapping[int, Seen], after: Mapping[int, Seen]
) -> str:
    """The line that an exception came from and that no test runs now, as ``path:line``; empty: there is none.

    A guard before it is no such case where another test still goes on to it; a line that was edited itself is none.

    Parameters
    ----------
    sources : the texts that were edited.
    before, after : what tests ran without the edits, and with them.
    """
    edits = [candidate for plausible in found for candidate in plausible.candidates]
    for plausible in found:
        for at in sorted(plausible.mended):
            frames = before[at].frames if at in before else ()
            if not frames:
                continue
            path, line = frames[-1]
            place = _now(sources[path], line, [edit for edit in edits if edit.path == path]) if path in sources else 0
            if place and not any(seen.runs(path, place, place) for seen in after.values()):
                return f"{path}:{line}"
    return ""


def _now(source: Source, line: int, edits: Sequence[Candidate]) -> int:
    """The number of a line after edits; 0 where one of them is of that line's own statement."""
    shift = 0
    for edit in edits:
        first, last = source.line_of(edit.start), source.line_of(edit.end)
        if min(first, edit.line) <= line <= last:
            return 0
        shift += edit.text.count("\n") - source.text[edit.start : edit.end].count("\n") if last < line else 0
    return line + shift
