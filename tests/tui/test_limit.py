"""A spent limit is a question, not an end: it is raised, or the attempt ends and is judged."""

from __future__ import annotations

from typing import Any

import pytest

from engine import events as ev
from tests.tui.stage import SIZES, deciding, golden, main, make, screen, settled, until
from tests.tui.story import Limited
from tui.format.limit import ending, rows, steps, typed
from tui.keymap import Keymap
from tui.screens.limit import LimitScreen

NAMES = [f"{w}x{h}" for w, h in SIZES]


def said(app: Any) -> str:
    return " | ".join(n.message for n in app._notifications)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
async def test_a_spent_limit_is_a_calm_question(size: tuple[int, int]) -> None:
    app = make(Limited())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.bridge.state.limit)
        await settled(pilot)
        golden(f"limit-bar-{size[0]}x{size[1]}", screen(app))
        await pilot.press("a")
        assert "a is off" in said(app)
        await pilot.press("o")
        await settled(pilot)
        golden(f"limit-{size[0]}x{size[1]}", screen(app))
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen is main(app)
        assert app.bridge.state.limit is not None, "it is left parked"
        await pilot.press("o", "f")
        await deciding(pilot)
        assert "the attempt ends here and is judged" in said(app)
        settled_by = app.bridge.state.settled
        assert settled_by is not None
        assert (settled_by.part, settled_by.forward) == ("attempt 1", False)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
async def test_what_the_calls_take_is_shown_while_they_are_made(size: tuple[int, int]) -> None:
    app = make(Limited(until="spending"))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.bridge.state.activity)
        await settled(pilot)
        bar = screen(app).splitlines()[-2]
        assert "cached 88 % · " in bar
        assert "next $0.012" in bar
        if size[0] >= 120:
            assert "in 19.4k · cached 88 % · out 41.4k · next $0.012, at most $0.06" in bar


async def test_a_limit_is_raised_by_a_key_or_as_typed() -> None:
    run = Limited()
    app = make(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.bridge.state.limit)
        await pilot.press("o", "t")
        await settled(pilot)
        await pilot.press(*"0.51", "enter")
        assert "at least $0.53" in said(app)
        await pilot.press(*["backspace"] * 4, *"3", "enter")
        await until(pilot, lambda: app.bridge.state.raised)
        assert app.bridge.state.raised == {"usd": 3.0}
        assert run.allowance.budget.usd == 3.0
        assert "raised to $3.00: the run goes on" in said(app)
        await deciding(pilot)


async def test_a_run_at_a_limit_can_be_stopped() -> None:
    app = make(Limited())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.bridge.state.limit)
        await pilot.press("o")
        await settled(pilot)
        assert isinstance(app.screen, LimitScreen)
        await pilot.press("escape", "x")
        assert "parked at a limit" in screen(app)
        await pilot.press("x")
        await until(pilot, lambda: app.bridge.state.ended is not None)
        assert app.bridge.state.limit is None


@pytest.mark.parametrize(
    ("limit", "allowed", "needed", "wanted"),
    [
        ("usd", 2.0, 2.1, [2.63, 3.15, 4.2]),
        ("usd", 2.0, 1.9, [2.5, 3.0, 4.0]),
        ("usd", 0.0, 0.05, [0.07, 0.08, 0.1]),
        ("turns", 80, 81, [102, 122, 162]),
    ],
)
def test_every_step_is_enough_to_go_on(limit: str, allowed: float, needed: float, wanted: list[float]) -> None:
    found = [s.to for s in steps(ev.BudgetReached("q", limit, 0.0, allowed, needed, "why"))]
    assert found == wanted
    assert min(found) >= needed


@pytest.mark.parametrize("text", ["", "much", "nan", "inf", "-1", "2.0"])
def test_a_typed_limit_that_does_not_help_is_said_to_be_none(text: str) -> None:
    assert typed(ev.BudgetReached("q", "usd", 2.0, 2.0, 2.1, "why"), text)[1]
    assert typed(ev.BudgetReached("q", "usd", 2.0, 2.0, 2.1, "why"), "$2,000")[0] == 2000.0


def test_where_no_attempt_is_under_way_the_end_that_is_offered_is_the_runs() -> None:
    asked = ev.BudgetReached("q", "minutes", 61.0, 60.0, 62.0, "why", between=True)
    told = {key: text.plain for key, text in rows(asked, Keymap(), 80)}
    assert list(told) == ["1", "2", "3", "t", "f"]
    assert told["f"] == " f  finish: the run ends here, and can be resumed with more"
    assert ending(asked, False) == "the run ends here; it can be resumed with more"
