"""What the diet or a person took away: every piece with its first lines, to be marked and brought back."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from engine.events import Piece
from tui import keys
from tui.format import removed
from tui.format.places import Place
from tui.format.text import count
from tui.screens.over import Over, lines
from tui.view import View
from tui.widgets.rows import RowList

WIDEST = 100
AROUND = 4  # the box's edges, and the lines of the main screen that stay in sight


class PieceList(RowList):
    """One block a piece; a click anywhere in it marks it."""

    def __init__(self, pieces: tuple[Piece, ...]) -> None:
        super().__init__(id="pieces")
        self.pieces = pieces
        self.marked: set[int] = set()
        self._owner: list[int] = []

    def draw(self) -> None:
        found = removed.rows(self.pieces, self.marked, max(20, self.line_width))
        self._owner = [int(key) for key, _ in found]
        heads = [key if not n or found[n - 1][0] != key else "" for n, (key, _) in enumerate(found)]
        self.set_rows(heads, lambda row, _width: found[row][1])

    def toggle(self, index: int) -> None:
        self.marked ^= {index}
        self.draw()
        self.post_message(self.Moved(self, str(index)))

    def toggle_all(self) -> None:
        everything = {p.index for p in self.pieces}
        self.marked = set() if self.marked == everything else everything
        self.draw()
        self.post_message(self.Moved(self, ""))

    def move_to(self, row: int, *, tell: bool = True) -> None:
        """Show the whole piece, as far as there is room."""
        super().move_to(row, tell=tell)
        if 0 <= row < len(self._owner):
            below = row + self._owner.count(self._owner[row]) - max(1, self.scrollable_content_region.height)
            if below > self.scroll_offset.y:
                self.scroll_to(y=min(row, below), animate=False)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        offset = event.get_content_offset(self)
        row = self.scroll_offset.y + offset.y if offset is not None else -1
        if 0 <= row < len(self._owner):
            index = self._owner[row]
            self.move_to(self._owner.index(index), tell=False)
            self.toggle(index)

    def copied(self) -> str:
        piece = next((p for p in self.pieces if str(p.index) == self.cursor_key), None)
        return f"{piece.path}:{piece.line}" if piece is not None else ""

    def on_resize(self) -> None:
        super().on_resize()
        self.draw()


class RemovedScreen(Over[tuple[int, ...] | None]):
    """Answers with the pieces to bring back, none to take them away again, or not at all: the engine stays parked."""

    BINDINGS = keys.bindings("removed")

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self._proposal = view.state.proposal
        self._list = PieceList(tuple(removed.pieces(view)))

    @property
    def width(self) -> int:
        return max(20, min(WIDEST, self.app.size.width) - 6)

    def inside(self) -> ComposeResult:
        yield lines(self._facts())
        yield self._list

    def _facts(self) -> list[Content]:
        return [*removed.facts(self._view.state.attempt, self.main.keymap, self.width), Content("")]

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#box").add_class("wide")
        self._fit()
        self._list.draw()
        self._list.action_first()
        self._list.focus()
        self._say()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        """The list is as high as it is long, as far as there is room."""
        facts = self._facts()
        self.query_one(Static).update(Content("\n").join(facts))
        rows = len(removed.rows(self._list.pieces, (), self.width))
        self._list.styles.height = max(3, min(rows, self.app.size.height - AROUND - len(facts)))

    def _say(self) -> None:
        attempt = self._view.state.attempt
        of = f"{len(self._list.marked)} of {count(len(self._list.pieces), 'piece')} marked"
        mine = attempt is not None and attempt.reverted
        self.edges(
            "What was taken away" if mine else "What the diet took away",
            f"{of}   {{diet.mark}} mark   {{diet.bring_back}} bring back   {{diet.leave}} leave",
        )

    def show(self, view: View) -> None:
        """The question may be answered, or the run may end, while this is open."""
        proposal = view.state.proposal
        if proposal is None or self._proposal is None or proposal.id != self._proposal.id or view.ended:
            self.dismiss(None)

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        event.stop()
        self._say()

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        event.stop()
        self.action_bring_back()

    def on_row_list_edited(self, event: RowList.Edited) -> None:
        event.stop()
        piece = next((p for p in self._list.pieces if str(p.index) == event.key), None)
        self.main.edit(Place(piece.path, piece.line) if piece is not None else None)

    def action_mark(self) -> None:
        if self._list.cursor_key:
            self._list.toggle(int(self._list.cursor_key))
        else:
            self.main.say("move to a piece first", wrong=True)

    def action_mark_all(self) -> None:
        self._list.toggle_all()

    def action_bring_back(self) -> None:
        if self._list.marked:
            self.dismiss(tuple(sorted(self._list.marked)))
        else:
            self.main.say(
                self.main.keymap.fill("mark a piece first: {diet.mark} marks the one under the cursor"), wrong=True
            )

    def action_undo(self) -> None:
        attempt = self._view.state.attempt
        if attempt is not None and attempt.restored:
            self.dismiss(())
        else:
            self.main.say("nothing was brought back", wrong=True)

    def action_unrevert(self) -> None:
        attempt = self._view.state.attempt
        if attempt is not None and attempt.reverted:
            self.dismiss(attempt.reverted)
        else:
            self.main.say("you took nothing away", wrong=True)

    def action_park(self) -> None:
        self.dismiss(None)
