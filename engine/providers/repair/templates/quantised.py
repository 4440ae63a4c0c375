"""Edits that quantised code needs: wider accumulators, casts, and values kept between two bounds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.templates.arrays import array_calls, called, is_array_function, with_argument
from engine.providers.repair.templates.base import Swap, Template, replaced
from engine.providers.repair.view import View

_MAKERS = ("zeros", "ones", "empty", "full", "arange", "array", "asarray", "zeros_like", "empty_like")
_WIDEST = 64
_SMALL = 0.01  # below it, a number guards a division
_SUMS = ("sum", "dot", "matmul", "mean", "cumsum", "einsum", "prod", "trace")


def accumulators(view: View) -> Iterator[Swap]:
    """A wider type: for the result, for an operand, or for the sum itself."""
    np = view.words.numpy
    for node in array_calls(view):
        name = called(node)
        if name in _SUMS and not any(word.arg == "dtype" for word in node.keywords):
            if name not in ("dot", "trace"):
                for kind in ("int32", "int64", "float32", "float64"):
                    yield replaced(view, node, with_argument(view, node, f"dtype={np}.{kind}"), 1.4)
            # dot takes no dtype: its operands are widened, all of them.
            for kind in ("int32", "int64", "float32", "float64"):
                wide = [
                    view.text(part)
                    if isinstance(part, (ast.Constant, ast.Starred))
                    else f"{view.atom(part)}.astype({np}.{kind})"
                    for part in node.args
                ]
                if len(wide) > 1:
                    yield replaced(view, node, f"{view.text(node.func)}({', '.join(wide)})", 1.5)
                if wide and isinstance(node.func, ast.Attribute) and not is_array_function(view, node.func):
                    base = f"{view.atom(node.func.value)}.astype({np}.{kind})"
                    yield replaced(view, node, f"{base}.{name}({', '.join(wide)})", 1.7)
        elif name in _MAKERS and not any(word.arg == "dtype" for word in node.keywords):
            for kind in ("int32", "float32", "int8", "uint8", "int64", "float64"):
                yield replaced(view, node, with_argument(view, node, f"dtype={np}.{kind}"), 1.6)
    if np:
        for pair in view.expressions(ast.BinOp):
            assert isinstance(pair, ast.BinOp)
            if isinstance(pair.op, (ast.MatMult, ast.Mult, ast.Add, ast.Sub, ast.LShift)):
                sign = {ast.MatMult: "@", ast.Mult: "*", ast.Add: "+", ast.Sub: "-", ast.LShift: "<<"}[type(pair.op)]
                left, right = view.atom(pair.left), view.atom(pair.right)
                for kind in ("int32", "int64", "float32"):
                    cast = f".astype({np}.{kind})"
                    yield replaced(view, pair, f"{left}{cast} {sign} {right}{cast}", 1.7)


def casts(view: View) -> Iterator[Swap]:
    """A cast put on a value, or taken off it."""
    np = view.words.numpy
    if not np:
        return
    for node in view.expressions(ast.Name, ast.Call, ast.BinOp, ast.Subscript, ast.Attribute):
        if isinstance(node, ast.Attribute) and is_array_function(view, node):
            continue
        holder = view.parent(node)
        if isinstance(holder, ast.Call) and holder.func is node:
            continue
        if isinstance(node, ast.Name) and node.id == np:
            continue
        if isinstance(node, ast.Call) and called(node) == "astype":
            continue
        for kind in ("int32", "int16", "float32", "int8", "uint8", "int64", "float64"):
            yield replaced(view, node, f"{view.atom(node)}.astype({np}.{kind})", 1.8)


def saturation(view: View) -> Iterator[Swap]:
    """A value kept between two bounds: numbers of the file, the limits of a byte, a range of bits."""
    np = view.words.numpy
    own = [value for value in view.words.numbers if abs(value) > 1][:4]
    pairs = [
        ("-127", "127"),
        ("-128", "127"),
        ("0", "255"),
        ("-1", "1"),
        ("0", "1"),
        ("0", "3"),
        ("-8", "7"),
        ("0", "15"),
    ]
    pairs += [("-7", "7"), ("-2", "1")]
    pairs += [(str(-value), str(value)) for value in own if value > 0] + [
        ("0", str(value)) for value in own if value > 0
    ]
    names = [*view.words.constants[:6], *view.locals[:6]]
    pairs += [(f"-{name}", name) for name in names]
    far = [(low, high) for low in names for high in names if low != high][:30]  # two names are seldom both bounds
    for node in view.expressions(ast.Name, ast.Call, ast.BinOp, ast.UnaryOp, ast.Subscript):
        if not _may_saturate(view, node):
            continue
        text = view.text(node)
        for low, high in dict.fromkeys([*pairs, *far]):
            more = 0.5 * ((low, high) in far)
            if np:
                yield replaced(view, node, f"{np}.clip({text}, {low}, {high})", 1.7 + more)
            else:
                yield replaced(view, node, f"max({low}, min({high}, {text}))", 2 + more)
        for bound in ("0", "1", "1e-8", "1e-12", *names[:8]):
            for which in ("maximum", "minimum") if np else ("max", "min"):
                name = f"{np}.{which}" if np else which
                yield replaced(view, node, f"{name}({text}, {bound})", 1.7 if bound == "0" else 2)


def lower_limits(view: View) -> Iterator[Swap]:
    """A small number that stands alone where it was to keep something from being smaller."""
    np = view.words.numpy
    for node in view.expressions(ast.Constant):
        if isinstance(node, ast.Constant) and type(node.value) is float and 0 < node.value < _SMALL:
            name = f"{np}.maximum" if np else "max"
            for other in view.locals:
                yield replaced(view, node, f"{name}({other}, {view.text(node)})", 1.6)


def rounded_shifts(view: View) -> Iterator[Swap]:
    """A shift to the right that rounds to nearest instead of down, halves up or to even."""
    for node in view.expressions(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        if isinstance(node.op, ast.RShift):
            left, by = view.atom(node.left), view.atom(node.right)
            half = f"(1 << ({by} - 1))"
            if (
                isinstance(node.right, ast.Constant)
                and type(node.right.value) is int
                and 0 < node.right.value < _WIDEST
            ):
                half = hex(1 << (node.right.value - 1))
            yield replaced(view, node, f"({left} + {half}) >> {by}", 1.8)
            # Ties to even: one less than a half, and one more where what is left of it would be odd.
            yield replaced(view, node, f"({left} + ({half} - 1) + (({left} >> {by}) & 1)) >> {by}", 1.9)


def _may_saturate(view: View, node: ast.expr) -> bool:
    holder = view.parent(node)
    if isinstance(holder, ast.Call):
        return node is not holder.func
    if isinstance(holder, ast.Attribute):
        # round(x).astype(int8): the value before the cast is the one to bound.
        return holder.attr == "astype"
    return isinstance(holder, (ast.Return, ast.Assign, ast.AugAssign, ast.BinOp, ast.Subscript, ast.IfExp, ast.Tuple))


TEMPLATES = (
    Template("accumulator", 2, accumulators),
    Template("lower limit", 1, lower_limits),
    Template("rounding shift", 2, rounded_shifts),
    Template("saturation", 2, saturation),
    Template("cast", 2, casts),
)
