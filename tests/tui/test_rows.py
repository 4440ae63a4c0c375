"""A list draws the lines that read otherwise than before, and no others."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.content import Content
from textual.pilot import Pilot
from textual.strip import Strip

from tests.tui.stage import screen
from tui.view import View
from tui.widgets.pane import Pane
from tui.widgets.rows import RowList

NAMES = [f"row {n}" for n in range(100)]


class Counted(RowList):
    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.drawn: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.drawn.append(y)
        return super().render_line(y)


class Alone(App[None]):
    CSS = "Counted { overflow-x: hidden; }"

    def __init__(self) -> None:
        super().__init__()
        self.rows = Counted()

    def compose(self) -> ComposeResult:
        yield self.rows


def text(app: Alone) -> list[str]:
    """What the terminal shows, without the scrollbar."""
    return [line[: app.rows.line_width].rstrip() for line in screen(app).splitlines()]


async def drawn(pilot: Pilot[None], rows: Counted) -> list[int]:
    """Lines drawn since this was asked before."""
    await pilot.pause()
    await pilot.pause()
    found, rows.drawn = sorted(set(rows.drawn)), []
    return found


async def test_only_lines_that_changed_are_drawn_again() -> None:
    app = Alone()
    async with app.run_test(size=(40, 10)) as pilot:
        app.rows.set_rows(NAMES, lambda n, _w: Content(NAMES[n]))
        assert await drawn(pilot, app.rows) == list(range(10))
        app.rows.set_rows(NAMES, lambda n, _w: Content(NAMES[n]))
        assert await drawn(pilot, app.rows) == []
        app.rows.set_rows(NAMES, lambda n, _w: Content("another" if n == 3 else NAMES[n]))
        assert await drawn(pilot, app.rows) == [3]
        app.rows.set_rows(
            NAMES, lambda n, _w: Content("out of sight" if n == 50 else "another" if n == 3 else NAMES[n])
        )
        assert await drawn(pilot, app.rows) == []
        assert text(app)[3] == "another"


async def test_the_cursor_costs_two_lines() -> None:
    app = Alone()
    async with app.run_test(size=(40, 10)) as pilot:
        app.rows.set_rows(NAMES, lambda n, _w: Content(NAMES[n]))
        await pilot.press("j")
        await drawn(pilot, app.rows)
        await pilot.press("j")
        assert await drawn(pilot, app.rows) == [0, 1]


async def test_rows_that_come_before_the_cursor_take_its_mark_along() -> None:
    app = Alone()
    async with app.run_test(size=(40, 10)) as pilot:
        app.rows.set_rows(NAMES[5:], lambda n, _w: Content("the same everywhere"))
        await pilot.press("j", "j")
        await drawn(pilot, app.rows)
        app.rows.set_rows(NAMES[4:-1], lambda n, _w: Content("the same everywhere"))
        assert app.rows.cursor_key == NAMES[6]
        assert await drawn(pilot, app.rows) == [1, 2]


async def test_what_was_scrolled_away_and_back_is_what_it_reads_now() -> None:
    app = Alone()
    async with app.run_test(size=(40, 10)) as pilot:
        app.rows.set_rows(NAMES, lambda n, _w: Content(NAMES[n]))
        await pilot.press("G")
        await pilot.pause()
        app.rows.set_rows(NAMES, lambda n, _w: Content(f"now {n}"))
        await pilot.pause()
        assert text(app)[-1] == "now 99"
        await pilot.press("g")
        await pilot.pause()
        assert text(app)[0] == "now 0"


async def test_fewer_rows_leave_nothing_of_the_others() -> None:
    app = Alone()
    async with app.run_test(size=(40, 10)) as pilot:
        app.rows.set_rows(NAMES, lambda n, _w: Content(NAMES[n]))
        await drawn(pilot, app.rows)
        app.rows.set_rows(NAMES[:2], lambda n, _w: Content(NAMES[n]))
        await drawn(pilot, app.rows)
        assert [line for line in text(app) if line] == ["row 0", "row 1"]


class Edged(Pane, Counted):
    NAME = "Edged"

    def show(self, view: View) -> None: ...


async def test_a_new_edge_is_drawn_and_nothing_between() -> None:
    class Framed(App[None]):
        CSS = "Edged { border: solid white; overflow-x: hidden; }"

        def compose(self) -> ComposeResult:
            yield Edged()

    app = Framed()
    async with app.run_test(size=(40, 10)) as pilot:
        pane = app.query_one(Edged)
        pane.set_rows(NAMES, lambda n, _w: Content(NAMES[n]))
        pane.set_edges(Content("one"), Content("two"))
        await drawn(pilot, pane)
        pane.set_edges(Content("three"), Content("four"))
        assert await drawn(pilot, pane) == []
        shown = screen(app).splitlines()
        assert "three" in shown[0]
        assert "four" in shown[-1]
        assert "row 0" in shown[1]
