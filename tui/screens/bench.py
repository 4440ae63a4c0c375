"""The bench: what the kernels do on this machine, measured by a child; the run goes on behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.style import Style

from tui import keys
from tui.bench.sheet import Row, Sheet
from tui.format import bench
from tui.format.bench import SORTS, Beside
from tui.format.text import line, wrapped
from tui.screens.over import Over, lines
from tui.theme import MUTED, STRONG
from tui.view import View
from tui.widgets.lines import Line, header_line
from tui.widgets.rows import RowList
from tui.widgets.sweep import Sweep

if TYPE_CHECKING:
    from tui.app import BitnetApp

HELP = (
    "A row is what one operation takes, in a format, at a size, on a backend: the median, half of what lies between "
    "the tenth and the ninetieth of a hundred calls, bytes a second, the share of what this machine could do in the "
    "same moments, and how many times as fast it is as NumPy, both on one thread, and as in the benchmark before. "
    "What is wrong has no speed."
)


class BenchTable(RowList):
    """The rows, each copied as a line of text."""

    def __init__(self) -> None:
        super().__init__(id="bench")
        self.rows: list[Row] = []
        self.beside = Beside({}, {})

    @property
    def chosen(self) -> Row | None:
        return next((r for r in self.rows if r.key == self.cursor_key), None)

    def copied(self) -> str:
        return bench.copied(self.chosen, self.beside) if self.chosen is not None else ""


class BenchScreen(Screen[None]):
    """Shows the app's benchmark, starts and stops it."""

    BINDINGS = keys.bindings("bench")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  # the name and type are Textual's
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    AUTO_FOCUS = "#bench"

    def __init__(self) -> None:
        super().__init__()
        self.table = BenchTable()
        self.sweep = Sweep()
        self.by = self._sorted = SORTS[0]
        self._sheet = Sheet()
        self._head = Line(self._write_head, id="bench-head")
        self._lines = (header_line(), self._head, Line(self._write_bar, id="bar"), Line(_key_line, id="keys"))

    @property
    def main(self) -> BitnetApp:
        from tui.app import BitnetApp

        assert isinstance(self.app, BitnetApp)
        return self.app

    def compose(self) -> ComposeResult:
        self.set_class(self.main.glyphs.plain, "-ascii")
        header, head, bar, key_line = self._lines
        yield header
        yield head
        yield self.table
        yield self.sweep
        yield bar
        yield key_line

    def on_mount(self) -> None:
        self.show(self.main.view)

    def _write_head(self, view: View, width: int) -> Content:
        return Content("  ") + bench.head(width - 4, view.glyphs)

    def _write_bar(self, view: View, width: int) -> Content:
        mine = self.main.bench
        return bench.under_way(mine.state, mine.sheet, mine.trouble, view.glyphs, width)

    def show(self, view: View) -> None:
        """Draw what is new of the run and of the benchmark; a part that cannot be drawn takes nothing with it."""
        mine = self.main.bench
        mine.recall(self.main.bench_folder)
        try:
            self._fill(view)
            for each in self._lines:
                each.show(view)
                each.refresh()
            self.sweep.show(bench.sweep(mine.sheet, self.table.chosen), view.glyphs)
        except Exception as error:  # noqa: BLE001  # drawing must never take the run down
            self.main.fault(error)

    def _fill(self, view: View) -> None:
        mine, table = self.main.bench, self.table
        sheet, before = mine.sheet, mine.before
        self.set_class(not sheet.rows, "-bare")
        if sheet is not self._sheet or self.by != self._sorted:
            self._sheet, self._sorted = sheet, self.by
            table.beside = Beside.of(sheet, before)
            table.rows = bench.ordered(sheet, table.beside, self.by)
        if table.rows:
            rows, beside = table.rows, table.beside
            table.set_rows([r.key for r in rows], lambda n, width: bench.row(rows[n], beside, view.glyphs, width))
        else:
            said = (
                "Nothing is measured yet. Every result is checked before it is timed." if mine.busy else bench.empty()
            )
            told = wrapped(said, max(20, table.line_width), MUTED)
            table.set_rows([""] * len(told), lambda n, _width: told[n])
        table.border_title = bench.title(sheet)
        table.border_subtitle = bench.foot(sheet, before, self.by)

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(lambda: self.show(self.main.view))

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        self.show(self.main.view)

    # -- intents ------------------------------------------------------------------------------------------------------

    def action_measure(self, sweep: str) -> None:
        """Begin, or ask first where a run would be disturbed."""
        if self.main.bench.busy:
            self.main.say("a benchmark is under way; x stops it", wrong=True)
        elif self.main.quiet:
            self.main.measure(sweep)
        else:
            self.main.push_screen(BesideScreen(self.main.view), lambda how: self._answered(sweep, how))

    def _answered(self, sweep: str, how: str | None) -> None:
        if how and not self.main.bench.busy:
            self.main.measure(sweep, pause=how == "pause" and not self.main.quiet)

    def action_stop(self) -> None:
        if self.main.bench.busy:
            self.main.bench.stop()
        else:
            self.main.say("no benchmark is under way", wrong=True)

    def action_sort(self) -> None:
        self.by = SORTS[(SORTS.index(self.by) + 1) % len(SORTS)]
        self.main.say(f"sorted: {self.by}")
        self.show(self.main.view)

    def action_turn(self) -> None:
        """Where there is no room for both: the sweep, and back."""
        self.toggle_class("-sweep")
        if not self.has_class("-sweep"):
            self.call_after_refresh(self.table.focus)
        self.call_after_refresh(lambda: self.show(self.main.view))

    def action_close(self) -> None:
        if self.has_class("-sweep"):
            self.action_turn()
        else:
            self.dismiss()

    def action_help(self) -> None:
        self.main.help("Bench", HELP)


def _key_line(view: View, width: int) -> Content:
    """The keys of this screen, as on the main one; a click is a press."""
    parts: list[Content] = []
    for key in keys.of("bench"):
        if key.label:
            text = line((view.keys.written(key.id), STRONG), (f" {key.label}", MUTED))
            parts.append(text.stylize(Style.from_meta({"@click": f"screen.{key.action}"})))
    return Content(" ").join(parts).truncate(width, ellipsis=True)


class BesideScreen(Over[str]):
    """A run is at work: answers ``pause``, ``beside`` or nothing."""

    BINDINGS = keys.bindings("beside")
    CALM = False

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def _key(self, id_: str) -> str:
        return f" {self._view.keys.written(id_):<4}"

    def inside(self) -> ComposeResult:
        told = f"Step {self._view.status} is under way. A benchmark beside it would measure both, and slow its tests."
        yield lines(
            [
                *wrapped(told, self.width),
                Content(""),
                line((self._key("beside.pause"), STRONG), "pause the run at its next safe point, measure, then go on"),
                line(
                    (self._key("beside.go"), STRONG),
                    "measure beside it: the times are marked as disturbed",
                ),
                line((self._key("beside.back"), STRONG), "not now"),
            ]
        )

    def on_mount(self) -> None:
        super().on_mount()
        self.edges(
            "A run is at work", "{beside.pause} pause it   {beside.go} measure beside it   {beside.back} not now"
        )

    def show(self, view: View) -> None:
        """What was asked about may be over while this is open."""
        if self.main.quiet:
            self.dismiss("beside")

    def action_answer(self, how: str) -> None:
        self.dismiss(how)
