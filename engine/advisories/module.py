"""A module as the rules see it: its tree, what an edit added to it, and what is asked of it. Pure."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST = 1_000_000
"""Characters of a file that is looked at."""

LARGE = 1000
"""Bits of an integer that is taken for a quantity; longer ones are no floats."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Value = float | int | str
"""A literal; 1 and 1.0 are one."""


@dataclass(frozen=True, slots=True)
class Standards:
    """What a project asks of its code, beside what every project does.

    Attributes
    ----------
    literals : numbers and texts that stand in assertions of the target tests.
    tolerance : the largest a comparison in production code may allow.
    """

    literals: frozenset[Value] = frozenset()
    tolerance: float = 1e-5


@dataclass(frozen=True, slots=True)
class Module:
    """One file after an edit.

    Attributes
    ----------
    added : numbers of the lines that are new.
    before : the tree of the file as it was; None if it was none.
    prose : lines of docstrings.
    """

    path: str
    tree: ast.Module
    added: frozenset[int]
    before: ast.Module | None
    standards: Standards
    prose: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        said = (n.value for n in ast.walk(self.tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
        lines = (n for c in said for n in range(c.lineno, (c.end_lineno or c.lineno) + 1) if isinstance(c.value, str))
        object.__setattr__(self, "prose", frozenset(lines))

    def functions(self) -> Iterator[Function]:
        """Functions an edit touched."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function) and not self.added.isdisjoint(range(node.lineno, _end(node) + 1)):
                yield node


def parsed(text: str) -> ast.Module | None:
    """The tree of a text; None if it is no Python, or too much of it."""
    if len(text) > MOST:
        return None
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def added_lines(before: str, after: str) -> frozenset[int]:
    """Numbers of the lines that ``after`` has more often than ``before`` between what both begin and end with.

    Examples
    --------
    >>> sorted(added_lines("a\\nb\\nc", "a\\nb\\nx\\nc"))
    [3]
    """
    old, new = before.split("\n"), after.split("\n")
    start, most = 0, min(len(old), len(new))
    while start < most and old[start] == new[start]:
        start += 1
    end = 0
    while end < most - start and old[-1 - end] == new[-1 - end]:
        end += 1
    left = Counter(old[start : len(old) - end])
    found = []
    for number in range(start, len(new) - end):
        line = new[number]
        if left[line] > 0:
            left[line] -= 1
        elif line.strip():
            found.append(number + 1)
    return frozenset(found)


def last(node: ast.AST | None) -> str:
    """The last name of what is called or looked up: ``sum`` of ``np.sum``."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def base(node: ast.AST) -> str:
    """The name something is a part of: ``out`` of ``out[0].T``."""
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def body(function: Function) -> list[ast.stmt]:
    """Statements of a function but its docstring."""
    first = function.body[0]
    prose = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return function.body[1:] if prose else function.body


def arguments(function: Function) -> list[str]:
    given = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return [a.arg for a in given]


def number(node: ast.AST | None) -> float | None:
    """A number that is written down, its sign left out."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        node = node.operand
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return abs(node.value) if isinstance(node.value, float) or node.value.bit_length() < LARGE else None
    return None


def _end(node: Function) -> int:
    return node.end_lineno or node.lineno
