"""A pytest plug-in: a test that takes longer than a few seconds has failed. Broken programs may never end."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

TEST_S = 3.0


class Late(Exception):
    """A test takes too long."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Late

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, TEST_S, 0.5)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
