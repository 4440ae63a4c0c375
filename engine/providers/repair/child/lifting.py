"""Let the functions a module calls take results that are not there yet: ``len``, ``list``, NumPy's, ``math``'s.

Only the module's own names are exchanged, in a fork that ends right after.
"""

from __future__ import annotations

import ast
import builtins
import types
from typing import Any

from .examples import lifted

_FUNCTIONS = ("len", "sorted", "sum", "min", "max", "abs", "round", "any", "all", "isinstance", "divmod")
_TYPES = ("list", "tuple", "set", "frozenset", "dict", "int", "float", "str", "bool", "bytes")
_MODULES = ("numpy", "math", "operator", "statistics")


class Shadow(types.ModuleType):
    """A module whose functions are lifted; its types and numbers are its own."""

    def __init__(self, module: types.ModuleType) -> None:
        super().__init__(module.__name__)
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        return _exchanged(getattr(self.__dict__["_module"], name))


def _exchanged(value: Any) -> Any:
    if isinstance(value, types.ModuleType):
        return Shadow(value) if value.__name__.split(".")[0] in _MODULES else value
    if callable(value) and not isinstance(value, type):
        home = getattr(value, "__module__", None) or type(value).__module__
        if home.split(".")[0] in _MODULES:
            return lifted(value)
    return value


def lift(module: Any) -> None:
    """Exchange names of a module, for good."""
    space = vars(module)
    for name, value in list(space.items()):
        if not name.startswith("__"):
            space[name] = _exchanged(value)
    called = _only_called(getattr(module, "__file__", None))
    for name in _FUNCTIONS + tuple(name for name in _TYPES if name in called):
        space.setdefault(name, lifted(getattr(builtins, name)))


def _only_called(path: Any) -> set[str]:
    """Types that the module only ever calls: nobody will notice that the name means a function."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            tree = ast.parse(file.read())
    except (OSError, TypeError, ValueError, SyntaxError):
        return set()
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in _TYPES]
    other = {node.id for node in named if not any(node is call for call in calls)}
    return {node.id for node in named} - other
