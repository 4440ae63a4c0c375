"""Notice what a trial left behind in the globals of the project and its tests, and begin each one with the same chance.

A glance, not a proof: names, sizes and identities one level deep. It must cost less than a test and change nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any

_FEW = 16  # elements of a container, or attributes of an object, that are looked at
_MOST = 500  # names of one module
_FIXED = (FunctionType, ModuleType, type, str, bytes, int, float, bool, type(None))
_KEPT = {"tearDown_exceptions", "_class_cleanups", "_classSetupFailed", "__slotnames__", "__warningregistry__"}
"""What Python and unittest themselves write down on classes and modules while any test runs."""


class State:
    """The globals of some files, compared with what they were at `mark`.

    Parameters
    ----------
    files : real path of each file whose modules matter.
    """

    def __init__(self, files: Iterable[str]) -> None:
        wanted = set(files)
        self._spaces: list[dict[str, Any]] = []
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and os.path.realpath(path) in wanted:
                space = vars(module)
                # The first warning of a module makes this; made beforehand, no trial is held to have left it.
                space.setdefault("__warningregistry__", {})
                self._spaces.append(space)
                for value in list(space.values())[:_MOST]:
                    if isinstance(value, type) and value.__module__ == space.get("__name__"):
                        self._spaces.append(value.__dict__)  # type: ignore[arg-type]
        self._names: list[tuple[list[str], list[int]]] = []
        self._things: list[tuple[Any, Any]] = []

    def mark(self) -> None:
        """From now on, this is how things should be."""
        self._names = [(list(space), list(map(id, space.values()))) for space in self._spaces]
        things = {
            id(value): value
            for space in self._spaces
            for name, value in list(space.items())[:_MOST]
            if not isinstance(value, _FIXED) and not name.startswith("__")
        }
        self._things = [(value, _inside(value)) for value in things.values()]

    def changed(self) -> bool:
        """Whether something is otherwise than at the last `mark`."""
        for space, (names, was) in zip(self._spaces, self._names):  # noqa: B905
            # What was kept is looked at only where something differs: this runs after every trial.
            if list(map(id, space.values())) != was and _own(list(space), map(id, space.values())) != _own(names, was):
                return True
        return any(_inside(value) != was for value, was in self._things)


def _own(names: Iterable[str], things: Iterable[int]) -> list[tuple[str, int]]:
    return [row for row in zip(names, things) if row[0] not in _KEPT]  # noqa: B905


def _inside(value: Any) -> Any:
    kind = type(value)
    if kind in (list, tuple, set, frozenset, dict):
        parts = value.values() if kind is dict else value
        return (len(value), [(id(part), _size(part)) for part, _ in zip(parts, range(_FEW))])  # noqa: B905
    if kind.__module__ == "builtins":
        return None
    own = getattr(value, "__dict__", None)
    if type(own) is dict:
        return [(id(part), _size(part)) for part in list(own.values())[:_FEW]]
    return _size(value)


def _size(value: Any) -> int:
    try:
        return len(value) if type(value).__module__ in ("builtins", "collections") else 0
    except TypeError:
        return 0


def begin_alike() -> None:
    """The same random numbers for every trial, where the project uses any."""
    for name in ("random", "numpy.random"):
        module = sys.modules.get(name)
        if module is not None:
            module.seed(0)
