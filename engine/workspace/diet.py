"""Take away every piece of a change that is not needed: delta debugging over its hunks. Pure but for the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.workspace.changes import Hunk, apply_hunks, hunks


@dataclass(frozen=True, slots=True)
class Slim:
    """What is left. ``minimal``: taking any one piece away was tried and fails."""

    kept: tuple[Hunk, ...]
    dropped: tuple[Hunk, ...]
    minimal: bool
    runs: int


def pieces(before: Mapping[str, str], after: Mapping[str, str]) -> list[Hunk]:
    """All hunks of a change over several files."""
    return [h for path in sorted(after) for h in hunks(path, before.get(path, ""), after[path])]


def assemble(before: Mapping[str, str], kept: Sequence[Hunk], after: Mapping[str, str]) -> dict[str, str | None]:
    """The changed files with only some pieces applied; None for a new file of which nothing is kept."""
    files: dict[str, str | None] = {}
    for path in sorted(after):
        mine = [h for h in kept if h.path == path]
        unborn = path not in before and not mine and after[path]
        files[path] = None if unborn else apply_hunks(before.get(path, ""), mine)
    return files


def reduce(all_pieces: Sequence[Hunk], holds: Callable[[Sequence[Hunk]], bool], spent: Callable[[], bool]) -> Slim:
    """The smallest subset found that still holds.

    Halves first, then smaller parts, then single pieces until none can go (ddmin, complements only).

    Parameters
    ----------
    holds
        The oracle: whether the change reduced to these pieces is accepted.
    spent
        Asked before each run: True ends the search with the best so far.
    """
    kept = list(all_pieces)
    runs, parts = 0, 2
    if len(kept) <= 1:  # without its only piece the targets are red, as the audit showed
        return Slim(tuple(kept), (), True, 0)
    while len(kept) > 1:
        size = max(1, -(-len(kept) // parts))
        smaller = None
        for start in range(0, len(kept), size):
            without = kept[:start] + kept[start + size :]
            if not without:
                continue
            if spent():
                return _slim(all_pieces, kept, minimal=False, runs=runs)
            runs += 1
            if holds(without):
                smaller = without
                break
        if smaller is not None:
            kept, parts = smaller, max(2, parts - 1)
        elif size == 1:
            break
        else:
            parts = min(len(kept), parts * 2)
    return _slim(all_pieces, kept, minimal=True, runs=runs)


def _slim(all_pieces: Sequence[Hunk], kept: list[Hunk], *, minimal: bool, runs: int) -> Slim:
    return Slim(tuple(kept), tuple(h for h in all_pieces if h not in kept), minimal, runs)
