"""The runners-up: other changes by which the same tests pass, to be taken in place of the proposed one."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from engine.state import AttemptRow
from tui import keys
from tui.format import others
from tui.format.places import Place
from tui.screens.over import Over, lines
from tui.view import View
from tui.widgets.rows import RowList

WIDEST = 100
AROUND = 4  # the box's edges, and the lines of the main screen that stay in sight


class OtherList(RowList):
    """One block a runner-up."""

    def __init__(self, attempt: AttemptRow | None) -> None:
        super().__init__(id="others")
        self._attempt = attempt

    def draw(self) -> None:
        found = others.rows(self._attempt, max(20, self.line_width))
        heads = [key if not n or found[n - 1][0] != key else "" for n, (key, _) in enumerate(found)]
        self.set_rows(heads, lambda row, _width: found[row][1])

    def on_resize(self) -> None:
        super().on_resize()
        self.draw()


class OthersScreen(Over[int | None]):
    """Answers with the runner-up to take, or not at all: the engine stays parked."""

    BINDINGS = keys.bindings("others")

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self._proposal = view.state.proposal
        self._list = OtherList(view.state.attempt)

    @property
    def width(self) -> int:
        return max(20, min(WIDEST, self.app.size.width) - 6)

    def inside(self) -> ComposeResult:
        yield lines(self._facts())
        yield self._list

    def _facts(self) -> list[Content]:
        return [*others.facts(self._view.state.attempt, self.main.keymap, self.width), Content("")]

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#box").add_class("wide")
        self._fit()
        self._list.draw()
        self._list.action_first()
        self._list.focus()
        self.edges("Other changes that pass", "{others.take} take it instead   {others.leave} leave")

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        """The list is as high as it is long, as far as there is room."""
        facts = self._facts()
        self.query_one(Static).update(Content("\n").join(facts))
        rows = len(others.rows(self._view.state.attempt, self.width))
        self._list.styles.height = max(3, min(rows, self.app.size.height - AROUND - len(facts)))

    def show(self, view: View) -> None:
        """The question may be answered, or the run may end, while this is open."""
        proposal = view.state.proposal
        if proposal is None or self._proposal is None or proposal.id != self._proposal.id or view.ended:
            self.dismiss(None)

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

    def action_park(self) -> None:
        self.dismiss(None)
