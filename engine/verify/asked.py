"""What tests ask of which function: each case of a call, as the constants that stand in it. Pure.

A case is a row of parameters, a turn of a loop over constants, or the statement a call stands in. Where an error is
expected nothing is answered: those are refusals.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, product

from engine.verify.constants import Key, called, keys

Case = frozenset[Key]

MANY = 8
"""As so many cases counts what cannot be counted: inputs that are computed."""

MOST = 200
"""Cases of one test that are looked at."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Asked:
    """By the name of the function or method that is called: cases, and constants for which an error is expected.

    A case that holds nothing was computed.
    """

    cases: dict[str, list[Case]] = field(default_factory=dict)
    refused: dict[str, list[Case]] = field(default_factory=dict)


def asked(trees: Iterable[ast.AST]) -> Asked:
    """What all tests of some files ask; of a file that is nested too deep, nothing."""
    found = Asked()
    for tree in trees:
        if isinstance(tree, ast.Module):
            with suppress(RecursionError):
                _ask(tree, found)
    return found


def _ask(tree: ast.Module, found: Asked) -> None:
    known = dict[str, ast.expr]()
    for node in tree.body:
        match node:
            case ast.Assign(targets=[*_, ast.Name(id=name)], value=value):
                known[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                known[name] = value
            case _:
                pass
    for test, marks in _tests(tree.body, ()):
        rows = _product([_rows(mark, known) for mark in marks])
        around = frozenset(k for s in test.body for k in keys(s))
        for name, cases, answered in _calls(test.body, rows, around, known):
            (found.cases if answered else found.refused).setdefault(name, []).extend(cases)


def _tests(body: Sequence[ast.stmt], outer: tuple[ast.expr, ...]) -> Iterator[tuple[Function, list[ast.expr]]]:
    """Tests, each with the marks that give it its inputs."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, (*outer, *node.decorator_list))
        elif isinstance(node, Function) and node.name.startswith("test"):
            yield node, [m for m in (*outer, *node.decorator_list) if _gives(m)]


def _gives(mark: ast.expr) -> bool:
    return isinstance(mark, ast.Call) and called(mark) in ("parametrize", "given")


def _rows(mark: ast.expr, known: dict[str, ast.expr]) -> list[Case]:
    """The rows of a mark; many empty ones where they cannot be read."""
    given = list(mark.args) if isinstance(mark, ast.Call) and called(mark) == "parametrize" else []
    given += [k.value for k in mark.keywords if k.arg == "argvalues"] if isinstance(mark, ast.Call) else []
    return _turns(given[1], known) if len(given) > 1 else [frozenset()] * MANY


def _turns(node: ast.expr, known: dict[str, ast.expr]) -> list[Case]:
    """What stands in each element of a list, tuple or table, also of one with a name."""
    node = known.get(node.id, node) if isinstance(node, ast.Name) else node
    match node:
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts) if elts:
            return [frozenset(keys(e)) for e in elts]
        case ast.Dict(keys=names, values=values) if values:
            return [frozenset((*(keys(n) if n else ()), *keys(v))) for n, v in zip(names, values, strict=True)]
        case ast.Call(func=ast.Attribute(value=inner, attr="items")):
            return _turns(inner, known)
    return [frozenset()] * MANY


def _product(rows: Sequence[Sequence[Case]]) -> list[Case]:
    return [frozenset[Key]().union(*some) for some in islice(product(*rows), MOST)]


def _calls(
    body: Sequence[ast.stmt], rows: list[Case], around: Case, known: dict[str, ast.expr], answered: bool = True
) -> Iterator[tuple[str, list[Case], bool]]:
    """Every call of a test's body with its cases, and whether it is to give an answer."""
    for statement in body:
        turns, gives = rows, answered
        if isinstance(statement, ast.With | ast.AsyncWith):
            gives = answered and not any("raises" in ast.unparse(item).lower() for item in statement.items)
        if isinstance(statement, ast.For | ast.AsyncFor):
            turns = _product([rows, _turns(statement.iter, known)])
        inner = [s for part in ("body", "orelse", "finalbody") for s in getattr(statement, part, ())]
        if inner and not isinstance(statement, Function | ast.ClassDef):
            yield from _calls(inner, turns, around, known, gives)
            continue
        here = frozenset(keys(statement))
        # What a call gives is often kept, and looked at further down.
        here = here if isinstance(statement, ast.Assert | ast.Expr) else here | around
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n is not node.func]
                yield called(node), [here | row for row in turns] if names else [here], gives
