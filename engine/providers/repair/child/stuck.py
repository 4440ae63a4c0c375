"""Tell a loop that goes round in the same state from one that gets somewhere: only the second may end.

A look, not a proof: the variables of the function, what they hold one level down, and the globals it names. It is
asked a few times in thousands of rounds, and whoever is called stuck is tried once more, at the end, without it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain, repeat
from operator import length_hint
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any

ROUNDS = (100, 500, 2500)  # before the first look, and between one and the next
WINDOW = 24  # rounds that are compared with the one looked at: what comes back, comes back soon
_PLAIN = (int, float, str, bool, bytes, complex, type(None))
_FIXED = (FunctionType, BuiltinFunctionType, ModuleType, type)
_MOVING = ("time", "random", "secrets", "os", "select", "socket", "queue", "threading", "subprocess")
_MOST = 64
_UNKNOWN = object()


class Stuck(IndexError):
    """The loop under trial is in a state in which it has been before."""


class Rounds:
    """Rounds of ``while`` loops: `take` is called in each, and raises once they are used up or lead nowhere."""

    def __init__(self, room: int, *, watched: bool) -> None:
        self._ended: type[IndexError] | None = None
        self._finished = 0
        self._part: Iterator[None] = repeat(None, 0)
        self.take = chain.from_iterable(self._watched(room) if watched else self._plain(room)).__next__

    @property
    def spent(self) -> bool:
        return self._ended is not None

    @property
    def used(self) -> int:
        return self._finished - length_hint(self._part)

    def _some(self, count: int) -> Iterator[None]:
        self._finished += count
        self._part = repeat(None, count)
        return self._part

    def _plain(self, room: int) -> Iterator[Iterator[None]]:
        yield self._some(room)
        yield self._end(IndexError)

    def _watched(self, room: int) -> Iterator[Iterator[None]]:
        left = room
        for count in (*ROUNDS, room):
            yield self._some(min(count, left))
            left -= min(count, left)
            # The caller of this generator is the loop, as all between them is written in C.
            before = picture(sys._getframe(1))
            for _ in range(min(WINDOW, left)):
                yield self._some(1)
                left -= 1
                if before is not None and picture(sys._getframe(1)) == before:
                    yield self._end(Stuck)
            if not left:
                break
        yield self._end(IndexError)

    def _end(self, kind: type[IndexError]) -> Iterator[None]:
        self._ended = kind
        return iter(self._refuse, object())

    def _refuse(self) -> None:
        assert self._ended is not None
        raise self._ended("no rounds are left")


def picture(frame: FrameType) -> tuple[Any, ...] | None:
    """What a function can see of its state; None where that is not all it goes by."""
    try:
        return _seen(frame)
    except Exception:  # noqa: BLE001 - an object of the code under trial may not even be looked at
        return None


def _seen(frame: FrameType) -> tuple[Any, ...] | None:
    code = frame.f_code
    seen = [*frame.f_locals.items()]
    seen += [(name, frame.f_globals[name]) for name in code.co_names if name in frame.f_globals]
    parts: list[Any] = [id(frame), frame.f_lineno]
    for name, value in seen[:_MOST]:
        if isinstance(value, ModuleType) and value.__name__ in _MOVING:
            return None
        if isinstance(value, _FIXED):
            continue
        part = _looked_into(value)
        if part is _UNKNOWN:
            return None
        parts.append((name, part))
    return tuple(parts)


def _looked_into(value: Any) -> Any:
    """A value by itself and by its parts."""
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if hasattr(kind, "__next__") or hasattr(kind, "read"):
        return _UNKNOWN  # it moves on without a sign
    if kind in (list, tuple, set, frozenset) or kind.__name__ == "deque":
        inside: Any = value
    elif kind is dict:
        inside = [*value, *value.values()]
    else:
        own = getattr(value, "__dict__", None)
        if not isinstance(own, dict):
            return _UNKNOWN
        inside = own.values()
    if len(inside) > _MOST:
        return _UNKNOWN
    return id(value), [_mark(part) for part in inside]


def _mark(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    return id(value), len(value) if kind in (list, dict, set) else 0
