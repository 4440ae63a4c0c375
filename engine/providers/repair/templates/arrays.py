"""Edits of array code: relatives of a function, element types, axes, bounds and shapes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.templates.base import Swap, Template, brief, replaced
from engine.providers.repair.view import View

_TYPES = ("int32", "float32", "int8", "uint8", "int16", "int64", "float64", "uint32", "uint16", "bool_", "float16")
_COARSE = ("float16", "bool_")  # what passes with them seldom needs them
_FAMILIES: tuple[tuple[str, ...], ...] = (
    ("rint", "round", "floor", "ceil", "trunc", "fix", "around"),
    ("min", "max", "amin", "amax", "minimum", "maximum", "sum", "mean", "median", "abs"),
    ("argmin", "argmax", "argsort", "sort"),
    ("minimum", "maximum", "fmin", "fmax"),
    ("any", "all"),
    ("zeros", "ones", "empty", "full"),
    ("zeros_like", "ones_like", "empty_like"),
    ("sum", "mean", "prod", "cumsum", "max"),
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
    ("asarray", "array"),  # the second one copies
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


def called(node: ast.Call) -> str:
    """The bare name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def is_array_function(view: View, node: ast.expr) -> bool:
    """Whether an expression is an attribute of the array module itself."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == view.words.numpy


def array_calls(view: View) -> Iterator[ast.Call]:
    """Calls in a file that uses arrays."""
    if view.words.numpy:
        for node in view.expressions(ast.Call):
            assert isinstance(node, ast.Call)
            yield node


def with_argument(view: View, node: ast.Call, extra: str, *, without: str = "") -> str:
    """The text of a call with one argument more, and one keyword less."""
    kept: list[ast.AST] = [*node.args, *(word for word in node.keywords if word.arg != without)]
    texts = [view.text(part) for part in kept]
    return f"{view.text(node.func)}({', '.join([*texts, extra] if extra else texts)})"


def relatives(view: View) -> Iterator[Swap]:
    for node in array_calls(view):
        name = called(node)
        if not isinstance(node.func, ast.Attribute):
            continue
        end = view.span(node.func)[1]
        for family in _FAMILIES:
            if name in family:
                for other in family:
                    if other != name:
                        yield Swap((end - len(name), end), other, 1.1, f"`{name}` became `{other}`")
        if name in ("rint", "round", "around", "trunc", "floor") and node.args and is_array_function(view, node.func):
            # Ties away from zero: what C's round() does and rint does not.
            np, x = view.words.numpy, view.text(_without_half(node.args[0]))
            yield replaced(view, node, f"{np}.sign({x}) * {np}.floor({np}.abs({x}) + 0.5)", 1.8)
            yield replaced(view, node, f"{np}.trunc({x} + {np}.copysign(0.5, {x}))", 2)
            yield replaced(view, node, f"{np}.floor({x} + 0.5)", 2)


def _without_half(node: ast.expr) -> ast.expr:
    """What is rounded by ``floor(x + 0.5)``."""
    halved = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and isinstance(node.right, ast.Constant)
    return node.left if isinstance(node, ast.BinOp) and halved and ast.unparse(node.right) == "0.5" else node


def element_types(view: View) -> Iterator[Swap]:
    np = view.words.numpy
    for node in view.expressions(ast.Attribute, ast.Constant):
        if isinstance(node, ast.Attribute) and is_array_function(view, node) and node.attr in _TYPES:
            for other in _TYPES:
                if other != node.attr:
                    yield replaced(view, node, f"{np}.{other}", 1.5 if other in _COARSE else 1.1)
        elif isinstance(node, ast.Constant) and node.value in _TYPES:
            for other in _TYPES:
                if other != node.value:
                    yield replaced(view, node, repr(other), 1.1)


def axes(view: View) -> Iterator[Swap]:
    """The axis of a reduction, whether it is kept, and the order of a shape."""
    for node in array_calls(view):
        name = called(node)
        if name not in _REDUCTIONS_MORE:
            continue
        words = {word.arg: word.value for word in node.keywords}
        here = view.text(words["axis"]) if "axis" in words else ""
        for axis in ("1", "0", "-1", "None"):
            if axis != here and not (axis == "None" and not here):
                text = with_argument(view, node, f"axis={axis}", without="axis")
                if here:
                    yield replaced(view, words["axis"], axis, 1.1)
                elif not _positional_axis(view, node):
                    yield replaced(view, node, text, 1.5)
        if name in _REDUCTIONS:
            if "keepdims" in words:
                yield replaced(view, node, with_argument(view, node, "", without="keepdims"), 1.4)
            else:
                yield replaced(view, node, with_argument(view, node, "keepdims=True"), 1.4)
                for axis in ("1", "0", "-1"):
                    if not here and not _positional_axis(view, node):
                        yield replaced(view, node, with_argument(view, node, f"axis={axis}, keepdims=True"), 1.9)


def _positional_axis(view: View, node: ast.Call) -> bool:
    return len(node.args) > (1 if is_array_function(view, node.func) else 0)


def bounds(view: View) -> Iterator[Swap]:
    """Other bounds of a clip that is there, and the clip's own removal."""
    for node in array_calls(view):
        if called(node) == "clip" and len(node.args) >= 2:
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
            if is_array_function(view, node):
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


def put_around(view: View) -> Iterator[Swap]:
    """A function of arrays put around a value, a rest of a shape left to be found out, bytes read as another type."""
    np = view.words.numpy
    for node in view.expressions(ast.Name, ast.BinOp, ast.Call, ast.Subscript) if np else ():
        holder = view.parent(node)
        if isinstance(holder, (ast.Attribute, ast.keyword)) or getattr(holder, "func", None) is node:
            continue
        if isinstance(node, ast.Name) and node.id in view.words.imported:
            continue
        for name in ("sqrt", "abs", "rint", "square", "nan_to_num", "sort"):
            if not (isinstance(node, ast.Call) and called(node) == name):
                yield replaced(view, node, f"{np}.{name}({view.text(node)})", 2)
        if isinstance(node, ast.Call) and called(node) == "reshape" and isinstance(node.func, ast.Attribute):
            shape = node.args[is_array_function(view, node.func) :]
            if shape and not any(isinstance(part, (ast.Tuple, ast.Starred)) for part in shape):
                inside = view.source.text[view.span(shape[0])[0] : view.span(shape[-1])[1]]
                span = (view.span(shape[0])[0], view.span(shape[-1])[1])
                for text in (f"{inside}, -1", f"-1, {inside}"):
                    yield Swap(span, text, 1.2, f"the shape `{brief(inside)}` became `{brief(text)}`")
        if isinstance(node, ast.Call):
            for kind in ("uint8", "int8", "uint32", "float32"):
                yield replaced(view, node, f"{view.text(node)}.view({np}.{kind})", 2.2)


TEMPLATES = (
    Template("array function put around", 2, put_around),
    Template("array function", 1, relatives),
    Template("element type", 1, element_types),
    Template("axis", 1, axes),
    Template("clip bounds", 1, bounds),
    Template("shape", 3, shapes),
)
