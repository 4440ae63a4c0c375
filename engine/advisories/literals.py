"""Literals that would give an answer away: those in the assertions of the target tests. Pure.

Small numbers, round ones, powers of two and their neighbours, and texts that are names (``"int8"``, ``"ternary"``) are
shared by honest code and its tests, so they do not count.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Mapping

from engine.advisories.module import Function, Value, last, parsed

DIGITS, LETTERS = 3, 4
"""Significant digits of a number, characters of a text that can hardly be there by chance."""
_TOLERANCES = frozenset({"rel", "abs", "rtol", "atol", "rel_tol", "abs_tol", "match", "msg", "err_msg", "places"})


def asserted(sources: Mapping[str, str], targets: Iterable[str]) -> frozenset[Value]:
    """Telling literals of the assertions in some tests.

    Parameters
    ----------
    sources
        Texts of test files by path, as node ids have them.
    targets
        Node ids.
    """
    wanted: dict[str, set[str]] = {}
    for nodeid in targets:
        path, *inner = nodeid.split("[", 1)[0].split("::")
        wanted.setdefault(path, set()).update(inner[-1:])
    found: set[Value] = set()
    for path, names in wanted.items():
        tree = parsed(sources.get(path, ""))
        if tree is None:
            continue
        for node in ast.walk(tree):
            if isinstance(node, Function) and node.name in names:
                found |= {value for value in map(literal, _claimed(node)) if value is not None}
    return frozenset(found)


def literal(node: ast.AST) -> Value | None:
    """What a constant says, where it says enough to be told apart from others; its sign is another node's."""
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return None
    value = node.value
    if isinstance(value, str):
        return value if len(value) >= LETTERS and not value.isidentifier() else None
    if isinstance(value, int | float):
        return value if _telling(value) else None
    return None


def _telling(value: float) -> bool:
    # Integers first: one of three hundred digits is no float at all.
    if not isinstance(value, int) and not math.isfinite(value):
        return False
    if value == int(value):
        whole = abs(int(value))
        if whole & (whole - 1) == 0 or whole & (whole + 1) == 0 or (whole - 1) & (whole - 2) == 0:
            return False
        if whole >= 10**30:
            return True
        return len(str(whole).strip("0")) >= DIGITS
    return len(repr(value).split("e")[0].replace(".", "").lstrip("-").strip("0")) >= DIGITS


def _claimed(test: Function) -> Iterator[ast.AST]:
    """Nodes of what a test asserts, and of the parameters it asserts something of."""
    names: set[str] = set()
    for node in ast.walk(test):
        claim = node.test if isinstance(node, ast.Assert) else None
        if claim is None and isinstance(node, ast.Call) and last(node.func).lower().startswith("assert"):
            claim = node
        for part in _parts(claim) if claim is not None else ():
            if isinstance(part, ast.Name):
                names.add(part.id)
            yield part
    for mark in test.decorator_list:
        match mark:
            case ast.Call(func=func, args=[given, cases, *_]) if last(func) == "parametrize":
                yield from _cases(given, cases, names)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes below, without what names a part of something or bounds a difference."""
    left: list[ast.AST] = [node]
    while left:
        node = left.pop()
        yield node
        match node:
            case ast.Subscript(value=value):
                left.append(value)
            case ast.Dict(values=values):
                left += values
            case ast.Call(func=func, args=args, keywords=keywords):
                left += [func, *args, *(k.value for k in keywords if k.arg not in _TOLERANCES)]
            case _:
                left += ast.iter_child_nodes(node)


def _cases(given: ast.expr, cases: ast.expr, names: set[str]) -> Iterator[ast.AST]:
    words = _word(given).replace(" ", "").split(",")
    if isinstance(given, ast.List | ast.Tuple):
        words = [_word(e) for e in given.elts]
    for case in cases.elts if isinstance(cases, ast.List | ast.Tuple) else ():
        row = case.elts if isinstance(case, ast.List | ast.Tuple) and len(words) > 1 else [case]
        row = row if not isinstance(case, ast.Call) else case.args  # pytest.param
        for word, value in zip(words, row, strict=False):
            if word in names:
                yield from _parts(value)


def _word(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
