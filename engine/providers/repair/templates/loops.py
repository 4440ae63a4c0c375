"""Edits of loops: another range, what is walked over, a condition that ends it, a step that is missing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.templates.base import Swap, Template, replaced
from engine.providers.repair.templates.statements import own_lines
from engine.providers.repair.view import View


def ranges(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.Call):
        assert isinstance(node, ast.Call)
        if not isinstance(node.func, ast.Name) or node.func.id != "range" or node.keywords:
            continue
        texts = [view.text(part) for part in node.args]
        atoms = [view.atom(part) for part in node.args]
        forms: list[str] = []
        if len(texts) == 1:
            forms += [f"1, {texts[0]}", f"1, {atoms[0]} + 1", f"{atoms[0]} - 1, -1, -1", f"{texts[0]}, 0, -1"]
            forms += [f"2, {texts[0]}", f"len({texts[0]})"]
        elif len(texts) == 2:
            forms += [texts[1], f"{atoms[1]} - 1, {atoms[0]} - 1, -1", f"{atoms[1]}, {atoms[0]}, -1", f"0, {texts[1]}"]
            forms += [f"{texts[0]}, {texts[1]}, 2", f"{texts[0]}, {atoms[1]} + 1, 2"]
        elif len(texts) == 3:
            forms += [f"{texts[0]}, {texts[1]}", f"{texts[1]}, {texts[0]}, {texts[2]}"]
            forms += [f"{texts[0]}, {atoms[1]} {shift} 1, {texts[2]}" for shift in "+-"]
            forms += [f"{texts[0]}, {texts[1]}, -{atoms[2]}"]
        for form in forms:
            yield replaced(view, node, f"range({form})", 1.6)


def walked(view: View) -> Iterator[Swap]:
    """``for k, v in d`` needs ``d.items()``; the numbers may be wanted too, or not."""
    loops = [view.statement] if isinstance(view.statement, (ast.For, ast.AsyncFor)) else []
    over = [(loop.target, loop.iter) for loop in loops]
    over += [(node.target, node.iter) for node in view.header if isinstance(node, ast.comprehension)]
    for target, what in over:
        text = view.atom(what)
        pair = isinstance(target, ast.Tuple) and len(target.elts) == 2
        if isinstance(what, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
            for method in ("items",) if pair else ("values", "keys"):
                yield replaced(view, what, f"{text}.{method}()", 1.2 if pair else 1.8)
            if pair:
                yield replaced(view, what, f"enumerate({view.text(what)})", 1.4)
        yield replaced(view, what, f"list({view.text(what)})", 2)
        yield replaced(view, what, f"reversed({view.text(what)})", 1.8)
        counted = isinstance(what, ast.Call) and isinstance(what.func, ast.Name) and what.func.id == "enumerate"
        if counted and isinstance(what, ast.Call) and len(what.args) == 1 and not what.keywords:
            yield replaced(view, what, f"enumerate({view.text(what.args[0])}, 1)", 1.3)


def jumps(view: View) -> Iterator[Swap]:
    here = view.statement
    if isinstance(here, (ast.Break, ast.Continue)):
        new = "continue" if isinstance(here, ast.Break) else "break"
        yield Swap(view.span(here), new, 1.2, f"`{view.text(here)}` became `{new}`")
        if view.function is not None:
            for name in view.locals:
                yield Swap(view.span(here), f"return {name}", 2.2, f"`{view.text(here)}` became `return {name}`")


def endings(view: View) -> Iterator[Swap]:
    """``while True`` that should end when something is used up; ``if`` where ``while`` is meant, and back."""
    here = view.statement
    if isinstance(here, ast.While):
        if isinstance(here.test, ast.Constant):
            for name in view.locals:
                yield replaced(view, here.test, name, 1.2)
        start = view.span(here)[0]
        yield Swap((start, start + len("while")), "if", 2.4, "it is done once and not over and over")
    elif isinstance(here, ast.If) and not here.orelse and view.source.text.startswith("if", view.span(here)[0]):
        start = view.span(here)[0]
        yield Swap((start, start + len("if")), "while", 2.2, "it is done as long as the condition holds")


def steps(view: View) -> Iterator[Swap]:
    """A name that a loop's condition asks for and its body never changes."""
    here = view.statement
    if not isinstance(here, ast.While) or not own_lines(view, here.body[-1]):
        return
    changed = {n.id for part in here.body for n in ast.walk(part) if isinstance(n, ast.Name) and _stored(n)}
    asked = [node.id for node in ast.walk(here.test) if isinstance(node, ast.Name) and node.id in view.locals]
    last = here.body[-1]
    indent, line, end = view.source.indent_of(last), view.source.newline, view.span(last)[1]
    if not indent:
        return
    for name in dict.fromkeys(asked):
        cost = 2.8 if name in changed else 1.4
        for step in (f"{name} += 1", f"{name} -= 1", f"{name} //= 2", f"{name} //= 10", f"{name} = {name}[1:]"):
            yield Swap((end, end), f"{line}{indent}{step}", cost, f"`{step}` at the end of each round")


def _stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, (ast.Store, ast.Del))


TEMPLATES = (
    Template("jump", 1, jumps),
    Template("walked over", 1, walked),
    Template("range", 2, ranges),
    Template("missing step", 2, steps),
    Template("ending of a loop", 2, endings),
)
