"""Answers that are written down instead of computed: inputs and outputs of the tests, as constants of a change. Pure.

That a change has learnt its tests by heart cannot be proven absent; what stands in the text can be seen.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from engine.verify.asked import Asked, Case, Function
from engine.verify.constants import Key, constants_of, key, keys

TRIVIAL: frozenset[Key] = frozenset((type(v).__name__, v) for v in (0, 1, 2, -1, None, True, False, "", 0.0, 1.0, b""))
"""Where a computation honestly begins or ends."""

NUMBERS = frozenset({"int", "float", "complex", "tuple"})
LONG = 8
"""Characters of a text that is no name of anything."""

FEW = 3
"""So many outputs of as many cases are no chance."""

SMALL = 6
"""More constants than this are not one case."""

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
    function: str = ""  # it stands in, with its class

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


@dataclass(frozen=True, slots=True)
class Learnt:
    """Answers in place of a rule, and special cases beside one."""

    by_heart: tuple[Answer, ...]
    special: tuple[Answer, ...] = ()


def learnt(
    tree: ast.AST,
    added: frozenset[int],
    rows: Sequence[frozenset[Key]],
    before: ast.AST | None,
    calls: Asked | None = None,
    said: Sequence[frozenset[str]] = (),
) -> Learnt:
    """Answers in added lines that stand together in the tests too.

    Parameters
    ----------
    added
        Lines that are new.
    rows
        Constants of the tests that stand together, from `cases`.
    before
        The file as it was: a table, special case or constant that it had is data, and may change or grow.
    calls
        What the tests ask of which function, from `asked`.
    said
        Words of each text for people in the file as it was: what they spell out is a specification.
    """
    known, rows_, tables = _Known.of(before), _Rows(rows), list(_tables(tree))
    found = [a for a in (*tables, *_branches(tree), *_constants(tree)) if a.line in added and a.telling]
    found = [a for a in found if a not in known and not _spelt(a, said)]
    kept: list[Answer] = []
    for line in dict.fromkeys(a.table for a in found):
        group = [a for a in found if a.table == line]
        whole = [a for a in tables if a.table == line] if line else []
        # A table of which the tests ask a part only is somebody's data.
        if line and (len(whole) < 2 or any(a.inputs in known.tables for a in whole) or not all(map(rows_.hold, whole))):
            continue
        kept += [a for a in group if rows_.hold(a)]
    ruled = _Ruled(tree, calls or Asked())
    ruling = [(a, ruled.by_rule(a)) for a in kept]
    special = [a for a, rule in ruling if rule]
    heart = [a for a, rule in ruling if not rule]
    if not kept:
        heart = _outputs(tree, added, rows_, before) or _packed(tree, added, rows_)
    return Learnt(*(tuple(sorted(some, key=lambda a: a.line)) for some in (heart, special)))


@dataclass(frozen=True, slots=True)
class _Known:
    """What a file wrote down already before it was changed."""

    tables: frozenset[tuple[Key, ...]]
    cases: frozenset[tuple[str, tuple[Key, ...]]]
    classes: frozenset[str]

    @classmethod
    def of(cls, before: ast.AST | None) -> _Known:
        if before is None:
            return cls(frozenset(), frozenset(), frozenset())
        branches = ((a.function, a.inputs) for a in _branches(before) if a.output is not None)
        constants = ((a.function, a.inputs) for a in _constants(before, trivial=True))
        bases = (n.name for n in ast.walk(before) if isinstance(n, ast.ClassDef) and n.bases)
        return cls(frozenset(a.inputs for a in _tables(before)), frozenset((*branches, *constants)), frozenset(bases))

    def __contains__(self, answer: Answer) -> bool:
        """Whether a function answered this before, if otherwise; or its class says what others say too."""
        outer = answer.function.rpartition(".")[0]
        override = answer.inputs[0][0] == "call" and outer in self.classes
        return override or (answer.function, answer.inputs) in self.cases


def _spelt(answer: Answer, said: Sequence[frozenset[str]]) -> bool:
    """Whether a text for people names inputs and output together."""
    wanted = {str(value) for _, value in (*answer.inputs, answer.output)}
    return any(wanted <= words for words in said)


@dataclass(slots=True)
class _Ruled:
    """Tells a special case beside a rule from answers in place of one, by what the tests ask of the function.

    By heart is a case if a constant answers it and no other. Where most cases are, the function computes nothing.
    """

    tree: ast.AST
    calls: Asked
    _functions: dict[str, set[str]] = field(default_factory=dict)  # names a function reads, by its own
    _answers: list[Answer] = field(default_factory=list)
    _tables: dict[int, set[tuple[Key, ...]]] = field(default_factory=dict)  # inputs, by the table's line
    _owned: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    _known: dict[frozenset[str], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for function, _ in _functions(self.tree):
            self._functions.setdefault(function.name, set()).update(_read(function))
        self._answers = [*_tables(self.tree), *_branches(self.tree)]
        for answer in self._answers:
            self._tables.setdefault(answer.table, set()).add(answer.inputs)

    def by_rule(self, answer: Answer) -> bool:
        owners = self._owners(answer)
        entries = self._entries(owners)
        if self._closed(answer, entries):
            return True
        cases_ = [case for name in entries for case in self.calls.cases.get(name, ())]
        if not cases_ or (answer.whole and len(answer.inputs) > 1):
            return False
        if answer.inputs[0][0] == "call":
            return len(cases_) > 1
        if owners not in self._known:
            self._known[owners] = self._by_heart(owners, cases_) <= len(cases_) / 2
        return self._known[owners]

    def _by_heart(self, owners: frozenset[str], cases_: Sequence[Case]) -> int:
        """How many cases of some functions a constant answers that answers no other."""
        heart, left, rows = set[int](), set(range(len(cases_))), _Rows(cases_)
        for answer in (a for a in self._answers if self._owners(a) & owners):
            wanted = {*answer.inputs, answer.output}
            hits = rows.with_(wanted)
            left -= hits
            if answer.whole or len({cases_[n] - wanted for n in hits}) == 1:
                heart |= hits
        for output in _ways_out(self.tree, owners):
            hits = left & rows.with_({output})
            heart |= hits if len(hits) == 1 else set()
        return len(heart)

    def _owners(self, answer: Answer) -> frozenset[str]:
        """The function an answer stands in; of a table at the top, those that name it."""
        if answer.function:
            return frozenset({answer.function.rpartition(".")[2]})
        place = (answer.function, answer.table)
        if place not in self._owned:
            names = {
                target.id
                for node in ast.walk(self.tree)
                if isinstance(node, ast.Assign | ast.AnnAssign)
                if node.lineno <= answer.line <= (node.end_lineno or node.lineno)
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name)
            }
            self._owned[place] = frozenset(f for f, read in self._functions.items() if names & read)
        return self._owned[place]

    def _entries(self, owners: frozenset[str]) -> frozenset[str]:
        """The owners, if tests call them; else the functions of the file that lead to them."""
        for _ in range(4):
            if owners & self.calls.cases.keys():
                break
            owners |= {f for f, read in self._functions.items() if owners & read}
        return owners & self.calls.cases.keys()

    def _closed(self, answer: Answer, entries: frozenset[str]) -> bool:
        """Whether a table of names is all there is: the tests expect an error for a name that is not in it."""
        inputs = self._tables.get(answer.table, set()) if answer.table else set()
        if not inputs or not all(len(i) == 1 and _is_name(i[0]) for i in inputs):
            return False
        refused = (k for name in entries for case in self.calls.refused.get(name, ()) for k in case)
        return any(_is_name(k) and (k,) not in inputs for k in refused)


def _is_name(found: Key) -> bool:
    return isinstance(found[1], str) and found[0] == "str" and re.fullmatch(r"\w[\w.+/-]*", found[1]) is not None


def _read(function: Function) -> set[str]:
    nodes = list(ast.walk(function))
    names = {n.id for n in nodes if isinstance(n, ast.Name)}
    return names | {n.attr for n in nodes if isinstance(n, ast.Attribute)}


def _ways_out(tree: ast.AST, owners: frozenset[str]) -> set[Key]:
    """Constants that functions return."""
    returns = (n for f, _ in _functions(tree) if f.name in owners for n in ast.walk(f) if isinstance(n, ast.Return))
    return {found for node in returns for part in _leaves(node.value) if (found := key(part)) is not None}


def _leaves(node: ast.expr | None) -> Iterator[ast.expr]:
    """What a conditional expression may be; the default of a look-up."""
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*_leaves(body), *_leaves(orelse))
        case ast.Call(func=ast.Attribute(attr="get"), args=[_, default]):
            yield default
        case ast.expr():
            yield node


def _outputs(tree: ast.AST, added: frozenset[int], rows: _Rows, before: ast.AST | None) -> list[Answer]:
    """A table of numbers, each the answer of another case and no two of the same: its keys are disguised."""
    known = {a.output for a in _tables(before)} if before is not None else set()
    tables: dict[int, list[Answer]] = {}
    for answer in _tables(tree):
        if all(kind in NUMBERS for kind, _ in answer.inputs):
            tables.setdefault(answer.table, []).append(answer)
    cases_: list[frozenset[Key]] | None = None
    for table in tables.values():
        if len(table) < FEW or table[0].line not in added:
            continue
        if cases_ is None:
            cases_ = [row for row in rows.all if not any(other < row for other in rows.all)]
        outputs = {a.output for a in table if a.output[0] in NUMBERS and a.output not in TRIVIAL}
        hits = [len(outputs & row) for row in cases_]
        apart = max(hits, default=0) == 1 and all(any(o in row for row in cases_) for o in outputs)
        plain = sum(map(rows.hold, table)) > len(table) / 2
        if len(outputs) == len(table) and apart and not plain and not outputs & known:
            return table
    return []


def _packed(tree: ast.AST, added: frozenset[int], rows: _Rows) -> list[Answer]:
    """Cases of numbers that stand in texts of one statement, which hold little else."""
    plain = {row: frozenset(k for k in row if k[0] not in ("tuple", "call")) for row in rows.all}
    few = {row for row in plain.values() if 1 < len(row) <= SMALL and all(kind in ("int", "float") for kind, _ in row)}
    if len(few) < FEW:
        return []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.Return) or node.lineno not in added:
            continue
        texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        said = {word for text in texts for word in re.findall(r"\d+(?:\.\d+)?|[^\W\d]\w*", text)}
        hits = [row for row in few if row - TRIVIAL and {str(value) for _, value in row} <= said]
        used = {str(value) for row in hits for _, value in row}
        if len(hits) >= FEW and len(used) * 3 >= len(said) * 2:
            return [Answer(tuple(sorted(row, key=str))[:-1], max(row, key=str), node.lineno) for row in hits]
    return []


def cases(tests: Iterable[ast.AST]) -> list[frozenset[Key]]:
    """Constants that stand together in one assertion, call or row of parameters."""
    rows: set[frozenset[Key]] = set()
    for tree in tests:
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert | ast.Tuple | ast.List | ast.Call | ast.Compare | ast.Dict):
                found = frozenset(keys(node))
                if 1 < len(found) <= ROW:
                    rows.add(found)
            elif isinstance(node, Function):
                found = frozenset(k for s in node.body for k in keys(s))
                if 1 < len(found) <= ROW // 4:
                    rows.add(found)
    return list(rows)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Constants that stand together, found by any of them."""

    all: Sequence[frozenset[Key]]
    _by: dict[Key, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, row in enumerate(self.all):
            for found in row:
                self._by.setdefault(found, set()).add(number)

    def with_(self, wanted: set[Key]) -> set[int]:
        """Numbers of the rows that have all of these."""
        first, *more = sorted((self._by.get(k, set()) for k in wanted), key=len)
        return first.intersection(*more)

    def hold(self, answer: Answer) -> bool:
        """Whether a row has the inputs and the output."""
        return bool(self.with_({*answer.inputs, answer.output}))


# -- what a change says -----------------------------------------------------------------------------------------------


def _functions(tree: ast.AST) -> Iterator[tuple[Function, str]]:
    """Every function with its name and that of its class."""
    outer = {id(n): node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for n in node.body}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node, f"{outer[id(node)]}.{node.name}" if id(node) in outer else node.name


def _tables(tree: ast.AST | None) -> Iterator[Answer]:
    """Dictionaries, and lists that are indexed where they stand."""
    if tree is None:
        return
    inside = {id(n): name for f, name in _functions(tree) for n in ast.walk(f)}
    for node in ast.walk(tree):
        function = inside.get(id(node), "")
        match node:
            case ast.Dict(keys=names, values=values):
                for name, value in zip(names, values, strict=True):
                    inputs, output = constants_of(name), key(value)
                    if inputs and output is not None:
                        yield Answer(inputs, output, value.lineno, table=node.lineno, function=function)
            case ast.Subscript(value=ast.List(elts=elts) | ast.Tuple(elts=elts), slice=index) if key(index) is None:
                for number, value in enumerate(elts):
                    output = key(value)
                    if output is not None:
                        inputs = (("int", number),)
                        yield Answer(inputs, output, value.lineno, table=node.lineno, function=function)
            case _:
                pass


def _branches(tree: ast.AST) -> Iterator[Answer]:
    """``if a == 2 and b == 3: return 5``, its ternary, and ``case``."""
    for function, name in _functions(tree):
        arguments = _arguments(function)
        for node in ast.walk(function):
            match node:
                case ast.If(test=test, body=[first, *_]):
                    output = _given(first)
                case ast.IfExp(test=test, body=body):
                    output = key(body)
                case ast.match_case(pattern=ast.MatchValue(value=value), body=[first, *_]):
                    inputs, output = constants_of(value), _given(first)
                    if inputs and output is not None:
                        yield Answer(inputs, output, value.lineno, function=name)
                    continue
                case _:
                    continue
            names, inputs = _pinned(test)
            if inputs and output is not None:
                yield Answer(inputs, output, node.lineno, whole=arguments <= names, function=name)


def _constants(tree: ast.AST, trivial: bool = False) -> Iterator[Answer]:
    """A function that has arguments, looks at none, and returns a constant."""
    for function, name in _functions(tree):
        body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        arguments = _arguments(function)
        if len(body) == 1 and arguments and isinstance(body[0], ast.Return) and not function.decorator_list:
            output = key(body[0].value)
            if output is not None and (trivial or (output not in TRIVIAL and output[0] in NUMBERS)):
                yield Answer((("call", function.name),), output, body[0].lineno, whole=True, function=name)


def _arguments(function: Function) -> frozenset[str]:
    given = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return frozenset(a.arg for a in given) - {"self", "cls"}


def _given(statement: ast.stmt) -> Key | None:
    match statement:
        case ast.Return(value=value) | ast.Assign(value=value) | ast.Expr(value=ast.Yield(value=value)):
            return key(value)
    return None


def _pinned(test: ast.expr) -> tuple[frozenset[str], tuple[Key, ...]]:
    """Names that are equal to constants where a condition holds, and these."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            parts = [_pinned(v) for v in values]
            return frozenset().union(*(n for n, _ in parts)), tuple(k for _, found in parts for k in found)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            if not constants_of(right):
                left, right = right, left
            names = frozenset(n.id for n in ast.walk(left) if isinstance(n, ast.Name))
            return (names, constants_of(right)) if names else (frozenset(), ())
    return frozenset(), ()
