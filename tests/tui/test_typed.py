"""Keys that come at once mean what they would have meant one by one."""

from __future__ import annotations

from textual.events import Key
from textual.widgets import Input

from tests.tui.stage import deciding, main, make, settled, until
from tests.tui.story import TARGETS, Story
from tui.app import BitnetApp


def at_once(app: BitnetApp, *keys: str) -> None:
    """Type faster than any key is handled."""
    for key in keys:
        app.post_message(Key({"/": "slash"}.get(key, key), key if len(key) == 1 else None))


async def test_a_letter_typed_right_behind_the_filter_key_accepts_nothing() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        at_once(app, "/", "a", "f", "x")
        field = main(app).query_one("#filter", Input)
        await until(pilot, lambda: field.value == "afx", "the filter")
        await settled(pilot)
        assert not run.answers
        assert app.screen is main(app)


async def test_a_key_typed_right_behind_another_pane_s_digit_is_for_that_pane() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("3")
        at_once(app, "1", "n", "y")
        await until(pilot, lambda: app.clipboard == TARGETS[0][1], "the clipboard")


async def test_keys_typed_right_behind_one_that_opens_a_screen_are_for_that_screen() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        at_once(app, "r", "h", "i", "enter")
        await until(pilot, lambda: run.hints, "the hint")
        assert run.hints == ["hi"]


async def test_many_keys_at_once_all_arrive_in_their_order() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        typed = "abcdefghij" * 6
        at_once(app, "/", *typed)
        field = main(app).query_one("#filter", Input)
        await until(pilot, lambda: len(field.value) == len(typed), "all of it")
        assert field.value == typed
