"""Edits of what arrays repeat, sum up and share out."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.templates.arrays import array_calls, called, is_array_function
from engine.providers.repair.templates.base import Swap, Template, replaced
from engine.providers.repair.view import View


def shares(view: View) -> Iterator[Swap]:
    """What is returned brought to a common measure: of each row, or of all."""
    here = view.statement
    if not view.words.numpy or not isinstance(here, ast.Return) or not isinstance(here.value, ast.Name):
        return
    name = here.value.id
    for which, cost in (("sum", 2.2), ("max", 2.5)):
        for inside, more in (
            ("axis=-1, keepdims=True", 0.0),
            ("axis=1, keepdims=True", 0.2),
            ("axis=0", 0.0),
            ("", 0.0),
        ):
            yield replaced(view, here.value, f"{name} / {name}.{which}({inside})", cost + more)


def repeated(view: View) -> Iterator[Swap]:
    """Each element so often, or the whole so often."""
    np = view.words.numpy
    for node in array_calls(view):
        if not is_array_function(view, node.func) or len(node.args) != 2:
            continue
        what, times = view.text(node.args[0]), node.args[1]
        words = {word.arg: view.text(word.value) for word in node.keywords}
        if called(node) == "tile" and isinstance(times, ast.Tuple) and len(times.elts) == 2:
            for axis in (1, 0):
                yield replaced(view, node, f"{np}.repeat({what}, {view.text(times.elts[axis])}, axis={axis})", 1.4)
        elif called(node) == "tile":
            yield replaced(view, node, f"{np}.repeat({what}, {view.text(times)}, axis=-1)", 1.5)
        elif called(node) == "repeat" and words.get("axis") in ("0", "1", "-1"):
            count = view.text(times)
            shape = f"({count}, 1)" if words["axis"] == "0" else f"(1, {count})"
            yield replaced(view, node, f"{np}.tile({what}, {shape})", 1.4)


def starts(view: View) -> Iterator[Swap]:
    """Sums so far: with nothing before the first, or without what is summed here."""
    np = view.words.numpy
    for node in array_calls(view):
        if called(node) != "cumsum":
            continue
        text = view.text(node)
        yield replaced(view, node, f"{np}.concatenate([[0], {text}])", 1.6)
        yield replaced(view, node, f"{np}.concatenate([[0], {text}[:-1]])", 1.7)
        if node.args and is_array_function(view, node.func):
            yield replaced(view, node, f"{text} - {view.atom(node.args[0])}", 1.8)


TEMPLATES = (
    Template("repeat or tile", 1, repeated),
    Template("sums so far", 1, starts),
    Template("share", 3, shares),
)
