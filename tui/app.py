"""The full-screen program: builds the bridge, paints when something changed, carries intents to the engine."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.actions import ActionParseResult
from textual.app import App, SuspendNotSupported, SystemCommand
from textual.dom import DOMNode
from textual.events import Event
from textual.screen import Screen

from engine.commands import Continue, Decide, EndAttempt, Pause, Pick, Raise, Restore, Revert, Stop
from engine.model import Exit, Option, RouteKind
from engine.session import Runnable
from engine.state import RunState
from tui import glyphs as signs
from tui import keys, pasting, typed
from tui.bridge import Bridge
from tui.format.places import Place
from tui.format.text import clean
from tui.keymap import Keymap
from tui.playback import Playback
from tui.screens.main import MainScreen
from tui.theme import ANSI, DARK, LIGHT, no_theme, tokens
from tui.view import View

if TYPE_CHECKING:
    from tui.bench.bench import Bench
    from tui.curtain import Curtain

PAINT_S = 1 / 20  # at most this often, and never more than a quarter of the time
KEY_S = 1 / 30  # a key is answered within this, if nothing else is drawn meanwhile
LATEST_S = 1 / 4  # however many keys come
LEAVE_S = 8.0  # a child is killed after 3 s; more than this nobody waits

Folder = Path | Callable[[], Path | None] | None


class BitnetApp(App[Exit]):
    """One run on a full screen; returns the exit code of the run."""

    CSS_PATH = "styles/app.tcss"
    TITLE = "bitnet-tui"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = keys.bindings("app")

    def __init__(
        self,
        run: Runnable,
        *,
        theme: str = "bitnet-dark",
        glyphs: str = "auto",
        folder: Folder = None,
        ask: bool = True,
        title: str = "",
        clock: Callable[[], float] = time.time,
        keymap: Keymap | None = None,
        curtain: Curtain | None = None,
    ) -> None:
        gc.disable()  # until the first paint: a quarter of the time to it is spent looking for garbage
        super().__init__()
        if curtain is not None:
            self.driver_class = curtain.before(self.driver_class)
        pasting.install()
        for each in (DARK, LIGHT, ANSI):
            self.register_theme(each)
        self.theme = theme if theme in self.available_themes else DARK.name  # now: later, all styles are made twice
        self.glyphs = signs.choose(glyphs)
        self.keymap = keymap or Keymap()
        self.bridge = Bridge(run, self.call_later, self.changed, ask=ask)
        self.faults: list[str] = []
        self._run_given = run
        self._folder = folder
        self._title = title
        self._clock = clock
        self._wanted_theme = theme
        self._stopping = False
        self._leaving = False
        self._paint_due = False
        self._painted_at = 0.0
        self._paint_cost = 0.0
        self._typed = typed.Queue(self, super().on_event)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return tokens(self.current_theme)

    def get_default_screen(self) -> MainScreen:
        if isinstance(self._run_given, Playback):
            from tui.screens.replay import ReplayScreen

            return ReplayScreen(self._run_given, self.bridge, over=False)
        return MainScreen()

    def on_mount(self) -> None:
        self.set_keymap(self.keymap.textual)
        self._wear()
        for number in (signal.SIGHUP, signal.SIGTERM):  # the terminal was closed, or somebody asked politely
            asyncio.get_running_loop().add_signal_handler(number, self._hang_up)
        self.app_suspend_signal.subscribe(self, lambda _: self.bridge.hold())
        self.app_resume_signal.subscribe(self, lambda _: self._back())
        self.set_interval(1.0, self._tick)
        self.call_after_refresh(self._begin)
        self.changed()

    def _back(self) -> None:
        """The terminal is ours again, and empty."""
        self.bridge.go_on()
        self.refresh(layout=True)  # Textual does it after an editor, not after ctrl+z

    def dress(self, wanted_theme: str, glyphs: str, keymap: Keymap | None = None) -> None:
        """Put on what the settings ask for; they may be known only after the first paint."""
        self._wanted_theme = wanted_theme
        self.glyphs = signs.choose(glyphs)
        self.keymap = keymap or Keymap()
        self.set_keymap(self.keymap.textual)
        self._wear()
        self.changed()

    def _wear(self) -> None:
        if self._wanted_theme not in self.available_themes:
            self.say(no_theme(self._wanted_theme, self.available_themes), wrong=True)
            self._wanted_theme = DARK.name
        self.theme = self._wanted_theme
        self._filters = [f for f in self._filters if not isinstance(f, signs.PlainFilter)]
        if self.glyphs.plain:
            self._filters.append(signs.PlainFilter())
        self.screen_stack[0].set_class(self.glyphs.plain, "-ascii")

    def _begin(self) -> None:
        gc.freeze()  # what is here stays: a collection of all of it would hold the screen up
        gc.enable()
        self.bridge.start()

    def _hang_up(self) -> None:
        """Leave at once, resumably: unmounting stops the run and waits for it."""
        self.exit(Exit.INTERRUPTED)

    def on_unmount(self) -> None:
        gc.enable()
        if "bench" in self.__dict__:  # it was looked at
            self.bench.close()
        # After a crash of the screen the run is left alone: it belongs to whoever called us.
        self.bridge.close(stop=self._exception is None)

    async def on_event(self, event: Event) -> None:
        if isinstance(event, typed.Typed) and not event.is_forwarded:
            await self._typed.add(event)
        else:
            await super().on_event(event)

    # -- painting ---------------------------------------------------------------------------------------------------

    @property
    def view(self) -> View:
        """This moment of the run."""
        gone = self.bridge.gone if self.bridge.started else None
        return View(
            self.bridge.state,
            self._clock(),
            self.bridge.latest,
            self.bridge.output,
            self.glyphs,
            self.keymap,
            self.folder,
            self._title,
            self._stopping,
            None if gone is None else int(gone),
        )

    @property
    def folder(self) -> Path | None:
        """Where the run keeps its files; it may be known only once the run has started."""
        for source in (self._folder, getattr(self._run_given, "folder", None)):
            found = source() if callable(source) else source
            if found is not None:
                return Path(found)
        return None

    def changed(self) -> None:
        """Something is new: paint soon, once."""
        state = self.bridge.state
        if state.ended is not None and state.started is None:  # nothing was recorded: there is nothing to look at
            self.exit(Exit(getattr(state.ended, "exit", Exit.DEFECT)))
            return
        if self._paint_due:
            return
        self._paint_due = True
        wait = self._painted_at + max(PAINT_S, 4 * self._paint_cost) - time.monotonic()
        if wait > 0:
            self.set_timer(wait, self._paint_or_wait)
        else:
            self.call_later(self._paint_or_wait)

    def _paint_or_wait(self) -> None:
        """Paint, but not into the way of a key: what that changed is drawn first."""
        if time.monotonic() < min(self._typed.at + KEY_S, self._painted_at + LATEST_S):
            self.set_timer(KEY_S, self._paint_or_wait)
        else:
            self.paint()

    def paint(self) -> None:
        self._paint_due = False
        begun = time.monotonic()
        view = self.view
        for screen in self.screen_stack:
            show = getattr(screen, "show", None)
            if show is not None:
                show(view)
        self._painted_at = time.monotonic()
        self._paint_cost = self._painted_at - begun

    def _tick(self) -> None:
        self.changed()
        if self._leaving and self.bridge.gone is not None:
            self.exit(self.bridge.gone)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key or a click asks for; what fails is said, and the run goes on."""
        try:
            return await super().run_action(action, default_namespace, namespaces)
        except Exception as error:  # noqa: BLE001  # a slip of the screen must not take the run down
            self.fault(error)
            return True

    def fault(self, error: Exception) -> None:
        """Something could not be drawn or done; say it once, keep the traceback, go on."""
        text = "".join(traceback.format_exception(error))
        if text not in self.faults and len(self.faults) < 20:
            self.faults.append(text)
            self.say(f"a part of the screen cannot be drawn ({type(error).__name__}); the run goes on", wrong=True)

    def say(self, text: str, *, wrong: bool = False) -> None:
        self.notify(text, severity="warning" if wrong else "information", markup=False, timeout=4)

    # -- intents ----------------------------------------------------------------------------------------------------

    def act(self, name: str) -> None:
        """Do what a key means; that it may be done was asked before."""
        proposal, limit = self.bridge.state.proposal, self.bridge.state.limit
        if name == "run.pause":
            self._pause()
        elif name == "run.stop":
            self._ask_stop(leaving=False)
        elif limit is not None and name == "decide.open":
            from tui.screens.limit import LimitScreen

            self.push_screen(LimitScreen(self.view, limit), self._limited)
        elif proposal is None:
            return
        elif name == "decide.open":
            from tui.screens.decision import DecisionScreen

            self.push_screen(DecisionScreen(self.view, proposal), self._chosen)
        elif name == "diet.restore":
            from tui.screens.removed import RemovedScreen

            self.push_screen(RemovedScreen(self.view), lambda pieces: self._restore(proposal.id, pieces))
        elif name == "change.others":
            from tui.screens.others import OthersScreen

            self.push_screen(OthersScreen(self.view), lambda index: self._take(proposal.id, index))
        elif name == "decide.accept":
            self._decide(proposal.best)
        else:
            for option in proposal.options:
                if option.route.retry if name == "run.retry" else option.route.kind is RouteKind.FINALIZE:
                    self._chosen((option, "r" if name == "run.retry" else "f"))

    def _chosen(self, answer: tuple[Option, str] | str | None) -> None:
        if isinstance(answer, str):
            if isinstance(self.screen, MainScreen):
                opens = {"diet": "diet.restore", "others": "change.others"}.get(answer)
                self.screen.action_act(opens) if opens else self.screen.action_view(answer)
        elif answer is not None and answer[0].route.retry and answer[1] == "r":
            from tui.screens.asking import HintScreen

            self.push_screen(HintScreen(), lambda hint: None if hint is None else self._decide(answer[0], hint))
        elif answer is not None:
            self._decide(answer[0], dispatch=answer[1] == "w")

    def _decide(self, option: Option, hint: str = "", *, dispatch: bool = False) -> None:
        from tui.format.decision import taken

        proposal = self.bridge.state.proposal
        if proposal is None or not self.bridge.send(Decide(proposal.id, option.route, hint, dispatch)):
            self.say("too late: this question was answered already", wrong=True)
        else:
            self.say(taken(option, hint, dispatch=dispatch))

    def _limited(self, answer: Raise | EndAttempt | str | None) -> None:
        """What a person said at a spent limit."""
        from tui.format.limit import amount, ending
        from tui.screens.limit import AmountScreen

        asked = self.bridge.state.limit
        if answer == "type" and asked is not None:
            self.push_screen(AmountScreen(asked), self._limited)
        elif isinstance(answer, str):
            if isinstance(self.screen, MainScreen):
                self.screen.action_view(answer)
        elif answer is None:
            return
        elif not self.bridge.send(answer):
            self.say("too late: this question was answered already", wrong=True)
        elif isinstance(answer, Raise):
            self.say(f"raised to {amount(answer.limit, answer.to)}: the run goes on")
        else:
            self.say(ending(asked, answer.forward))

    def _restore(self, proposal: str, pieces: tuple[int, ...] | None) -> None:
        from tui.format.removed import sent

        if pieces is None:
            return
        if self.bridge.send(Restore(proposal, pieces)):
            self.say(sent(len(pieces)))
        else:
            self.say("too late: this question was answered already", wrong=True)

    def _take(self, proposal: str, index: int | None) -> None:
        """Have a runner-up verified in place of the change."""
        from tui.format.others import sent

        if index is None:
            return
        if self.bridge.send(Pick(proposal, index)):
            self.say(sent(index))
        else:
            self.say("too late: this question was answered already", wrong=True)

    def revert(self, proposal: str, pieces: tuple[int, ...], place: str) -> None:
        """Have the change judged without some of its pieces."""
        from tui.format.text import clean, count

        back = self.keymap.written("diet.restore")
        if self.bridge.send(Revert(proposal, pieces)):
            self.say(f"took {count(len(pieces), 'piece')} away at {clean(place)}: verified again; {back} brings back")
        else:
            self.say("too late: this question was answered already", wrong=True)

    def _pause(self) -> None:
        if self.bridge.state.paused or self.bridge.pausing:
            self.bridge.send(Continue())
            self.say("the run goes on")
        else:
            self.bridge.send(Pause())
            self.say(self.keymap.fill("pauses at the next safe point; {run.pause} goes on"))

    def _ask_stop(self, *, leaving: bool) -> None:
        from tui.screens.asking import StopScreen

        word = {"deciding": "parked at a decision", "at a limit": "parked at a limit", "paused": "paused"}.get(
            self.view.status, "under way"
        )
        self.push_screen(StopScreen(leaving=leaving, word=word), lambda when: self._stop(when or "", leaving=leaving))

    def _stop(self, when: str, *, leaving: bool) -> None:
        if not when:
            return
        # A run that is parked or paused is at a safe point: "after this step" is now.
        parked = self.bridge.state.parked or self.bridge.state.paused
        self.bridge.send(Stop(now=when == "now" or parked))
        self._stopping = True
        self._leaving = self._leaving or leaving
        if leaving and (when == "now" or parked):
            self.set_timer(LEAVE_S, lambda: self.exit(self.bridge.gone or Exit.INTERRUPTED))
        self.changed()
        self.set_timer(0.1, self._tick)

    def edit(self, place: Place | None, state: RunState | None = None) -> None:
        """Open a file in the person's editor; the run goes on meanwhile, and its events wait in the feed."""
        from tui import editor

        if place is None:
            self.say("nothing here speaks of a file", wrong=True)
            return
        problem = ""
        try:
            path = editor.in_checkout(place, state or self.bridge.state)
            command = editor.argv(os.environ, path, place.line)
            with self.suspend():
                problem = editor.run(command, path.parent)
        except editor.NoEditor as why:
            problem = clean(str(why))
        except SuspendNotSupported:
            problem = "this screen is no terminal of yours: an editor cannot have it"
        if problem:
            self.say(problem, wrong=True)

    def action_suspend_process(self) -> None:
        """Stand still until ``fg``, with all that was started with us, as if the terminal had asked."""
        if self._driver is None or not self._driver.can_suspend or not brought_back():
            self.say("no shell would bring it back: started without one", wrong=True)
            return
        self._suspend_signal()
        os.killpg(0, signal.SIGTSTP)

    # -- the bench --------------------------------------------------------------------------------------------------

    @cached_property
    def bench(self) -> Bench:
        """The one benchmark of this program; it goes on while nobody looks."""
        from tui.bench.bench import Bench

        return Bench(self.changed)

    @property
    def bench_folder(self) -> Path | None:
        from tui.bench.kept import folder_of

        return folder_of(self.folder)

    @property
    def quiet(self) -> bool:
        """Whether no test of the run is at work and none will be before a person says so."""
        replayed = isinstance(self._run_given, Playback)
        return replayed or self.view.ended or self.bridge.state.parked or self.bridge.state.paused

    def open_bench(self, sweep: str = "") -> None:
        from tui.screens.bench import BenchScreen

        opened = BenchScreen()
        self.push_screen(opened)
        if sweep:
            self.call_after_refresh(opened.action_measure, sweep)

    def measure(self, sweep: str, *, pause: bool = False) -> None:
        """Begin a benchmark; with ``pause`` once the run stands still, which goes on afterwards."""
        if pause:
            self.bridge.send(Pause())
        after = self._go_on if pause else lambda: None
        self.bench.start(self.bench_folder, sweep, quiet=lambda: self.quiet, wait=pause, after=after)

    def _go_on(self) -> None:
        if self.bridge.state.paused or self.bridge.pausing:
            self.bridge.send(Continue())
            self.say("the run goes on")

    def help(self, pane: str, pane_help: str) -> None:
        from tui.screens.asking import HelpScreen

        replay = bool(getattr(self.screen, "view", self.view).replay)
        self.push_screen(HelpScreen(pane, pane_help, replay=replay))

    def runs(self) -> None:
        """List the other runs of this repository."""
        from tui.recorded import home_of
        from tui.screens.runs import RunsScreen

        live = "" if isinstance(self._run_given, Playback) or self.folder is None else self.folder.name
        self.push_screen(RunsScreen(home_of(self.folder), live=live))

    def watch_recorded(self, play: Playback) -> None:
        """Show a recorded run over what is there; closing it leaves that as it was."""
        from tui.screens.replay import ReplayScreen

        self.push_screen(ReplayScreen(play, Bridge(play, self.call_later, self.changed, ask=False), over=True))

    def leave(self) -> None:
        """Go at once when the run has ended; else ask first."""
        gone = self.bridge.gone if self.bridge.started else Exit.INTERRUPTED
        if gone is not None:
            self.exit(gone)
        elif self.bridge.state.ended is not None:
            self._leaving = True  # the last records are being written
            self.set_timer(0.1, self._tick)
        else:
            self._ask_stop(leaving=True)

    async def action_quit(self) -> None:
        """ctrl+q on any screen: the same careful way out."""
        if isinstance(self.screen, MainScreen):
            self.screen.action_leave()
        else:
            self.screen.dismiss()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What ctrl+p offers."""
        from tui.palette import commands

        return commands(self, screen)


def brought_back() -> bool:
    """Whether a shell watches over this group of processes, and gets the terminal when all of it stands still."""
    parent = os.getppid()
    try:
        same_group = os.getpgid(parent) == os.getpgrp()  # make, say: whoever started it is asked no further
        return os.getsid(0) != os.getpgrp() and (same_group or os.getsid(parent) == os.getsid(0))
    except OSError:
        return False
