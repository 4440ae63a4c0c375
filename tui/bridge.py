"""Between the engine's thread and the screen: one wake-up at a time, a hundred items a drain, commands back.

Everything here but ``_wake`` runs on the screen's thread; nothing here touches a widget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from engine.commands import Command, Continue, Pause, Stop
from engine.events import TestFinished
from engine.feed import Feed
from engine.model import Exit, TestResult
from engine.session import Runnable, Session
from engine.state import RunState, fold_all
from tui.view import Output

JOIN_S = 5.0


class Bridge:
    """Owns the session and the folded state.

    Parameters
    ----------
    run
        What the session runs.
    later
        Schedules a call on the screen's thread, from any thread; ``App.call_later``.
    changed
        Called on the screen's thread after each drain that brought something.
    """

    def __init__(self, run: Runnable, later: Callable[..., Any], changed: Callable[[], None], *, ask: bool) -> None:
        self.state = RunState()
        self.output = Output()
        self.latest: dict[str, TestResult] = {}
        self.feed = Feed(self._wake)
        self.session = Session(run, self.feed, ask=ask)
        self._later = later
        self._changed = changed
        self._held = False
        self._closed = False
        self.started = False
        self.pausing = False  # a pause was asked for; the engine takes it at its next safe point

    def start(self) -> None:
        self.started = True
        self.session.start()

    def send(self, command: Command) -> bool:
        """Hand a command over; False if it comes too late."""
        if isinstance(command, Pause | Continue):
            self.pausing = isinstance(command, Pause)
        return self.session.send(command)

    def hold(self) -> None:
        """Leave everything in the feed until :meth:`go_on`: the screen is not ours meanwhile."""
        self._held = True

    def go_on(self) -> None:
        self._held = False
        self._later(self._drain)

    @property
    def gone(self) -> Exit | None:
        """The exit code once the thread is gone; a thread that fell over without a word is a defect of ours."""
        if self.session.alive:
            return None
        return Exit.DEFECT if self.session.exit is None else self.session.exit

    def close(self, *, stop: bool) -> Exit | None:
        """End the traffic; with ``stop``, end the run too and wait for it, but not for ever."""
        self._closed = True
        if stop and self.session.alive:
            self.session.send(Stop(now=True))
            self.session.join(JOIN_S)
        while records := self.feed.drain(1000)[0]:  # what was said while the screen went
            self.state = fold_all(self.state, records)
        return self.session.exit

    def _wake(self) -> None:
        """On the engine's thread. A screen that is gone must not take the run with it."""
        if self._closed:
            return
        try:
            self._later(self._drain)
        except RuntimeError:  # the event loop closed between the question and the call
            self._closed = True

    async def _drain(self) -> None:
        if self._held or self._closed:
            return
        records, lines, dropped = self.feed.drain()
        if records:
            self.state = fold_all(self.state, records)
            for record in records:
                if isinstance(record.event, TestFinished):
                    self.latest[record.event.result.suite] = record.event.result
        if lines or dropped:
            self.output.add(lines, dropped)
        if records or lines:
            self._later(self._drain)  # only an empty drain arms the next wake-up
            self._changed()
            await asyncio.sleep(0)  # a full queue never yields by itself: let the other widgets have their turn
