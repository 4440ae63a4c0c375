"""The operations expressions are put together from: text, kinds of operands, cost and what they do. Data only.

What fits a few examples by accident (remainders, powers, shifts, bits) costs more than what is written more often.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

ATOM = 15  # how tightly names, calls and subscripts hold together; what an operand needs is counted on the same scale
KINDS: dict[str, tuple[str, ...]] = {
    "N": ("int", "float"),
    "I": ("int",),
    "F": ("float",),
    "B": ("bool",),
    "S": ("str",),
    "L": ("list", "tuple", "range"),
    "Q": ("list", "tuple", "str"),
    "D": ("dict",),
    "A": ("array",),
    "E": ("int", "float", "bool", "str", "tuple"),
    "M": ("list", "tuple"),
    "W": ("list", "tuple", "str", "dict", "set", "range"),
}


class Operation(NamedTuple):
    """One way to make an expression of others.

    ``form`` has a place for each operand; ``kinds`` a letter; ``holds`` is how tightly the whole holds together and
    ``needs`` how tightly each operand must; a ``twin`` gives the same with its two operands exchanged.
    """

    form: str
    kinds: str
    do: Callable[..., Any]
    cost: int = 1
    holds: int = ATOM
    needs: tuple[int, ...] = ()
    twin: bool = False


def _power(a: Any, b: Any) -> Any:
    if abs(b) > 64 or abs(a) > 1 << 20:
        raise OverflowError
    return a**b


def _left(a: int, b: int) -> int:
    if b > 64:
        raise OverflowError
    return a << b


def _times(a: Any, b: int) -> Any:
    if b * len(a) > 10_000:
        raise OverflowError
    return a * b


def _counted(n: int) -> range:
    if n > 10_000:
        raise OverflowError
    return range(n)


def _pair(form: str, kinds: str, do: Callable[..., Any], level: int, cost: int = 1, *, twin: bool = False) -> Operation:
    """An operator between two operands."""
    return Operation(form, kinds, do, cost, level, (level, level + 1), twin)


NUMBERS = (
    _pair("{0} + {1}", "NN", operator.add, 10, twin=True),
    _pair("{0} - {1}", "NN", operator.sub, 10),
    _pair("{0} * {1}", "NN", operator.mul, 11, twin=True),
    _pair("{0} // {1}", "NN", operator.floordiv, 11),
    _pair("{0} / {1}", "NN", operator.truediv, 11),
    _pair("{0} % {1}", "NN", operator.mod, 11, 2),
    Operation("{0} ** {1}", "NN", _power, 3, 13, (14, 12)),
    Operation("min({0}, {1})", "NN", min, twin=True),
    Operation("max({0}, {1})", "NN", max, twin=True),
    Operation("-{0}", "N", operator.neg, 1, 12, (12,)),
    Operation("abs({0})", "N", abs),
    Operation("round({0})", "F", round),
    Operation("int({0})", "F", int),
    Operation("int({0})", "S", int, 2),
    Operation("float({0})", "I", float, 2),
    Operation("str({0})", "I", str, 2),
    _pair("{0} & {1}", "II", operator.and_, 8, 2, twin=True),
    _pair("{0} | {1}", "II", operator.or_, 6, 2, twin=True),
    _pair("{0} ^ {1}", "II", operator.xor, 7, 3, twin=True),
    _pair("{0} << {1}", "II", _left, 9, 2),
    _pair("{0} >> {1}", "II", operator.rshift, 9, 2),
)
QUESTIONS = (
    Operation("{0} == {1}", "NN", operator.eq, 1, 5, (6, 6), True),
    Operation("{0} != {1}", "NN", operator.ne, 1, 5, (6, 6), True),
    Operation("{0} == {1}", "SS", operator.eq, 1, 5, (6, 6), True),
    Operation("{0} != {1}", "SS", operator.ne, 1, 5, (6, 6), True),
    Operation("{0} < {1}", "NN", operator.lt, 1, 5, (6, 6)),
    Operation("{0} <= {1}", "NN", operator.le, 1, 5, (6, 6)),
    Operation("{0} > {1}", "NN", operator.gt, 1, 5, (6, 6)),
    Operation("{0} >= {1}", "NN", operator.ge, 1, 5, (6, 6)),
    Operation("{0} % {1} == 0", "II", lambda a, b: a % b == 0, 2, 5, (11, 12)),
    Operation("not {0}", "B", operator.not_, 1, 4, (4,)),
    Operation("not {0}", "W", operator.not_, 1, 4, (4,)),
    Operation("{0} and {1}", "BB", lambda a, b: a and b, 1, 3, (3, 4), True),
    Operation("{0} or {1}", "BB", lambda a, b: a or b, 1, 2, (2, 3), True),
    Operation("{0} in {1}", "EL", lambda a, b: a in b, 1, 5, (6, 6)),
    Operation("{0} in {1}", "ED", lambda a, b: a in b, 1, 5, (6, 6)),
    Operation("{0} in {1}", "SS", lambda a, b: a in b, 1, 5, (6, 6)),
    Operation("{0} == {1}", "LL", operator.eq, 1, 5, (6, 6), True),
)
TEXTS = (
    _pair("{0} + {1}", "SS", operator.add, 10),
    Operation("{0} * {1}", "SI", _times, 2, 11, (11, 12)),
    Operation("{0}.upper()", "S", str.upper),
    Operation("{0}.lower()", "S", str.lower),
    Operation("{0}.strip()", "S", str.strip),
    Operation("{0}.title()", "S", str.title),
    Operation("{0}.capitalize()", "S", str.capitalize),
    Operation("{0}.split()", "S", str.split),
    Operation("{0}.split({1})", "SS", str.split),
    Operation("{0}.splitlines()", "S", str.splitlines, 2),
    Operation("{0}.join({1})", "SL", lambda s, rows: s.join(rows)),
    Operation("{0}.startswith({1})", "SS", str.startswith),
    Operation("{0}.endswith({1})", "SS", str.endswith),
    Operation("{0}.replace({1}, {2})", "SSS", str.replace, 1),
    Operation("{0}.isdigit()", "S", str.isdigit),
    Operation("{0}.isalpha()", "S", str.isalpha),
    Operation("{0}.isupper()", "S", str.isupper),
)
ROWS = (
    Operation("len({0})", "W", len),
    Operation("{0}[::-1]", "Q", lambda rows: rows[::-1], 1, ATOM, (ATOM,)),
    Operation("{0}[{1}]", "QI", operator.getitem, 1, ATOM, (ATOM, 0)),
    Operation("{0}[:{1}]", "QI", lambda rows, at: rows[:at], 1, ATOM, (ATOM, 0)),
    Operation("{0}[{1}:]", "QI", lambda rows, at: rows[at:], 1, ATOM, (ATOM, 0)),
    Operation("sum({0})", "L", sum),
    Operation("min({0})", "L", min),
    Operation("max({0})", "L", max),
    Operation("sorted({0})", "W", sorted),
    Operation("set({0})", "Q", set),
    Operation("list({0})", "W", list),
    Operation("tuple({0})", "L", tuple, 2),
    _pair("{0} + {1}", "MM", operator.add, 10),
    Operation("{0} * {1}", "MI", _times, 2, 11, (11, 12)),
    Operation("[{0}]", "E", lambda one: [one]),
    Operation("({0}, {1})", "EE", lambda a, b: (a, b)),
    Operation("range({0})", "I", _counted),
    Operation("{0}.count({1})", "QE", lambda rows, one: rows.count(one), 1, ATOM, (ATOM, 0)),
    Operation("{0}.index({1})", "QE", lambda rows, one: rows.index(one), 1, ATOM, (ATOM, 0)),
    Operation("list(zip({0}, {1}))", "LL", lambda a, b: list(zip(a, b)), 2),  # noqa: B905 - as it will be written
    Operation("dict(zip({0}, {1}))", "LL", lambda a, b: dict(zip(a, b)), 2),  # noqa: B905 - as it will be written
    Operation("list(enumerate({0}))", "L", lambda rows: list(enumerate(rows)), 2),
    Operation("{0}[{1}]", "DE", operator.getitem, 1, ATOM, (ATOM, 0)),
    Operation("{0}.get({1})", "DE", lambda d, k: d.get(k)),
    Operation("list({0}.values())", "D", lambda d: list(d.values())),
    Operation("list({0}.items())", "D", lambda d: list(d.items()), 2),
    Operation("{0} | {1}", "DD", lambda a, b: {**a, **b}, 1, 6, (6, 7)),
)

IDLE: dict[str, frozenset[str]] = {
    "{0} + {1}": frozenset({"0", "-1"}),
    "{0} - {1}": frozenset({"0", "-1"}),
    "{0} * {1}": frozenset({"0", "1", "-1"}),
    "{0} // {1}": frozenset({"0", "1", "-1"}),
    "{0} / {1}": frozenset({"0", "1", "-1"}),
    "{0} % {1}": frozenset({"0", "1", "-1"}),
    "{0} % {1} == 0": frozenset({"0", "1", "-1"}),
    "{0} ** {1}": frozenset({"0", "1", "-1"}),
    "{0} & {1}": frozenset({"0", "-1"}),
    "{0} | {1}": frozenset({"0", "-1"}),
    "{0} ^ {1}": frozenset({"0", "-1"}),
    "{0} << {1}": frozenset({"0", "-1"}),
    "{0} >> {1}": frozenset({"0", "-1"}),
}
"""Second operands with which an operation says nothing, or what is said more simply."""
ONLY_FOR: dict[str, frozenset[str]] = {
    "[{0}]": frozenset({"list"}),
    "({0}, {1})": frozenset({"tuple"}),
    "tuple({0})": frozenset({"tuple"}),
    "list(zip({0}, {1}))": frozenset({"list", "dict"}),
    "dict(zip({0}, {1}))": frozenset({"dict"}),
    "list(enumerate({0}))": frozenset({"list", "dict"}),
    "range({0})": frozenset({"list", "object"}),
}
"""Kinds of value a function must give for some operations to be worth it."""


def arrays(np: Any, name: str) -> tuple[Operation, ...]:
    """The operations of NumPy, under the name it has in the module."""
    made: list[Operation] = []
    for form, do, level, cost in (
        ("{0} + {1}", operator.add, 10, 1),
        ("{0} - {1}", operator.sub, 10, 1),
        ("{0} * {1}", operator.mul, 11, 1),
        ("{0} / {1}", operator.truediv, 11, 1),
        ("{0} // {1}", operator.floordiv, 11, 2),
        ("{0} % {1}", operator.mod, 11, 2),
        ("{0} & {1}", operator.and_, 8, 2),
        ("{0} | {1}", operator.or_, 6, 2),
        ("{0} >> {1}", operator.rshift, 9, 2),
        ("{0} << {1}", operator.lshift, 9, 2),
    ):
        made += [_pair(form, "AA", do, level, cost), _pair(form, "AN", do, level, cost)]
    made += [_pair("{0} - {1}", "NA", operator.sub, 10), _pair("{0} / {1}", "NA", operator.truediv, 11)]
    made += [Operation("-{0}", "A", operator.neg, 1, 12, (12,)), _pair("{0} @ {1}", "AA", operator.matmul, 11)]
    for form, do in (("{0} < {1}", operator.lt), ("{0} > {1}", operator.gt), ("{0} == {1}", operator.eq)):
        made += [Operation(form, kinds, do, 1, 5, (6, 6)) for kinds in ("AN", "AA")]
    for word in ("abs", "sqrt", "exp", "log", "sign", "round", "floor", "ceil", "square", "cumsum", "sort", "unique"):
        made.append(Operation(f"{name}.{word}({{0}})", "A", getattr(np, word)))
    for word in ("sum", "mean", "max", "min", "std"):
        made.append(Operation(f"{{0}}.{word}()", "A", lambda a, word=word: getattr(a, word)(), 1, ATOM, (ATOM,)))
        for more in ({"axis": -1}, {"axis": 0}, {"axis": -1, "keepdims": True}):
            said = ", ".join(f"{key}={value}" for key, value in more.items())
            made.append(
                Operation(
                    f"{{0}}.{word}({said})",
                    "A",
                    lambda a, word=word, more=more: getattr(a, word)(**more),
                    2,
                    ATOM,
                    (ATOM,),
                )
            )
    for word in ("int8", "uint8", "int32", "float32", "float64"):
        kind = getattr(np, word)
        made.append(Operation(f"{{0}}.astype({name}.{word})", "A", lambda a, k=kind: a.astype(k), 1, ATOM, (ATOM,)))
    made += [
        Operation(f"{name}.clip({{0}}, {{1}}, {{2}})", "ANN", np.clip),
        Operation(f"{name}.clip({{0}}, -{{1}}, {{1}})", "AN", lambda a, n: np.clip(a, -n, n), 1, ATOM, (0, 12)),
        Operation(f"{name}.maximum({{0}}, {{1}})", "AN", np.maximum),
        Operation(f"{name}.minimum({{0}}, {{1}})", "AN", np.minimum),
        Operation(f"{name}.where({{0}}, {{1}}, {{2}})", "AAN", np.where, 2),
        Operation(f"{name}.where({{0}}, {{1}}, {{2}})", "ANN", np.where, 2),
        Operation(f"{name}.concatenate([{{0}}, {{1}}])", "AA", lambda a, b: np.concatenate([a, b])),
        Operation(f"{name}.arange({{0}})", "I", lambda n: np.arange(_counted(n).stop), 2),
        Operation(f"{name}.array({{0}})", "L", np.array, 2),
        Operation("{0}.reshape(-1)", "A", lambda a: a.reshape(-1), 1, ATOM, (ATOM,)),
        Operation("{0}.reshape(-1, {1})", "AI", lambda a, n: a.reshape(-1, n), 1, ATOM, (ATOM, 0)),
        Operation("{0}.reshape({1}, -1)", "AI", lambda a, n: a.reshape(n, -1), 2, ATOM, (ATOM, 0)),
        Operation("{0}.T", "A", lambda a: a.T, 1, ATOM, (ATOM,)),
        Operation("{0}.size", "A", lambda a: a.size, 1, ATOM, (ATOM,)),
        Operation("{0}.shape[{1}]", "AI", lambda a, n: a.shape[n], 1, ATOM, (ATOM, 0)),
        Operation("{0}[::2]", "A", lambda a: a[::2], 1, ATOM, (ATOM,)),
        Operation("{0}[1::2]", "A", lambda a: a[1::2], 1, ATOM, (ATOM,)),
        Operation("{0}[::-1]", "A", lambda a: a[::-1], 1, ATOM, (ATOM,)),
        Operation("{0}[:{1}]", "AI", lambda a, n: a[:n], 1, ATOM, (ATOM, 0)),
        Operation("{0}[{1}:]", "AI", lambda a, n: a[n:], 1, ATOM, (ATOM, 0)),
        Operation("{0}[{1}]", "AI", lambda a, n: a[n], 1, ATOM, (ATOM, 0)),
        Operation("{0}.tolist()", "A", lambda a: a.tolist(), 1, ATOM, (ATOM,)),
        Operation("float({0})", "F", float, 1),
    ]
    return tuple(made)


def mathematics(math: Any, name: str) -> tuple[Operation, ...]:
    """Those of the module ``math``."""
    words = ("sqrt", "floor", "ceil", "log", "log2", "exp", "isqrt")
    made = [Operation(f"{name}.{word}({{0}})", "N", getattr(math, word)) for word in words if hasattr(math, word)]
    return (*made, Operation(f"{name}.gcd({{0}}, {{1}})", "II", math.gcd, twin=True))
