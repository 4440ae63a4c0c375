"""The benchmark's cache follows the documented rules, and the marks of a request are laid out for them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.providers.anthropic.history import History, result, text
from engine.providers.anthropic.profile import CLAUDE
from engine.providers.anthropic.tape import Asked, asked

MARK = {"cache_control": {"type": "ephemeral"}}


@pytest.fixture(scope="module")
def caching() -> ModuleType:
    path = Path(__file__).parents[3] / "benchmarks" / "caching.py"
    spec = importlib.util.spec_from_file_location("caching", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["caching"] = module
    spec.loader.exec_module(module)
    return module


def request(history: History) -> Asked:
    system = [{"type": "text", "text": "rule " * 1500, **MARK}]
    body = {"model": "m", "system": system, "tools": [{"name": "t", **MARK}], "messages": history.render(CLAUDE)}
    return asked("post", "/v1/messages", body)


def talk(answers: int) -> tuple[Asked, Asked]:
    """Two requests in a row; between them a turn with so many answers of tools."""
    history = History()
    history.user(text("fact " * 1500))
    first = request(history)
    history.assistant([{"type": "tool_use", "id": str(n), "name": "t", "input": {}} for n in range(answers)])
    history.user(*(result(str(n), "line", is_error=False) for n in range(answers)))
    return first, request(history)


def test_a_request_reads_all_of_the_one_before_whatever_lies_between(caching: ModuleType) -> None:
    for answers in (1, 15, 40):
        first, second = talk(answers)
        cache = caching.Cache()
        before = cache.take(first, first.marks, 0.0)
        after = cache.take(second, second.marks, 1.0)
        assert (before.read, after.read) == (0, before.written)
        assert before.fresh == after.fresh == 0


def test_with_a_single_rolling_mark_a_turn_of_many_answers_is_out_of_reach(caching: ModuleType) -> None:
    first, second = talk(15)
    cache = caching.Cache()
    cache.take(first, first.marks, 0.0)
    counted: Any = cache.take(second, caching.one_rolling(second.marks), 1.0)
    assert counted.read < first.system.count("rule") + 100, "only tools and system"


def test_what_is_short_or_old_is_not_kept(caching: ModuleType) -> None:
    first, second = talk(1)
    assert caching.Cache(least=10**6).take(first, first.marks, 0.0).written == 0
    cache = caching.Cache()
    cache.take(first, first.marks, 0.0)
    assert cache.take(second, second.marks, 301.0).read == 0
