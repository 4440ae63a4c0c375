"""Slips by class: what a hand gets wrong in a right function, one small edit each. Pure.

Each class is a function from a node of the right program to what may stand in its place: another node, or None for a
statement that is gone. They know nothing of the repairer's templates, so that what it mends is no echo of itself.
"""

from __future__ import annotations

import ast
import copy
import textwrap
from collections.abc import Callable, Iterator
from typing import NamedTuple

Places = Iterator["ast.AST | list[ast.stmt] | None"]


class Slip(NamedTuple):
    """What of a function becomes what; None: the statement is gone."""

    kind: str
    node: ast.AST
    new: ast.AST | list[ast.stmt] | None

    def made(self, source: str) -> str:
        """The wrong program; empty where that is not Python, or nothing else than it was."""
        text = _with(source, self.node, self.new)
        return text if text is not None and ast.dump(ast.parse(text)) != ast.dump(ast.parse(source)) else ""


def slips(function: ast.AST) -> Iterator[Slip]:
    """Every slip there is in a function."""
    parents = {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
    skipped = _not_code(function)
    for node in ast.walk(function):
        if node is function or not hasattr(node, "lineno") or node in skipped:
            continue
        for kind, change in KINDS.items():
            for new in change(node, parents.get(node, function), function):
                yield Slip(kind, node, new)


def _not_code(function: ast.AST) -> set[ast.AST]:
    """Docstrings, annotations, decorators: nothing there is a defect a test sees."""
    found: set[ast.AST] = set()
    for node in ast.walk(function):
        apart: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            apart = [*node.decorator_list, node.returns, node.args]
            apart += node.body[:1] if ast.get_docstring(node) is not None else []
        elif isinstance(node, ast.AnnAssign):
            apart = [node.annotation]
        elif isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr):
            apart = [node]
        for part in apart:
            found.update(ast.walk(part) if part is not None else ())
    return found


def _with(source: str, node: ast.AST, new: ast.AST | list[ast.stmt] | None) -> str | None:
    """The source with a node replaced; None where that is not Python."""
    lines = source.splitlines(keepends=True)
    data = source.encode()
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line.encode()))
    start = offsets[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
    end = offsets[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
    if isinstance(node, ast.stmt):
        body = "\n".join(ast.unparse(part) for part in new) if isinstance(new, list) else ""
        body = ast.unparse(new) if isinstance(new, ast.AST) else body or "pass"
        text = textwrap.indent(body, " " * node.col_offset).lstrip()
    else:
        assert isinstance(new, ast.AST)
        text = ast.unparse(new)
        text = f"({text})" if isinstance(new, _LOOSE) and type(new) is not type(node) else text
    result = (data[:start] + text.encode() + data[end:]).decode()
    try:
        compile(result, "slip", "exec")
    except (SyntaxError, ValueError):
        return None
    return result


_LOOSE = (ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp, ast.IfExp)


def _but(node: ast.AST, **fields: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _each(rows: list[ast.expr], at: int, new: ast.expr) -> list[ast.expr]:
    return [*rows[:at], new, *rows[at + 1 :]]


def _called(node: ast.AST) -> str:
    """The last word of what a call calls."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


_COMPARED: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_COUNTED: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Mod, ast.Div),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
}
_BITS: dict[type, tuple[type, ...]] = {
    ast.BitAnd: (ast.BitOr, ast.BitXor),
    ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.BitXor: (ast.BitAnd, ast.BitOr),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}


def comparison(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    for at, op in enumerate(node.ops if isinstance(node, ast.Compare) else ()):
        for other in _COMPARED.get(type(op), ()):
            yield _but(node, ops=[*node.ops[:at], other(), *node.ops[at + 1 :]])  # type: ignore[attr-defined]


def arithmetic(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for other in _COUNTED.get(type(node.op), ()):
            yield _but(node, op=other())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield node.operand


def boolean(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if isinstance(node, ast.BoolOp):
        yield _but(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
        yield from (_but(node, values=node.values[:at] + node.values[at + 1 :]) for at in range(len(node.values)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)


def bitwise(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if isinstance(node, ast.BinOp | ast.AugAssign):
        yield from (_but(node, op=other()) for other in _BITS.get(type(node.op), ()))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield node.operand


def off_by_one(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    """At an index or a slice: one too many, one too few, the one forgotten."""
    if isinstance(parent, ast.Subscript | ast.Slice) and isinstance(node, ast.expr) and node is not _value(parent):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and _number(node.right):
            yield node.left
        elif not isinstance(node, ast.Slice | ast.Tuple | ast.Constant):
            yield ast.BinOp(node, ast.Add(), ast.Constant(1))
            yield ast.BinOp(node, ast.Sub(), ast.Constant(1))


def _value(parent: ast.AST) -> ast.AST | None:
    return parent.value if isinstance(parent, ast.Subscript) else None


def constant(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if _number(node):
        value = node.value  # type: ignore[attr-defined]
        near = (value + 1, value - 1) if type(value) is int else (value * 2, value + 1.0)
        yield from (ast.Constant(v) for v in near if v >= 0)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 1:
        yield ast.Constant(node.value[:-1])


def name(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or getattr(parent, "func", None) is node:
        return
    bound = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    bound |= {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
    for other in sorted(bound - {node.id}) if node.id in bound else ():
        yield ast.Name(other, ast.Load())


_SIBLINGS = {
    "lower": "upper",
    "upper": "lower",
    "append": "extend",
    "extend": "append",
    "add": "discard",
    "keys": "values",
    "values": "keys",
    "find": "rfind",
    "index": "count",
    "popleft": "pop",
    "strip": "lstrip",
    "left": "right",
    "right": "left",
    "isalpha": "isdigit",
    "isdigit": "isalpha",
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "minimum": "maximum",
    "sum": "max",
    "mean": "sum",
    "ceil": "floor",
    "floor": "ceil",
    "sin": "cos",
    "cos": "sin",
    "any": "all",
    "all": "any",
    "zeros": "ones",
    "ones": "zeros",
    "startswith": "endswith",
    "packbits": "unpackbits",
}


def attribute(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    """The sibling of a method or a function."""
    if isinstance(node, ast.Attribute) and node.attr in _SIBLINGS:
        yield _but(node, attr=_SIBLINGS[node.attr])
    if isinstance(node, ast.Name) and getattr(parent, "func", None) is node and node.id in _SIBLINGS:
        yield _but(node, id=_SIBLINGS[node.id])


def index(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if not isinstance(node, ast.Subscript):
        return
    if isinstance(node.value, ast.Subscript):
        yield _but(node, value=_but(node.value, slice=node.slice), slice=node.value.slice)
    if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
        yield _but(node, slice=_but(node.slice, elts=node.slice.elts[::-1]))
    if isinstance(node.slice, ast.UnaryOp) and isinstance(node.slice.op, ast.USub) and _number(node.slice.operand):
        yield _but(node, slice=ast.Constant(0))
    if isinstance(node.slice, ast.Constant) and node.slice.value == 0:
        yield _but(node, slice=ast.UnaryOp(ast.USub(), ast.Constant(1)))


def argument(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    """An argument that is missing."""
    if isinstance(node, ast.Call) and len(node.args) > 1:
        yield from (_but(node, args=node.args[:at] + node.args[at + 1 :]) for at in range(len(node.args)))


def keyword(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    for at, given in enumerate(node.keywords if isinstance(node, ast.Call) else ()):
        if given.arg not in ("axis", "dtype", "keepdims"):
            yield _but(node, keywords=node.keywords[:at] + node.keywords[at + 1 :])  # type: ignore[attr-defined]


def swapped_arguments(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if isinstance(node, ast.Call) and len(node.args) > 1:
        for at in range(len(node.args) - 1):
            yield _but(node, args=[*node.args[:at], node.args[at + 1], node.args[at], *node.args[at + 2 :]])


def swapped_operands(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if isinstance(node, ast.BinOp) and isinstance(
        node.op, ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.Pow | ast.MatMult
    ):
        yield _but(node, left=node.right, right=node.left)


def returned(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    """A result that is not returned, or another one that is."""
    if not isinstance(node, ast.Return) or node.value is None:
        return
    if isinstance(node.value, ast.Call):
        yield ast.Expr(node.value)
    bound = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for other in sorted(bound - {getattr(node.value, "id", "")}):
        yield ast.Return(ast.Name(other, ast.Load()))


def guard(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    """A check that leaves early is missing."""
    if isinstance(node, ast.If) and not node.orelse and len(node.body) == 1:
        first = node is next(iter(_body(function)), None)
        if isinstance(node.body[0], ast.Continue | ast.Break | ast.Raise) or (
            isinstance(node.body[0], ast.Return) and not first
        ):
            yield None


def base_case(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    """The first check of a function, which returns at once."""
    if isinstance(node, ast.If) and node is next(iter(_body(function)), None) and isinstance(node.body[0], ast.Return):
        yield node.orelse or None


def _body(function: ast.AST) -> list[ast.stmt]:
    body: list[ast.stmt] = getattr(function, "body", [])
    documented = isinstance(function, ast.FunctionDef) and ast.get_docstring(function) is not None
    return body[documented:]


def clamp(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if _called(node) in ("max", "min", "maximum", "minimum", "clip"):
        args = node.args  # type: ignore[attr-defined]
        yield from args[: 1 if _called(node) == "clip" else 2] if len(args) > 1 else ()


def _unwrapped(node: ast.AST, names: tuple[str, ...]) -> Iterator[ast.AST]:
    """What a call is made on: its only argument, or the object of the method."""
    if _called(node) not in names:
        return
    assert isinstance(node, ast.Call)
    if isinstance(node.func, ast.Attribute) and not (
        isinstance(node.func.value, ast.Name) and node.func.value.id in ("np", "math")
    ):
        yield node.func.value
    elif len(node.args) == 1:
        yield node.args[0]


_CASTS = ("int", "float", "str", "bool", "astype", "float32", "int8", "int32", "uint8", "view")
_WRAPPERS = (
    "abs",
    "len",
    "sorted",
    "set",
    "round",
    "reversed",
    "sqrt",
    "strip",
    "lower",
    "upper",
    "ord",
    "chr",
    "ceil",
)


def cast(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    yield from _unwrapped(node, _CASTS)


def copied(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    yield from _unwrapped(node, ("copy", "deepcopy", "list", "dict"))
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == ":":
        yield node.value


def wrapper(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    yield from _unwrapped(node, (*_WRAPPERS, "square", "ravel", "ascontiguousarray"))


def loop_bound(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if _called(node) == "range" and isinstance(node, ast.Call):
        for at, bound in enumerate(node.args[:2]):
            if isinstance(bound, ast.BinOp) and _number(bound.right):
                yield _but(node, args=_each(node.args, at, bound.left))
            else:
                for op in (ast.Add(), ast.Sub()):
                    yield _but(node, args=_each(node.args, at, ast.BinOp(bound, op, ast.Constant(1))))


_SIMPLE = (ast.AugAssign, ast.Expr, ast.Assign)


def missing_statement(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if isinstance(node, _SIMPLE) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        yield None


def extra_statement(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    """Done twice, or left after the first round."""
    if isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield [node, node]
    if isinstance(parent, ast.For | ast.While) and node is parent.body[-1] and isinstance(node, ast.stmt):
        yield [node, ast.Break()]


def axis(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    for at, given in enumerate(node.keywords if isinstance(node, ast.Call) else ()):
        if given.arg == "axis":
            rest = [*node.keywords[:at], *node.keywords[at + 1 :]]  # type: ignore[attr-defined]
            yield _but(node, keywords=rest)
            for other in (0, 1):
                yield _but(node, keywords=[*rest, ast.keyword("axis", ast.Constant(other))])


_DTYPES = {
    "int8": ("uint8", "int16"),
    "uint8": ("int8", "uint16"),
    "int16": ("int8", "int32"),
    "uint16": ("uint8", "int16"),
    "int32": ("int16", "int8"),
    "float32": ("float16", "int32"),
    "float64": ("float32",),
    "float16": ("float32",),
    "uint32": ("uint16", "int32"),
}


def dtype(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
        yield from (_but(node, attr=other) for other in _DTYPES.get(node.attr, ()))


def accumulator(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    """A sum or product in the narrow type of what it is made of."""
    summed = _called(node) in ("sum", "dot", "matmul", "mean", "cumsum", "prod", "einsum")
    for at, given in enumerate(node.keywords if isinstance(node, ast.Call) and summed else ()):
        if given.arg == "dtype":
            yield _but(node, keywords=node.keywords[:at] + node.keywords[at + 1 :])  # type: ignore[attr-defined]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult | ast.Mult):
        for bare in _unwrapped(node.left, ("astype",)):
            yield _but(node, left=bare)
            yield from (_but(node, left=bare, right=right) for right in _unwrapped(node.right, ("astype",)))


def rounding(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    modes = ("rint", "floor", "ceil", "trunc", "round")
    if _called(node) in modes and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        for other in ("floor", "trunc", "ceil") if _called(node) in ("rint", "round") else ("rint",):
            yield _but(node, func=_but(node.func, attr=other))
        yield from node.args[:1]


def byte_order(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value[:1] in ("<", ">"):
        yield ast.Constant({"<": ">", ">": "<"}[node.value[0]] + node.value[1:])
    if isinstance(node, ast.Constant) and node.value in ("little", "big"):
        yield ast.Constant("big" if node.value == "little" else "little")


def tail(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    """What does not fill a block: rounded down, or not cut off again."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.BinOp):
        inner = node.operand
        if isinstance(inner.op, ast.FloorDiv) and isinstance(inner.left, ast.UnaryOp):
            yield _but(inner, left=inner.left.operand)
    part = node.slice if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) else None
    if isinstance(part, ast.Slice) and part.lower is None and part.upper is not None:
        yield node.value  # type: ignore[attr-defined]


def broadcasting(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        new = [isinstance(e, ast.Constant) and e.value is None for e in node.slice.elts]
        new = [a or getattr(e, "attr", "") == "newaxis" for a, e in zip(new, node.slice.elts, strict=True)]
        if any(new):
            yield node.value
            yield _but(node, slice=_but(node.slice, elts=node.slice.elts[::-1]))
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value


def keepdims(node: ast.AST, parent: ast.AST, function: ast.AST) -> Places:
    for at, given in enumerate(node.keywords if isinstance(node, ast.Call) else ()):
        if given.arg == "keepdims":
            yield _but(node, keywords=node.keywords[:at] + node.keywords[at + 1 :])  # type: ignore[attr-defined]


KINDS: dict[str, Callable[[ast.AST, ast.AST, ast.AST], Places]] = {
    change.__name__: change
    for change in (
        comparison,
        arithmetic,
        boolean,
        bitwise,
        off_by_one,
        constant,
        name,
        attribute,
        index,
        argument,
        keyword,
        swapped_arguments,
        swapped_operands,
        returned,
        guard,
        base_case,
        clamp,
        cast,
        copied,
        wrapper,
        loop_bound,
        missing_statement,
        extra_statement,
        axis,
        dtype,
        accumulator,
        rounding,
        byte_order,
        tail,
        broadcasting,
        keepdims,
    )
}
