"""The code-refiner's evidence: what a reviewer would find, and how large and branched the touched functions are."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass

from msgspec.structs import replace

from engine.model import Gate, GateStatus
from engine.specialists.case import Case, Evidence, Fact
from engine.specialists.change import Edited, bench, bodies, cut, edited, judging
from engine.specialists.review import MOST_FACTS, judged, left_behind, lint, told

LONG, BRANCHED, DEEP = 60, 12, 4
"""A function with more lines, ways through it or levels than these is worth a refiner's look."""

_WAYS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.Assert, ast.match_case)
_LEVELS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.Match)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a function is.

    Attributes
    ----------
    lines : from its first decorator to its end, blank ones and comments left out.
    ways : independent ways through it, one for a function without a branch.
    depth : how many blocks lie in each other at most.
    """

    lines: int
    ways: int
    depth: int

    def __str__(self) -> str:
        return f"{self.lines} lines, {self.ways} ways, depth {self.depth}"

    @property
    def large(self) -> bool:
        return self.lines > LONG or self.ways > BRANCHED or self.depth > DEEP


def size(source: str) -> Size:
    """Measure the source of one function; what cannot be read counts its lines only.

    Examples
    --------
    >>> print(size("def f(x):\\n    if x and not x.y:\\n        return 1\\n    return 0\\n"))
    4 lines, 3 ways, depth 1
    """
    lines = sum(bool(line.strip()) and not line.strip().startswith("#") for line in source.split("\n"))
    try:
        tree = ast.parse(textwrap.dedent(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Size(lines, 1, 0)
    ways = 1
    for node in ast.walk(tree):
        ways += isinstance(node, _WAYS)
        ways += len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0
        ways += len(node.ifs) + 1 if isinstance(node, ast.comprehension) else 0
    return Size(lines, ways, _depth(tree))


def _depth(tree: ast.AST) -> int:
    deepest, left = 0, [(tree, 0)]
    while left:
        node, level = left.pop()
        level += isinstance(node, _LEVELS)
        deepest = max(deepest, level)
        for name, value in ast.iter_fields(node):
            inner = value if isinstance(value, list) else [value]
            for child in inner:
                if isinstance(child, ast.AST):
                    # `elif` is no deeper than its `if`.
                    chained = name == "orelse" and isinstance(node, ast.If) and len(inner) == 1
                    left.append((child, level - (chained and isinstance(child, ast.If))))
    return deepest


def look(case: Case) -> Evidence:
    """What the review asks, as its gate is set anew here; the sizes are facts, and one line of them goes with it."""
    judges = judging(case)
    code = [c for c in edited(case) if c.python and c.after is not None]
    if not code:
        return Evidence(Gate("clippy", GateStatus.SKIPPED, "n/a-surface", "no changed Python file"))
    command = case.settings.gates.clippy
    linted = lint(command, bench(case, code), code)
    sizes = [row for c in code if not judges(c.path) for row in _sizes(c)]
    left = left_behind(case, code)
    facts = told(linted, left)
    facts += [Fact("size", f"{name}: {_moved(old, new)}") for name, old, new in sizes]
    gate = judged(command, linted, left, code)
    gate = replace(gate, evidence=f"{gate.evidence}; {_sum(sizes)}")
    return Evidence(gate, tuple(facts[:MOST_FACTS]))


def _sizes(change: Edited) -> list[tuple[str, Size | None, Size]]:
    before, after = bodies(change.before or ""), bodies(change.after or "")
    return [
        (f"{change.path}: {f.name}", size(before[f.name]) if f.name in before else None, size(after[f.name]))
        for f in change.touched
    ]


def _moved(old: Size | None, new: Size) -> str:
    large = "; large" if new.large else ""
    return f"{new}{large} (new)" if old is None else f"{old} → {new}{large}"


def _sum(sizes: list[tuple[str, Size | None, Size]]) -> str:
    """``2 functions: 14 → 12 lines, 5 → 4 ways``"""
    if not sizes:
        return "no function touched"
    rows = [(old or Size(0, 0, 0), new) for _, old, new in sizes]
    lines = f"{sum(o.lines for o, _ in rows)} → {sum(n.lines for _, n in rows)} lines"
    ways = f"{sum(o.ways for o, _ in rows)} → {sum(n.ways for _, n in rows)} ways"
    large = [name for name, _, new in sizes if new.large]
    many = f"{len(sizes)} {'function' if len(sizes) == 1 else 'functions'}"
    return f"{many}: {lines}, {ways}" + (f"; large: {cut(', '.join(large), 120)}" if large else "")
