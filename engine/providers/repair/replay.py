"""The accepted edits in their order, and the texts that any part of them leads to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.providers.repair.edits import Candidate
from engine.providers.repair.source import Source, Unreadable
from engine.providers.repair.task import Edit


@dataclass(frozen=True, slots=True)
class Step:
    """One accepted edit.

    Attributes
    ----------
    shown : the edit as a person reads it.
    old : the text that was replaced.
    """

    candidate: Candidate
    shown: Edit
    old: str


class Displaced(Exception):
    """An edit cannot be made without one before it."""


def replayed(original: Mapping[str, str], steps: Sequence[Step], kept: Sequence[Step]) -> dict[str, str]:
    """The files that change when only ``kept`` of ``steps`` are made.

    Each edit was made on the text its forerunners had left; leaving one out shifts those that follow.

    Raises
    ------
    Displaced
        A kept edit stands on text that only an edit left out has put there.
    """
    texts = dict(original)
    left_out: list[Candidate] = []
    for step in steps:
        edit = step.candidate
        if not any(step is other for other in kept):
            left_out.append(edit)
            continue
        at = edit.start + sum(_shift(other, edit) for other in left_out)
        text = texts[edit.path]
        if text[at : at + len(step.old)] != step.old:
            raise Displaced(step.shown.note)
        texts[edit.path] = text[:at] + edit.text + text[at + len(step.old) :]
    return {path: text for path, text in texts.items() if text != original[path]}


def _shift(left_out: Candidate, later: Candidate) -> int:
    if left_out.path != later.path or left_out.start >= later.start:
        return 0
    return (left_out.end - left_out.start) - len(left_out.text)


def changed_units(now: Mapping[str, Source], then: Mapping[str, str]) -> list[tuple[str, int, str]] | None:
    """Patches that turn the loaded texts into others, or None where more than definitions differ."""
    found: list[tuple[str, int, str]] = []
    for path, text in then.items():
        try:
            other = Source(path, text)
        except Unreadable:
            return None
        here, there = _units(now[path]), _units(other)
        if here.keys() != there.keys():
            return None
        found += [(path, there[name][0], there[name][1]) for name in here if here[name][1] != there[name][1]]
    return found


def _units(source: Source) -> dict[str, tuple[int, str]]:
    found = {}
    for unit in source.units:
        start, end = source.line_span(unit.first, unit.last)
        found[unit.name] = (unit.first, source.text[start:end])
    return found
