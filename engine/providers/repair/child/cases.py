"""Run a method of a `unittest.TestCase` by itself, without the hooks, reports and fixtures that pytest wraps around it.

What it may not leave out, set-up of the class or the module, it refuses to run (`plain_case`).
"""

from __future__ import annotations

import unittest
from typing import Any

import pytest
from _pytest.outcomes import Skipped

_WHOLE = ("setUpClass", "tearDownClass", "doClassCleanups")


class Heard:
    """What unittest tells about one test; the first thing that went wrong is kept."""

    shouldStop = failfast = False

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.skipped = False

    def startTest(self, case: object) -> None:
        pass

    stopTest = addSuccess = startTest

    def addError(self, case: object, error: Any) -> None:
        if isinstance(error[1], Skipped):
            self.skipped = True
        elif self.error is None:
            self.error = error[1]

    addFailure = addError

    def addSubTest(self, case: object, part: object, error: Any) -> None:
        if error is not None:
            self.addError(part, error)

    def addSkip(self, case: object, reason: str) -> None:
        self.skipped = True

    def addExpectedFailure(self, case: object, error: Any) -> None:
        self.skipped = True

    def addUnexpectedSuccess(self, case: object) -> None:
        self.error = AssertionError("Unexpected success")

    def addDuration(self, case: object, seconds: float) -> None:
        pass


def plain_case(item: Any) -> bool:
    """Whether all that a collected test needs is its own method, ``setUp``, ``tearDown`` and clean-ups."""
    cls = item.cls
    if not isinstance(cls, type) or not issubclass(cls, unittest.TestCase):
        return False
    # Twisted, trio and asyncio have cases that bring a loop of their own.
    if cls.run is not unittest.TestCase.run or issubclass(cls, unittest.IsolatedAsyncioTestCase):
        return False
    if any(getattr(cls, name).__func__ is not getattr(unittest.TestCase, name).__func__ for name in _WHOLE):
        return False
    if hasattr(cls, "setup_method") or hasattr(cls, "teardown_method"):
        return False
    behind = item._fixtureinfo.name2fixturedefs
    return all(name == "request" or _of_pytest(behind.get(name)) for name in item.fixturenames)


def _of_pytest(definitions: Any) -> bool:
    return bool(definitions) and definitions[-1].func.__module__ == "_pytest.unittest"


def run_case(item: Any) -> None:
    """Run it, set-up and clean-up included; raise the first thing that goes wrong, or what skips it."""
    heard = Heard()
    item.cls(item.name).run(heard)
    if heard.error is not None:
        raise heard.error
    if heard.skipped:
        pytest.skip("unittest says so")
