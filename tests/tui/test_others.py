"""The runners-up are listed, and one is taken by a key: told by a canned run, and by a real one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support import lean_environment, make_repo

from engine import events as ev
from engine.launch import Options, prepare
from engine.model import Exit, Verdict
from engine.records import journal
from engine.run import Run
from engine.state import AttemptRow
from tests.tui.stage import deciding, golden, make, screen, settled, until
from tests.tui.story import Rivals, Story
from tests.tui.test_removed import parked, said
from tui.app import BitnetApp


async def test_runners_up_are_shown_and_the_one_taken_is_verified_or_turned_down(tmp_path: Path) -> None:
    run = Rivals(folder=tmp_path)
    app = make(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await deciding(pilot)
        await pilot.press("o")
        await settled(pilot)
        assert "Plausible, 4 alternatives, confidence low.   c shows them" in screen(app)
        await pilot.press("c")
        await settled(pilot)
        golden("others-100x30", screen(app))
        await pilot.press("escape", "c", "enter")
        await until(pilot, lambda: run.picked)
        assert "runner-up 1 in its place: verified again" in said(app)
        await parked(pilot, "after-1-2")
        await pilot.press("o")
        await settled(pilot)
        assert "Runner-up 1 did not verify: 1 target test is red." in screen(app)
        await pilot.press("c")
        await settled(pilot)
        assert "did not verify: 1 target test is red" in screen(app)
        await pilot.press("enter")
        assert "this one did not verify" in said(app)
        await pilot.press("j", "j", "j", "j", "enter")
        await until(pilot, lambda: len(run.picked) > 1)
        await parked(pilot, "after-1-3")
        await pilot.press("c")
        await settled(pilot)
        assert "the first proposal: unpack masks two bits" in screen(app)
        assert "it is in place now" in screen(app)
        await pilot.press("enter")
        await until(pilot, lambda: len(run.picked) > 2)
    assert run.picked == [0, 1, -1]


async def test_where_nothing_else_would_pass_the_key_says_so() -> None:
    app = make(Story())
    async with app.run_test(size=(80, 24)) as pilot:
        await deciding(pilot)
        await pilot.press("c")
        assert "c is off: no other change was seen to pass the same tests" in said(app)


PROJECT = {
    "core.py": 'def last_word(text):\n    words = text.split(" ")\n    return words[0]\n',
    # What a copy outside of git cannot tell: the search takes both changes for good, the verification does not.
    "tests/test_core.py": "from pathlib import Path\n\nfrom core import last_word\n\n\n"
    'def test_last():\n    assert last_word("a b") == "b"\n\n\n'
    'def test_in_git():\n    assert (Path(__file__).parents[1] / ".git").exists()\n    assert last_word("") == ""\n',
}


def number_of(row: AttemptRow | None, note: str) -> int:
    assert row is not None
    assert row.finished is not None
    return next(n for n, other in enumerate(row.finished.runners_up) if other.note == note)


@pytest.mark.slow
async def test_a_real_run_verifies_a_runner_up_and_keeps_what_it_had_where_that_fails(tmp_path: Path) -> None:
    folder = make_repo(tmp_path / "repo", PROJECT)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "PYTEST", "CURRENT_FLOW"))}
    environ |= {"VIRTUAL_ENV": str(lean_environment(tmp_path / "lean"))}  # the plug-ins of ours cost every child more
    run = Run(prepare(Options(folder, providers=("repair",), suites=("cpu",)), environ))
    app = make(run)
    assert isinstance(app, BitnetApp)
    async with app.run_test(size=(100, 30)) as pilot:

        async def take(note: str, proposal: str) -> None:
            index = number_of(app.bridge.state.attempt, note)
            await pilot.press("c")
            await settled(pilot)
            rows: Any = app.screen.query_one("#others")
            rows.move_to(rows.keys.index(str(index)))
            await pilot.press("enter")
            await parked(pilot, proposal)

        await parked(pilot, "after-1")
        first, before = app.bridge.state.attempt, dict(app.bridge.state.gates)
        assert first is not None
        assert (first.verdict, "words[-1]" in patch(run)) == (Verdict.VERIFIED, True)
        assert "plausible" in before["impl"].evidence
        await take("`0` became `1`", "after-1-2")
        kept = app.bridge.state.attempt
        assert kept is not None
        (why,) = kept.turned_down.values()
        assert "test_in_git" in why
        assert (kept.tree, kept.verdict, dict(app.bridge.state.gates)) == (first.tree, Verdict.VERIFIED, before)
        assert "words[-1]" in patch(run)
        await take("`words` became `words[::-1]`", "after-1-3")
        assert "words[::-1]" in patch(run)
        assert app.bridge.state.gates["impl"].word == "pass"
        await pilot.press("f")
        await until(pilot, lambda: app.bridge.gone is not None, "the end", seconds=120)
    assert app.bridge.gone is Exit.OK
    events = [record.event for record in journal.read(run.folder / "journal.jsonl")]
    assert [type(e).__name__ for e in events if isinstance(e, ev.RunnerUpTaken | ev.RunnerUpRefused)] == [
        "RunnerUpTaken",
        "RunnerUpRefused",
        "RunnerUpTaken",
    ]


def patch(run: Run) -> str:
    return (run.folder / "patch.diff").read_text()
