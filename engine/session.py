"""One run on one thread of ours: commands in, events out. Threads meet here and in feed.py, nowhere else."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from engine.cancel import CancelToken
from engine.commands import (
    Answer,
    Command,
    Continue,
    Decide,
    EndAttempt,
    Pause,
    Pick,
    Raise,
    Reply,
    Restore,
    Revert,
    Stop,
)
from engine.feed import Feed
from engine.model import Exit, Proposal


class Steering:
    """What the engine's thread sees of the front end: the token, the pause, the answers."""

    def __init__(self, cancel: CancelToken, *, ask: bool) -> None:
        self.cancel = cancel
        self.ask = ask
        self.pause_requested = threading.Event()
        self.stop_after_step = threading.Event()
        self.answered: set[str] = set()  # added to by the front end's thread, taken from by the engine's
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._resume = threading.Event()
        self._timer: threading.Timer | None = None
        self._since = time.monotonic()
        self.expired = False

    def limit(self, seconds: float) -> None:
        """Cancel the run after this time; ``expired`` then says why it was cancelled.

        Where a person can be asked nothing is cancelled: the run looks at ``minutes`` where it can wait for them.
        """
        self._since = time.monotonic()
        if self.ask:
            return
        self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._expire)
        self._timer.daemon = True
        self._timer.start()

    def release(self) -> None:
        """The run has ended: its time no longer counts."""
        if self._timer is not None:
            self._timer.cancel()

    @property
    def minutes(self) -> float:
        """How long the run has worked since :meth:`limit`; waiting for a person is no work."""
        return (time.monotonic() - self._since) / 60

    def _expire(self) -> None:
        self.expired = True
        self.cancel.cancel()
        self.wake()

    def offer(self, answer: Answer) -> None:
        self._answers.put(answer)

    def refuse(self, question: str) -> None:
        """An answer that means nothing is none: the question stays open."""
        self.answered.discard(question)

    def wake(self) -> None:
        """Let a parked engine notice that it was stopped."""
        self._answers.put(None)
        self._resume.set()

    def answer(self, proposal: Proposal) -> Reply:
        """Park until this proposal is answered, holding nothing.

        Raises
        ------
        Stopped
            The run was stopped meanwhile.
        """
        while True:
            given = self.reply(proposal.id)
            if isinstance(given, Reply):
                return given

    def reply(self, question: str) -> Answer:
        """Park until the question with this id is answered; like :meth:`answer`."""
        parked = time.monotonic()
        try:
            while True:
                self.cancel.check()
                given = self._answers.get()
                self.cancel.check()
                if given is not None and given.id == question:
                    return given
        finally:
            self._since += time.monotonic() - parked

    def go_on(self) -> None:
        self.pause_requested.clear()
        self._resume.set()

    def wait_while_paused(self) -> None:
        parked = time.monotonic()
        while self.pause_requested.is_set() and not self.cancel.cancelled:
            self._resume.wait(0.2)
            self._resume.clear()
        self._since += time.monotonic() - parked
        self.cancel.check()


class Runnable(Protocol):
    """A run that can be started on the session's thread; it reports through the feed and returns its exit code."""

    def __call__(self, feed: Feed, steering: Steering) -> Exit: ...


class Session:
    """Owns the engine's thread.

    Parameters
    ----------
    run
        What to run; called once, on the thread.
    feed
        Where events and output go.
    ask
        Whether decisions are asked of the front end (True) or taken by the policy (False).
    """

    def __init__(self, run: Runnable, feed: Feed, *, ask: bool) -> None:
        self.feed = feed
        self.exit: Exit | None = None
        self._run = run
        self._cancel = CancelToken()
        self._steering = Steering(self._cancel, ask=ask)
        self._thread = threading.Thread(target=self._main, name="engine", daemon=True)
        self._on_end: list[Callable[[], None]] = []

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float | None = None) -> Exit | None:
        """Wait for the end; the exit code, or None while it runs."""
        self._thread.join(timeout)
        return self.exit

    def send(self, command: Command) -> bool:
        """Hand a command to the engine from the front end's thread; False if it comes too late."""
        match command:
            case Decide() | Restore() | Revert() | Pick() | Raise() | EndAttempt():
                if command.id in self._steering.answered or not self.alive:
                    return False
                self._steering.answered.add(command.id)
                self._steering.offer(command)
            case Pause():
                self._steering.pause_requested.set()
            case Continue():
                self._steering.go_on()
            case Stop(now=True):
                self._cancel.cancel()
                self._steering.wake()
            case Stop():
                self._steering.stop_after_step.set()
        return True

    def _main(self) -> None:
        self.exit = self._run(self.feed, self._steering)
