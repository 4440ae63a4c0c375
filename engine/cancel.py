"""A token every blocking wait takes: cancelling it closes what is open and wakes who waits.

The lock protects the list of closers, so that one added while cancelling is still closed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.errors import Stopped


class CancelToken:
    """Set once, never cleared."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._closers: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def cancel(self) -> None:
        """Cancel, and close what is open. Safe from any thread and more than once."""
        with self._lock:
            self._event.set()
            closers, self._closers = self._closers, []
        for close in closers:
            close()

    def check(self) -> None:
        """Raise Stopped if cancelled."""
        if self._event.is_set():
            raise Stopped("stopped on request")

    def wait(self, seconds: float) -> None:
        """Sleep at most ``seconds``; raise Stopped as soon as cancelled."""
        if self._event.wait(seconds):
            raise Stopped("stopped on request")

    @contextmanager
    def closing(self, close: Callable[[], None]) -> Iterator[None]:
        """While inside, cancelling calls ``close`` (a killer of a child, a closer of a stream)."""
        with self._lock:
            late = self._event.is_set()
            if not late:
                self._closers.append(close)
        if late:
            close()
        try:
            yield
        finally:
            with self._lock:
                if close in self._closers:
                    self._closers.remove(close)
