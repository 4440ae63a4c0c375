"""Moving about: panes, rows, the filter, zoom, detail, log, copy; none of it touches the run."""

from __future__ import annotations

import pytest
from textual.events import Paste

from engine.model import TestOutcome
from tests.tui.stage import deciding, main, make, screen, settled, until
from tests.tui.story import TARGETS, Burst, Story


async def test_digits_and_tab_go_to_panes() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        for number, name in enumerate(("Tests", "Attempts", "Gates", "Detail", "Hoplog"), 1):
            await pilot.press(str(number))
            assert name == main(app).focused_pane.NAME
        await pilot.press("tab")
        assert main(app).focused_pane.NAME == "Tests"
        await pilot.press("shift+tab")
        assert main(app).focused_pane.NAME == "Hoplog"


@pytest.mark.parametrize("key", ["3", "4"])
async def test_a_pane_without_room_opens_alone_and_esc_returns(key: str) -> None:
    app = make(Story())
    async with app.run_test(size=(80, 24)) as pilot:
        await deciding(pilot)
        before = screen(app)
        await pilot.press(key)
        await settled(pilot)
        assert main(app).zoomed is main(app).panes[int(key) - 1]
        await pilot.press("escape", "1")
        await settled(pilot)
        assert screen(app) == before


async def test_detail_follows_the_cursor_and_esc_lets_go() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("n", "n")
        await settled(pilot)
        assert "test_cpu_tl1_lut_matches_reference" in screen(app)
        await pilot.press("3", "G")
        await settled(pilot)
        assert "gate impl" in screen(app)
        await pilot.press("escape")
        await settled(pilot)
        assert "gate impl" not in screen(app).splitlines()[2]


async def test_the_filter_narrows_and_esc_widens() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        before = screen(app)
        await pilot.press("slash", *"tl1", "enter")
        await settled(pilot)
        assert "round_trip" not in screen(app).split("│")[0]
        assert "/tl1" in screen(app)
        await pilot.press("escape")
        await settled(pilot)
        assert screen(app) == before
        await pilot.press("slash", *"nowhere")
        await settled(pilot)
        assert "No test has “nowhere” in its name" in screen(app)
        await pilot.press("escape")


async def test_more_rows_open_and_fold() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        tests = main(app).tests
        few = len(tests.keys)
        await pilot.press("G", "enter")
        await settled(pilot)
        assert len(tests.keys) == few + 31
        await pilot.press("G", "enter")
        await settled(pilot)
        assert len(tests.keys) == few


async def test_y_copies_the_node_id() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("n", "y")
        assert app.clipboard == TARGETS[0][1]


async def test_the_log_follows_until_someone_scrolls_up() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("l")
        await settled(pilot)
        detail = main(app).detail
        assert "pack_u64" in screen(app)
        await pilot.press("k")
        await settled(pilot)
        assert not detail.following
        app.bridge.output.add(["one more"], 0)
        app.paint()
        await settled(pilot)
        assert "‖ 1 new line, G to follow" in screen(app)
        await pilot.press("G")
        await settled(pilot)
        assert detail.following
        assert "one more" in screen(app)


async def test_zoom_shows_one_pane_and_back() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        before = screen(app)
        await pilot.press("z")
        await settled(pilot)
        assert "2 Attempts" not in screen(app)
        await pilot.press("z")
        await settled(pilot)
        assert screen(app) == before


async def test_a_click_selects_and_a_second_opens() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.click("#tests", offset=(5, 3))
        await settled(pilot)
        assert main(app).tests.cursor_key.endswith("lut_matches_reference")
        await pilot.click("#keys", offset=(3, 0))
        assert app.screen is not main(app)


async def test_the_palette_opens() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: app.screen is not main(app))
        await pilot.press(*"hoplog")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: main(app).focused_pane.NAME == "Hoplog" and app.screen is main(app))


ODD = [
    "t.py::test_a[red]",
    "t.py::test_b[/]",
    "t.py::test_c[@click=app.bell]",
    "t.py::test_d[🎉👩‍👩‍👧]",
    "t.py::test_e[אבג]",
    "t.py::test_f[\u202egnp.exe]",
    "t.py::test_g[\x1b]0;owned\x07]",
    "t.py::test_h[日本語]",
    "t.py::test_i[" + "x" * 400 + "]",
    "t.py::test_j[a\u0301\u200bb]",
]


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_odd_ids_are_shown_as_they_are_and_move_nothing(size: tuple[int, int]) -> None:
    app = make(Burst(ODD, lambda _: TestOutcome.FAILED))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: len(app.bridge.state.tests) == len(ODD))
        await settled(pilot)
        text = screen(app)
        assert "a[red]" in text
        assert "c[@click=app.bell]" in text
        assert not any(c in text for c in "\u202e\x1b\x07\u200b\u200d")
        strips = app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {size[0]}
        for _ in ODD:
            await pilot.press("n")
        await pilot.press("enter", "escape")
        await settled(pilot)
        assert not app.faults


async def test_five_thousand_tests_arrive_and_the_screen_answers_meanwhile() -> None:
    odd = "[/]🎉👩‍👩‍👧אבג\u202e" + "x" * 380  # each is as unpleasant as an id can be
    names = [f"tests/t_{n % 50}.py::test_{n}[w={n}{odd}]" for n in range(5000)]
    run = Burst(names, lambda n: TestOutcome.FAILED if n % 10 == 0 else TestOutcome.PASSED, lines=20_000)
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        answered = 0

        def answer() -> None:
            nonlocal answered
            answered += 1

        app.set_interval(0.005, answer)  # a message like a key: it must get its turn between two drains
        await until(pilot, lambda: len(app.bridge.state.tests) == 5000, seconds=60)
        await settled(pilot)
        assert answered > 5
        tests = main(app).tests
        assert sum(1 for key in tests.keys if key.startswith("cpu ")) == 500
        assert "500 ✗  4500 ✓" in screen(app)
        assert app.bridge.output.total == 20_000
        await pilot.press("1", "G", "enter")
        await settled(pilot)
        assert len(tests.keys) > 5000
        await pilot.press("g", "n")
        await settled(pilot)
        assert tests.cursor_key == f"cpu {names[0]}"
        assert not app.faults


async def test_a_pane_that_cannot_be_drawn_leaves_the_others_and_the_run_alone() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.bridge.started)

        def broken(*_: object) -> None:
            raise ValueError("no")

        main(app).panes[1].show = broken  # type: ignore[method-assign]
        main(app).panes[2]._draw = broken  # type: ignore[assignment]
        await deciding(pilot)
        assert app.faults
        assert "i2s · round_trip" in screen(app)
        await pilot.press("a")
        await until(pilot, lambda: run.answers)


async def test_a_slip_in_an_action_or_a_message_is_said_and_leaves_the_run_alone() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)

        def broken(*_: object) -> None:
            raise ValueError("no")

        main(app).action_zoom = broken  # type: ignore[method-assign]
        main(app).on_row_list_moved = broken  # type: ignore[method-assign]
        main(app).tests.move_to = broken  # type: ignore[method-assign]
        await pilot.press("z", "j")
        await pilot.click("#tests", offset=(5, 3))
        await settled(pilot)
        assert len(app.faults) == 3
        await pilot.press("a")
        await until(pilot, lambda: run.answers)


async def test_pasted_junk_is_one_clean_line_in_a_field_and_nothing_elsewhere() -> None:
    run = Story()
    app = make(run)
    junk = "\n \x1b]0;owned\x07\x1b[31mtl1\u202e\nq\nx\n" + "y" * 5000
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        before = screen(app)
        app.post_message(Paste(junk))
        await settled(pilot)
        assert screen(app) == before
        await pilot.press("slash")
        app.post_message(Paste(junk))
        await until(pilot, lambda: main(app).tests.needle == "tl1")
        app.post_message(Paste("z" * 5000))
        await until(pilot, lambda: len(main(app).tests.needle) == 200)
        await pilot.press("escape")
        await settled(pilot)
        assert not run.answers
        assert not app.faults


async def test_nothing_is_drained_while_the_screen_is_not_ours() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        app.bridge.hold()
        await until(pilot, lambda: len(app.bridge.feed._records) > 50)
        seen = app.bridge.state.seq
        await pilot.pause(0.1)
        assert app.bridge.state.seq == seen
        app.bridge.go_on()
        await deciding(pilot)
