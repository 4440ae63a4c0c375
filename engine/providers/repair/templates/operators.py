"""Edits of operators: another one, one more, one less, or the operands the other way round."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from engine.providers.repair.templates.base import Swap, Template, replaced
from engine.providers.repair.view import View

_COMPARE: Mapping[type[ast.cmpop], Sequence[tuple[str, float]]] = {
    ast.Lt: (("<=", 1), (">", 1), (">=", 1.2), ("!=", 1.6), ("==", 1.8)),
    ast.LtE: (("<", 1), (">=", 1), (">", 1.2), ("==", 1.6), ("!=", 1.8)),
    ast.Gt: ((">=", 1), ("<", 1), ("<=", 1.2), ("!=", 1.6), ("==", 1.8)),
    ast.GtE: ((">", 1), ("<=", 1), ("<", 1.2), ("==", 1.6), ("!=", 1.8)),
    ast.Eq: (("!=", 1), ("<=", 1.4), (">=", 1.4), ("<", 1.6), (">", 1.6), ("is", 1.8), ("in", 2)),
    ast.NotEq: (("==", 1), ("<", 1.4), (">", 1.4), ("<=", 1.6), (">=", 1.6), ("is not", 1.8)),
    ast.Is: (("is not", 1), ("==", 1.2)),
    ast.IsNot: (("is", 1), ("!=", 1.2)),
    ast.In: (("not in", 1), ("==", 1.8)),
    ast.NotIn: (("in", 1), ("!=", 1.8)),
}
_SIGN: Mapping[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.MatMult: "@",
}
# Operators that fit small numbers by accident (%, **, bits) cost more where plain arithmetic stood.
_BINARY: Mapping[str, Sequence[tuple[str, float]]] = {
    "+": (("-", 1), ("*", 1.4), ("|", 2.2), ("/", 2.4), ("//", 2.4), ("%", 2.8)),
    "-": (("+", 1), ("*", 1.6), ("/", 2), ("//", 2.2), ("%", 2.8), ("&", 3), ("^", 3)),
    "*": (("/", 1), ("//", 1.3), ("+", 1.4), ("-", 1.8), ("**", 2.2), ("@", 2), ("<<", 2.6), ("%", 2.8), ("&", 3)),
    "/": (("//", 1), ("*", 1), ("%", 2.2), ("-", 2.2), ("+", 2.6)),
    "//": (("/", 1), ("%", 1.2), ("*", 1.4), (">>", 1.8), ("-", 2.2), ("+", 2.6)),
    "%": (("//", 1), ("/", 1.6), ("*", 2), ("&", 2), ("-", 2.4), ("+", 2.6)),
    "**": (("*", 1), ("//", 2), ("/", 2)),
    "<<": ((">>", 1), ("*", 2), ("+", 2.2)),
    ">>": (("<<", 1), ("//", 1.8), ("&", 2)),
    "&": (("|", 1), ("^", 1.3), (">>", 1.8), ("%", 2)),
    "|": (("&", 1), ("^", 1.3), ("+", 1.5)),
    "^": (("&", 1), ("|", 1), ("**", 1.2)),
    "@": (("*", 1),),
}


def _between(view: View, left: ast.expr, right: ast.expr, old: str, new: str) -> tuple[int, int] | None:
    """Where the operator stands; parentheses and comments may lie around it."""
    start, end = view.span(left)[1], view.span(right)[0]
    at = view.source.text.find(old, start, end)
    return None if at < 0 or "#" in view.source.text[start:end] else (at, at + len(old))


def comparison(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.Compare):
        assert isinstance(node, ast.Compare)
        lefts = [node.left, *node.comparators]
        for nth, op in enumerate(node.ops):
            left, right = lefts[nth], lefts[nth + 1]
            old = view.source.text[view.span(left)[1] : view.span(right)[0]].strip("() \t\r\n\\")
            span = _between(view, left, right, old, "") if old else None
            for new, cost in _COMPARE[type(op)]:
                if span is not None:
                    yield Swap(span, new, cost, f"the comparison `{old}` became `{new}`")
            if len(node.ops) == 1 and not isinstance(op, (ast.In, ast.NotIn, ast.Is, ast.IsNot)):
                for shift in ("+ 1", "- 1"):
                    yield replaced(view, right, f"{view.atom(right)} {shift}", 1.6)
                if isinstance(right, ast.Constant) and right.value in (0, 1, 2) and not isinstance(right.value, bool):
                    for form in ("<= 1", "> 1", "== 1", "> 0", "<= 0", "< 0", ">= 0", "% 2 == 0", "% 2 == 1"):
                        yield replaced(view, node, f"{view.atom(left)} {form}", 1.8)


def arithmetic(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        old = _SIGN[type(node.op)]
        span = _between(view, node.left, node.right, old, "")
        if span is None or (isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)):
            continue
        left, right = view.atom(node.left), view.atom(node.right)
        for new, cost in _BINARY[old]:
            whole = replaced(view, node, f"{left} {new} {right}", cost)
            if _binds_alike(old, new):
                yield Swap(span, new, cost, f"the operator `{old}` became `{new}`")
            else:
                # Where the new operator binds differently, its operands keep together.
                yield whole


def _binds_alike(old: str, new: str) -> bool:
    return any(old in group and new in group for group in (("+", "-"), ("*", "/", "//", "%", "@"), ("<<", ">>")))


def boolean(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.BoolOp):
        assert isinstance(node, ast.BoolOp)
        new = "or" if isinstance(node.op, ast.And) else "and"
        parts = [view.atom(value) for value in node.values]
        yield replaced(view, node, f" {new} ".join(parts), 1)
        if len(parts) > 2:
            old = "and" if new == "or" else "or"
            for nth in range(1, len(parts)):
                joined = [f" {old} ".join(part) for part in (parts[:nth], parts[nth:])]
                yield replaced(view, node, f"({joined[0]}) {new} ({joined[1]})", 2)


def negation(view: View) -> Iterator[Swap]:
    for node in view.expressions():
        if isinstance(node, ast.UnaryOp):
            yield replaced(
                view, node, view.text(node.operand), 1, f"the sign of `{view.text(node.operand)}` was dropped"
            )
            continue
        if isinstance(node, (ast.Compare, ast.BoolOp)) or _is_condition(view, node):
            yield replaced(view, node, f"not {view.atom(node)}", 1.5)
        if isinstance(node, (ast.Name, ast.Call, ast.Subscript, ast.Attribute, ast.BinOp)) and _is_value(view, node):
            yield replaced(view, node, f"-{view.atom(node)}", 1.5)
        if isinstance(node, (ast.Name, ast.Compare, ast.Subscript)) and isinstance(view.parent(node), ast.Subscript):
            yield replaced(view, node, f"~{view.atom(node)}", 2.2)


def _is_condition(view: View, node: ast.expr) -> bool:
    holder = view.parent(node)
    if isinstance(holder, ast.comprehension):
        return node in holder.ifs
    return isinstance(holder, ast.BoolOp) or (
        isinstance(holder, (ast.If, ast.While, ast.IfExp)) and holder.test is node
    )


def _is_value(view: View, node: ast.expr) -> bool:
    holder = view.parent(node)
    if isinstance(holder, ast.Call):
        return node is not holder.func
    return isinstance(holder, (ast.Return, ast.Assign, ast.AugAssign, ast.BinOp, ast.Slice, ast.IfExp, ast.Tuple))


def augmented(view: View) -> Iterator[Swap]:
    node = view.statement
    if isinstance(node, ast.AugAssign):
        old = _SIGN[type(node.op)]
        start, end = view.span(node.target)[1], view.span(node.value)[0]
        at = view.source.text.find(old + "=", start, end)
        if at < 0:
            return
        for new, cost in _BINARY[old]:
            yield Swap((at, at + len(old)), new, cost, f"`{old}=` became `{new}=`")
        yield Swap((at, at + len(old)), "", 1.5, f"`{old}=` became `=`")
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and not isinstance(node.targets[0], ast.Tuple):
        end = view.span(node.targets[0])[1]
        at = view.source.text.find("=", end, view.span(node.value)[0])
        for new, cost in (("+", 1.6), ("-", 2), ("*", 2), ("|", 2.2)):
            yield Swap((at, at), new, cost, f"`=` became `{new}=`")


def other_way_round(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        if not isinstance(node.op, (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)):
            left, right = view.atom(node.left), view.atom(node.right)
            yield replaced(view, node, f"{right} {_SIGN[type(node.op)]} {left}", 1.4)


def operands(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.BinOp, ast.BoolOp):
        if isinstance(node, ast.BoolOp):
            for left_out in range(len(node.values)):
                kept = [view.text(value) for nth, value in enumerate(node.values) if nth != left_out]
                word = " and " if isinstance(node.op, ast.And) else " or "
                yield replaced(view, node, word.join(kept), 1.8)
            continue
        assert isinstance(node, ast.BinOp)
        left, right = view.atom(node.left), view.atom(node.right)
        if isinstance(node.op, ast.Add):
            yield replaced(view, node, f"{right} + {left}", 1.8)  # of texts and lists the order matters
        yield replaced(view, node, left, 1.8)
        yield replaced(view, node, right, 2)
        inner, sign = node.left, _SIGN[type(node.op)]
        # a + b * c and (a + b) * c: the same operands, grouped the other way.
        if isinstance(inner, ast.BinOp):
            far = f"{view.atom(inner.right)} {sign} {right}"
            yield replaced(view, node, f"{view.atom(inner.left)} {_SIGN[type(inner.op)]} ({far})", 1.8)
            # a * b + c without b.
            yield replaced(view, node, f"{view.atom(inner.left)} {_SIGN[type(inner.op)]} {right}", 1.9)
            yield replaced(view, node, f"{view.atom(inner.left)} {sign} {right}", 1.9)
        inner = node.right
        if isinstance(inner, ast.BinOp):
            near = f"{left} {sign} {view.atom(inner.left)}"
            yield replaced(view, node, f"({near}) {_SIGN[type(inner.op)]} {view.atom(inner.right)}", 1.8)


TEMPLATES = (
    Template("comparison", 1, comparison),
    Template("operator", 1, arithmetic),
    Template("and/or", 1, boolean),
    Template("sign or not", 1, negation),
    Template("assignment operator", 1, augmented),
    Template("operands exchanged", 1, other_way_round),
    Template("operands", 2, operands),
)
