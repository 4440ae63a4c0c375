"""The single lines of the main screen: header, gates when narrow, the question, the keys."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.widget import Widget

from tui.format.help import key_line
from tui.format.status import bar, header
from tui.format.tables import gates_line
from tui.view import View


class Line(Widget):
    """One line, written by a pure function of the view and the width."""

    def __init__(self, write: Callable[[View, int], Content], *, id: str) -> None:
        super().__init__(id=id)
        self._write = write
        self._view = View()
        self._text = Content("")

    def show(self, view: View) -> None:
        self._view = view
        text = self._write(view, max(1, self.size.width))
        if not text.is_same(self._text):
            self._text = text
            self.refresh()

    def render(self) -> Content:
        return self._write(self._view, max(1, self.size.width))


def header_line() -> Line:
    return Line(header, id="header")


def gates_row() -> Line:
    return Line(lambda view, width: gates_line(view.state, view.glyphs, width), id="gates-line")


class Bar(Line):
    """The question while the run is parked; a click opens it, it never answers it."""

    def __init__(self) -> None:
        super().__init__(bar, id="bar")

    async def on_click(self) -> None:
        await self.run_action("screen.act('decide.open')")


def keys_row() -> Line:
    return Line(key_line, id="keys")
