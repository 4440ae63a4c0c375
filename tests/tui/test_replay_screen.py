"""A journal on the screens of a run: what it shows, what is off, how it is left; alone and over a live run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support import git, make_repo
from textual.pilot import Pilot

from engine import events as ev
from tests.tui import tape
from tests.tui.stage import SIZES, deciding, ended, golden, main, make, screen, settled, until
from tests.tui.story import Story
from tui import keys
from tui.app import BitnetApp
from tui.format.reasons import STEERING
from tui.playback import AT_ONCE, Playback
from tui.screens.replay import ReplayScreen

NAMES = [f"{w}x{h}" for w, h in SIZES]


@pytest.fixture(scope="module")
def taped() -> list[Any]:
    return tape.records()


def toasts(app: Any) -> str:
    return " | ".join(n.message for n in app._notifications)


def replay(app: BitnetApp) -> ReplayScreen:
    found = app.screen
    assert isinstance(found, ReplayScreen)
    return found


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
async def test_a_replay_stands_at_the_recorded_question_and_steers_nothing(
    size: tuple[int, int], taped: list[Any]
) -> None:
    app = make(Playback(taped, Path("/runs/4f1c")), ask=False)
    async with app.run_test(size=size, notifications=False) as pilot:
        await pilot.press("space")  # it stands still from here on, and skips by step
        await until(pilot, lambda: app.bridge.state.paused)
        while not app.bridge.state.deciding:
            replay(app).action_skip()
            await until(pilot, lambda: not replay(app).play._skipping)
            await settled(pilot)
        golden(f"replay-{size[0]}x{size[1]}", screen(app))
        for key in (k for k in keys.of("main") if k.id in STEERING and k.id != "run.pause"):
            await pilot.press(key.keys)
            assert app.screen is main(app), f"{key.keys} opened something"
        assert app.bridge.state.deciding
        await pilot.press("q")
        await pilot.pause()
        assert app.return_value == 0


async def test_a_replay_ends_on_the_closing_page(taped: list[Any], tmp_path: Path) -> None:
    app = make(Playback(taped, tmp_path, speed=AT_ONCE), ask=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await ended(pilot)
        text = screen(app)
        assert "✓ verified" in text
        assert "gate impl passed and verified" in text
        assert "replay at its end" in text
        assert "02:36" in text  # the recorded time, not that of the clock on the wall
        await pilot.press("plus")
        assert "the speed cannot be changed: the replay has ended" in toasts(app)


async def test_a_run_that_was_cut_off_says_where_its_journal_ends(taped: list[Any], tmp_path: Path) -> None:
    app = make(Playback(taped[:150], tmp_path, speed=AT_ONCE), ask=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.bridge.gone is not None)
        await settled(pilot)
        said = " ".join(line.plain for line in main(app).detail._lines)
        assert "The journal ends here: the run was killed, or it still goes on." in said
        assert "– interrupted" in screen(app)


async def test_no_patch_is_shown_before_there_was_one(taped: list[Any], tmp_path: Path) -> None:
    folder = tape.keep(tmp_path, "20231114-221320-4f1c", taped)
    app = make(Playback(taped, folder), ask=False)
    async with app.run_test(size=(120, 40), notifications=False) as pilot:
        await pilot.press("p", "d")
        await until(pilot, lambda: app.bridge.state.paused)
        await settled(pilot)
        assert "No patch yet" in screen(app)
        await pilot.press("p", "plus", "minus", *["full_stop"] * 3)
        await settled(pilot)
        while app.bridge.gone is None:
            replay(app).action_skip()
            await pilot.pause(0.02)
        await ended(pilot)
        assert "kernels/i2s.py" in screen(app)


async def listed(pilot: Pilot[Any], rows: int) -> None:
    app = pilot.app
    await until(pilot, lambda: len(getattr(app.screen, "_found", ())) == rows and app.screen._done, "the list")  # type: ignore[attr-defined]
    await settled(pilot)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
async def test_earlier_runs_open_over_a_live_one_and_leave_it_alone(
    size: tuple[int, int], taped: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path()
    tape.keep(root, "20231114-221320-4f1c", taped)
    tape.keep(root, "20231115-080000-77aa", taped[:150], patch="")
    torn = tape.keep(root, "20231116-120000-bad0", taped[:50]) / "journal.jsonl"
    torn.write_bytes(b"{nonsense}\n" + torn.read_bytes())
    live = tape.keep(root, "20231117-120000-11fe", taped[:5])
    run = Story(folder=live)
    app = make(run, folder=live)
    async with app.run_test(size=size, notifications=False) as pilot:
        await deciding(pilot)
        before, question = screen(app), app.bridge.state.proposal
        await pilot.press("H")
        await listed(pilot, 3)
        golden(f"runs-{size[0]}x{size[1]}", screen(app))
        await pilot.press("enter")  # damaged: it says so and stays
        await settled(pilot)
        assert not isinstance(app.screen, ReplayScreen)
        await pilot.press("G", "enter")
        await until(pilot, lambda: isinstance(app.screen, ReplayScreen) and app.screen.bridge.gone is not None)
        await until(pilot, lambda: replay(app).bridge.state.ended is not None)
        await settled(pilot)
        golden(f"opened-{size[0]}x{size[1]}", screen(app))
        session = replay(app).bridge.session
        await pilot.press("a", "r", "x", "escape", "escape", "escape")
        await until(pilot, lambda: app.screen is main(app))
        assert not session.alive
        await settled(pilot)
        assert screen(app) == before
        assert app.bridge.state.proposal == question
        assert not run.answers
        await pilot.press("H")
        await listed(pilot, 3)
        await pilot.press("G", "R")
        await until(pilot, lambda: isinstance(app.screen, ReplayScreen))
        assert replay(app).play.word == "×8"
        await pilot.press("q", "q")
        await until(pilot, lambda: app.screen is main(app))
        await pilot.press("a")
        await until(pilot, lambda: run.answers)


async def test_a_question_of_the_live_run_is_told_over_a_recorded_one(taped: list[Any], tmp_path: Path) -> None:
    run = Story(until="edit")
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, run.reached.is_set)
        app.watch_recorded(Playback(taped, tmp_path, speed=AT_ONCE))
        await until(pilot, lambda: isinstance(app.screen, ReplayScreen))
        asked = ev.BudgetReached("q", "usd", 1.0, 1.0, 1.5, "why")
        app.bridge.state = replace(app.bridge.state, limit=asked)
        app.paint()
        await until(pilot, lambda: "the run below waits for you" in toasts(app))
        app.paint()
        await settled(pilot)
        assert toasts(app).count("the run below waits for you") == 1


async def test_without_other_runs_there_is_a_sentence(tmp_path: Path, taped: list[Any]) -> None:
    live = tape.keep(tmp_path, "20231117-120000-11fe", taped[:5])
    for folder, said in ((live, "No other run in this repository yet."), (None, "This run keeps no folder")):
        app = make(Story(), folder=folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await deciding(pilot)
            await pilot.press("H")
            await until(pilot, lambda: app.screen._done)  # type: ignore[attr-defined]  # noqa: B023
            await settled(pilot)
            assert said in " ".join(screen(app).replace("┃", " ").split())
            await pilot.press("A", "R", "enter", "escape")
            assert app.screen is main(app)


async def test_a_change_is_applied_only_after_its_files_were_named(taped: list[Any], tmp_path: Path) -> None:
    root = make_repo(tmp_path, {"calc.py": "ONE = 2\n"})
    (root / "calc.py").write_text("ONE = 1\n")
    patch = git(root, "diff", "--full-index") + "\n"
    git(root, "checkout", "calc.py")
    name = "20231114-221320-4f1c"
    folder = tape.keep(root, name, taped, patch=patch)
    tape.keep(root, "20231113-000000-77aa", taped[:150], patch=patch)
    app = make(Playback(taped, folder, speed=AT_ONCE), ask=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await ended(pilot)
        await pilot.press("H")
        await listed(pilot, 2)
        await pilot.press("G", "A")  # cut off: not verified
        assert "run 77aa is not applied: it is not verified" in toasts(app)
        await pilot.press("g", "A")
        await settled(pilot)
        text = screen(app)
        assert "Apply run 4f1c?" in text
        assert "calc.py  +1 −1" in text
        await pilot.press("escape")
        assert (root / "calc.py").read_text() == "ONE = 2\n"
        await pilot.press("A", "enter")
        await until(pilot, lambda: (root / "calc.py").read_text() == "ONE = 1\n")
        await until(pilot, lambda: "applied: 1 file changed" in toasts(app))
        await pilot.press("A", "enter")
        await until(pilot, lambda: "hold all of run 4f1c already" in toasts(app))
