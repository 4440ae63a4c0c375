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

FEW = 10
"""So many pieces are tried one by one: halves of them seldom go."""

FORESEEN = 32
"""So many where a round of them is foreseen at once."""

Foresee = Callable[[Sequence[Sequence[Hunk]]], Sequence[bool | None]]


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


def reduce(
    all_pieces: Sequence[Hunk],
    holds: Callable[[Sequence[Hunk]], bool],
    spent: Callable[[], bool],
    needed: Sequence[Hunk] = (),
    spare: Sequence[Hunk] = (),
    foresee: Foresee | None = None,
) -> Slim:
    """The smallest subset found that still holds.

    What is thought to be spare goes first, at once; then all that is not known to be needed, at once. Then halves and
    smaller parts (ddmin, complements only), of few pieces one by one, until none can go. Of a round that was foreseen,
    what will not hold is not asked for, and what may go is tried at once before it is tried one by one.

    Parameters
    ----------
    holds
        The oracle: whether the change reduced to these pieces is accepted.
    spent
        Asked before each run: True ends the search with the best so far.
    needed
        Pieces without which nothing holds, whatever else is there.
    spare
        A guess: pieces that can go together.
    foresee
        What is expected of several subsets: False is taken as the oracle's word, True never is, None: not known.
    """
    fixed = {id(p) for p in needed}
    free = [p for p in all_pieces if id(p) not in fixed]
    runs = 0
    if len(all_pieces) <= 1:  # without its only piece the targets are red, as the audit showed
        return Slim(tuple(all_pieces), (), True, 0)
    lean = [p for p in free if not any(p is s for s in spare)]
    if len(lean) < len(free) and (lean or fixed) and not spent():
        runs += 1
        if holds(_some(all_pieces, fixed, lean)):
            free = lean
    few = FORESEEN if foresee is not None else FEW
    parts = 1 if fixed else len(free) if len(free) <= few else 2
    while free and len(free) + len(fixed) > 1:
        size = max(1, -(-len(free) // parts))
        smaller = None
        cuts = [free[:start] + free[start + size :] for start in range(0, len(free), size)]
        cuts = [left for left in cuts if left or fixed]
        if spent():
            return _slim(all_pieces, fixed, free, minimal=False, runs=runs)
        told: Sequence[bool | None] = [None] * len(cuts)
        if foresee is not None and len(cuts) > 1:
            told = foresee([_some(all_pieces, fixed, left) for left in cuts])
        for left in _likely(free, cuts, told, alone=not fixed):
            if spent():
                return _slim(all_pieces, fixed, free, minimal=False, runs=runs)
            runs += 1
            if holds(_some(all_pieces, fixed, left)):
                smaller = left
                break
        if smaller is not None:
            free, parts = smaller, max(1 if fixed else 2, parts - 1)
        elif size == 1:
            break
        else:
            parts = len(free) if len(free) <= few else min(len(free), parts * 2)
    return _slim(all_pieces, fixed, free, minimal=True, runs=runs)


def _likely(
    free: Sequence[Hunk], cuts: Sequence[list[Hunk]], told: Sequence[bool | None], *, alone: bool
) -> list[list[Hunk]]:
    """What is worth asking for: all that may go at once, where that is foreseen of several; then each not ruled out."""
    green = [{id(p) for p in left} for left, held in zip(cuts, told, strict=True) if held]
    together = [p for p in free if all(id(p) in left for left in green)]
    first = [together] if len(green) > 1 and (together or not alone) else []
    return [*first, *(left for left, held in zip(cuts, told, strict=True) if held is not False)]


def _some(all_pieces: Sequence[Hunk], fixed: set[int], free: Sequence[Hunk]) -> list[Hunk]:
    """These pieces in the order of the change."""
    wanted = fixed | {id(p) for p in free}
    return [p for p in all_pieces if id(p) in wanted]


def _slim(all_pieces: Sequence[Hunk], fixed: set[int], free: Sequence[Hunk], *, minimal: bool, runs: int) -> Slim:
    kept = tuple(_some(all_pieces, fixed, free))
    return Slim(kept, tuple(h for h in all_pieces if not any(h is k for k in kept)), minimal, runs)
