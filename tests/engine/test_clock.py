"""Clocks are set back and forth while a run works and while it waits to go on; what it leaves does not show it."""

from __future__ import annotations

import functools
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crashes import ONE, Finished
from often import some
from support import Command

from engine import events as ev
from engine.model import Exit
from engine.records import journal
from engine.workspace.home import Home, new_run_id

YEAR = 365 * 86400.0


@pytest.fixture(scope="module")
def finished(lean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished.make(tmp_path_factory.mktemp("tiny"), lean_python, ONE)


def jumping() -> Iterator[float]:
    for offset in itertools.cycle([0.0, -YEAR, 3600.0, -1.0, YEAR, -2 * YEAR]):
        yield time.time() + offset


@pytest.mark.parametrize("clock", some(["jumping", "a year back", "at zero"], (0, 2)))
def test_a_run_goes_on_whatever_the_clock_says(finished: Finished, monkeypatch: pytest.MonkeyPatch, clock: str) -> None:
    times = jumping()
    clocks: dict[str, Callable[[], float]] = {
        "jumping": lambda: next(times),
        "a year back": lambda: time.time() - YEAR,
        "at zero": lambda: 0.0,
    }
    finished.take_back(finished.number(ev.AttemptStarted), torn=False)
    monkeypatch.setattr(journal, "Journal", functools.partial(journal.Journal, clock=clocks[clock]))
    assert finished.go_on() is Exit.OK
    finished.hold(finished.run, clock)
    records = journal.read(finished.journal)
    assert [r.at for r in records] == sorted(r.at for r in records)
    ended = records[-1].event
    assert isinstance(ended, ev.RunFinished)
    assert ended.seconds >= 0
    receipt = json.loads((finished.journal.parent / "receipts" / "impl.json").read_text())
    assert all(a["seconds"] >= 0 for a in receipt["attempts"])


@pytest.mark.parametrize("after", ["20991231-235959-ffff", "20261123-031500-ffff", "20261123-031501-0000", "", "mine"])
def test_a_new_run_sorts_behind_the_newest(after: str) -> None:
    now = time.mktime((2026, 11, 23, 3, 15, 0, 0, 0, -1))
    made = new_run_id(after, now)
    assert made[:4] in ("2026", "2100")
    assert made[15] == "-"
    if after != "mine":  # what a person put there has no time
        assert made > after


def test_a_run_that_follows_one_of_the_future_is_the_newest(finished: Finished, tmp_path: Path) -> None:
    home = Home(tmp_path)
    made = ""
    for now in (4e9, 2e9, 2e9, 1e9):  # four starts on a clock that goes back
        made = new_run_id(home.newest(), now)
        home.run(made).mkdir(parents=True)
        (home.run(made) / "journal.jsonl").write_bytes(finished.lines[0])
        assert home.find("") == made
    assert len(home.known()) == 4


def test_a_run_after_the_clock_was_set_back_is_what_resume_means(
    repo: Callable[..., Path], command: Command, finished: Finished
) -> None:
    folder = repo({"test_a.py": "def test_cpu_a():\n    assert 0\n"})
    old = Home(folder).run("20991231-235959-ffff")
    old.mkdir(parents=True)
    (old / "journal.jsonl").write_bytes(b"".join(finished.lines))
    answer = command("--json", "--max-minutes", "0.001", *command.script([]), cwd=folder)
    assert (answer.code, answer.result["run"][:15]) == (4, "21000101-000000")
    again = command("resume", "--json", "--max-minutes", "5", cwd=folder)
    assert (again.code, again.result["run"]) == (1, answer.result["run"])
