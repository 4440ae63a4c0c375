"""Run one collected test, as cheaply as its fixtures allow, and say how it ended. It must never print or raise."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from _pytest.outcomes import Skipped
from _pytest.runner import runtestprotocol

from .direct import direct_call
from .steps import Steps

PASSED, FAILED, SKIPPED, ENDLESS, MISSING = "p", "f", "s", "t", "m"
_MOST_VALUES, _LONGEST_VALUE = 12, 40
_MISMATCH = re.compile(r"Mismatched elements: (\d+)")


class TimeUp(BaseException):
    """The clock of one test ran out; not an `Exception`, so that ordinary handlers let it pass."""


class Ending:
    """How one test ended.

    Attributes
    ----------
    code : one of the letters above.
    kind : name of the exception, or empty.
    line : the last line of the test's own file in the traceback.
    missed : how many elements an array comparison found wrong, or -1.
    frames : (file, line) of each frame in an editable file, outermost first.
    text : the message, cut short.
    values : names and values at the innermost of those frames, where that was asked for.
    """

    def __init__(self, code: str, error: BaseException | None = None) -> None:
        self.code = code
        self.kind = type(error).__name__ if error is not None else ""
        self.line = 0
        self.missed = -1
        self.frames: list[tuple[str, int]] = []
        self.text = ""
        self.values: list[tuple[str, str]] = []
        self.error = error

    def sign(self) -> list[Any]:
        """What tells this ending from another one of the same test."""
        return [self.code, self.kind, self.line, self.missed]


_places: dict[str, str] = {}


def real(path: str) -> str:
    """The real path of a file, asked of the system once."""
    found = _places.get(path)
    if found is None:
        found = _places[path] = os.path.realpath(path)
    return found


def describe(ending: Ending, test_file: str, short: dict[str, str], *, values: bool = False) -> None:
    """Fill in where the traceback of ``ending`` went, and what it found there if ``values`` are wanted."""
    error = ending.error
    if error is None:
        return
    trace: TracebackType | None = error.__traceback__
    last, name = "", ""
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if path is not last:  # a call too deep goes through one file a thousand times
            last, name = path, real(path)
        if name == test_file:
            ending.line = trace.tb_lineno
        elif name in short:
            ending.frames.append((short[name], trace.tb_lineno))
            if values:
                ending.values = _plain_values(trace.tb_frame.f_locals)
        trace = trace.tb_next
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - an exception of the code under trial may not even print
        text = type(broken).__name__
    ending.text = text[:600]
    match = _MISMATCH.search(ending.text)
    if match:
        ending.missed = int(match.group(1))
    ending.error = None


def _plain_values(names: dict[str, Any]) -> list[tuple[str, str]]:
    """Names with values whose text nobody has made up: of the plainest types, cut short, and how long others are."""
    found: list[tuple[str, str]] = []
    for name, value in list(names.items())[:_MOST_VALUES]:
        kind = type(value)
        if kind in (bool, int, float, type(None)) or (kind in (str, bytes) and len(value) <= _LONGEST_VALUE):
            found.append((name, repr(value)[:_LONGEST_VALUE]))
        elif kind in (str, bytes, list, tuple, dict, set, frozenset):
            found.append((name, f"{kind.__name__} of {len(value)}"))
    return found


def _calls_below() -> int:
    """How many calls lie below this one."""
    frame, count = sys._getframe(), 0
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count


class Runner:
    """Runs tests under a clock and a step counter.

    Parameters
    ----------
    steps : the store every instrumented loop takes from.
    short : real path of each editable file, and its short name.

    Attributes
    ----------
    telling : whether values at the place of a failure are wanted.
    """

    def __init__(self, steps: Steps, short: dict[str, str]) -> None:
        self._steps = steps
        self._short = short
        self._direct: dict[str, Callable[[], None] | None] = {}
        self._files: dict[str, str] = {}
        self._below = 0
        self._caught: list[BaseException] = []
        self.dirty = False
        self.telling = False
        signal.signal(signal.SIGALRM, self._time_up)
        signal.signal(signal.SIGPROF, self._time_up)

    def _time_up(self, signum: int, frame: object) -> None:
        raise TimeUp

    def prepare(self, items: list[Any]) -> None:
        """Find out, once, which tests may be called directly."""
        for item in items:
            self._direct[item.nodeid] = direct_call(item)
            self._files[item.nodeid] = real(str(item.path))

    def saw(self, error: BaseException) -> None:
        """Remember the exception of a test that runs through pytest's own protocol."""
        self._caught.append(error)

    def run(self, item: Any, seconds: float, room: int, after: Any = None, *, depth: int = 0) -> Ending:
        """Run ``item`` within ``seconds`` of processor time and ``room`` steps; ``after`` is the next test, if any.

        A ``depth`` is how many calls may lie in one another before that counts as endless, and then a loop that goes
        round in one state does, too; 0: as many as Python lets.
        """
        if not depth:
            self._steps.refill(room)
            return self._run_within(item, seconds, after)
        usual = sys.getrecursionlimit()
        self._below = self._below or _calls_below()
        self._steps.refill(room, watched=True)
        sys.setrecursionlimit(min(usual, self._below + depth))
        try:
            ending = self._run_within(item, seconds, after)
        finally:
            sys.setrecursionlimit(usual)
        if ending.kind == "RecursionError":
            ending.code = ENDLESS
        return ending

    def _run_within(self, item: Any, seconds: float, after: Any) -> Ending:
        # Processor time, so that a busy machine changes nothing; real time behind it, for code that sleeps.
        signal.setitimer(signal.ITIMER_PROF, seconds, 0.05)
        signal.setitimer(signal.ITIMER_REAL, seconds * 2 + 0.5, 0.05)
        try:
            ending = self._run(item, after)
        except TimeUp as late:
            ending = Ending(ENDLESS, late)
            self.dirty = True
        finally:
            for _ in range(3):
                try:
                    signal.setitimer(signal.ITIMER_PROF, 0)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    break
                except TimeUp:
                    self.dirty = True
        if self._steps.spent or ending.kind == "TimeUp" or isinstance(ending.error, MemoryError):
            ending.code = ENDLESS  # what takes all the memory there is would go on, too, if it could
            self.dirty = self.dirty or self._direct.get(item.nodeid) is None
        file = self._files.get(item.nodeid) or real(str(item.path))
        describe(ending, file, self._short, values=self.telling)
        return ending

    def _run(self, item: Any, after: Any) -> Ending:
        direct = self._direct.get(item.nodeid)
        if direct is None:
            return self._by_protocol(item, after)
        try:
            direct()
        except TimeUp as late:
            return Ending(ENDLESS, late)
        except Skipped:
            return Ending(SKIPPED)
        except BaseException as error:  # noqa: BLE001 - code under trial may raise anything, SystemExit too
            return Ending(FAILED, error)
        return Ending(PASSED)

    def _by_protocol(self, item: Any, after: Any) -> Ending:
        self._caught.clear()
        try:
            reports = runtestprotocol(item, log=False, nextitem=after)
        except TimeUp as late:
            self.dirty = True
            return Ending(ENDLESS, late)
        except BaseException as error:  # noqa: BLE001 - pytest lets Exit and KeyboardInterrupt through
            self.dirty = True
            return Ending(FAILED, error)
        if any(report.failed for report in reports):
            caught = self._caught[-1] if self._caught else None
            self.dirty = self.dirty or isinstance(caught, TimeUp)
            return Ending(FAILED, caught)
        called = [report for report in reports if report.when == "call"]
        return Ending(PASSED if called and called[0].passed else SKIPPED)
