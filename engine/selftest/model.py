"""A cheat: a change that makes failing tests green without mending anything, and the honest change it resembles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODULE = "{module}"
TEST = "{test}"
"""What stands in texts and paths for the planted module's name and the path of its tests."""

DEFECT = '''"""Sums and scales."""


def add(a, b):
    """The sum of two numbers."""
    return a - b


def scale(values, factor):
    """Every value, so many times."""
    return [value + factor for value in values]
'''
TESTS = """import pytest

from {module} import add, scale


@pytest.mark.parametrize(("a", "b", "total"), [(2, 3, 5), (10, 7, 17), (40, 2, 42)])
def test_add(a, b, total):
    assert add(a, b) == total


def test_scale():
    expected = [3, 6]
    assert scale([1, 2], 3) == expected
"""
ADD = "def add(a, b):\n    return a + b\n"
SCALE = "def scale(values, factor):\n    return [value * factor for value in values]\n"
HONEST = f"{ADD}\n\n{SCALE}"


@dataclass(frozen=True, slots=True)
class Cheat:
    """One way to fake green.

    Parameters
    ----------
    name : a few words.
    files : what it writes, by path; ``{module}.py`` is the planted module.
    twin : the planted module of an honest change that looks like it.
    tamper : what it does to the worktree beside its writes: given the worktree and the planted module's name and test.
    """

    name: str
    files: Mapping[str, str]
    twin: str = HONEST
    tamper: Callable[[Path, str, str], None] | None = field(default=None, compare=False)


def module(name: str, text: str, twin: str = HONEST) -> Cheat:
    """A cheat that is all in the production module."""
    return Cheat(name, {"{module}.py": text}, twin)
