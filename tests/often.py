"""How much of the long sweeps a run of the suite takes: a fixed part of each, or with BITNET_TUI_THOROUGH=1 all of it.

What is left out is skipped in sight. The parts are fixed, so that a failure can be seen again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

THOROUGH = os.environ.get("BITNET_TUI_THOROUGH") == "1"
everything = pytest.mark.skipif(not THOROUGH, reason="takes minutes: set BITNET_TUI_THOROUGH=1 to run it")


def step(size: int) -> int:
    """Every how-manieth of a sweep is taken: each of them, or one in ``size``."""
    return 1 if THOROUGH else size


def every(size: int, values: Sequence[Any]) -> list[Any]:
    """Parameters of a test: one in ``size`` always, the others when all is asked for."""
    return some(values, range(0, len(values), size))


def some(values: Sequence[Any], often: Sequence[int]) -> list[Any]:
    """Parameters of a test: those at the places ``often`` always, the others when all is asked for."""
    sets = [v if isinstance(v, tuple) else (v,) for v in values]
    return [pytest.param(*v, marks=() if i in often else everything) for i, v in enumerate(sets)]
