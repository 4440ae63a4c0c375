"""Edits of how far something reaches: an operand belongs inside a call, or outside; a shift is of the other one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from engine.providers.repair.templates.base import Swap, Template, replaced
from engine.providers.repair.view import View

_SIGNS: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.LShift: "<<",
}
_JOINS: Mapping[type[ast.operator], str] = {
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.BitAnd: "&",
    ast.Add: "+",
    ast.Sub: "-",
}


def inside(view: View) -> Iterator[Swap]:
    """``f(a) + b`` becomes ``f(a + b)``, and ``a.f() + b`` becomes ``(a + b).f()``."""
    for node, sign in _operations(view, _SIGNS):
        left, right = view.atom(node.left), view.atom(node.right)
        for call, is_left in ((node.left, True), (node.right, False)):
            held = _held(view, call)
            if held is not None and isinstance(call, ast.Call):
                atom = view.atom(held)
                both = f"{atom} {sign} {right}" if is_left else f"{left} {sign} {atom}"
                yield replaced(view, node, _with(view, call, held, both), 1.8)


def outside(view: View) -> Iterator[Swap]:
    """``f(a + b)`` becomes ``f(a) + b`` or ``a + f(b)``, and ``(a + b).f()`` likewise."""
    for node in view.expressions(ast.Call):
        held = _held(view, node)
        if not isinstance(node, ast.Call) or not isinstance(held, ast.BinOp) or type(held.op) not in _SIGNS:
            continue
        sign = _SIGNS[type(held.op)]
        left, right = view.atom(held.left), view.atom(held.right)
        yield replaced(view, node, f"{_with(view, node, held, view.text(held.left))} {sign} {right}", 1.8)
        yield replaced(view, node, f"{left} {sign} {_with(view, node, held, view.text(held.right))}", 1.9)


def beside(view: View) -> Iterator[Swap]:
    """``(a << n) | b`` becomes ``a | (b << n)``: what was done to one of two operands is done to the other."""
    for node, sign in _operations(view, _JOINS):
        for one, other, is_left in ((node.left, node.right, True), (node.right, node.left, False)):
            if isinstance(one, ast.BinOp) and type(one.op) in _SIGNS and not isinstance(other, ast.Constant):
                bare = view.atom(one.left)
                done = f"({view.atom(other)} {_SIGNS[type(one.op)]} {view.atom(one.right)})"
                yield replaced(view, node, f"{bare} {sign} {done}" if is_left else f"{done} {sign} {bare}", 1.7)


def _operations(view: View, signs: Mapping[type[ast.operator], str]) -> Iterator[tuple[ast.BinOp, str]]:
    """Operations of some kinds, and their signs."""
    for node in view.expressions(ast.BinOp):
        if isinstance(node, ast.BinOp) and type(node.op) in signs:
            yield node, signs[type(node.op)]


def _held(view: View, node: ast.expr) -> ast.expr | None:
    """What a call is about: the value its method is of, or its first argument."""
    if not isinstance(node, ast.Call):
        return None
    function = node.func
    if isinstance(function, ast.Attribute) and not (
        isinstance(function.value, ast.Name) and function.value.id in view.words.imported
    ):
        return function.value
    return node.args[0] if node.args and not isinstance(node.args[0], ast.Starred) else None


def _with(view: View, call: ast.Call, held: ast.expr, text: str) -> str:
    """The call with something else in place of what it is about."""
    whole, (start, end), (first, last) = view.source.text, view.span(call), view.span(held)
    if held in call.args:
        return whole[start:first] + text + whole[last:end]
    # What stands between may be the parenthesis that a sum needs there, and a name does not.
    rest = whole[whole.index(".", last) : end]
    return (text if _holds(text) else f"({text})") + rest


def _holds(text: str) -> bool:
    """Whether an expression can be asked for a method as it stands."""
    # In parentheses, as it may go over several lines.
    return isinstance(ast.parse(f"({text})", mode="eval").body, ast.Name | ast.Attribute | ast.Call | ast.Subscript)


TEMPLATES = (
    Template("inside a call", 2, inside),
    Template("outside a call", 2, outside),
    Template("other operand", 2, beside),
)
