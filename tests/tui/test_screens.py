"""The screens as text, at both sizes: look at the picture in the diff before accepting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.stage import SIZES, deciding, ended, golden, main, make, screen, settled, until
from tests.tui.story import PATCH, Story

NAMES = [f"{w}x{h}" for w, h in SIZES]


def story(point: str = "") -> Story:
    return Story(until=point, folder=None)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
@pytest.mark.parametrize("point", ["audit", "edit"])
async def test_a_run_under_way(size: tuple[int, int], point: str) -> None:
    run = story(point)
    app = make(run)
    async with app.run_test(size=size) as pilot:
        await until(pilot, run.reached.is_set)
        await settled(pilot)
        golden(f"{point}-{size[0]}x{size[1]}", screen(app))


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
async def test_a_decision_on_the_main_screen_and_on_its_own(size: tuple[int, int]) -> None:
    app = make(story())
    async with app.run_test(size=size) as pilot:
        await deciding(pilot)
        golden(f"deciding-{size[0]}x{size[1]}", screen(app))
        await pilot.press("o")
        await settled(pilot)
        golden(f"decision-{size[0]}x{size[1]}", screen(app))


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
async def test_a_run_that_ended_says_how_and_where_everything_is(size: tuple[int, int]) -> None:
    app = make(story(), ask=False)
    async with app.run_test(size=size, notifications=False) as pilot:
        await ended(pilot)
        golden(f"ended-{size[0]}x{size[1]}", screen(app))


async def test_the_diff_reads_without_colour(tmp_path: Path) -> None:
    (tmp_path / "patch.diff").write_text(PATCH, encoding="utf-8")
    app = make(Story(), folder=lambda: tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("d")
        await settled(pilot)
        golden("diff-120x40", screen(app))


async def test_ascii_glyphs_leave_nothing_but_ascii() -> None:
    app = make(story(), glyphs="ascii")
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        text = screen(app)
        golden("ascii-120x40", text)
        assert text.isascii()


async def test_without_colour_every_state_still_has_its_sign_and_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make(story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        golden("deciding-120x40", screen(app))
        styles = {s.style for line in app.screen._compositor.render_strips() for s in line if s.style}
        colours = {c.triplet for style in styles for c in (style.color, style.bgcolor) if c is not None and c.triplet}
        assert all(c.red == c.green == c.blue for c in colours)


@pytest.mark.parametrize("theme", ["bitnet-light", "textual-dark", "ansi", "no such theme"])
async def test_other_themes_draw_the_same_text(theme: str) -> None:
    app = make(story(), theme=theme)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        golden("deciding-120x40", screen(app))
        assert any("no theme 'no such theme'" in n.message for n in app._notifications) == (theme == "no such theme")
        if theme == "ansi":  # nothing but the sixteen colours of the terminal
            styles = {s.style for line in app.screen._compositor.render_strips() for s in line if s.style}
            colours = {c for style in styles for c in (style.color, style.bgcolor) if c is not None}
            assert all(c.is_default or c.is_system_defined for c in colours)


async def test_from_160_columns_on_the_tables_have_a_column_of_their_own() -> None:
    app = make(story())
    async with app.run_test(size=(160, 45)) as pilot:
        await deciding(pilot)
        golden("deciding-160x45", screen(app))
        await pilot.press("z")
        await settled(pilot)
        assert "4 Detail" not in screen(app)
        await pilot.press("escape")
        await pilot.resize_terminal(170, 26)
        await settled(pilot)
        assert [p.NAME for p in main(app).panes if p.display] == ["Tests", "Attempts", "Detail", "Hoplog"]
        assert "✗ tests" in screen(app).splitlines()[1]  # the gates are a line


async def test_below_the_smallest_size_there_is_one_sentence() -> None:
    app = make(story())
    async with app.run_test(size=(70, 20)) as pilot:
        await deciding(pilot)
        wanted = "bitnet-tui needs 80x24, this is 70x20. Enlarge it, or use --no-tui."
        assert " ".join(screen(app).split()) == wanted
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        golden("deciding-80x24", screen(app))


async def test_resizing_there_and_back_changes_nothing() -> None:
    app = make(story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        for size in ((80, 24), (200, 60), (100, 24), (120, 40)):
            await pilot.resize_terminal(*size)
            await settled(pilot)
        golden("deciding-120x40", screen(app))
        assert main(app).focused_pane is main(app).tests


async def test_help_has_the_keys_of_the_pane_first() -> None:
    app = make(story())
    async with app.run_test(size=(120, 70)) as pilot:
        await deciding(pilot)
        await pilot.press("3", "question_mark")
        await settled(pilot)
        text = screen(app)
        assert text.index("Each row is a receipt") < text.index("Everywhere") < text.index("Signs")
        await pilot.press("escape")
        assert app.screen is main(app)
