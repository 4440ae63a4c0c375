"""A box over the main screen: a heading, some lines, the keys on the lower edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.view import View
from tui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from tui.app import BitnetApp

Answer = TypeVar("Answer")
BOX_CELLS = 70  # what a line in a box may take


class Over(Sturdy, ModalScreen[Answer]):
    """Subclasses say what is in it; closing it never does anything by itself."""

    CALM = True

    def compose(self) -> ComposeResult:
        with Vertical(classes="box calm" if self.CALM else "box", id="box"):
            yield from self.inside()

    def inside(self) -> ComposeResult:
        yield from ()

    def on_mount(self) -> None:
        self.add_class("over")

    @property
    def main(self) -> BitnetApp:
        from tui.app import BitnetApp

        assert isinstance(self.app, BitnetApp)
        return self.app

    @property
    def width(self) -> int:
        """Cells of a line in the box."""
        return max(20, min(BOX_CELLS, self.app.size.width - 6))

    def edges(self, title: str, keys: str) -> None:
        """What the box is, and its keys by the names of their actions."""
        box = self.query_one("#box")
        box.border_title = Content(title)
        box.border_subtitle = Content(self.main.keymap.fill(keys))

    def show(self, view: View) -> None:
        """Called like a pane's, while this screen is open."""


def lines(found: list[Content]) -> Static:
    """Many lines as one widget."""
    return Static(Content("\n").join(found), markup=False)
