"""A numbered pane: a list in a border whose edges say what it is and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from textual.content import Content
from textual.geometry import Region

from tui.format.text import line
from tui.theme import MUTED
from tui.view import View
from tui.widgets.rows import Draw, RowList


class Pane(RowList):
    """Shows a slice of the view, posts what a person wants, knows nothing else."""

    NUMBER = 0
    NAME = ""
    HELP = ""
    _edging = False

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
        before, self._edges = self._edges, (head.markup, foot.markup)
        self._edging = True  # a new title makes a widget draw itself anew, and counts change all the time
        if self._edges[0] != before[0]:
            self.border_title = head
        if self._edges[1] != before[1]:
            self.border_subtitle = foot
        self._edging = False

    def refresh(self, *regions: Region, **options: bool) -> Self:
        if self._edging and not regions:
            (x, y), (width, height) = self.content_offset, self.outer_size
            regions = (Region(-x, -y, width, 1), Region(-x, height - 1 - y, width, 1))
        return super().refresh(*regions, **options)

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
