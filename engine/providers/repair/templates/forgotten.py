"""Edits for work that was left half done: a collection that is asked and never filled, a rest that stays behind."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.source import FUNCTIONS
from engine.providers.repair.templates.base import Swap, Template, brief
from engine.providers.repair.templates.statements import block_of, own_lines
from engine.providers.repair.view import View

_FILLS = {"set": "add", "list": "append", "deque": "append"}
_FILLING = ("add", "append", "extend", "update", "insert", "appendleft", "setdefault", "push", "put")
_JUMPS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_LAST = 3  # statements at the end of a round that may have to be done once more
_MOST = 16  # forms of them


def noted(view: View) -> Iterator[Swap]:
    """A collection that starts empty, is asked for something, and is never told of it."""
    here = view.statement
    if view.function is None or isinstance(here, FUNCTIONS) or not own_lines(view, here):
        return
    outer = _outermost(view)
    for name, verb in _empty(outer).items():
        for other in _asked(outer, name):
            if other in view.locals:
                yield from _put(view, _filling(name, verb, other), 0.7, f"nothing ever fills `{name}`")


def filled(view: View) -> Iterator[Swap]:
    """The same collection, filled with anything else."""
    here = view.statement
    if view.function is None or isinstance(here, FUNCTIONS) or not own_lines(view, here):
        return
    for name, verb in _empty(_outermost(view)).items():
        for other in view.locals:
            if other not in (name, "self", "cls"):
                yield from _put(view, _filling(name, verb, other), 1.8, f"nothing ever fills `{name}`")


def rest(view: View) -> Iterator[Swap]:
    """What a loop hands on in each round, once more after it: the last part never got its round."""
    here = view.statement
    if view.function is None or isinstance(here, FUNCTIONS) or not own_lines(view, here):
        return
    block = block_of(view)
    at = block.index(here) if here in block else 0
    before = block[at - 1] if at else None
    if isinstance(before, (ast.For, ast.While)):
        for form, cost in _rests(view, before):
            yield _before(view, form, cost, "what the loop leaves over is not forgotten")
    if isinstance(here, (ast.For, ast.While)) and block[-1:] == [here]:
        for form, cost in _rests(view, here):
            yield _after(view, form, cost, "what the loop leaves over is not forgotten")


def _rests(view: View, loop: ast.For | ast.While) -> Iterator[tuple[str, float]]:
    """Statements that may be missing after a loop, each with its cost."""
    made = [n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    asked = [n.id for n in ast.walk(loop.test) if isinstance(n, ast.Name)] if isinstance(loop, ast.While) else []
    # What a condition asks and a round changes is what is left once it no longer holds.
    likely = [name for name in dict.fromkeys(asked) if name in made]
    names = list(dict.fromkeys([*likely, *made]))
    forms: dict[str, float] = {}
    for node in _handed_on(loop.body):
        text = view.text(node)
        if "\n" in text:
            continue
        forms.setdefault(text, 1.7)
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id in view.locals and isinstance(part.ctx, ast.Load):
                first, last = (at - view.span(node)[0] for at in view.span(part))
                for name in names:
                    cost = 1.3 if name in likely else 1.8
                    forms.setdefault(text[:first] + name + text[last:], cost)
    for form, cost in sorted(forms.items(), key=lambda row: row[1])[:_MOST]:
        yield form, cost


def _handed_on(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The last statements of a block, or of the branches at its end, that give something to what outlives the loop."""
    for node in body[-_LAST:]:
        if isinstance(node, ast.If):
            yield from _handed_on(node.body)
            yield from _handed_on(node.orelse)
        elif isinstance(node, ast.AugAssign) or (
            isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Yield))
        ):
            yield node


def _put(view: View, text: str, cost: float, why: str) -> Iterator[Swap]:
    """A statement before this one and, where it is the last of its block, after it."""
    yield _before(view, text, cost, why)
    if block_of(view)[-1:] == [view.statement] and not isinstance(view.statement, _JUMPS):
        yield _after(view, text, cost, why)


def _before(view: View, text: str, cost: float, why: str) -> Swap:
    start = view.span(view.statement)[0]
    indent = view.source.indent_of(view.statement)
    return Swap((start, start), f"{text}{view.source.newline}{indent}", cost, f"`{brief(text)}` was put in: {why}")


def _after(view: View, text: str, cost: float, why: str) -> Swap:
    end = view.span(view.statement)[1]
    indent = view.source.indent_of(view.statement)
    return Swap((end, end), f"{view.source.newline}{indent}{text}", cost, f"`{brief(text)}` was put in: {why}")


def _filling(name: str, verb: str, other: str) -> str:
    return f"{name}.{verb}({other})" if verb else f"{name}[{other}] = True"


def _outermost(view: View) -> ast.AST:
    return [node for node in view.source.above(view.statement) if isinstance(node, FUNCTIONS)][-1]


def _asked(function: ast.AST, collection: str) -> list[str]:
    """Names that are looked for in a collection."""
    found = [
        node.left.id
        for node in ast.walk(function)
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Name)
        and isinstance(node.ops[0], (ast.In, ast.NotIn))
        and isinstance(node.comparators[0], ast.Name)
        and node.comparators[0].id == collection
    ]
    return list(dict.fromkeys(found))


def _empty(function: ast.AST) -> dict[str, str]:
    """Names of collections that start empty and are never filled, each with the method that would."""
    made: dict[str, str] = {}
    filled: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            if name in made:
                filled.add(name)
            if isinstance(value, ast.List) and not value.elts:
                made[name] = "append"
            elif isinstance(value, ast.Dict) and not value.keys:
                made[name] = ""
            elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in _FILLS:
                made[name] = _FILLS[value.func.id]
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            filled.add(node.target.id)
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.value, ast.Name):
            changed = isinstance(node.ctx, ast.Store) or getattr(node, "attr", "") in _FILLING
            filled.update([node.value.id] if changed else ())
    return {name: verb for name, verb in made.items() if name not in filled}


TEMPLATES = (
    Template("collection noted", 1, noted),
    Template("rest of a loop", 2, rest),
    Template("collection filled", 2, filled),
)
