"""A box with some facts and a list of blocks below them: the list is as high as it is long, as far as there is room."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from tui.screens.over import Answer, Over, lines
from tui.view import View
from tui.widgets.rows import RowList

WIDEST = 100
AROUND = 4  # the box's edges, and the lines of the main screen that stay in sight


class BlockList(RowList):
    """Rows that belong together share a key; the first row of each block stands for it."""

    def blocks(self, width: int) -> list[tuple[str, Content]]:
        """Every row with the key of its block."""
        raise NotImplementedError

    def draw(self) -> None:
        found = self.blocks(max(20, self.line_width))
        heads = [key if not n or found[n - 1][0] != key else "" for n, (key, _) in enumerate(found)]
        self.set_rows(heads, lambda row, _width: found[row][1])

    def on_resize(self) -> None:  # and then its parent's: Textual calls both
        self.draw()


class Listed(Over[Answer]):
    """Subclasses say what the facts are and what the edges say; it closes once its question is no longer asked."""

    def __init__(self, view: View, rows: BlockList) -> None:
        super().__init__()
        self._view = view
        self._proposal = view.state.proposal
        self._list = rows

    def facts(self) -> list[Content]:
        """What stands above the list."""
        raise NotImplementedError

    def say(self) -> None:
        """Write the edges."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        return max(20, min(WIDEST, self.app.size.width) - 6)

    def inside(self) -> ComposeResult:
        yield lines(self._above())
        yield self._list

    def _above(self) -> list[Content]:
        return [*self.facts(), Content("")]

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#box").add_class("wide")
        self._fit()
        self._list.draw()
        self._list.action_first()
        self._list.focus()
        self.say()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        above = self._above()
        self.query_one(Static).update(Content("\n").join(above))
        rows = len(self._list.blocks(self.width))
        self._list.styles.height = max(3, min(rows, self.app.size.height - AROUND - len(above)))

    def show(self, view: View) -> None:
        """The question may be answered, or the run may end, while this is open."""
        proposal = view.state.proposal
        if proposal is None or self._proposal is None or proposal.id != self._proposal.id or view.ended:
            self.dismiss(None)

    def action_park(self) -> None:
        self.dismiss(None)
