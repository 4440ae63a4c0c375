"""Tests that cannot all pass: one call, two answers; or an assertion that no code can make true. Pure.

Only calls of imported functions with constant arguments count, so what is found holds unless the function remembers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.model import Advisory

CODE = "CONTRADICTION"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Claim:
    """That a call gives a value, said at a line of a test.

    Attributes
    ----------
    call : the call with its function's whole name and constant arguments; empty for an assertion of constants alone.
    value : the constant, as text; ``holds`` says whether an assertion of constants is true.
    """

    call: str
    value: str
    path: str
    line: int
    test: str
    holds: bool = True
    case: int = 0  # of its parameters

    @property
    def said(self) -> str:
        return (
            f"{self.path}:{self.line} asserts {self.call} == {self.value}" if self.call else f"{self.path}:{self.line}"
        )


def contradictions(sources: Mapping[str, str], targets: Iterable[str]) -> Iterator[Advisory]:
    """Pairs of assertions that contradict each other, where at least one is a target's; and impossible ones.

    Parameters
    ----------
    sources
        Texts of test files by path, as node ids have them.
    targets
        Node ids.
    """
    red = {nodeid.split("[", 1)[0] for nodeid in targets}
    claims = [claim for path, text in sources.items() for claim in _claims(path, text)]
    known: dict[str, Claim] = {}
    told: set[str] = set()
    for claim in claims:
        if not claim.holds and f"{claim.path}::{claim.test}" in red:
            text = f"no code can make this true: {claim.said} asserts {claim.value}"
            yield Advisory(CODE, text, claim.path, claim.line)
        if not claim.call:
            continue
        other = known.setdefault(claim.call, claim)
        asked = {f"{c.path}::{c.test}" for c in (claim, other)} & red
        # Within one test something may well have happened between two calls.
        apart = (other.path, other.test, other.case) != (claim.path, claim.test, claim.case)
        if apart and other.value != claim.value and asked and claim.call not in told:
            told.add(claim.call)
            yield Advisory(CODE, f"the tests contradict each other: {other.said}; {claim.said}", claim.path, claim.line)


def _claims(path: str, text: str) -> Iterator[Claim]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    names = _imports(tree)
    for test, function in _tests(tree.body, ""):
        for number, row in enumerate(_rows(function)):
            for statement in function.body:
                for claim in _said(statement, names, row, path, test):
                    yield replace(claim, case=number)


def _tests(body: list[ast.stmt], outer: str) -> Iterator[tuple[str, Function]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{outer}{node.name}::")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield f"{outer}{node.name}", node


def _imports(tree: ast.Module) -> dict[str, str]:
    """Whole names of what a file imports at its top."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.asname or a.name: a.name for a in node.names if a.asname or "." not in a.name}
    return found


def _rows(function: Function) -> list[dict[str, str]]:
    """What each parameter is in each case, as text; one empty row where there are none that can be read."""
    marks = [d for d in function.decorator_list if "parametrize" in ast.unparse(d)]
    match marks:
        case [ast.Call(args=[names, ast.List(elts=cases) | ast.Tuple(elts=cases)])]:
            words = _constant(names)
            given = words.replace(" ", "").split(",") if isinstance(words, str) else words
            keys = [str(k) for k in given] if isinstance(given, list | tuple) else []
            rows = []
            for case in cases:
                values = case.elts if len(keys) > 1 and isinstance(case, ast.Tuple | ast.List) else [case]
                if len(values) == len(keys) and all(_is_constant(v) for v in values):
                    rows.append({k: _text(v) for k, v in zip(keys, values, strict=True)})
            return rows or [{}]
    return [{}]


def _said(
    statement: ast.stmt, names: Mapping[str, str], row: Mapping[str, str], path: str, test: str
) -> Iterator[Claim]:
    match statement:
        case ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
            pass
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="assertEqual"), args=[left, right, *_])):
            pass
        case ast.Assert(test=ast.Constant(value=value)) if not value:
            yield Claim("", repr(value), path, statement.lineno, test, holds=False)
            return
        case _:
            return
    one, other = _filled(left, row), _filled(right, row)
    if one and other:
        if not row and one != other and not _floats(left, right):
            yield Claim("", f"{one} == {other}", path, statement.lineno, test, holds=False)
    elif other and (call := _call(left, names, row)):
        yield Claim(call, other, path, statement.lineno, test)
    elif one and (call := _call(right, names, row)):
        yield Claim(call, one, path, statement.lineno, test)


def _call(node: ast.expr, names: Mapping[str, str], row: Mapping[str, str]) -> str:
    """A call of something imported with constants; empty if it is none, or has no arguments."""
    if not isinstance(node, ast.Call) or not (node.args or node.keywords):
        return ""
    match node.func:
        case ast.Name(id=name) if name in names:
            function = names[name]
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in names:
            function = f"{names[name]}.{attribute}"
        case _:
            return ""
    given = [_filled(a, row) for a in node.args]
    named = sorted(f"{k.arg}={_filled(k.value, row)}" for k in node.keywords if k.arg and _filled(k.value, row))
    if not all(given) or len(named) < len(node.keywords):
        return ""
    return f"{function}({', '.join([*given, *named])})"


def _filled(node: ast.expr, row: Mapping[str, str]) -> str:
    """A constant as text, or what a parameter is in this case; empty for anything else."""
    if isinstance(node, ast.Name):
        return row.get(node.id, "")
    return _text(node) if _is_constant(node) else ""


def _floats(*nodes: ast.expr) -> bool:
    """Whether two texts may differ and be equal: 1 and 1.0, True and 1, sets."""
    kinds = {type(_constant(n)) for n in nodes}
    return len(kinds) > 1 or bool(kinds & {set, dict, float})


def _is_constant(node: ast.expr) -> bool:
    return _constant(node) is not _NOTHING


_NOTHING = object()


def _constant(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _NOTHING


def _text(node: ast.expr) -> str:
    return repr(_constant(node))
