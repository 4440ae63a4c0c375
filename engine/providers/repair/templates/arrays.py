"""Edits of array code: element types, axes, accumulators, rounding and saturation."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.templates.base import Swap, Template, brief, replaced
from engine.providers.repair.view import View

_TYPES = ("int32", "float32", "int8", "uint8", "int16", "int64", "float64", "uint32", "uint16", "bool_", "float16")
_FAMILIES: tuple[tuple[str, ...], ...] = (
    ("rint", "round", "floor", "ceil", "trunc", "fix", "around"),
    ("min", "max", "amin", "amax", "minimum", "maximum", "sum", "mean", "median", "abs"),
    ("argmin", "argmax", "argsort", "sort"),
    ("minimum", "maximum", "fmin", "fmax"),
    ("any", "all"),
    ("zeros", "ones", "empty", "full"),
    ("zeros_like", "ones_like", "empty_like"),
    ("sum", "mean", "prod", "cumsum", "std", "var", "max"),
    ("std", "var"),
    ("abs", "sign", "square", "sqrt", "negative"),
    ("dot", "matmul", "multiply", "outer", "inner"),
    ("vstack", "hstack", "concatenate", "stack", "dstack"),
    ("left_shift", "right_shift"),
    ("bitwise_and", "bitwise_or", "bitwise_xor"),
    ("repeat", "tile"),
    ("exp", "log", "expm1", "log1p", "exp2", "log2"),
    ("greater", "less", "greater_equal", "less_equal"),
    ("nanmax", "nanmin", "nansum", "nanmean", "max", "min"),
    ("packbits", "unpackbits"),
    ("linalg.norm", "abs"),
)
_REDUCTIONS = ("sum", "mean", "max", "min", "amax", "amin", "prod", "any", "all", "argmax", "argmin", "std", "var")
_REDUCTIONS_MORE = (
    *_REDUCTIONS,
    "cumsum",
    "sort",
    "argsort",
    "median",
    "norm",
    "concatenate",
    "stack",
    "repeat",
    "flip",
)
_SUMS = ("sum", "dot", "matmul", "mean", "cumsum", "einsum", "prod", "trace")


def _name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_array_function(view: View, node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == view.words.numpy


def _calls(view: View) -> Iterator[ast.Call]:
    if view.words.numpy:
        for node in view.expressions(ast.Call):
            assert isinstance(node, ast.Call)
            yield node


def _with(view: View, node: ast.Call, extra: str, *, without: str = "") -> str:
    kept: list[ast.AST] = [*node.args, *(word for word in node.keywords if word.arg != without)]
    texts = [view.text(part) for part in kept]
    return f"{view.text(node.func)}({', '.join([*texts, extra] if extra else texts)})"


def relatives(view: View) -> Iterator[Swap]:
    for node in _calls(view):
        name = _name(node)
        if not isinstance(node.func, ast.Attribute):
            continue
        end = view.span(node.func)[1]
        for family in _FAMILIES:
            if name in family:
                for other in family:
                    if other != name:
                        yield Swap((end - len(name), end), other, 1.1, f"`{name}` became `{other}`")
        if name in ("rint", "round", "around", "trunc", "floor") and node.args and _is_array_function(view, node.func):
            # Ties away from zero: what C's round() does and rint does not.
            np, x = view.words.numpy, view.text(node.args[0])
            yield replaced(view, node, f"{np}.sign({x}) * {np}.floor({np}.abs({x}) + 0.5)", 1.8)
            yield replaced(view, node, f"{np}.trunc({x} + {np}.copysign(0.5, {x}))", 2)
            yield replaced(view, node, f"{np}.floor({x} + 0.5)", 2)


def element_types(view: View) -> Iterator[Swap]:
    np = view.words.numpy
    for node in view.expressions(ast.Attribute, ast.Constant):
        if isinstance(node, ast.Attribute) and _is_array_function(view, node) and node.attr in _TYPES:
            for other in _TYPES:
                if other != node.attr:
                    yield replaced(view, node, f"{np}.{other}", 1.1)
        elif isinstance(node, ast.Constant) and node.value in _TYPES:
            for other in _TYPES:
                if other != node.value:
                    yield replaced(view, node, repr(other), 1.1)


def axes(view: View) -> Iterator[Swap]:
    """The axis of a reduction, whether it is kept, and the order of a shape."""
    for node in _calls(view):
        name = _name(node)
        if name not in _REDUCTIONS_MORE:
            continue
        words = {word.arg: word.value for word in node.keywords}
        here = view.text(words["axis"]) if "axis" in words else ""
        for axis in ("1", "0", "-1", "None"):
            if axis != here and not (axis == "None" and not here):
                text = _with(view, node, f"axis={axis}", without="axis")
                if here:
                    yield replaced(view, words["axis"], axis, 1.1)
                elif not _positional_axis(view, node):
                    yield replaced(view, node, text, 1.5)
        if name in _REDUCTIONS:
            if "keepdims" in words:
                yield replaced(view, node, _with(view, node, "", without="keepdims"), 1.4)
            else:
                yield replaced(view, node, _with(view, node, "keepdims=True"), 1.4)
                for axis in ("1", "0", "-1"):
                    if not here and not _positional_axis(view, node):
                        yield replaced(view, node, _with(view, node, f"axis={axis}, keepdims=True"), 1.9)


def _positional_axis(view: View, node: ast.Call) -> bool:
    return len(node.args) > (1 if _is_array_function(view, node.func) else 0)


def accumulators(view: View) -> Iterator[Swap]:
    """A wider type: for the result, for an operand, or for the sum itself."""
    np = view.words.numpy
    for node in _calls(view):
        name = _name(node)
        if name in _SUMS and not any(word.arg == "dtype" for word in node.keywords):
            if name not in ("dot", "trace"):
                for kind in ("int32", "int64", "float32", "float64"):
                    yield replaced(view, node, _with(view, node, f"dtype={np}.{kind}"), 1.4)
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
                if wide and isinstance(node.func, ast.Attribute) and not _is_array_function(view, node.func):
                    base = f"{view.atom(node.func.value)}.astype({np}.{kind})"
                    yield replaced(view, node, f"{base}.{name}({', '.join(wide)})", 1.7)
        elif name in ("zeros", "ones", "empty", "full", "arange", "array", "asarray", "zeros_like", "empty_like"):
            if not any(word.arg == "dtype" for word in node.keywords):
                for kind in ("int32", "float32", "int8", "uint8", "int64", "float64"):
                    yield replaced(view, node, _with(view, node, f"dtype={np}.{kind}"), 1.6)
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
        if isinstance(node, ast.Attribute) and _is_array_function(view, node):
            continue
        holder = view.parent(node)
        if isinstance(holder, ast.Call) and holder.func is node:
            continue
        if isinstance(node, ast.Name) and node.id == np:
            continue
        if isinstance(node, ast.Call) and _name(node) == "astype":
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
    pairs += [(low, high) for low in names for high in names if low != high][:30]
    pairs += [(f"-{name}", name) for name in names]
    for node in view.expressions(ast.Name, ast.Call, ast.BinOp, ast.UnaryOp, ast.Subscript):
        if not _may_saturate(view, node):
            continue
        text = view.text(node)
        bounds = list(dict.fromkeys(pairs))
        for low, high in bounds:
            if np:
                yield replaced(view, node, f"{np}.clip({text}, {low}, {high})", 1.7)
            else:
                yield replaced(view, node, f"max({low}, min({high}, {text}))", 2)
        for bound in ("0", "1", "1e-8", "1e-12", *names[:8]):
            for which in ("maximum", "minimum") if np else ("max", "min"):
                name = f"{np}.{which}" if np else which
                yield replaced(view, node, f"{name}({text}, {bound})", 2)


def _may_saturate(view: View, node: ast.expr) -> bool:
    holder = view.parent(node)
    if isinstance(holder, ast.Call):
        return node is not holder.func
    if isinstance(holder, ast.Attribute):
        # round(x).astype(int8): the value before the cast is the one to bound.
        return holder.attr == "astype"
    return isinstance(holder, (ast.Return, ast.Assign, ast.AugAssign, ast.BinOp, ast.Subscript, ast.IfExp, ast.Tuple))


def bounds(view: View) -> Iterator[Swap]:
    """Other bounds of a clip that is there, and the clip's own removal."""
    for node in _calls(view):
        if _name(node) == "clip" and len(node.args) >= 2:
            low, high = node.args[-2], node.args[-1]
            for one, two in (
                ("-128", "127"),
                ("-127", "127"),
                ("0", "255"),
                ("-1", "1"),
                ("-8", "7"),
                ("0", "15"),
                ("0", "3"),
            ):
                span = (view.span(low)[0], view.span(high)[1])
                yield Swap(
                    span, f"{one}, {two}", 1.4, f"the bounds of `{brief(view.text(node))}` became {one} and {two}"
                )


def shapes(view: View) -> Iterator[Swap]:
    """Transposes, new axes, and the order of elements."""
    if not view.words.numpy:
        return
    for node in view.expressions(ast.Name, ast.Attribute, ast.Subscript, ast.Call):
        if isinstance(node, ast.Attribute):
            if node.attr == "T":
                yield replaced(view, node, view.text(node.value), 1.2)
            if _is_array_function(view, node):
                continue
        holder = view.parent(node)
        if isinstance(node, ast.Name) and node.id in view.words.imported:
            continue
        if isinstance(holder, (ast.Call, ast.Attribute)) and getattr(holder, "func", None) is node:
            continue
        for more, cost in (
            (".T", 1.6),
            ("[:, None]", 1.8),
            ("[None, :]", 2),
            (".ravel()", 2.2),
            ("[..., None]", 2),
            (".copy()", 1.8),
        ):
            yield replaced(view, node, f"{view.atom(node)}{more}", cost)
    for node in view.expressions(ast.Subscript):
        assert isinstance(node, ast.Subscript)
        if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
            one, two = (view.text(part) for part in node.slice.elts)
            yield replaced(view, node, f"{view.text(node.value)}[{two}, {one}]", 1.4)
        elif (
            isinstance(node.slice, ast.Constant)
            and isinstance(node.value, ast.Attribute)
            and node.value.attr == "shape"
        ):
            continue
        elif isinstance(node.slice, (ast.Slice, ast.Name)):
            yield replaced(view, node, f"{view.text(node.value)}[:, {view.text(node.slice)}]", 2)


TEMPLATES = (
    Template("array function", 1, relatives),
    Template("element type", 1, element_types),
    Template("axis", 1, axes),
    Template("clip bounds", 1, bounds),
    Template("accumulator", 2, accumulators),
    Template("saturation", 2, saturation),
    Template("cast", 2, casts),
    Template("shape", 3, shapes),
)
