"""What the diet or a person took away: every piece with its first lines, to be marked and brought back."""

from __future__ import annotations

from textual import events
from textual.content import Content

from engine.events import Piece
from tui import keys
from tui.format import removed
from tui.format.places import Place
from tui.format.text import count
from tui.screens.listed import BlockList, Listed
from tui.view import View
from tui.widgets.rows import RowList


class PieceList(BlockList):
    """One block a piece; a click anywhere in it marks it."""

    def __init__(self, pieces: tuple[Piece, ...]) -> None:
        super().__init__(id="pieces")
        self.pieces = pieces
        self.marked: set[int] = set()
        self._owner: list[int] = []

    def blocks(self, width: int) -> list[tuple[str, Content]]:
        return removed.rows(self.pieces, self.marked, width)

    def draw(self) -> None:
        super().draw()
        self._owner = [int(key) for key, _ in self.blocks(max(20, self.line_width))]

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


class RemovedScreen(Listed[tuple[int, ...] | None]):
    """Answers with the pieces to bring back, none to take them away again, or not at all: the engine stays parked."""

    BINDINGS = keys.bindings("removed")

    def __init__(self, view: View) -> None:
        self._pieces = PieceList(tuple(removed.pieces(view)))
        super().__init__(view, self._pieces)

    def facts(self) -> list[Content]:
        return removed.facts(self._view.state.attempt, self.main.keymap, self.width)

    def say(self) -> None:
        attempt = self._view.state.attempt
        of = f"{len(self._pieces.marked)} of {count(len(self._pieces.pieces), 'piece')} marked"
        mine = attempt is not None and attempt.reverted
        self.edges(
            "What was taken away" if mine else "What the diet took away",
            f"{of}   {{diet.mark}} mark   {{diet.bring_back}} bring back   {{diet.leave}} leave",
        )

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        event.stop()
        self.say()

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        event.stop()
        self.action_bring_back()

    def on_row_list_edited(self, event: RowList.Edited) -> None:
        event.stop()
        piece = next((p for p in self._pieces.pieces if str(p.index) == event.key), None)
        self.main.edit(Place(piece.path, piece.line) if piece is not None else None)

    def action_mark(self) -> None:
        if self._pieces.cursor_key:
            self._pieces.toggle(int(self._pieces.cursor_key))
        else:
            self.main.say("move to a piece first", wrong=True)

    def action_mark_all(self) -> None:
        self._pieces.toggle_all()

    def action_bring_back(self) -> None:
        if self._pieces.marked:
            self.dismiss(tuple(sorted(self._pieces.marked)))
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
