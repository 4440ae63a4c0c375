"""A numbered pane: a list in a border whose edges say what it is and how it stands."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from tui.format.text import line
from tui.theme import MUTED
from tui.view import View
from tui.widgets.rows import Draw, RowList


class Pane(RowList):
    """Shows a slice of the view, posts what a person wants, knows nothing else."""

    NUMBER = 0
    NAME = ""
    HELP = ""

    def __init__(self) -> None:
        super().__init__(id=self.NAME.lower())
        self._edges: tuple[str, str] = ("", "")
        self.needle = ""
        self._said = ""

    def show(self, view: View) -> None:
        """Draw what changed."""
        raise NotImplementedError

    def subject(self, key: str) -> str:
        """What the detail pane is to show for a row."""
        return key

    def set_edges(self, head: Content, foot: Content) -> None:
        """Write the upper and the lower edge, if they changed."""
        if self.needle:
            head = head + line((f"  /{self.needle}", MUTED))
        new = (head.markup, foot.markup)
        if new != self._edges:
            self._edges = new
            self.border_title, self.border_subtitle = head, foot

    def heading(self) -> Content:
        return Content(f"{self.NUMBER} {self.NAME}")

    def say(self, sentence: str) -> None:
        """An empty pane says why it is empty."""
        lines = line((sentence, MUTED)).wrap(max(10, self.line_width))
        self.set_rows([""] * len(lines), lambda row, _width: lines[row])
        self._said = sentence

    def set_rows(self, keys: Sequence[str], draw: Draw) -> None:
        self._said = ""
        super().set_rows(keys, draw)

    def on_resize(self) -> None:
        if self._said:  # it was wrapped for another width, or before there was one
            self.say(self._said)
