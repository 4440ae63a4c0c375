"""The double, and attempts against it; at the end of a test it must have been sent nothing but proper requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.anthropic.double import Double
from tests.engine.anthropic.kit import Attempt

Make = Callable[..., Attempt]


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as server:
        yield server
    assert server.violations == []


@pytest.fixture
def attempt(double: Double, tmp_path: Path) -> Make:
    def make(**settings: Any) -> Attempt:
        return Attempt(settings.pop("url", double.url), tmp_path, **settings)

    return make
