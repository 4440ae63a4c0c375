"""Cases for the specialists' tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.specialists.case import Case
from engine.suites.interpreter import Interpreter
from tests.engine.specialists.kit import make_case, ours


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    return ours(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def lean(lean_python: Path) -> Interpreter:
    """One with pytest and nothing else, which starts sooner."""
    return ours(lean_python, str(lean_python / "bin" / "python"))


@pytest.fixture
def case(tmp_path: Path, python: Interpreter) -> Callable[..., Case]:
    def make(before: Mapping[str, str], after: Mapping[str, str | None], **given: Any) -> Case:
        return make_case(tmp_path, given.pop("python", python), before, after, **given)

    return make
