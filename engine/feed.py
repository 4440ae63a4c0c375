"""The way from the engine's thread to whoever watches: lossless records, lossy output, one wake-up at a time.

The lock protects the two queues and the wake-up flag, nothing else.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from engine.events import Record

OUTPUT_LINES = 2000
TURN = 512
"""After so many items the engine's thread lets others go on: a flood of them would halve what a screen can draw."""
DRAIN = 100


class Feed:
    """Records and output lines for one subscriber.

    Parameters
    ----------
    wake
        Called from the engine's thread when there is something to drain; not again before
        the subscriber has drained everything. Must be cheap and thread-safe.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._records: deque[Record] = deque()
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._woken = False
        self._given = 0

    def publish(self, record: Record) -> None:
        """Queue an event; events are never dropped."""
        with self._lock:
            self._records.append(record)
        self._call()

    def output(self, line: str) -> None:
        """Queue a line of output; the oldest give way, and are counted."""
        with self._lock:
            if len(self._lines) >= OUTPUT_LINES:
                self._lines.popleft()
                self._dropped += 1
            self._lines.append(line)
        self._call()

    @property
    def waiting(self) -> int:
        """Records that nobody has taken yet."""
        return len(self._records)

    def drain(self, limit: int = DRAIN) -> tuple[list[Record], list[str], int]:
        """Take up to ``limit`` records and lines, and how many lines were dropped since the last call.

        Call again while it returns something: only an empty answer arms the next wake-up.
        """
        with self._lock:
            records = [self._records.popleft() for _ in range(min(limit, len(self._records)))]
            lines = [self._lines.popleft() for _ in range(min(limit, len(self._lines)))]
            dropped, self._dropped = self._dropped, 0
            if not records and not lines:
                self._woken = False
        return records, lines, dropped

    def _call(self) -> None:
        self._given += 1
        if self._given % TURN == 0:
            time.sleep(0)
        with self._lock:
            if self._woken:
                return
            self._woken = True
        self._wake()
