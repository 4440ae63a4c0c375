"""The runners-up: other changes by which the same tests pass, to be taken in place of the proposed one."""

from __future__ import annotations

from textual.content import Content

from engine.state import AttemptRow
from tui import keys
from tui.format import others
from tui.format.places import Place
from tui.screens.listed import BlockList, Listed
from tui.view import View
from tui.widgets.rows import RowList


class OtherList(BlockList):
    """One block a runner-up."""

    def __init__(self, attempt: AttemptRow | None) -> None:
        super().__init__(id="others")
        self._attempt = attempt

    def blocks(self, width: int) -> list[tuple[str, Content]]:
        return others.rows(self._attempt, width)


class OthersScreen(Listed[int | None]):
    """Answers with the runner-up to take, or not at all: the engine stays parked."""

    BINDINGS = keys.bindings("others")

    def __init__(self, view: View) -> None:
        super().__init__(view, OtherList(view.state.attempt))

    def facts(self) -> list[Content]:
        return others.facts(self._view.state.attempt, self.main.keymap, self.width)

    def say(self) -> None:
        self.edges("Other changes that pass", "{others.take} take it instead   {others.leave} leave")

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        event.stop()
        self.action_take()

    def on_row_list_edited(self, event: RowList.Edited) -> None:
        event.stop()
        found = others.runners_up(self._view.state.attempt)
        files = found[int(event.key)].files if event.key and int(event.key) >= 0 else ()
        self.main.edit(Place(files[0], 1) if files else None)

    def action_take(self) -> None:
        attempt = self._view.state.attempt
        index = int(self._list.cursor_key) if self._list.cursor_key else None
        if index is None:
            self.main.say("move to a change first", wrong=True)
        elif attempt is not None and index == attempt.taken:
            self.main.say("this one is in place already", wrong=True)
        elif attempt is not None and index in attempt.turned_down:
            self.main.say("this one did not verify", wrong=True)
        else:
            self.dismiss(index)
