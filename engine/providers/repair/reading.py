"""Which names an edit stops or begins to read. Pure.

A slip seldom leaves a variable behind that nothing reads, and a right edit seldom does: one that takes up what was
unread is more likely, one after which nothing reads a name, or one name stands twice where there were two, is less.
"""

from __future__ import annotations

import ast
from collections import Counter

from engine.providers.repair.source import FUNCTIONS

LEFT, TAKEN_UP, DOUBLED = 1.0, -0.6, 0.3
"""In units of cost, for each name."""


def oddity(before: str, after: str, line: int) -> float:
    """What the names add to the cost of an edit.

    Parameters
    ----------
    before, after : the text of the file without and with the edit.
    line : of the statement that is edited.
    """
    old, new = ast.parse(before), ast.parse(after)
    was, now = unread(old), unread(new)
    said, says = _loads_at(old, line), _loads_at(new, line)
    lost, gained = said - says, says - said
    # One name in place of another, where the one that goes is gone from the statement and the one that comes was there.
    doubled = len(lost) == len(gained) == 1 and not says[min(lost)] and said[min(gained)]
    return LEFT * len(now - was) + TAKEN_UP * len(was - now) + DOUBLED * bool(doubled)


def unread(tree: ast.AST) -> frozenset[tuple[str, str]]:
    """Parameters and variables that the function they belong to never reads, by function and name."""
    found: set[tuple[str, str]] = set()
    for function in ast.walk(tree):
        if not isinstance(function, FUNCTIONS):
            continue
        spec = function.args
        bound = {arg.arg for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
        read: set[str] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Name):
                (bound if isinstance(node.ctx, ast.Store) else read).add(node.id)
            elif isinstance(node, ast.Global | ast.Nonlocal):
                read.update(node.names)
        found.update((function.name, name) for name in bound - read if not name.startswith("_"))
    return frozenset(found)


def _loads_at(tree: ast.AST, line: int) -> Counter[str]:
    """How often the statement on a line reads each name; what is below it is left out."""
    here = next((n for n in ast.walk(tree) if isinstance(n, ast.stmt) and n.lineno == line), None)
    found: Counter[str] = Counter()
    waiting: list[ast.AST] = [here] if here is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found[node.id] += 1
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
    return found
