"""The small questions: a hint for a retry, how to stop, and the page of keys."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input

from tui import keys
from tui.format.help import page
from tui.format.text import line, wrapped
from tui.screens.over import Over, lines
from tui.theme import MUTED, STRONG
from tui.view import View
from tui.widgets.field import Field


class HintScreen(Over[str | None]):
    """One line for the next attempt; an empty one is fine."""

    BINDINGS = keys.bindings("hint")

    def inside(self) -> ComposeResult:
        said = "Another attempt starts where this one ended. A hint is handed to the provider as you write it."
        yield lines([*wrapped(said, self.width, MUTED), Content("")])
        yield Field(placeholder="a hint, or nothing", max_length=500)

    def on_mount(self) -> None:
        super().on_mount()
        self.edges("Retry", "⏎ retry   {hint.back} back")
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    def action_back(self) -> None:
        self.dismiss(None)


class StopScreen(Over[str]):
    """Answers ``step``, ``now`` or nothing."""

    BINDINGS = keys.bindings("stop")
    CALM = False

    def __init__(self, *, leaving: bool, word: str) -> None:
        super().__init__()
        self._leaving = leaving
        self._word = word

    def inside(self) -> ComposeResult:
        then = "quit" if self._leaving else "stop"
        step, now, stay = (f" {self.main.keymap.written(f'stop.{each}'):<4}" for each in ("step", "now", "stay"))
        yield lines(
            [
                Content(f"The run is {self._word}. It can be resumed after it was stopped."),
                Content(""),
                line((step, STRONG), f"{then} after this step"),
                line((now, STRONG), f"{then} now: what this step did so far is done again on resume"),
                line((stay, STRONG), "stay"),
            ]
        )

    def on_mount(self) -> None:
        super().on_mount()
        self.edges(
            "Quit" if self._leaving else "Stop the run",
            "{stop.step} after this step   {stop.now} now   {stop.stay} stay",
        )

    def action_stop(self, when: str) -> None:
        self.dismiss(when)

    def show(self, view: View) -> None:
        if view.ended and self.is_current:
            self.dismiss("")  # there is nothing left to stop; how it ended is to be read
            self.main.say("the run has ended meanwhile")


class HelpScreen(Over[None]):
    """The keys of the focused pane, then all others, then the signs."""

    BINDINGS = keys.bindings("help")

    def __init__(self, pane: str, pane_help: str, *, replay: bool = False) -> None:
        super().__init__()
        self._pane = pane
        self._help = pane_help
        self._replay = replay

    def inside(self) -> ComposeResult:
        keymap = self.main.keymap
        yield lines(page(self._pane, self._help, self.main.glyphs, keymap, self.width, replay=self._replay))

    def on_mount(self) -> None:
        super().on_mount()
        self.edges("Help", "{help.close} closes")
        self.query_one("#box").focus()
