"""The main screen: five panes, the question, the keys. It moves things about; the app speaks to the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from tui import keys
from tui.format import diff, places
from tui.format.reasons import why_off
from tui.format.status import too_small
from tui.view import View
from tui.widgets.detail import DetailPane
from tui.widgets.field import Field
from tui.widgets.lines import Bar, Line, gates_row, header_line, keys_row
from tui.widgets.pane import Pane
from tui.widgets.rows import RowList
from tui.widgets.sturdy import Sturdy
from tui.widgets.tables import AttemptsPane, GatesPane, HoplogPane
from tui.widgets.tests import TestsPane

if TYPE_CHECKING:
    from tui.app import BitnetApp

SMALLEST = (80, 24)


class MainScreen(Sturdy, Screen[None]):
    """Shows a view, turns keys into movements and intents."""

    BINDINGS = keys.bindings("main")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (120, "-wider"), (160, "-vast")]  # noqa: RUF012  # the name and type are Textual's
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    AUTO_FOCUS = "#tests"

    def __init__(self) -> None:
        super().__init__()
        self.tests = TestsPane()
        self.detail = DetailPane()
        self.panes: tuple[Pane, ...] = (self.tests, AttemptsPane(), GatesPane(), self.detail, HoplogPane())
        self.view = View()
        self._filtered: TestsPane | DetailPane = self.tests
        self.lines: tuple[Line, ...] = (header_line(), gates_row(), Bar(), keys_row())

    @property
    def main(self) -> BitnetApp:
        from tui.app import BitnetApp

        assert isinstance(self.app, BitnetApp)
        return self.app

    def compose(self) -> ComposeResult:
        # Known before the first layout, so that it need not be made again.
        for points, length in zip((self.HORIZONTAL_BREAKPOINTS, self.VERTICAL_BREAKPOINTS), self.app.size, strict=True):
            self.add_class([name for least, name in points if length >= least][-1])
        tests, attempts, gates, detail, hoplog = self.panes
        header, gates_line, bar, key_line = self.lines
        yield header
        yield gates_line
        # A grid: it takes the panes in this order, and the style sheet says how many columns each fills.
        yield Container(tests, detail, attempts, gates, hoplog, id="body")
        yield bar
        yield Field(placeholder="show only…", id="filter", max_length=200)
        yield key_line
        yield Static(id="tiny", markup=False)

    def show(self, view: View) -> None:
        """Draw a view; a part that cannot be drawn says so, and the others go on."""
        self.view = view
        parts: tuple[Line | Pane, ...] = (*self.lines, *self.panes)
        for part in parts:
            try:
                part.show(view)
            except Exception as error:  # noqa: BLE001  # drawing must never take the run down
                self.main.fault(error)

    def on_resize(self, event: events.Resize) -> None:
        small = event.size.width < SMALLEST[0] or event.size.height < SMALLEST[1]
        self.set_class(small, "-tiny")
        if small:
            self.query_one("#tiny", Static).update(Content(too_small(event.size.width, event.size.height)))
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        if self.focused is None and not self.has_class("-tiny"):
            self.tests.focus()  # the pane that had it has no room here
        self.show(self.view)

    # -- moving about -----------------------------------------------------------------------------------------------

    @property
    def focused_pane(self) -> Pane:
        return self.focused if isinstance(self.focused, Pane) else self.tests

    def zoom(self, pane: Pane | None) -> None:
        """Show one pane alone, or all again."""
        self.query_one("#body").set_class(pane is not None, "-zoom")
        for each in self.panes:
            each.set_class(each is pane, "-zoomed")
        if pane is not None:
            pane.focus()
        self.call_after_refresh(lambda: self.show(self.view))

    @property
    def zoomed(self) -> Pane | None:
        return next((p for p in self.panes if p.has_class("-zoomed")), None)

    def go_to(self, pane: Pane) -> None:
        """Focus a pane; one that has no room here opens alone."""
        if pane is self.zoomed:
            pane.focus()
            return
        self.zoom(None)
        if pane.display:
            pane.focus()
        else:
            self.zoom(pane)

    def action_pane(self, number: int) -> None:
        self.go_to(self.panes[number - 1])

    def action_next_pane(self, step: int) -> None:
        shown = [p for p in self.panes if p.display]
        here = shown.index(self.focused_pane) if self.focused_pane in shown else 0
        self.go_to(shown[(here + step) % len(shown)])

    def action_zoom(self) -> None:
        self.zoom(None if self.zoomed is not None else self.focused_pane)

    def action_view(self, face: str) -> None:
        self.detail.turn(face)
        self.go_to(self.detail)

    def action_bench(self, sweep: str = "") -> None:
        self.main.open_bench(sweep)

    def action_copy_ledger(self) -> None:
        self.action_view("ledger")
        self.detail.action_copy()

    def action_hunk(self, step: int) -> None:
        """Show the diff, if it is not shown, and go to a hunk of it."""
        if self.detail.face != "diff":
            self.detail.turn("diff")
        self.go_to(self.detail)
        if not self.detail.go_to_hunk(step):
            self.main.say("there is no patch yet", wrong=True)

    def action_back(self) -> None:
        """Out of one level: the filter, the zoom, the face, the subject, the pane."""
        field = self.query_one("#filter", Input)
        if field.has_class("-on") or any(p.needle for p in self.panes):
            self._close_filter("")
        elif self.zoomed is not None:
            if self.zoomed is self.detail:
                self.detail.turn("detail", "")
                self.zoom(None)
                self.tests.focus()
            else:
                self.zoom(None)
        elif self.detail.face != "detail":
            self.detail.turn("detail")
        elif self.detail.chosen:
            self.detail.turn("detail", "")
        else:
            self.outermost()

    def outermost(self) -> None:
        """Nothing is left to back out of."""
        self.tests.focus()

    def action_failing(self, step: int) -> None:
        self.go_to(self.tests)
        if not self.tests.failing(step):
            self.main.say("no test fails", wrong=False)

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        if isinstance(event.rows, Pane) and self.detail.face == "detail":
            self.detail.turn("detail", event.rows.subject(event.key))

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        pane = event.rows
        if isinstance(pane, Pane) and pane is not self.detail:
            self.detail.turn("detail", pane.subject(event.key) if event.key else "")
            self.go_to(self.detail)

    def on_row_list_edited(self, event: RowList.Edited) -> None:
        pane = event.rows
        if pane is self.detail:
            self.main.edit(self.detail.place(), self.view.state)
        elif isinstance(pane, Pane):
            place = places.of(pane.subject(event.key), self.view.state) if event.key else None
            self.main.edit(place, self.view.state)

    # -- the filter -------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        pane = self.focused_pane
        if pane is not self.tests and not (pane is self.detail and self.detail.face == "log"):
            self.main.say("the filter works in Tests and in the log", wrong=True)
            return
        self._filtered = self.tests if pane is self.tests else self.detail
        field = self.query_one("#filter", Input)
        field.value = pane.needle
        field.add_class("-on")
        self.query_one("#bar").add_class("-off")
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.has_class("-on"):
            self._filtered.filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._close_filter(event.value)

    def _close_filter(self, needle: str) -> None:
        field = self.query_one("#filter", Input)
        if field.has_class("-on"):
            field.remove_class("-on")
            self.query_one("#bar").remove_class("-off")
            self._filtered.focus()
        for pane in (self.tests, self.detail):
            if pane.needle:
                pane.filter(needle if pane is self._filtered else "")

    # -- intents ----------------------------------------------------------------------------------------------------

    def action_act(self, name: str) -> None:
        """Do what a key means, or say why it is off."""
        if not self._on(name):
            return
        if name == "change.revert":
            self._revert()
        else:
            self.main.act(name)

    def _on(self, name: str) -> bool:
        """Whether a key would do something now; if not, why is said."""
        if why := why_off(name, self.view):
            self.main.say(f"{self.view.keys.written(name)} is off: {why}", wrong=True)
        return not why

    def _revert(self) -> None:
        """Take the marked hunk away, or say why that cannot be."""
        hunk, state = self.detail.hunk, self.view.state
        if hunk is None or state.proposal is None:
            self.main.say(
                self.view.keys.fill("mark a hunk of the diff first: {diff.next} goes to the next one"), wrong=True
            )
        elif not (pieces := diff.within(hunk, state.pieces)):
            self.main.say("this hunk cannot be taken away by itself", wrong=True)
        else:
            self.main.revert(state.proposal.id, pieces, f"{hunk.path}:{hunk.line}")

    def action_help(self) -> None:
        self.main.help(self.focused_pane.NAME, self.focused_pane.HELP)

    def action_runs(self) -> None:
        self.main.runs()

    def action_leave(self) -> None:
        self.main.leave()
