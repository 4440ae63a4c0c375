"""Rules for numerical code: tolerances, output buffers, narrow accumulators, copies from a device. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from engine.advisories.module import Function, Module, arguments, base, last, number
from engine.advisories.rules import Found, Rule

_TOLERANCE = re.compile(r"(?:^|_)(?:[ra]tol|(?:rel|abs)_tol|tolerance)$", re.IGNORECASE)
_ARRAYS = frozenset({"numpy", "cupy", "torch", "jax", "cupyx"})
_DEVICES = frozenset({"cupy", "cupyx", "torch"})
_OUT = re.compile(r"out|output|dst|dest|\w+_out|out_\w+")
_MEANT = re.compile(r"add|accum|update|increment|scatter|merge|collect")
"""Functions whose very name says that they go on from what is there."""
_CLEARS = frozenset({"fill", "zero_", "fill_", "zero", "copy_", "clear", "resize", "put"})
_NARROW = frozenset({"int8", "int16", "i1", "i2"})
_SUMS = frozenset(
    {"sum", "dot", "cumsum", "prod", "cumprod", "matmul", "einsum", "inner", "vdot", "tensordot", "trace", "reduce"}
)
_MAKES = frozenset({"zeros", "zeros_like", "empty", "empty_like", "full", "full_like", "ones"})


def tolerances(module: Module) -> Found:
    """Larger than what is allowed, or larger than it was."""
    limit = module.standards.tolerance
    was: dict[str, float] = {}
    for name, value, _ in _tolerances(module.before):
        was[name] = max(value, was.get(name, 0.0))
    for name, value, line in _tolerances(module.tree):
        if name in was and value > was[name]:
            yield line, f"{name} is loosened from {was[name]:g} to {value:g}"
        elif name not in was and value > limit:
            yield line, f"{name} = {value:g} is larger than the {limit:g} that [advisories] tolerance allows"


def _tolerances(tree: ast.AST | None) -> Iterator[tuple[str, float, int]]:
    for node in ast.walk(tree) if tree is not None else ():
        pairs: list[tuple[str, ast.expr | None]] = []
        match node:
            case ast.Call(keywords=keywords):
                pairs = [(k.arg or "", k.value) for k in keywords]
            case ast.FunctionDef(args=given) | ast.AsyncFunctionDef(args=given):
                plain = [*given.posonlyargs, *given.args]
                from_end = zip(reversed(plain), reversed(given.defaults), strict=False)
                pairs = [(a.arg, d) for a, d in (*from_end, *zip(given.kwonlyargs, given.kw_defaults, strict=True))]
            case ast.Assign(targets=targets, value=given_value):
                pairs = [(last(t), given_value) for t in targets]
            case ast.AnnAssign(target=target, value=given_value):
                pairs = [(last(target), given_value)]
        for name, value in pairs:
            said = number(value)
            if said is not None and value is not None and _TOLERANCE.search(name):
                yield name, float(said), value.lineno


def uncleared_buffers(module: Module) -> Found:
    """``out[i] += …`` of a parameter that nothing sets before."""
    if not _imports(module.tree) & _ARRAYS:
        return
    for function in module.functions():
        if _MEANT.search(function.name.lower()):
            continue
        for name in arguments(function):
            if _OUT.fullmatch(name):
                yield from _added_to(function, name)


def _added_to(function: Function, name: str) -> Found:
    lines: list[int] = []
    for node in ast.walk(function):
        match node:
            case ast.AugAssign(target=target, op=ast.Add() | ast.Sub()) if base(target) == name:
                lines.append(node.lineno)
            case ast.Assign(targets=targets) if any(base(t) == name for t in targets):
                return
            case ast.AugAssign(target=target) if base(target) == name:  # out *= 0
                return
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if base(value) == name and attr in _CLEARS:
                return
            case ast.Call(args=args, keywords=keywords):
                given = [base(a) for a in args]
                into = [k for k in keywords if k.arg == "out" and base(k.value) == name]
                if into and last(node.func) in ("add", "subtract") and name in given:
                    lines.append(node.lineno)
                elif name in given or into or any(base(k.value) == name for k in keywords):
                    return  # who it is handed to may set it
    for line in lines:
        yield line, f"{name} is added to and never cleared: what the caller left in it stays"


def narrow_sums(module: Module) -> Found:
    """Sums kept in 8 or 16 bits."""
    text = "an int8 or int16 accumulator overflows; accumulate in int32"
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=func, keywords=keywords) if last(func) in _SUMS and _narrow_type(keywords):
                yield node.lineno, text
            case ast.Call(func=func, args=[one, other]) if last(func) in ("dot", "matmul"):
                if _cast(one) and _cast(other):
                    yield node.lineno, text
            case ast.BinOp(left=one, op=ast.MatMult(), right=other) if _cast(one) and _cast(other):
                yield node.lineno, text
    for function in module.functions():
        narrow = set[str]()
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func, keywords=keywords)):
                    if last(func) in _MAKES and _narrow_type(keywords):
                        narrow.add(name)
        for node in ast.walk(function) if narrow else ():
            if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and base(node.target) in narrow:
                yield node.lineno, text


def _narrow_type(keywords: list[ast.keyword]) -> bool:
    return any(k.arg == "dtype" and _narrow(k.value) for k in keywords)


def _narrow(node: ast.expr) -> bool:
    said = node.value if isinstance(node, ast.Constant) else last(node)
    return said in _NARROW


def _cast(node: ast.expr) -> bool:
    """``x.astype(np.int8)``, its transpose too."""
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        node = node.value
    match node:
        case ast.Call(func=ast.Attribute(attr="astype"), args=[kind, *_]):
            return _narrow(kind)
        case ast.Call(func=ast.Attribute(attr="int8" | "int16")):
            return True
    return False


def device_copies(module: Module) -> Found:
    """A copy from the device at every turn of a loop. By the names of its libraries: ``get()`` is many things."""
    names = _bound(module.tree, _DEVICES)
    if not names:
        return
    told: set[int] = set()
    for function in [*module.functions(), module.tree]:
        arrays = _arrays(function, names)
        for loop in ast.walk(function):
            inside = [*loop.body, *loop.orelse] if isinstance(loop, ast.For | ast.While | ast.AsyncFor) else []
            for node in (n for statement in inside for n in ast.walk(statement)):
                if isinstance(node, ast.Call) and id(node) not in told and _copies(node, names, arrays):
                    told.add(id(node))
                    yield node.lineno, "a device-to-host copy inside a loop; copy once, after it"


def _copies(call: ast.Call, names: frozenset[str], arrays: set[str]) -> bool:
    match call:
        case ast.Call(func=ast.Attribute(value=value, attr="asnumpy")):
            return base(value) in names
        case ast.Call(func=ast.Attribute(value=value, attr="get" | "item" | "cpu" | "tolist"), args=[], keywords=[]):
            return _on_device(value, names, arrays)
        case ast.Call(func=ast.Name(id="float" | "int"), args=[value], keywords=[]):
            return _on_device(value, names, arrays)
    return False


def _on_device(node: ast.expr, names: frozenset[str], arrays: set[str]) -> bool:
    """Whether it is a name of an array there, a part of one, or comes straight out of the library."""
    if base(node) in arrays and not (isinstance(node, ast.Attribute) and node.attr in ("shape", "size", "ndim")):
        return not any(isinstance(n, ast.Attribute) and n.attr == "shape" for n in ast.walk(node))
    while isinstance(node, ast.Subscript):
        node = node.value
    if not isinstance(node, ast.Call):
        return False
    return base(node.func) in names or (isinstance(node.func, ast.Attribute) and base(node.func.value) in arrays)


def _arrays(scope: ast.AST, names: frozenset[str]) -> set[str]:
    """Names that are given what a function of the library returns."""
    found: set[str] = set()
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute() as func)):
                if base(func) in names and func.attr not in ("asnumpy", "cpu", "tolist", "item"):
                    found.add(name)
    return found


def _imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def _bound(tree: ast.AST, modules: frozenset[str]) -> frozenset[str]:
    """The names that some libraries have here."""
    return frozenset(
        a.asname or a.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for a in node.names
        if a.name.split(".")[0] in modules
    )


NUMERIC: tuple[tuple[str, Rule], ...] = (
    ("TOLERANCE", tolerances),
    ("UNCLEARED", uncleared_buffers),
    ("NARROW-SUM", narrow_sums),
    ("DEVICE-COPY", device_copies),
)
