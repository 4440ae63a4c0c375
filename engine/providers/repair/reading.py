"""Which names an edit stops or begins to read, and whether it answers as the function does elsewhere. Pure.

A slip seldom leaves a variable behind that nothing reads, and a right edit seldom does: one that takes up what was
unread is more likely, one after which nothing reads a name, or one name stands twice where there were two, is less.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from typing import TypeGuard

from engine.providers.repair.source import FUNCTIONS

LEFT, TAKEN_UP, DOUBLED, UNLIKE = 1.0, -1.0, 0.3, 2.0
"""In units of cost, for each name, and for each function that answers otherwise than before."""


def oddity(before: str, after: str, line: int) -> float:
    """What names and answers add to the cost of an edit.

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
    names = LEFT * len(now - was) + TAKEN_UP * len(was - now) + DOUBLED * bool(doubled)
    return names + UNLIKE * _unlike(old, new)


def unread(tree: ast.AST) -> frozenset[tuple[str, str]]:
    """Parameters and variables that the function they belong to never reads, and what single loops do not, by name."""
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
        found.update((function.name, name) for name in _unread_in_loops(function))
    return frozenset(found)


def _unread_in_loops(function: ast.AST) -> Iterator[str]:
    """Names that a loop binds for nobody, while others of that name are read in loops of their own."""
    loops = [node for node in ast.walk(function) if isinstance(node, ast.For)]
    binds = [{n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)} for loop in loops]
    reads = [{n.id for part in loop.body for n in ast.walk(part) if _is_read(n)} for loop in loops]
    everywhere = Counter(n.id for n in ast.walk(function) if _is_read(n))
    for nth, names in enumerate(binds):
        for name in names - reads[nth]:
            inside = [loop for loop, bound in zip(loops, binds, strict=True) if name in bound]
            count = sum(n.id == name for loop in inside for part in loop.body for n in ast.walk(part) if _is_read(n))
            if len(inside) > 1 and count >= everywhere[name] and not name.startswith("_"):
                yield f"{name} of loop {nth}"


def _is_read(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


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


def _unlike(old: ast.AST, new: ast.AST) -> int:
    """How many functions come back with nothing now, or with no truth value, and did not anywhere before."""
    before = {function.name: function for function in ast.walk(old) if isinstance(function, FUNCTIONS)}
    count = 0
    for function in ast.walk(new):
        if isinstance(function, FUNCTIONS) and function.name in before:
            was, now = before[function.name], function
            dropped = _falls_off(now.body) and not _falls_off(was.body) and bool(_answers(was))
            truths = {_is_truth(value) for value in _answers(was)} == {True}
            count += dropped or (truths and not all(map(_is_truth, _answers(now))))
    return count


def _answers(function: ast.AST) -> list[ast.expr | None]:
    """What a function returns, its inner functions left out."""
    found: list[ast.expr | None] = []
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return):
            found.append(node.value)
        if not isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            waiting += ast.iter_child_nodes(node)
    return found


def _is_truth(value: ast.expr | None) -> bool:
    """Whether an expression is true or false by its form; a call may be."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, bool)
    if isinstance(value, ast.BoolOp):
        return all(map(_is_truth, value.values))
    return isinstance(value, ast.Compare | ast.Call) or (
        isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
    )


def _falls_off(body: list[ast.stmt]) -> bool:
    """Whether the end of a block can be reached, as far as its form says."""
    last = body[-1]
    if isinstance(last, ast.Return | ast.Raise | ast.Continue | ast.Break):
        return False
    if isinstance(last, ast.If):
        return not last.orelse or _falls_off(last.body) or _falls_off(last.orelse)
    if isinstance(last, ast.While) and isinstance(last.test, ast.Constant) and last.test.value:
        return any(isinstance(node, ast.Break) for node in ast.walk(last))
    if isinstance(last, ast.With | ast.AsyncWith):
        return _falls_off(last.body)
    if isinstance(last, ast.Try):
        blocks = [last.orelse or last.body, *(handler.body for handler in last.handlers)]
        return any(map(_falls_off, blocks))
    return True
