"""The bench on the screen: at both sizes, without colour, in plain letters; its child ends with it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.tui import measured
from tests.tui.stage import SIZES, deciding, golden, main, make, screen, settled, until
from tests.tui.story import START, Story
from tui.app import BitnetApp
from tui.bench import kept
from tui.screens.bench import BenchScreen, BesideScreen

NAMES = [f"{w}x{h}" for w, h in SIZES]


def said(app: Any) -> str:
    return " | ".join(n.message for n in app._notifications)


async def measured_once(pilot: Pilot[Any]) -> None:
    """A benchmark was started, has ended, and is drawn."""
    app = pilot.app
    assert isinstance(app, BitnetApp)
    await until(pilot, lambda: app.bench.sheet.complete and not app.bench.busy, "a benchmark")
    await drawn(pilot)


async def drawn(pilot: Pilot[Any]) -> None:
    app = pilot.app
    assert isinstance(app, BitnetApp)
    open_ = app.screen
    assert isinstance(open_, BenchScreen)
    await until(pilot, lambda: open_.sweep.ready, "a plot")
    await settled(pilot)
    await settled(pilot)
    assert not app.faults


def gone(pid: int) -> bool:
    """No process of the group is left."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
async def test_an_empty_bench_says_what_to_do_and_then_has_a_row_each(size: tuple[int, int], tmp_path: Path) -> None:
    folder = measured.run_folder(tmp_path)
    app = make(Story(), folder=lambda: folder)
    measured.bench(app, measured.lines(faster=1.5))
    name = f"{size[0]}x{size[1]}"
    async with app.run_test(size=size) as pilot:
        await deciding(pilot)
        before = screen(app)
        await pilot.press("b")
        await drawn(pilot)
        golden(f"bench-empty-{name}", screen(app))
        kept.keep(measured.sheet(), folder.parents[1] / "bench")
        await pilot.press("r")
        await measured_once(pilot)
        golden(f"bench-{name}", screen(app))
        if size[1] < 30:
            await pilot.press("v")
            await drawn(pilot)
            golden(f"bench-sweep-{name}", screen(app))
            await pilot.press("escape")
        await pilot.press("g", "j", "j", "y")
        assert app.clipboard.startswith("matmul i2_s 2560x2560, 8 tokens, numpy, cold weights: 11300.0 µs")
        await pilot.press("s", "s")
        await settled(pilot)
        assert "furthest from the roof" in screen(app)
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen is main(app)
        assert screen(app).splitlines()[:-3] == before.splitlines()[:-3]  # the last lines may have a toast over them
    newest = kept.newest(folder.parents[1] / "bench")
    assert newest is not None
    assert newest.at == START + 300


async def test_the_last_benchmark_is_there_when_the_screen_opens(tmp_path: Path) -> None:
    folder = measured.run_folder(tmp_path)
    kept.keep(measured.sheet(), folder.parents[1] / "bench")
    app = make(Story(), folder=lambda: folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await deciding(pilot)
        await pilot.press("b")
        await drawn(pilot)
        assert "212 µs" in screen(app)
        app.bench.state, app.bench.sheet = "running", measured.sheet(until=5)
        app.changed()
        await drawn(pilot)
        golden("bench-running-80x24", screen(app))
        app.bench.state = ""


async def test_plain_letters_are_enough_for_the_bench() -> None:
    app = make(Story(), glyphs="ascii")
    measured.bench(app, measured.lines())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("b", "r")
        await measured_once(pilot)
        assert screen(app).isascii()
        golden("bench-ascii-120x40", screen(app))


async def test_without_colour_the_bench_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make(Story())
    app.bench.sheet, app.bench.before = measured.sheet(at=START + 300, faster=1.5), measured.sheet()
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("b")
        await drawn(pilot)
        golden("bench-no-colour-120x40", screen(app))


async def test_a_run_at_work_is_asked_about_paused_and_goes_on_afterwards(tmp_path: Path) -> None:
    folder = measured.run_folder(tmp_path)
    app = make(Story(pace=0.3), folder=lambda: folder)
    go = tmp_path / "go"
    bench = measured.bench(app, measured.lines(), f"while not os.path.exists({str(go)!r}): time.sleep(0.01)")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.bridge.state.tests)
        await pilot.press("b", "r")
        await settled(pilot)
        assert isinstance(app.screen, BesideScreen)
        assert "Step analyze is under way. A benchmark beside it" in screen(app)
        await pilot.press("escape")
        assert not bench.busy
        await pilot.press("r", "p")
        await until(pilot, lambda: app.bridge.state.paused and bench.sheet.complete, "a pause")
        go.touch()
        await until(pilot, lambda: not bench.busy)
        assert not bench.sheet.disturbed
        await until(pilot, lambda: not app.bridge.state.paused, "going on")


async def test_times_beside_a_run_are_marked_and_compared_with_by_nobody(tmp_path: Path) -> None:
    folder = measured.run_folder(tmp_path)
    run = Story(until="edit", folder=None)
    app = make(run, folder=lambda: folder)
    bench = measured.bench(app, measured.lines())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, run.reached.is_set)
        await pilot.press("b", "r")
        await settled(pilot)
        golden("bench-beside-80x24", screen(app))
        await pilot.press("m")
        await measured_once(pilot)
        assert "▲ disturbed  a run was at work beside it" in screen(app)
    assert bench.sheet.disturbed
    assert kept.compared(folder.parents[1] / "bench", replace(bench.sheet, at=START + 900)) is None


async def test_a_key_stops_the_child_and_all_it_started_and_keeps_what_there_is(tmp_path: Path) -> None:
    folder, note = measured.run_folder(tmp_path), tmp_path / "pid"
    then = "import subprocess; subprocess.Popen(['sleep', '600'])\n"
    then += f"open({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    app = make(Story(), folder=lambda: folder)
    bench = measured.bench(app, measured.lines()[:6], then)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("b", "r")
        await until(pilot, lambda: note.exists() and note.read_text() and len(bench.sheet.rows) == 2)
        await pilot.press("escape")  # it goes on while nobody looks
        assert bench.busy
        await pilot.press("b", "r")
        assert "a benchmark is under way" in said(app)
        await pilot.press("x")
        await until(pilot, lambda: not bench.busy)
        await until(pilot, lambda: gone(int(note.read_text())))
        await settled(pilot)
        assert "– stopped  2 of 9 kinds were measured" in screen(app)
        await pilot.press("x")
        assert "no benchmark is under way" in said(app)
    newest = kept.newest(folder.parents[1] / "bench")
    assert newest is not None
    assert not newest.complete


async def test_leaving_the_program_leaves_no_orphan(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    then = f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen({str(note)!r}, 'w').write(str(os.getpid()))\n"
    app = make(Story())
    measured.bench(app, measured.lines()[:6], then + "time.sleep(600)")
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("b", "r")
        await until(pilot, lambda: note.exists() and note.read_text())
    while not gone(int(note.read_text())):  # the system may take a moment to bury it
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("then", "sentence"),
    [
        ("import no_such_package", "cannot start: ModuleNotFoundError: No module named 'no_such_package'"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
    ],
)
async def test_a_child_that_dies_is_a_sentence_and_its_rows_stay(then: str, sentence: str) -> None:
    app = make(Story())
    bench = measured.bench(app, measured.lines()[:6], then)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("b", "r")
        await until(pilot, lambda: bench.trouble and not bench.busy)
        await drawn(pilot)
        assert sentence in screen(app)
        assert "212 µs" in screen(app)


async def test_the_palette_starts_a_benchmark() -> None:
    app = make(Story())
    bench = measured.bench(app, measured.lines())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: app.screen is not main(app))
        await pilot.press(*"measure the kernels")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: bench.sheet.complete)
        assert isinstance(app.screen, BenchScreen)
