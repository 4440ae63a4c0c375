"""A limit is spent: raise it, or end the attempt. Closing it leaves the engine parked."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click
from textual.widgets import Input, Static

from engine.commands import EndAttempt, Raise
from engine.events import BudgetReached
from tui import keys
from tui.format import limit
from tui.screens.over import Over, lines
from tui.theme import MUTED
from tui.view import View
from tui.widgets.field import Field


class KeyLine(Static):
    """One answer; a click gives it."""

    def __init__(self, key: str, text: Content) -> None:
        super().__init__(text, markup=False)
        self.key = key

    async def on_click(self, event: Click) -> None:
        event.stop()
        await self.run_action(f"screen.take('{self.key}')")


class LimitScreen(Over[Raise | EndAttempt | str | None]):
    """Answers with a command, with ``type`` when a person wants to type a limit, or with nothing."""

    BINDINGS = keys.bindings("limit")
    CALM = False

    def __init__(self, view: View, asked: BudgetReached) -> None:
        super().__init__()
        self._view = view
        self._asked = asked

    def inside(self) -> ComposeResult:
        yield lines([*limit.facts(self._view, self._asked, self.width), Content("")])
        with Vertical(id="choices"):
            for key, text in limit.rows(self._asked, self.main.keymap, self.width):
                yield KeyLine(key, text)
        parked = "The engine is parked and safe. {limit.park} closes this and leaves it parked."
        yield lines([Content(""), Content(self.main.keymap.fill(parked))])

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#choices").styles.height = "auto"
        self.edges(
            limit.question(self._view, self._asked), "{limit.diff} diff   {limit.log} log   {limit.park} leave parked"
        )

    def show(self, view: View) -> None:
        """The run may be stopped while this is open."""
        if view.state.limit != self._asked or view.ended:
            self.dismiss(None)

    def action_take(self, key: str) -> None:
        asked = self._asked
        if key == "n" and asked.between:
            self.main.say("n is off: no attempt is under way that could be handed over", wrong=True)
        elif key in ("f", "n"):
            self.dismiss(EndAttempt(asked.id, forward=key == "n"))
        elif key == "t":
            self.dismiss("type")
        else:
            self.dismiss(next(Raise(asked.id, asked.limit, s.to) for s in limit.steps(asked) if s.key == key))

    def action_look(self, face: str) -> None:
        self.dismiss(face)

    def action_park(self) -> None:
        self.dismiss(None)


class AmountScreen(Over[Raise | None]):
    """One number."""

    BINDINGS = keys.bindings("hint")

    def __init__(self, asked: BudgetReached) -> None:
        super().__init__()
        self._asked = asked

    def inside(self) -> ComposeResult:
        now = limit.amount(self._asked.limit, self._asked.allowed)
        yield lines([Content.styled(f"The limit is {now}. What should it be?", MUTED), Content("")])
        yield Field(placeholder=f"{limit.steps(self._asked)[1].to:g}", max_length=20)

    def on_mount(self) -> None:
        super().on_mount()
        self.edges("Raise", "⏎ raise   {hint.back} back")
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        to, why = limit.typed(self._asked, event.value)
        if why:
            self.main.say(why, wrong=True)
        else:
            self.dismiss(Raise(self._asked.id, self._asked.limit, to))

    def action_back(self) -> None:
        self.dismiss(None)
