"""What the arithmetic of a failed assertion tells: off by one, the wrong sign, the wrong way round. Pure.

It says which kinds of edits are looked at first, and decides nothing: what comes first still has to pass the tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

_LONGEST = 2000  # characters; what pytest cuts is no Python any more
_SAID = (
    re.compile(r"^assert (?P<both>.+)", re.MULTILINE),
    re.compile(r"^(?:AssertionError: )?(?P<one>.+) != (?P<other>.+?)(?: : .*)?$", re.MULTILINE),  # unittest's
)
_Number = (int, float)


def told(texts: Iterable[str]) -> frozenset[str]:
    """Names of the templates that the messages of red tests speak for.

    Examples
    --------
    >>> sorted(told(["assert 3 == 4\\n +  where 3 = size([1, 2])"]))
    ['comparison', 'off by one', 'range', 'rest of a loop', 'slice']
    >>> sorted(told(["assert [3, 1] == [1, 3]"]))
    ['exchanged arguments', 'indices', 'operands exchanged', 'sibling function', 'slice']
    >>> told(["assert f(x) == 1"])
    frozenset()
    """
    found: set[str] = set()
    for text in texts:
        for one, other in _pairs(text[:_LONGEST]):
            with suppress(OverflowError):  # a whole number too large for a float beside one
                found.update(next((names for holds, names in _RELATIONS if holds(one, other)), ()))
    return frozenset(found)


def _pairs(text: str) -> list[tuple[Any, Any]]:
    """The two values that were compared, where both are written out."""
    for form in _SAID:
        for match in form.finditer(text):
            both = match.groupdict().get("both") or f"({match.group('one')}) == ({match.group('other')})"
            try:
                tree = ast.parse(both.strip(), mode="eval").body
                if isinstance(tree, ast.Compare) and len(tree.ops) == 1 and isinstance(tree.ops[0], ast.Eq | ast.Is):
                    return [(ast.literal_eval(tree.left), ast.literal_eval(tree.comparators[0]))]
            except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
                continue
    return []


def _truths(one: Any, other: Any) -> bool:
    return isinstance(one, bool) and isinstance(other, bool)


def _nothing(one: Any, other: Any) -> bool:
    return (one is None) != (other is None)


def _numbers(one: Any, other: Any) -> bool:
    return isinstance(one, _Number) and isinstance(other, _Number)


def _one_off(one: Any, other: Any) -> bool:
    return _numbers(one, other) and abs(one - other) == 1


def _opposite(one: Any, other: Any) -> bool:
    return _numbers(one, other) and one == -other


def _rounded(one: Any, other: Any) -> bool:
    return _numbers(one, other) and type(one) is not type(other) and abs(one - other) < 1


def _same_members(one: Any, other: Any) -> bool:
    """The same parts in another order."""
    alike = type(one) is type(other) and isinstance(one, list | tuple | str) and len(one) == len(other)
    return alike and sorted(map(repr, one)) == sorted(map(repr, other))


def _begins_alike(one: Any, other: Any) -> bool:
    """One is the beginning, or the end, of the other."""
    if type(one) is not type(other) or not isinstance(one, list | tuple | str) or len(one) == len(other):
        return False
    short, long = sorted((one, other), key=len)
    return bool(long[: len(short)] == short or long[len(long) - len(short) :] == short)


def _one_number_off(one: Any, other: Any) -> bool:
    """Rows of as many numbers, each one off or none."""
    if type(one) is not type(other) or not isinstance(one, list | tuple) or len(one) != len(other):
        return False
    return all(a == b or _one_off(a, b) for a, b in zip(one, other, strict=True))


def _spelled_otherwise(one: Any, other: Any) -> bool:
    return isinstance(one, str) and isinstance(other, str) and one.strip().lower() == other.strip().lower()


_Relation = tuple[Callable[[Any, Any], bool], tuple[str, ...]]
# The first that holds speaks.
_RELATIONS: tuple[_Relation, ...] = (
    (_truths, ("comparison", "and/or", "sign or not", "opposite answers")),
    (_nothing, ("returned value", "branches", "nothing or zero")),
    (_opposite, ("sign or not", "operator", "operands exchanged", "exchanged arguments")),
    (_one_off, ("off by one", "comparison", "range", "slice", "rest of a loop")),
    (_rounded, ("operator", "cast", "call put around", "call taken off", "division")),
    (_numbers, ("operator", "number", "variable", "operands")),
    (_spelled_otherwise, ("sibling function", "call put around", "string")),
    (_same_members, ("slice", "exchanged arguments", "operands exchanged", "sibling function", "indices")),
    (_begins_alike, ("off by one", "comparison", "range", "slice", "rest of a loop")),
    (_one_number_off, ("off by one", "range", "comparison")),
)
