"""What a fork does to show how the code behaves beyond its tests: take down the calls the tests make, repeat them with
arguments near those, and say what each came to. It must not judge, and it never compares one edit with another.
"""

from __future__ import annotations

import copy
import gc
import hashlib
import inspect
import signal
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from random import Random
from types import CodeType, FrameType, FunctionType
from typing import Any

from .items import TimeUp, real
from .perturb import is_array, variants
from .steps import Steps
from .undefined import listening, undefined

VALUE, RAISED, ENDLESS = "value", "raised", "endless"
# A value came back, but with NaN or infinity where there was none; but an array that was given is another one then.
UNDEFINED, CHANGED = "undefined", "changed"
_MOST_CALLS, _MOST_PARTS, _MOST_ITEMS = 24, 1500, 300
_LONGEST = 240
_MOST_NUMBERS = 40  # of an array, one by one
_HEAVY = 1 << 16  # bytes of an array: to copy and show it takes longer than it tells
_EACH = 6  # changed forms of one call, beside its edge cases

Call = tuple[FunctionType, tuple[Any, ...], dict[str, Any]]


class Calls:
    """Takes down the outermost calls of some functions, as a profile function.

    Parameters
    ----------
    functions : those to watch, by code.
    """

    def __init__(self, functions: dict[CodeType, FunctionType]) -> None:
        self.found: dict[str, Call] = {}
        self._functions = functions
        self._inside: FrameType | None = None
        self._starts: dict[CodeType, int] = {}

    def watch(self) -> None:
        """Begin, or go on where a call too deep, or a test, has taken the profile function away."""
        self._inside = None
        sys.setprofile(self)

    def stop(self) -> None:
        sys.setprofile(None)

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        if event == "return":
            if frame is self._inside:
                self._inside = None
            return
        code = frame.f_code
        if event != "call" or self._inside is not None or code not in self._functions:
            return
        # A generator that goes on is no call.
        if frame.f_lasti > self._starts.setdefault(code, frame.f_lasti):
            return
        self._inside = frame
        if len(self.found) < _MOST_CALLS:
            self._take(frame)

    def _take(self, frame: FrameType) -> None:
        function = self._functions[frame.f_code]
        try:
            call = _arguments(function, frame)
            if any(getattr(v, "nbytes", 0) > _HEAVY for v in (*call[1], *call[2].values())):
                return
            name = written(_copied(call))  # to write an iterator down is to use it up
            if name not in self.found and "…" not in name:
                self.found[name] = _copied(call)
        except Exception:  # noqa: BLE001 - what cannot be shown or copied cannot be repeated
            return


def _arguments(function: FunctionType, frame: FrameType) -> Call:
    code, here = frame.f_code, frame.f_locals
    names = code.co_varnames
    args = [here[name] for name in names[: code.co_argcount]]
    last = code.co_argcount + code.co_kwonlyargcount
    kwargs = {name: here[name] for name in names[code.co_argcount : last]}
    if code.co_flags & inspect.CO_VARARGS:
        args += here[names[last]]
        last += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        kwargs.update(here[names[last]])
    return function, tuple(args), kwargs


def _copied(call: Call) -> Call:
    args, kwargs = copy.deepcopy(call[1:])
    return call[0], args, kwargs


def written(call: Call) -> str:
    """A call as a person would type it."""
    function, args, kwargs = call
    inside = [shown(v) for v in args] + [f"{name}={shown(v)}" for name, v in kwargs.items()]
    return f"{function.__name__}({', '.join(inside)})"


# -- telling values apart ---------------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A text that is the same for values that count as equal: numbers up to rounding, sets in order, objects by parts.

    An iterator is used up by it.
    """
    left = [_MOST_PARTS]
    return "".join(_parts(value, left, ()))


def _parts(value: Any, left: list[int], above: tuple[int, ...]) -> Iterator[str]:
    left[0] -= 1
    if left[0] < 0 or len(above) > 20:
        yield "…"
        return
    kind = type(value)
    if value is None or kind in (bool, int, str, bytes):
        yield repr(value)
        return
    if kind is float:
        yield repr(float(f"{value:.9g}") + 0.0)  # minus zero is zero
        return
    if id(value) in above:
        yield "(again)"
        return
    above = (*above, id(value))
    if isinstance(value, BaseException):
        yield kind.__name__
    elif isinstance(value, (list, tuple)) and kind in (list, tuple):
        yield "[" if kind is list else "("
        yield from _joined((_parts(v, left, above) for v in value), left)
        yield "]" if kind is list else ",)" if len(value) == 1 else ")"
    elif isinstance(value, (set, frozenset)):
        yield "{" if value else f"{kind.__name__}("
        yield ", ".join(sorted("".join(_parts(v, left, above)) for v in value))
        yield "}" if value else ")"
    elif isinstance(value, dict):
        items = [("".join(_parts(k, left, above)), "".join(_parts(v, left, above))) for k, v in value.items()]
        yield kind.__name__ if kind is not dict else ""
        yield "{" + ", ".join(f"{k}: {v}" for k, v in sorted(items)) + "}"
    elif hasattr(value, "dtype") and hasattr(value, "tolist"):
        yield f"{kind.__name__}({value.dtype}, {getattr(value, 'shape', ())}, "
        rows = value.flatten().tolist() if getattr(value, "ndim", 0) else [value.tolist()]
        yield from _joined((_parts(v, left, above) for v in rows[:_MOST_NUMBERS]), left)
        yield f", and more: {_weighed(rows)})" if len(rows) > _MOST_NUMBERS else ")"
    elif hasattr(value, "__next__"):
        yield "iter("
        yield from _joined((_parts(v, left, above) for v in islice(value, _MOST_ITEMS)), left)
        yield ")"
    else:
        yield from _object(value, left, above)


def _weighed(rows: list[Any]) -> str:
    """A number that stands for many, and for their order; up to rounding."""
    try:
        return f"{sum(v * (n % 97 + 1) for n, v in enumerate(rows)):.6g}"
    except (TypeError, ValueError, OverflowError):
        return str(len(rows))


def _joined(rows: Iterator[Iterator[str]], left: list[int]) -> Iterator[str]:
    for nth, row in enumerate(rows):
        if left[0] < 0:
            return
        if nth:
            yield ", "
        yield from row


def _object(value: Any, left: list[int], above: tuple[int, ...]) -> Iterator[str]:
    kind = type(value)
    if isinstance(value, (type, FunctionType)):
        yield value.__qualname__
        return
    held = dict(getattr(value, "__dict__", {}))
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                held[name] = getattr(value, name)
    inner = dict.items(value) if isinstance(value, dict) else ()
    items = [(str(k), v) for k, v in sorted(held.items())] + [(shown(k), v) for k, v in inner]
    yield f"{kind.__name__}("
    for nth, (name, part) in enumerate(items):
        yield f"{', ' if nth else ''}{name}="
        yield from _parts(part, left, above)
    yield ")"


def _cut(text: str) -> str:
    """A long text by its beginning and a number that stands for all of it."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"


# -- repeating calls --------------------------------------------------------------------------------------------------


class Behaviour:
    """Repeats calls under a clock and a step counter.

    Parameters
    ----------
    room : steps for one call.
    most : steps for all of them.
    """

    def __init__(self, steps: Steps, *, seed: int, seconds: float, room: int, most: int) -> None:
        self._steps = steps
        self._seed = seed
        self._seconds = seconds
        self._room = room
        self._most = most

    def shows(self, found: dict[str, Call]) -> Iterator[tuple[str, str, str, str]]:
        """Each call, and what it came to: the call, how it ended, the type and the text of what came back."""
        given: set[str] = set()
        # What comes out otherwise each time says nothing about an edit.
        steady = {name: call for name, call in found.items() if self._show(call) == self._show(call)}
        queues = [self._forms(name, call) for name, call in steady.items()]
        while queues and self._most > 0:
            for queue in list(queues):
                form = next(queue, None)
                if form is None:
                    queues.remove(queue)
                    continue
                call, proper = form
                name = _cut(written(_copied(call)))
                if name not in given and self._most > 0:
                    given.add(name)
                    yield (name, *self._show(call, proper=proper))

    def _forms(self, name: str, call: Call) -> Iterator[tuple[Call, bool]]:
        """The call and others like it, and whether numbers must come back: not for other parameters, nor of nothing."""
        function, args, kwargs = call
        yield call, True
        keys, given = tuple(kwargs), (*args, *kwargs.values())
        for some in variants(given, Random(f"{self._seed} {name}"), _EACH):
            proper = all(map(_is_proper, given, some))
            yield (function, some[: len(args)], {key: some[len(args) + at] for at, key in enumerate(keys)}), proper

    def _show(self, call: Call, *, proper: bool = True) -> tuple[str, str, str]:
        function, args, kwargs = _copied(call)
        before = [shown(v) for v in args]
        self._steps.refill(self._room)
        kind, type_, text = ENDLESS, "", ""
        signal.setitimer(signal.ITIMER_PROF, self._seconds, 0.05)
        try:
            try:
                with listening() as heard:
                    value = _awaited(function(*args, **kwargs))
                kind, type_, text = VALUE, type(value).__name__, shown(value)
                kind = UNDEFINED if proper and undefined(heard, before, text) else VALUE
            except TimeUp:
                kind = ENDLESS
            except BaseException as error:  # noqa: BLE001 - code under trial may raise anything, SystemExit too
                kind, type_ = RAISED, type(error).__name__
        finally:
            for _ in range(3):
                try:
                    signal.setitimer(signal.ITIMER_PROF, 0)
                    break
                except TimeUp:
                    kind = ENDLESS
        self._most -= self._steps.used + 50
        if self._steps.spent:
            kind, type_, text = ENDLESS, "", ""
        for at, old in enumerate(before if kind != ENDLESS else ()):
            new = shown(args[at])
            if new != old:
                text += f"; argument {at + 1} is then {new}"
                kind = CHANGED if kind == VALUE and type_ != "NoneType" and is_array(args[at]) else kind
        return kind, type_, _cut(text)


def _is_proper(old: Any, new: Any) -> bool:
    return bool(new.size) if is_array(new) else type(old) not in (int, float) or old == new


def _awaited(value: Any) -> Any:
    """The value of a coroutine that waits for nothing."""
    if not inspect.iscoroutine(value):
        return value
    try:
        value.send(None)
    except StopIteration as done:
        return done.value
    finally:
        value.close()
    return None


def functions_of(
    live: Iterable[FunctionType], files: dict[str, str], wanted: Iterable[str]
) -> dict[CodeType, FunctionType]:
    """Functions of the editable files, by their code.

    Parameters
    ----------
    files : real path of each file, and its short name.
    wanted : which of them, as ``path:name``; none: all.
    """
    names = set(wanted)
    found: dict[CodeType, FunctionType] = {}
    for function in live:
        path = files.get(real(function.__code__.co_filename))
        if path is not None and (not names or f"{path}:{function.__qualname__}" in names):
            found[function.__code__] = function
    return found


def loaded_functions() -> list[FunctionType]:
    """Functions that have come up since this process stopped to serve."""
    return [thing for thing in gc.get_objects() if type(thing) is FunctionType]
