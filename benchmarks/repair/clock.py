"""A pytest plug-in: a test that takes too many seconds of processor time has failed. Broken programs may never end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

TEST_S = float(os.environ.get("BITNET_TUI_BENCHMARK_TEST_S", "3"))


class Late(Exception):
    """A test takes too long."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Late

    signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, TEST_S, 0.5)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
