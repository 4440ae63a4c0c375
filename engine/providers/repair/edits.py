"""An edit as offsets and text, what it needs to be tried, and how it is shown. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from engine.providers.repair.source import Source, Unit
from engine.providers.repair.task import Edit


@dataclass(frozen=True, slots=True)
class Candidate:
    """One edit to one file.

    Attributes
    ----------
    start, end : the replaced span of the text.
    text : what stands there afterwards.
    line : line of the statement it belongs to.
    cost : lower is more likely; settles which of several plausible edits is kept.
    early : it reaches code that runs at import, so it needs a new one.
    unit : name of the top-level definition it lies in, or empty.
    hasty : although early, it is tried in memory at first: tests run the place as well, and most say all they can.
    """

    path: str
    start: int
    end: int
    text: str
    line: int
    cost: float
    template: str
    note: str
    early: bool
    unit: str
    hasty: bool = False

    @property
    def growth(self) -> int:
        """Characters it adds to the file, or takes away."""
        return len(self.text) - (self.end - self.start)

    def applied(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]

    def clashes(self, other: Candidate) -> bool:
        """Two edits of overlapping or touching spans cannot both be made."""
        return self.path == other.path and self.start <= other.end and other.start <= self.end


def apply_all(text: str, edits: Iterable[Candidate]) -> str:
    """Apply edits of one file that do not clash."""
    for edit in sorted(edits, key=lambda e: e.start, reverse=True):
        text = edit.applied(text)
    return text


def combined(sources: Mapping[str, Source], edits: Iterable[Candidate]) -> dict[str, str]:
    """Full text of each file that these edits change."""
    ordered = sorted(edits, key=lambda e: e.path)
    return {path: apply_all(sources[path].text, group) for path, group in groupby(ordered, key=lambda e: e.path)}


def patches(source: Source, edits: Iterable[Candidate]) -> list[tuple[str, int, str]]:
    """The changed top-level definitions of one file: (path, first line, new text), first lines as before the edits.

    Of a class, only the changed method is given where it can stand alone, below a first line with the class's name.
    """
    found = []
    ordered = sorted(edits, key=lambda e: e.unit)
    for name, group in groupby(ordered, key=lambda e: e.unit):
        unit = next(unit for unit in source.units if unit.name == name)
        edits_here = sorted(group, key=lambda e: e.start, reverse=True)
        method = _method(source, unit, edits_here)
        line, end = method or (unit.first, unit.last)
        first, last = source.line_span(line, end)
        text = source.text[first:last]
        for edit in edits_here:
            text = text[: edit.start - first] + edit.text + text[edit.end - first :]
        if method is None:
            found.append((source.path, line, text))
        else:
            found.append((source.path, line - 1, f"class {unit.name}:{source.newline}{text}"))
    return found


def _method(source: Source, unit: Unit, edits: Iterable[Candidate]) -> tuple[int, int] | None:
    """Lines of the one method that all edits of a class lie in: compiling it alone is quicker than the whole class."""
    if not isinstance(unit.node, ast.ClassDef) or getattr(unit.node, "type_params", None):
        return None
    for method in source.methods(unit):
        if all(method.start <= edit.start and edit.end <= method.end for edit in edits):
            # Of two with one name, such as a property and its setter, each is told apart only beside the other.
            return (method.first, method.last) if method.alone and method.first > unit.first else None
    return None


def shown(source: Source, edit: Candidate) -> Edit:
    """The edit by full lines, as a person reads it."""
    first = source.line_of(edit.start)
    last = source.line_of(max(edit.start, edit.end - 1))
    start, end = source.line_span(first, last)
    before = source.text[start:end]
    after = source.text[start : edit.start] + edit.text + source.text[edit.end : end]
    return Edit(source.path, first, before, after, edit.template, edit.note)
