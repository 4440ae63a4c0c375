"""A recorded run on the main screen: the same panes and lines, nothing that steers.

It stands alone, or over a run that goes on below it and is not touched.
"""

from __future__ import annotations

from engine.commands import Continue, Pause
from engine.model import Exit
from tui import keys
from tui.bridge import Bridge
from tui.format.reasons import why_off
from tui.playback import Playback
from tui.screens.main import MainScreen
from tui.view import View


class ReplayScreen(MainScreen):
    """Draws what its own bridge brings, whatever the app's view is.

    Parameters
    ----------
    over
        It lies over another screen, has a session of its own and can be closed.
    """

    BINDINGS = keys.bindings("replay")

    def __init__(self, play: Playback, bridge: Bridge, *, over: bool) -> None:
        super().__init__()
        self.play = play
        self.bridge = bridge
        self.over = over
        self._told = False  # that the run below waits for a person

    def on_mount(self) -> None:
        if not self.over:
            return  # the app starts it, and stops it
        self.set_class(self.main.glyphs.plain, "-ascii")
        self.main.app_suspend_signal.subscribe(self, lambda _: self.bridge.hold())
        self.main.app_resume_signal.subscribe(self, lambda _: self.bridge.go_on())
        self.call_after_refresh(self.bridge.start)

    def on_unmount(self) -> None:
        if self.over:
            self.bridge.close(stop=True)

    def show(self, view: View) -> None:
        if self.over and not view.replay:  # after a resize it is handed its own view
            self._mind(view)
        super().show(self._seen())

    def _seen(self) -> View:
        """This moment of the recorded run; its clock is the recorded one."""
        bridge, state = self.bridge, self.bridge.state
        gone = bridge.gone if bridge.started else None
        # The folder holds what the run came to: no patch is shown before there was one.
        kept = state.ended is not None or gone is not None or any(a.finished for a in state.attempts)
        return View(
            state,
            self.play.at,
            bridge.latest,
            bridge.output,
            self.main.glyphs,
            self.main.keymap,
            self.play.folder if kept else None,
            exit=None if gone is None else int(gone),
            replay=self.play.word,
        )

    def _mind(self, live: View) -> None:
        """Say once that the run below has a question."""
        waits = live.state.parked and not live.ended
        if waits and not self._told:
            self.main.say(live.keys.fill("the run below waits for you: {quit} goes back to it"), wrong=True)
        self._told = waits

    # -- intents ----------------------------------------------------------------------------------------------------

    def action_act(self, name: str) -> None:
        if name == "run.pause" and not why_off(name, self.view):
            self._pause()
        else:
            super().action_act(name)

    def _pause(self) -> None:
        going = not self.bridge.pausing
        self.bridge.send(Pause() if going else Continue())
        self.main.changed()

    def action_faster(self, times: float) -> None:
        why = why_off("replay.faster", self.view)
        if why:
            self.main.say(f"the speed cannot be changed: {why}", wrong=True)
        else:
            self.play.faster(times)
            self.main.changed()

    def action_skip(self) -> None:
        why = why_off("replay.skip", self.view)
        if why:
            self.main.say(f"{self.view.keys.written('replay.skip')} is off: {why}", wrong=True)
        else:
            self.play.skip()

    def action_runs(self) -> None:
        if self.over:
            self.dismiss()  # they are below
        else:
            super().action_runs()

    def outermost(self) -> None:
        if self.over and self.focused is self.tests:
            self.dismiss()
        else:
            super().outermost()

    def action_leave(self) -> None:
        """Nothing can be lost: no question."""
        if self.over:
            self.dismiss()
        else:
            self.main.exit(Exit.OK)
