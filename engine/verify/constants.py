"""Constants of a program as keys that can be compared: values with their types, containers, called names. Pure."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterator

Key = tuple[str, Hashable]
"""A constant with its type, so that 1 and True are two."""


def keys(node: ast.AST) -> Iterator[Key]:
    """All constants below a node, those of containers as one too, and the names that are called."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.expr):
            found = key(inner)
            if found is not None:
                yield found
        if isinstance(inner, ast.Call):
            yield ("call", called(inner))


def called(call: ast.Call) -> str:
    """The last part of what is called: the name of a function, class or method."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def constants_of(node: ast.expr | None) -> tuple[Key, ...]:
    """A constant, or the parts of a tuple of constants."""
    if isinstance(node, ast.Tuple):
        parts = [key(e) for e in node.elts]
        return tuple(p for p in parts if p is not None) if parts and None not in parts else ()
    found = key(node)
    return (found,) if found is not None else ()


def key(node: ast.AST | None) -> Key | None:
    """A constant, a negative number, or a container of them."""
    match node:
        case ast.Constant(value=value) if value is not Ellipsis:
            return type(value).__name__, value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value) | float(value))):
            return type(value).__name__, -value
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts) if elts:
            parts = [key(e) for e in elts]
            return None if None in parts else ("tuple", tuple(parts))
    return None
