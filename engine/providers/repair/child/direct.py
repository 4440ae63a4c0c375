"""Tests that need nothing of pytest but their arguments are called directly, at a fraction of the cost."""

from __future__ import annotations

import copy
import inspect
import marshal
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from _pytest.unittest import TestCaseFunction
from _pytest.warnings import catch_warnings_for_item

from .cases import plain_case, run_case

_SIMPLE = frozenset({int, float, bool, str, bytes, type(None)})
_DEEPEST = 20


def params_only(item: Any) -> dict[str, Any] | None:
    """The arguments of a test that needs nothing but parametrised values, or None where it needs more."""
    if any(mark.name in ("xfail", "skip", "skipif", "usefixtures") for mark in item.iter_markers()):
        return None
    if type(item) is TestCaseFunction:
        return {} if plain_case(item) else None
    if type(item) is not pytest.Function or inspect.iscoroutinefunction(item.obj):
        return None
    spec = getattr(item, "callspec", None)
    values: dict[str, Any] = {}
    if spec is not None:
        values = dict(getattr(spec, "funcargs", None) or spec.params)
    definitions = item._fixtureinfo.name2fixturedefs
    for name in item.fixturenames:
        behind = definitions.get(name) or ()
        if behind and behind[-1].func.__module__.startswith("pytest_asyncio."):
            continue  # there for every test, of use only to coroutines
        if name not in values:
            return None
        if behind and getattr(behind[-1].func, "__name__", "") != "get_direct_param_fixture_func":
            return None
    return values


def direct_call(item: Any) -> Callable[[], None] | None:
    """What runs a test as pytest would and raises what goes wrong; None where only pytest can."""
    values = params_only(item)
    if values is None:
        return None
    call = partial(run_case, item) if type(item) is TestCaseFunction else Direct(item, values)
    return partial(_under_filters, item, call) if _filtered(item) else call


def _filtered(item: Any) -> bool:
    """Whether the project says which warnings are errors, or are left out."""
    return bool(
        item.config.getini("filterwarnings")
        or getattr(item.config.known_args_namespace, "pythonwarnings", None)
        or item.get_closest_marker("filterwarnings")
    )


def _under_filters(item: Any, call: Callable[[], None]) -> None:
    with catch_warnings_for_item(item.config, item.ihook, when="runtest", item=item):
        call()


class Direct:
    """A test that is called without pytest: what is called, on what, and its arguments, which every call has anew."""

    def __init__(self, item: Any, values: dict[str, Any]) -> None:
        self._function = item.obj
        self._holder = item.cls
        self._name = item.originalname
        self._values = values
        # Numbers, texts and what is made of them are copied far more quickly this way.
        self._packed = marshal.dumps(values) if values and _is_plain(values) else None

    def __call__(self) -> None:
        function = self._function if self._holder is None else getattr(self._holder(), self._name)
        function(**(copy.deepcopy(self._values) if self._packed is None else marshal.loads(self._packed)))


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a value is made of nothing but the simplest types, and not too deep."""
    kind = type(value)
    if kind in _SIMPLE:
        return True
    if depth > _DEEPEST or kind not in (list, tuple, set, dict):
        return False
    inside = [*value, *value.values()] if kind is dict else value
    return all(_is_plain(part, depth + 1) for part in inside)
