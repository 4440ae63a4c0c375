"""Stand in for functions that are not written yet, and note what tests call them with and ask of what they give.

A call of such a function gives a `Result`: whatever the test does with it is written down as a claim about the value
that will be there one day, and every question is answered yes, so that the test goes on to its next one.
"""

from __future__ import annotations

import copy
import dis
import operator
import sys
from collections.abc import Callable, Iterator
from typing import Any

Getter = Callable[[Any], Any]
_REVERSIBLE = (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
    "matmul",
)
_ASKING = ("eq", "ne", "lt", "le", "gt", "ge")
_UNARY = ("neg", "pos", "abs", "invert")


class Call:
    """One call of an unwritten function.

    Attributes
    ----------
    stub : which function.
    given : its arguments, by parameter, as they were.
    claims : (what to make of the value, how its truth must be).
    wanted : values that the result as a whole was compared with.
    near : those of an assertion of NumPy's, which takes long to fail: value, relative and absolute tolerance.
    raises : the exception the caller wants, or None.
    """

    def __init__(self, stub: str, given: dict[str, Any]) -> None:
        self.stub = stub
        self.given = given
        self.claims: list[tuple[Getter, bool]] = []
        self.wanted: list[Any] = []
        self.near: list[tuple[Any, float, float]] = []
        self.raises: type[BaseException] | None = None


class Recorder:
    """The calls of one run of one test.

    Parameters
    ----------
    flipped : numbers of questions to be answered no.
    replies : by number of a call, a real value to give; an exception class is raised.
    """

    def __init__(self, flipped: set[int], replies: dict[int, Any]) -> None:
        self.flipped = flipped
        self.replies = replies
        self.calls: list[Call] = []
        self.asked = 0
        self.last: tuple[str, int] = ("", -1)

    def call(self, stub: str, given: dict[str, Any]) -> Any:
        """What an unwritten function does."""
        number = len(self.calls)
        mixed = any(isinstance(value, Result) for value in given.values())
        call = Call(stub, given if mixed else _kept(given))
        self.calls.append(call)
        self.last = ("call", number)
        if number in self.replies:
            reply = self.replies[number]
            if isinstance(reply, type) and issubclass(reply, BaseException):
                call.raises = reply
                raise reply("wanted by a test")
            call.claims.append((lambda value: value is reply, True))
            call.wanted.append(reply)
            return reply
        return Result(self, None if mixed else call, lambda value: value, whole=True)

    def ask(self, call: Call | None, get: Getter) -> bool:
        """A yes, or a no where that was asked for."""
        number = self.asked
        self.asked += 1
        self.last = ("ask", number)
        answer = number not in self.flipped
        if call is not None:
            call.claims.append((get, answer))
        return answer


def _kept(given: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in given.items():
        try:
            kept[name] = copy.deepcopy(value)
        except Exception:  # noqa: BLE001 - what cannot be copied is looked at as it is
            kept[name] = value
    return kept


class Result:
    """What a function that is not written yet gave, and what was made of it since."""

    __array_ufunc__ = None  # so that NumPy leaves operators to this class
    __hash__ = object.__hash__

    def __init__(self, recorder: Recorder, call: Call | None, get: Getter, *, whole: bool = False) -> None:
        self._recorder = recorder
        self._call = call
        self._get = get
        self._whole = whole

    def _made(self, function: Callable[..., Any], *args: Any, **more: Any) -> Result:
        """What a function would make of this and other values."""
        calls = [part._call for part in _results((args, more))]
        if self._call is None or any(call is not self._call for call in calls):
            return Result(self._recorder, None, _nothing)
        return Result(self._recorder, self._call, lambda value: function(*_real(args, value), **_real(more, value)))

    def __bool__(self) -> bool:
        return self._recorder.ask(self._call, lambda value: self._get(value))

    def __contains__(self, item: Any) -> bool:
        return bool(self._made(operator.contains, self, item))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._made(getattr, self, name)

    def __getitem__(self, index: Any) -> Result:
        return self._made(operator.getitem, self, index)

    def __call__(self, *args: Any, **more: Any) -> Result:
        return self._made(lambda function, *a, **m: function(*a, **m), self, *args, **more)

    def __round__(self, digits: int | None = None) -> Result:
        return self._made(round, self, digits)

    def __iter__(self) -> Iterator[Any]:
        count = _unpacked(sys._getframe(1))
        if count:
            self._recorder.ask(self._call, lambda value: len(tuple(self._get(value))) == count)
        return iter([self._made(_item, self, at) for at in range(count or 1)])

    def __eq__(self, other: Any) -> Any:
        if self._call is not None and self._whole and not isinstance(other, Result):
            self._call.wanted.append(other)
        return self._made(operator.eq, self, other)


def _item(value: Any, at: int) -> Any:
    return value[at] if hasattr(value, "__getitem__") else list(value)[at]


def _nothing(value: Any) -> Any:
    raise TypeError("what two calls gave was mixed")


def _unpacked(frame: Any) -> int:
    """How many names a value is taken apart into by the line that asks for its items; 0: it is not."""
    for step in dis.get_instructions(frame.f_code):
        if step.offset == frame.f_lasti:
            return int(step.arg or 0) if step.opname == "UNPACK_SEQUENCE" else 0
    return 0


def _results(value: Any) -> Iterator[Result]:
    if isinstance(value, Result):
        yield value
    elif type(value) in (list, tuple):
        for part in value:
            yield from _results(part)
    elif type(value) is dict:
        for part in value.values():
            yield from _results(part)


def _real(thing: Any, value: Any) -> Any:
    """The same with every result in its place."""
    if isinstance(thing, Result):
        return thing._get(value)
    if type(thing) in (list, tuple):
        return type(thing)(_real(part, value) for part in thing)
    if type(thing) is dict:
        return {key: _real(part, value) for key, part in thing.items()}
    return thing


def _operators() -> None:
    def forward(function: Callable[..., Any]) -> Callable[[Result, Any], Result]:
        return lambda self, other: self._made(function, self, other)

    def backward(function: Callable[..., Any]) -> Callable[[Result, Any], Result]:
        return lambda self, other: self._made(lambda mine, theirs: function(theirs, mine), self, other)

    for name in _REVERSIBLE:
        function = getattr(operator, name if name not in ("and", "or") else name + "_")
        setattr(Result, f"__{name}__", forward(function))
        setattr(Result, f"__r{name}__", backward(function))
    for name in _ASKING[1:]:
        setattr(Result, f"__{name}__", forward(getattr(operator, name)))
    for name in _UNARY:
        setattr(
            Result, f"__{name}__", (lambda function: lambda self: self._made(function, self))(getattr(operator, name))
        )


_operators()


def lifted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, except that given a `Result` it gives one, or notes the claim if it is an assertion."""

    def through(*args: Any, **more: Any) -> Any:
        found = next(_results((args, more)), None)
        if found is None:
            return function(*args, **more)
        made = found._made(function, *args, **more)
        if not getattr(function, "__name__", "").startswith("assert"):
            return made
        call = found._call
        if call is not None and len(args) > 1 and args[0] is found and found._whole:
            call.wanted.append(args[1])
            if len(args) == 2 and "decimal" not in more:
                call.near.append((args[1], more.get("rtol", 0.0), more.get("atol", 0.0)))
        found._recorder.ask(made._call, lambda value: made._get(value) is None)
        return None

    through.__name__ = getattr(function, "__name__", "through")
    return through
