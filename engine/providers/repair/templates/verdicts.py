"""Edits that reach over a whole function: every answer the other way, one constant or two names everywhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.source import FUNCTIONS
from engine.providers.repair.templates.base import Swap, Template, brief, replaced
from engine.providers.repair.templates.conditions import atoms
from engine.providers.repair.templates.constants import mirrored
from engine.providers.repair.view import View


def _inside(function: ast.AST) -> Iterator[ast.AST]:
    """What belongs to a function itself, not to one defined in it; in the order of the text."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, (*FUNCTIONS, ast.Lambda)):
            yield child
            yield from _inside(child)


def _rewritten(view: View, nodes: list[ast.expr], texts: list[str], cost: float, note: str) -> Swap:
    """One span from the first of several places to the last, each with its new text."""
    rows = sorted(zip(map(view.span, nodes), texts, strict=True))
    start, end = rows[0][0][0], rows[-1][0][1]
    out, at = "", start
    for (first, last), text in rows:
        out += view.source.text[at:first] + text
        at = last
    return Swap((start, end), out, cost, note)


def opposite(view: View) -> Iterator[Swap]:
    """A function that says no where it should say yes, everywhere."""
    here = view.statement
    if not isinstance(here, ast.Return) or view.function is None:
        return
    said = [node.value for node in _inside(view.function) if isinstance(node, ast.Return) and node.value is not None]
    plain = [value for value in said if isinstance(value, ast.Constant) and type(value.value) is bool]
    if len(plain) > 1 and here.value in plain:
        texts = [str(not value.value) for value in plain]
        yield _rewritten(view, [*plain], texts, 1.4, "every answer is the other way round")
        (first, *_, last) = plain
        if len(plain) > 2:
            yield _rewritten(view, [first, last], [texts[0], texts[-1]], 2, "two answers are the other way round")


def conditions(view: View) -> Iterator[Swap]:
    """A fixed answer that depends on something after all."""
    here = view.statement
    if isinstance(here, ast.Return) and isinstance(here.value, ast.Constant) and type(here.value.value) is bool:
        for atom in atoms(view, 40):
            yield replaced(view, here.value, atom, 2.4)


def everywhere(view: View) -> Iterator[Swap]:
    """The same wrong constant in several places: it was copied."""
    if view.function is None:
        return
    for node in view.expressions(ast.Constant):
        assert isinstance(node, ast.Constant)
        value = node.value
        if type(value) not in (int, float, str) or isinstance(view.parent(node), (ast.JoinedStr, ast.Expr)):
            continue
        same = [
            other
            for other in _inside(view.function)
            if isinstance(other, ast.Constant)
            and type(other.value) is type(value)
            and other.value == value
            and not isinstance(view.parent(other), (ast.JoinedStr, ast.Expr))
        ]
        if len(same) < 2:
            continue
        for text in _instead(view, value):
            note = f"`{brief(view.text(node))}` became `{text}`, {len(same)} times"
            yield _rewritten(view, [*same], [text] * len(same), 1.9, note)


def _instead(view: View, value: object) -> list[str]:
    if isinstance(value, str):
        return [repr(word) for word in (*mirrored(value), *_trimmed(value), *view.words.strings[:8]) if word != value]
    assert isinstance(value, (int, float))
    return [repr(value + 1), repr(value - 1), repr(-value)]


def _trimmed(value: str) -> tuple[str, ...]:
    return ("", value.strip(), value.lower(), value.upper()) if value else (" ",)


def exchanged(view: View) -> Iterator[Swap]:
    """Two names changed places in a whole statement: ``a.x - b.x`` and ``b.x - a.x``."""
    names = [node for node in view.expressions(ast.Name) if isinstance(node, ast.Name) and node.id in view.locals]
    kinds = list(dict.fromkeys(node.id for node in names))
    for nth, one in enumerate(kinds[:6]):
        for two in kinds[nth + 1 : 6]:
            here = [node for node in names if node.id in (one, two)]
            if len(here) > 2:
                texts = [two if node.id == one else one for node in here]
                yield _rewritten(view, [*here], texts, 1.7, f"`{one}` and `{two}` changed places")


TEMPLATES = (
    Template("opposite answers", 1, opposite),
    Template("names exchanged", 2, exchanged),
    Template("constant everywhere", 2, everywhere),
    Template("answer with a condition", 3, conditions),
)
