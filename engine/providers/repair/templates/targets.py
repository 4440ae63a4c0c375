"""Edits of what is assigned: another target, the better of old and new, a result that was dropped."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.source import FUNCTIONS
from engine.providers.repair.templates.base import Swap, Template, brief, replaced
from engine.providers.repair.view import View

_IN_PLACE = (
    "sort",
    "reverse",
    "append",
    "extend",
    "add",
    "update",
    "insert",
    "remove",
    "clear",
    "discard",
    "setdefault",
)
_ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def other_targets(view: View) -> Iterator[Swap]:
    """Another variable, or another attribute, is assigned."""
    if isinstance(view.statement, (*FUNCTIONS, ast.ClassDef)):
        return
    for node in view.header:
        if not isinstance(getattr(node, "ctx", None), ast.Store):
            continue
        start, end = view.span(node)
        if isinstance(node, ast.Name):
            for name in view.locals:
                if name != node.id:
                    yield Swap((start, end), name, 1.4, f"`{name}` is assigned, not `{node.id}`")
        elif isinstance(node, ast.Subscript):
            for text in view.ingredients:
                if text.endswith("]") and text[0].isidentifier() and text != view.text(node):
                    yield Swap((start, end), text, 1.8, f"`{brief(text)}` is assigned, not `{brief(view.text(node))}`")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            for name in view.words.attributes.get(node.value.id, ()):
                if name != node.attr:
                    note = f"`{node.value.id}.{name}` is assigned, not `.{node.attr}`"
                    yield Swap((end - len(node.attr), end), name, 1.5, note)


def best_so_far(view: View) -> Iterator[Swap]:
    """``best = x`` becomes ``best = max(best, x)``."""
    here = view.statement
    if not isinstance(here, ast.Assign) or len(here.targets) != 1 or view.function is None:
        return
    if isinstance(here.targets[0], (ast.Tuple, ast.List)) or isinstance(here.value, (ast.List, ast.Dict, ast.Set)):
        return
    target, value = view.text(here.targets[0]), view.text(here.value)
    if target not in value or isinstance(here.value, ast.BinOp):
        for which in ("max", "min"):
            yield replaced(view, here.value, f"{which}({target}, {value})", 1.6)
    if not isinstance(here.value, ast.Constant):
        yield replaced(view, here.value, f"max({value}, 0)", 1.9)


def remembered(view: View) -> Iterator[Swap]:
    """What beats the best so far is the best from then on: ``if e < least: best = x`` forgets ``least = e``."""
    here, holder = view.statement, view.parent(view.statement)
    if not isinstance(here, ast.Assign) or not isinstance(holder, ast.If) or here is not holder.body[-1]:
        return
    test = holder.test
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], _ORDERED) or len(test.ops) > 1:
        return
    sides = (test.comparators[0], test.left)
    written = {view.text(part) for row in holder.body for part in ast.walk(row) if isinstance(part, ast.expr)}
    for side, other in (sides, sides[::-1]):
        if isinstance(side, (ast.Name, ast.Attribute, ast.Subscript)) and view.text(side) not in written:
            text = f"{view.text(side)} = {view.text(other)}"
            end, rest = view.span(here)[1], view.source.newline + view.source.indent_of(here)
            yield Swap((end, end), rest + text, 1.5, f"`{text}` was put in")


def kept(view: View) -> Iterator[Swap]:
    """``text.strip()`` by itself does nothing: its result is kept. ``x = rows.sort()`` keeps what is None."""
    here = view.statement
    if isinstance(here, ast.Expr) and isinstance(here.value, ast.Call):
        call, start = here.value, view.span(here)[0]
        bases: list[ast.expr] = [call.func.value] if isinstance(call.func, ast.Attribute) else []
        for base in [*bases, *call.args[:2]]:
            if isinstance(base, (ast.Name, ast.Attribute, ast.Subscript)):
                name = view.text(base)
                if name not in view.words.imported:
                    yield Swap((start, start), f"{name} = ", 1.5, f"the result of `{brief(view.text(call))}` is kept")
        if isinstance(call.func, ast.Name) and call.func.id in ("sorted", "reversed") and call.args:
            verb = {"sorted": "sort", "reversed": "reverse"}[call.func.id]
            rest = ", ".join(view.text(part) for part in [*call.args[1:], *call.keywords])
            yield replaced(view, call, f"{view.atom(call.args[0])}.{verb}({rest})", 1.3)
    value = here.value if isinstance(here, (ast.Assign, ast.Return)) else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _IN_PLACE:
        base = value.func.value
        rest = ", ".join(["", *(view.text(part) for part in [*value.args, *value.keywords])])
        if value.func.attr == "sort":
            yield replaced(view, value, f"sorted({view.text(base)}{rest})", 1.1)
        if value.func.attr == "reverse":
            yield replaced(view, value, f"{view.atom(base)}[::-1]", 1.1)
        if view.source.indent_of(here):
            line, indent = view.source.newline, view.source.indent_of(here)
            text = f"{view.text(value)}{line}{indent}"
            if isinstance(here, ast.Return):
                text += f"return {view.text(base)}"
            elif isinstance(here, ast.Assign) and view.text(here.targets[0]) != view.text(base):
                text += f"{view.text(here.targets[0])} = {view.text(base)}"
            else:
                text = view.text(value)
            yield Swap(view.span(here), text, 1.3, f"`{brief(view.text(value))}` changes its object and gives nothing")


def not_in_place(view: View) -> Iterator[Swap]:
    """``x += y`` changes the object others hold; ``x = x + y`` makes a new one."""
    here = view.statement
    if isinstance(here, ast.AugAssign):
        start, value = view.span(here.target)[1], view.span(here.value)[0]
        sign = view.source.text[start:value].strip().removesuffix("=")
        if "#" in sign or "\\" in sign:
            return
        target = view.text(here.target)
        yield Swap(
            view.span(here),
            f"{target} = {target} {sign} {view.atom(here.value)}",
            1.7,
            f"`{target}` becomes a new object and is not changed in place",
        )


def in_place(view: View) -> Iterator[Swap]:
    """``out = x`` leaves what the caller gave as it was; ``out[:] = x`` fills it."""
    here = view.statement
    if isinstance(here, ast.Assign) and len(here.targets) == 1 and isinstance(here.targets[0], ast.Name):
        name, end = here.targets[0].id, view.span(here.targets[0])[1]
        spec = view.function.args if view.function is not None else None
        given = [arg.arg for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)] if spec is not None else []
        again = isinstance(here.value, (ast.Constant, ast.Lambda))  # a default, most likely
        if name in given and not again:
            yield Swap((end, end), "[:]", 1.6, f"`{name}` is filled, not bound to something else")


TEMPLATES = (
    Template("result kept", 1, kept),
    Template("filled in place", 1, in_place),
    Template("target", 1, other_targets),
    Template("best so far", 2, best_so_far),
    Template("what was beaten", 1, remembered),
    Template("new object", 2, not_in_place),
)
