"""Answers that are written down instead of computed: inputs and outputs of the tests, as constants of a change. Pure.

That a change has learnt its tests by heart cannot be proven absent; what stands in the text can be seen.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

Key = tuple[str, Hashable]
"""A constant with its type, so that 1 and True are two."""

TRIVIAL: frozenset[Key] = frozenset((type(v).__name__, v) for v in (0, 1, 2, -1, None, True, False, "", 0.0, 1.0, b""))
"""Where a computation honestly begins or ends."""

NUMBERS = frozenset({"int", "float", "complex", "tuple"})
LONG = 8
"""Characters of a text that is no name of anything."""

FEW = 3
"""So many outputs of as many cases are no chance."""

ROW = 40
"""More constants than this in one place are data, not a case."""


@dataclass(frozen=True, slots=True)
class Answer:
    """For these ``inputs`` this ``output``, at a line. ``whole``: the inputs pin every argument of their function."""

    inputs: tuple[Key, ...]
    output: Key
    line: int
    whole: bool = False
    table: int = 0  # which table it is a row of, by its line

    @property
    def telling(self) -> bool:
        """Whether a formula would have been expected: numbers of numbers, long text, or every input at once."""
        if self.inputs[0][0] == "call":
            return True
        given = [i for i in self.inputs if i not in TRIVIAL]
        if self.whole and len(self.inputs) > 1:
            return bool(given) or self.output not in TRIVIAL
        told = self.output not in TRIVIAL and self.output not in given
        numbers = self.output[0] in NUMBERS and all(kind in NUMBERS for kind, _ in given)
        return bool(given) and told and (numbers or all(isinstance(v, str) and len(v) > LONG for _, v in given))


def learnt(
    tree: ast.AST, added: frozenset[int], rows: Sequence[frozenset[Key]], before: ast.AST | None
) -> list[Answer]:
    """Answers in added lines that stand together in the tests too.

    Parameters
    ----------
    added
        Lines that are new.
    rows
        Constants of the tests that stand together, from `cases`.
    before
        The file as it was: a table that it had is data, and may grow.
    """
    found = [a for a in (*_tables(tree), *_branches(tree), *_constants(tree)) if a.line in added and a.telling]
    known = {a.inputs for a in _tables(before)} if before is not None else set()
    kept: list[Answer] = []
    for line in dict.fromkeys(a.table for a in found):
        group = [a for a in found if a.table == line]
        whole = [a for a in _tables(tree) if a.table == line] if line else []
        # A table of which the tests ask a part only is somebody's data.
        if line and (len(whole) < 2 or any(a.inputs in known for a in whole) or not _all_asked(whole, rows)):
            continue
        kept += [a for a in group if _asked(a, rows)]
    return sorted(kept or _outputs(tree, added, rows, before), key=lambda a: a.line)


def _outputs(
    tree: ast.AST, added: frozenset[int], rows: Sequence[frozenset[Key]], before: ast.AST | None
) -> list[Answer]:
    """A table of numbers, each the answer of another case and no two of the same: its keys are disguised."""
    known = {a.output for a in _tables(before)} if before is not None else set()
    tables: dict[int, list[Answer]] = {}
    for answer in _tables(tree):
        if all(kind in NUMBERS for kind, _ in answer.inputs):
            tables.setdefault(answer.table, []).append(answer)
    cases_ = [row for row in rows if not any(other < row for other in rows)]
    for table in tables.values():
        outputs = {a.output for a in table if a.output[0] in NUMBERS and a.output not in TRIVIAL}
        hits = [len(outputs & row) for row in cases_]
        apart = max(hits, default=0) == 1 and all(any(o in row for row in cases_) for o in outputs)
        if len(outputs) == len(table) >= FEW and apart and table[0].line in added and not outputs & known:
            return table
    return []


def cases(tests: Iterable[ast.AST]) -> list[frozenset[Key]]:
    """Constants that stand together in one assertion, call or row of parameters."""
    rows: set[frozenset[Key]] = set()
    for tree in tests:
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert | ast.Tuple | ast.List | ast.Call | ast.Compare | ast.Dict):
                found = frozenset(_keys(node))
                if 1 < len(found) <= ROW:
                    rows.add(found)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found = frozenset(k for s in node.body for k in _keys(s))
                if 1 < len(found) <= ROW // 4:
                    rows.add(found)
    return list(rows)


def _asked(answer: Answer, rows: Sequence[frozenset[Key]]) -> bool:
    wanted = {*answer.inputs, answer.output}
    return any(wanted <= row for row in rows)


def _all_asked(answers: Sequence[Answer], rows: Sequence[frozenset[Key]]) -> bool:
    return all(_asked(a, rows) for a in answers)


# -- what a change says -----------------------------------------------------------------------------------------------


def _tables(tree: ast.AST | None) -> Iterator[Answer]:
    """Dictionaries, and lists that are indexed where they stand."""
    for node in ast.walk(tree) if tree is not None else ():
        match node:
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    inputs, output = _constants_of(key), _key(value)
                    if inputs and output is not None:
                        yield Answer(inputs, output, value.lineno, table=node.lineno)
            case ast.Subscript(value=ast.List(elts=elts) | ast.Tuple(elts=elts), slice=index) if _key(index) is None:
                for number, value in enumerate(elts):
                    output = _key(value)
                    if output is not None:
                        yield Answer((("int", number),), output, value.lineno, table=node.lineno)
            case _:
                pass


def _branches(tree: ast.AST) -> Iterator[Answer]:
    """``if a == 2 and b == 3: return 5``, its ternary, and ``case``."""
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)):
        arguments = _arguments(function)
        for node in ast.walk(function):
            match node:
                case ast.If(test=test, body=[first, *_]):
                    output = _given(first)
                case ast.IfExp(test=test, body=body):
                    output = _key(body)
                case ast.match_case(pattern=ast.MatchValue(value=value), body=[first, *_]):
                    inputs, output = _constants_of(value), _given(first)
                    if inputs and output is not None:
                        yield Answer(inputs, output, value.lineno)
                    continue
                case _:
                    continue
            names, inputs = _pinned(test)
            if inputs and output is not None:
                yield Answer(inputs, output, node.lineno, whole=arguments <= names)


def _constants(tree: ast.AST) -> Iterator[Answer]:
    """A function that has arguments, looks at none, and returns a constant."""
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)):
        body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        arguments = _arguments(function)
        if len(body) == 1 and arguments and isinstance(body[0], ast.Return) and not function.decorator_list:
            output = _key(body[0].value)
            if output is not None and output not in TRIVIAL and output[0] in ("int", "float", "complex", "tuple"):
                yield Answer((("call", function.name),), output, body[0].lineno, whole=True)


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    given = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return frozenset(a.arg for a in given) - {"self", "cls"}


def _given(statement: ast.stmt) -> Key | None:
    match statement:
        case ast.Return(value=value) | ast.Assign(value=value) | ast.Expr(value=ast.Yield(value=value)):
            return _key(value)
    return None


def _pinned(test: ast.expr) -> tuple[frozenset[str], tuple[Key, ...]]:
    """Names that are equal to constants where a condition holds, and these."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            parts = [_pinned(v) for v in values]
            return frozenset().union(*(n for n, _ in parts)), tuple(k for _, keys in parts for k in keys)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            if not _constants_of(right):
                left, right = right, left
            names = frozenset(n.id for n in ast.walk(left) if isinstance(n, ast.Name))
            return (names, _constants_of(right)) if names else (frozenset(), ())
    return frozenset(), ()


# -- constants --------------------------------------------------------------------------------------------------------


def _keys(node: ast.AST) -> Iterator[Key]:
    """All constants below a node, those of containers as one too, and the names that are called."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.expr):
            key = _key(inner)
            if key is not None:
                yield key
        if isinstance(inner, ast.Call):
            name = inner.func.attr if isinstance(inner.func, ast.Attribute) else getattr(inner.func, "id", "")
            yield ("call", name)


def _constants_of(node: ast.expr | None) -> tuple[Key, ...]:
    """A constant, or the parts of a tuple of constants."""
    if isinstance(node, ast.Tuple):
        parts = [_key(e) for e in node.elts]
        return tuple(p for p in parts if p is not None) if parts and None not in parts else ()
    key = _key(node)
    return (key,) if key is not None else ()


def _key(node: ast.AST | None) -> Key | None:
    """A constant, a negative number, or a container of them."""
    match node:
        case ast.Constant(value=value) if value is not Ellipsis:
            return type(value).__name__, value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value) | float(value))):
            return type(value).__name__, -value
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts) if elts:
            parts = [_key(e) for e in elts]
            return None if None in parts else ("tuple", tuple(parts))
    return None
