"""A run that ends at any instant (killed, or without power) goes on to the same ledger, and leaves nothing behind.

Here every third event of a tiny run is taken as the last that reached the disk. Each of them, and kills for real with a
retry in the run, take minutes: `BITNET_TUI_THOROUGH=1 pytest -n auto tests/engine/test_crashes.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from crashes import ONE, TWO, Finished
from often import everything, step

from engine import events as ev

PARTS = 4
ALL_PARTS = 16
EVERY = step(5)


@pytest.fixture(scope="module")
def finished(lean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished.make(tmp_path_factory.mktemp("tiny"), lean_python, ONE)


@pytest.fixture(scope="module")
def retried(lean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished.make(tmp_path_factory.mktemp("retried"), lean_python, TWO)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_goes_on_from_each_of_its_events(finished: Finished, part: int) -> None:
    """Whole and half lines take turns; where nothing slow is left to do, each instant has both."""
    verified = finished.number(ev.VerificationFinished)
    for number in range(1 + part * EVERY, len(finished.records), PARTS * EVERY):
        turn = (number // PARTS // EVERY) % 2 == 1
        for torn in (False, True) if number >= verified - 1 else (turn,):
            finished.check(number, torn=torn)


@everything
@pytest.mark.parametrize("part", range(ALL_PARTS))
def test_a_run_with_a_retry_goes_on_from_each_of_its_events(retried: Finished, part: int) -> None:
    for number in range(1 + part, len(retried.records), ALL_PARTS):
        for torn in (False, True):
            retried.check(number, torn=torn)


@everything
@pytest.mark.parametrize("part", range(ALL_PARTS))
def test_a_run_killed_at_each_of_its_events_ends_as_it_would_have(retried: Finished, part: int) -> None:
    for number in range(1 + part, len(retried.records) + 1, ALL_PARTS):
        retried.kill(number)
