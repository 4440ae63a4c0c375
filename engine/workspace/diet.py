"""Take away every piece of a change that is not needed: delta debugging over its hunks, then over what is in them.

Pure but for the oracle; and it is not asked where the text alone answers.
"""

from __future__ import annotations

import ast
import itertools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

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


def finer(piece: Hunk) -> list[Hunk]:
    """A hunk line by line where it replaces as many, else as what it takes away and the statements it adds.

    What stands above a statement, a comment or blank lines, stays with it.

    Examples
    --------
    >>> [h.new for h in finer(Hunk("f.py", 4, 4, ("# why\\n", "x = 1\\n", "y = (\\n", "    2)\\n")))]
    [('# why\\n', 'x = 1\\n'), ('y = (\\n', '    2)\\n')]
    """
    old = piece.stop - piece.start
    if old == len(piece.new):
        return [replace(piece, start=n, stop=n + 1, new=(t,)) for n, t in enumerate(piece.new, piece.start)]
    parts = _statements(piece.new)
    if len(parts) < 2:
        return [piece]
    added = [replace(piece, start=piece.stop, new=lines) for lines in parts]
    return [replace(piece, new=()), *added] if old else added


def _statements(lines: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Lines by the statement they belong to; code of an outer block begins another part."""
    found: list[tuple[str, ...]] = []
    start, depth = 0, -1
    for n, line in enumerate((*lines, "")):
        indent = len(line) - len(line.lstrip())
        if n == len(lines) or (line.strip() and 0 <= indent < depth):
            found += _block(lines[start:n])
            start, depth = n, -1
        if line.strip() and depth < 0:
            depth = indent
    return _gathered(found)


def _block(lines: tuple[str, ...]) -> list[tuple[str, ...]]:
    try:
        body = ast.parse(textwrap.dedent("".join(lines))).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [lines]
    ends = sorted({node.end_lineno or len(lines) for node in body})
    if not ends:
        return [lines]
    cuts = [0, *ends, *([len(lines)] if ends[-1] < len(lines) else [])]
    return [lines[a:b] for a, b in itertools.pairwise(cuts)]


def _gathered(parts: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Blank lines and comments with the statement that follows them, or else with the one before."""
    found: list[tuple[str, ...]] = []
    waiting: tuple[str, ...] = ()
    for part in parts:
        if all(not line.strip() or line.lstrip().startswith("#") for line in part):
            waiting += part
        else:
            found.append(waiting + part)
            waiting = ()
    if waiting and found:
        found[-1] += waiting
    return found or [waiting]


def programs(files: Mapping[str, str | None]) -> tuple[str | None, ...] | None:
    """What Python makes of some files, in order; None if one is no Python it can read."""
    found: list[str | None] = []
    for path in sorted(files):
        text = files[path]
        if text is None or not path.endswith(".py"):
            found.append(text)
            continue
        try:
            found.append(ast.dump(ast.parse(text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return tuple(found)


def assemble(before: Mapping[str, str], kept: Sequence[Hunk], after: Mapping[str, str]) -> dict[str, str | None]:
    """The changed files with only some pieces applied; None for a new file of which nothing is kept."""
    files: dict[str, str | None] = {}
    for path in sorted(after):
        mine = [h for h in kept if h.path == path]
        unborn = path not in before and not mine and after[path]
        files[path] = None if unborn else apply_hunks(before.get(path, ""), mine)
    return files


def idle(all_pieces: Sequence[Hunk], program: Callable[[Sequence[Hunk]], object]) -> list[Hunk]:
    """Pieces without those that change nothing Python sees: comments and formatting.

    Parameters
    ----------
    program
        What Python makes of the change reduced to some pieces; None if nothing.
    """
    kept = list(all_pieces)
    now = program(kept)
    for piece in all_pieces:
        without = [p for p in kept if p is not piece]
        if now is not None and program(without) == now:
            kept = without
    return kept


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
    return Slim(tuple(kept), tuple(h for h in all_pieces if not any(h is k for k in kept)), minimal, runs)
