"""Where next: every route with its key, the recommended one first, and why some are off."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click
from textual.widgets import Static

from engine.flow.routes import runnable
from engine.model import Option, Proposal
from tui import keys
from tui.format import decision
from tui.screens.over import Over, lines
from tui.view import View


class ChoiceLine(Static):
    """One route; a click takes it."""

    def __init__(self, choice: decision.Choice, text: Content) -> None:
        super().__init__(text, markup=False)
        self.choice = choice

    async def on_click(self, event: Click) -> None:
        event.stop()
        await self.run_action(f"screen.take('{self.choice.key}')")


class DecisionScreen(Over[tuple[Option, str] | str | None]):
    """Answers with an option and its key, with the face to look at, or with nothing: the engine stays parked."""

    BINDINGS = keys.bindings("decision")
    CALM = False

    def __init__(self, view: View, proposal: Proposal) -> None:
        super().__init__()
        self._view = view
        self._proposal = proposal
        self._here = -1  # ⏎ takes nothing before a route was moved to

    def inside(self) -> ComposeResult:
        yield lines([*decision.facts(self._view, self.width), Content("")])
        with Vertical(id="choices"):
            for choice, text in decision.rows(self._proposal, self.main.keymap, self.width):
                yield ChoiceLine(choice, text) if choice is not None else Static(text, markup=False)
        parked = "The engine is parked and safe. {decide.park} closes this and leaves it parked."
        yield lines([Content(""), Content(self.main.keymap.fill(parked))])

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#choices").styles.height = "auto"
        keys_ = "{decide.here} run it here   {decide.diff} diff   {decide.log} log   {decide.park} leave parked"
        self.edges(decision.question(self._view), keys_)

    def show(self, view: View) -> None:
        """The question may be answered, or the run may end, while this is open."""
        if view.state.proposal is None or view.state.proposal.id != self._proposal.id or view.ended:
            self.dismiss(None)

    def action_take(self, key: str) -> None:
        for choice in decision.choices(self._proposal):
            if choice.key == key or (choice.recommended and key in _letters(choice.option)):
                self._take(choice)
                return
        self.main.say(f"no route has the key {key}", wrong=True)

    def _take(self, choice: decision.Choice) -> None:
        if not choice.option.allowed:
            self.main.say(f"{choice.option.route} is off: {choice.option.why_not}", wrong=True)
            return
        self.dismiss((choice.option, choice.key))

    def action_move(self, step: int) -> None:
        found = list(self.query(ChoiceLine))
        self._here = min(max(0, self._here + step), len(found) - 1) if self._here >= 0 else 0
        for number, each in enumerate(found):
            each.set_class(number == self._here, "-here")
        found[self._here].scroll_visible(animate=False)

    def action_pick(self) -> None:
        found = list(self.query(ChoiceLine))
        if 0 <= self._here < len(found):
            self._take(found[self._here].choice)
        else:
            self.main.say("move to a route first, or press its key", wrong=True)

    def action_here(self) -> None:
        """Run the agent of a route in this run, and not only record the route."""
        found = list(self.query(ChoiceLine))
        choice = found[max(0, self._here)].choice
        if not choice.option.allowed:
            self._take(choice)
        elif choice.option.route.retry or not runnable(choice.option.route.target):
            self.main.say(f"{choice.option.route.target} is not run here: move to an agent that is", wrong=True)
        else:
            self.dismiss((choice.option, "w"))

    def action_look(self, face: str) -> None:
        self.dismiss(face)

    def action_park(self) -> None:
        self.dismiss(None)


def _letters(option: Option) -> str:
    """The letter that means this route everywhere, also when it is the recommended one."""
    return "r" if option.route.retry else "f" if option.route.kind == "FINALIZE" else ""
