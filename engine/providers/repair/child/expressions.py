"""Make expressions bottom up, the cheapest first, one for each way of answering the examples.

Two expressions that give the same values for every example cannot be told apart by them: only the first is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .values import key_of, kind_of, sane
from .vocabulary import ATOM, IDLE, KINDS, Operation


class Raised:
    """In place of a value: the expression fails for this example."""


RAISED = Raised()
_SIMPLE = {int, bool, str, float, list}
_PLAIN = ("int", "bool", "str")  # kinds whose values are their own keys


class Expression:
    """A text and what it gives for each example."""

    __slots__ = ("constant", "cost", "holds", "kind", "text", "uses", "values")

    def __init__(
        self, text: str, values: Sequence[Any], kind: str, cost: int, holds: int, uses: frozenset[str], constant: bool
    ) -> None:
        self.text = text
        self.values = values
        self.kind = kind
        self.cost = cost
        self.holds = holds
        self.uses = uses
        self.constant = constant


def common_kind(values: Sequence[Any]) -> str:
    """The kind of all values; what no operand can be, where they differ."""
    types = set(map(type, values))
    if len(types) == 1 and types <= _SIMPLE:
        return kind_of(values[0])
    kinds = {kind_of(value) for value in values if value is not RAISED}
    if len(kinds) == 1:
        return kinds.pop()
    return "float" if kinds == {"int", "float"} else "mixed"


class Bench:
    """Expressions by kind and cost, over one set of examples.

    Parameters
    ----------
    start : parameters, constants and the like, cheapest first.
    operations : what they may be put together with.
    until : time at which to stop.
    most : expressions to keep at most.
    """

    def __init__(self, start: Sequence[Expression], operations: Sequence[Operation], until: float, most: int) -> None:
        self._operations = operations
        self._until = until
        self._most = most
        self._known: set[Any] = set()
        self._pools: dict[str, dict[int, list[Expression]]] = {}
        self._waiting: dict[int, list[Expression]] = {}
        self.cost = 0
        self.tried = 0
        self.kept = 0
        self.watch: Callable[[Expression], None] | None = None
        self.pulse: Callable[[], None] | None = None
        for expression in start:
            self._waiting.setdefault(expression.cost, []).append(expression)

    @property
    def spent(self) -> bool:
        return self.kept >= self._most or time.monotonic() > self._until

    def of(self, letter: str, cost: int) -> Iterator[Expression]:
        """Expressions of the kinds a letter stands for."""
        for kind in KINDS[letter]:
            yield from self._pools.get(kind, {}).get(cost, ())

    def all_of(self, letter: str, most: int) -> list[Expression]:
        """Those up to a cost, cheapest first."""
        return [found for cost in range(1, most + 1) for found in self.of(letter, cost)]

    def add_later(self, expression: Expression) -> None:
        """Put in an expression that was made elsewhere, when its turn comes."""
        self._waiting.setdefault(max(expression.cost, self.cost + 1), []).append(expression)

    def grow(self) -> None:
        """Make every expression of the next cost."""
        self.cost += 1
        for expression in self._waiting.pop(self.cost, ()):
            self._offer(expression)
        for operation in self._operations:
            for operands in self._operands(operation, self.cost - operation.cost):
                self._apply(operation, operands)
                if self.tried % 64 == 0:
                    if self.pulse is not None:
                        self.pulse()
                    if self.spent:
                        return

    def _operands(self, operation: Operation, left: int) -> Iterator[tuple[Expression, ...]]:
        kinds = operation.kinds
        if len(kinds) == 1:
            for one in list(self.of(kinds, left)):
                yield (one,)
        elif len(kinds) == 2:
            for first in range(1, left):
                others = list(self.of(kinds[1], left - first))
                for one in list(self.of(kinds[0], first)) if others else ():
                    for other in others:
                        if not operation.twin or one.cost > other.cost or one.text <= other.text:
                            yield (one, other)
        elif left <= 8:
            for first in range(1, left - 1):
                for second in range(1, left - first):
                    thirds = list(self.of(kinds[2], left - first - second))
                    for one in list(self.of(kinds[0], first)) if thirds else ():
                        for other in list(self.of(kinds[1], second)):
                            for third in thirds:
                                yield (one, other, third)

    def _apply(self, operation: Operation, operands: tuple[Expression, ...]) -> None:
        self.tried += 1
        if len(operands) == 2:
            one, other = operands
            # A constant belongs on the right: `n < 2` is what people write.
            if one.constant and (other.constant or operation.holds == 5):
                return
            if other.constant and other.text in IDLE.get(operation.form, ()):
                return
        elif all(part.constant for part in operands):
            return
        values = _values(operation.do, [part.values for part in operands])
        if values is None:
            return
        kind = "partial" if any(value is RAISED for value in values) else common_kind(values)
        if self._is_known(kind, values):
            return
        needs = operation.needs or (0,) * len(operands)
        texts = [part.text if part.holds >= need else f"({part.text})" for part, need in zip(operands, needs)]  # noqa: B905
        uses = operands[0].uses.union(*(part.uses for part in operands[1:]))
        self._keep(Expression(operation.form.format(*texts), values, kind, self.cost, operation.holds, uses, False))

    def _offer(self, expression: Expression) -> None:
        if not self._is_known(expression.kind, expression.values):
            self._keep(expression)

    def _is_known(self, kind: str, values: Sequence[Any]) -> bool:
        """Whether an expression with these values was kept before; from now on it counts as kept."""
        try:
            key = (kind, tuple(values)) if kind in _PLAIN else (kind, tuple(map(key_of, values)))
            if key in self._known:
                return True
            self._known.add(key)
        except Exception:  # noqa: BLE001 - an object of the project that cannot be hashed
            return True
        return False

    def _keep(self, expression: Expression) -> None:
        self.kept += 1
        self._pools.setdefault(expression.kind, {}).setdefault(expression.cost, []).append(expression)
        if self.watch is not None:
            self.watch(expression)


def _values(do: Callable[..., Any], columns: Sequence[Sequence[Any]]) -> list[Any] | None:
    """What an operation gives for each example; None where it fails for most, or gives something of no use."""
    try:
        values = list(map(do, *columns))
    except Exception:  # noqa: BLE001 - whatever it raises: one at a time
        values = []
        failed = 0
        for row in zip(*columns):  # noqa: B905 - as many values as examples, always
            try:
                values.append(do(*row))
            except Exception:  # noqa: BLE001 - whatever it raises: no value for this example
                values.append(RAISED)
                failed += 1
                if failed * 2 > len(columns[0]):
                    return None
    return values if all(map(sane, values)) else None


def atom(text: str, values: Sequence[Any], cost: int, *, constant: bool = False, uses: str = "") -> Expression:
    """A name or a constant."""
    holds = ATOM if not text.startswith("-") else 12
    return Expression(text, values, common_kind(values), cost, holds, frozenset([uses] if uses else []), constant)
