"""Expressions over the items of something: comprehensions and what is made of them.

The inner expression is put together like any other, over all items of all examples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .expressions import RAISED, Bench, Expression, atom, common_kind
from .values import sane
from .vocabulary import ATOM, Operation

_INNER_COST, _INNER_MOST = 5, 3000
_BODIES, _FILTERS = 60, 150
_MOST_ITEMS = 200


def item_name(source: str, taken: Sequence[str]) -> str:
    """What to call one item of something: ``row`` of ``rows``."""
    stem = source.rsplit(".", maxsplit=1)[-1].split("(")[0]
    name = stem[:-1] if stem.endswith("s") and not stem.endswith("ss") and len(stem) > 2 else "item"
    name = name if name.isidentifier() else "item"
    return name if name not in taken else "each"


def looped(
    source: Expression,
    outer: Sequence[Expression],
    operations: Sequence[Operation],
    until: float,
    offer: Callable[[Expression], None],
) -> int:
    """Offer expressions over the items of ``source``; returns how many inner ones were tried."""
    try:
        rows = [list(value) for value in source.values]
    except TypeError:
        return 0
    total = sum(map(len, rows))
    if not total or total > _MOST_ITEMS:
        return 0
    names = [name for part in outer for name in part.uses]
    name = item_name(source.text, names)
    at = [nth for nth, items in enumerate(rows) for _ in items]
    start = [atom(name, [item for items in rows for item in items], 1, uses=name)]
    if start[0].kind == "mixed":
        return 0
    start += [
        Expression(part.text, [part.values[n] for n in at], part.kind, part.cost, part.holds, part.uses, part.constant)
        for part in outer
    ]
    bench = Bench(start, operations, until, _INNER_MOST)
    while bench.cost < _INNER_COST and not bench.spent:
        bench.grow()
    bodies = [e for letter in "NBSLDA" for e in bench.all_of(letter, _INNER_COST) if name in e.uses]
    bodies.sort(key=lambda e: e.cost)
    weave = _Weave(source, name, rows, offer)
    for body in bodies:
        weave.plain(body)
    filters = [body for body in bodies if body.kind == "bool"][:_FILTERS]
    for test in filters:
        weave.chosen(test)
        for body in bodies[:_BODIES]:
            if body.text != name and body.kind != "bool":
                weave.both(body, test)
    return bench.tried


class _Weave:
    """Turns inner expressions into outer ones."""

    def __init__(
        self, source: Expression, name: str, rows: list[list[Any]], offer: Callable[[Expression], None]
    ) -> None:
        self._source = source
        self._rows = rows
        self._name = name
        self._offer = offer
        self._over = f"for {name} in {source.text}"
        self._ends: list[int] = []
        for row in rows:
            self._ends.append((self._ends[-1] if self._ends else 0) + len(row))

    def _cut(self, flat: Sequence[Any]) -> list[list[Any]]:
        return [list(flat[end - len(row) : end]) for row, end in zip(self._rows, self._ends)]  # noqa: B905

    def _put(self, text: str, make: Callable[[int], Any], cost: int, inner: frozenset[str]) -> None:
        values: list[Any] = []
        for nth in range(len(self._rows)):
            try:
                value = make(nth)
                if not sane(value):
                    return
            except Exception:  # noqa: BLE001 - whatever it raises: no value for this example
                value = RAISED
            values.append(value)
        failed = sum(value is RAISED for value in values)
        if failed * 2 > len(values):
            return
        uses = (inner - {self._name}) | self._source.uses
        kind = "partial" if failed else common_kind(values)
        self._offer(Expression(text, values, kind, cost + self._source.cost, ATOM, uses, False))

    def plain(self, body: Expression) -> None:
        """``[body for item in source]`` and its relatives."""
        parts, text, cost = self._cut(body.values), body.text, body.cost + 1
        rows, name, over = self._rows, self._name, self._over
        if text != name:
            self._put(f"[{text} {over}]", lambda n: list(parts[n]), cost, body.uses)
            key = _key(name, text)
            self._put(
                f"max({self._source.text}, key={key})",
                lambda n: rows[n][_best(parts[n], max)],
                cost + 1,
                body.uses,
            )
            self._put(
                f"min({self._source.text}, key={key})",
                lambda n: rows[n][_best(parts[n], min)],
                cost + 1,
                body.uses,
            )
            self._put(
                f"sorted({self._source.text}, key={key})",
                lambda n: [rows[n][i] for i in sorted(range(len(rows[n])), key=lambda i: parts[n][i])],
                cost + 1,
                body.uses,
            )
            self._put(
                f"{{{name}: {text} {over}}}",
                lambda n: dict(map(lambda *pair: pair, rows[n], parts[n])),
                cost + 1,
                body.uses,
            )
        if body.kind == "bool":
            self._put(f"any({text} {over})", lambda n: any(parts[n]), cost, body.uses)
            self._put(f"all({text} {over})", lambda n: all(parts[n]), cost, body.uses)
            self._put(f"sum({text} {over})", lambda n: sum(parts[n]), cost + 1, body.uses)
        elif body.kind in ("int", "float") and text != name:
            self._put(f"sum({text} {over})", lambda n: sum(parts[n]), cost, body.uses)
        elif body.kind == "str":
            self._put(f'"".join({text} {over})', lambda n: "".join(parts[n]), cost + 1, body.uses)
            self._put(f'" ".join({text} {over})', lambda n: " ".join(parts[n]), cost + 2, body.uses)
        elif body.kind == "list":
            self._put(
                f"[each {over} for each in {text}]", lambda n: [v for row in parts[n] for v in row], cost, body.uses
            )

    def chosen(self, test: Expression) -> None:
        """``[item for item in source if test]`` and its relatives."""
        tests, rows, name = self._cut(test.values), self._rows, self._name
        cost, when = test.cost + 2, f"{self._over} if {test.text}"

        def kept(n: int) -> list[Any]:
            return [item for item, yes in zip(rows[n], tests[n]) if yes]  # noqa: B905

        self._put(f"[{name} {when}]", kept, cost, test.uses)
        self._put(f"sum({name} {when})", lambda n: sum(kept(n)), cost, test.uses)
        self._put(f"next({name} {when})", lambda n: kept(n)[0], cost + 1, test.uses)
        if all(isinstance(row, str) for row in self._source.values):
            self._put(f'"".join({name} {when})', lambda n: "".join(kept(n)), cost, test.uses)

    def both(self, body: Expression, test: Expression) -> None:
        """``[body for item in source if test]``."""
        parts, tests = self._cut(body.values), self._cut(test.values)
        cost, uses = body.cost + test.cost + 1, body.uses | test.uses

        def kept(n: int) -> list[Any]:
            return [value for value, yes in zip(parts[n], tests[n]) if yes]  # noqa: B905

        self._put(f"[{body.text} {self._over} if {test.text}]", kept, cost, uses)
        if body.kind in ("int", "float"):
            self._put(f"sum({body.text} {self._over} if {test.text})", lambda n: sum(kept(n)), cost, uses)


def _best(keys: Sequence[Any], choose: Callable[..., Any]) -> int:
    return int(choose(range(len(keys)), key=lambda i: keys[i]))


def _key(name: str, text: str) -> str:
    """A function of one item: ``len`` rather than ``lambda word: len(word)``."""
    function, _, rest = text.partition("(")
    return function if function.isidentifier() and rest == f"{name})" else f"lambda {name}: {text}"
