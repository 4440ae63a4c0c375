"""A recorded run, played: its events go through the feed once more, at the distances they were recorded at.

Knows no screen, so that plain lines can be had without one. Nothing of the run is touched.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

from engine import events as ev
from engine.errors import BitnetError, EnvironmentFailure, Stopped
from engine.feed import Feed
from engine.model import Exit
from engine.session import Steering

SPEED = 8.0
FASTEST = 1024.0
AT_ONCE = math.inf
CAP_S = 3.0  # of recorded time: longer than this nothing is waited for
LOOK_S = 1.0  # a question stays at least so long, whatever the speed
SLICE_S = 0.05  # after which a pause or another speed is noticed
LEAST_S = 0.01  # shorter waits are saved up
AHEAD = 2000  # records the screen has not taken yet
LOG_BYTES = 200_000  # of the output, which a journal does not hold

_ENDS = ev.RunFinished | ev.RunInterrupted | ev.RunFailed
_LANDMARKS = ev.StepStarted | ev.ProposalMade | ev.BudgetReached | _ENDS


def distance(earlier: ev.Record, later: ev.Record) -> float:
    """Seconds of recorded time between two events, as far as they are waited for.

    Examples
    --------
    >>> distance(ev.Record(1, 10.0, ev.Paused()), ev.Record(2, 900.0, ev.Continued()))
    3.0
    """
    return min(max(0.0, later.at - earlier.at), CAP_S)


def asks(event: ev.Event) -> bool:
    """Whether a person was, or could have been, asked something here."""
    return isinstance(event, ev.ProposalMade) or (isinstance(event, ev.BudgetReached) and event.asked)


def last_lines(log: Path) -> list[str]:
    """The end of a run's output; nothing where it was not kept."""
    try:
        with log.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - LOG_BYTES)
            file.seek(start)
            lines = file.read(LOG_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return lines[1 if start else 0 :]  # the first may be half a line


def _code(code: Exit, event: ev.Event) -> Exit:
    """The exit code after one more event."""
    if isinstance(event, _ENDS):
        return Exit(event.exit) if event.exit in set(Exit) else Exit.DEFECT
    return Exit.INTERRUPTED if isinstance(event, ev.RunResumed) else code


class Playback:
    """Callable once, on a session's thread, in place of a run.

    ``speed`` and the wish to skip are set by the front end's thread and read by the session's; ``at``, the recorded
    moment that is shown, the other way round. Each is one value with one writer at a time.

    Parameters
    ----------
    records
        From the first on, each time they are iterated over.
    folder
        Where the recorded run kept its files.
    speed
        How many recorded seconds go by in one; ``AT_ONCE`` waits for nothing.
    """

    def __init__(self, records: Iterable[ev.Record], folder: Path, *, speed: float = SPEED) -> None:
        self.records = records
        self.folder = folder
        self.speed = speed
        self.at = next((record.at for record in records), 0.0)
        self.ended = False  # it was played to its end
        self.error: BitnetError | None = None
        from engine.records.redact import Redactor  # costs what a first paint without a replay should not

        self.redact = Redactor.of(os.environ)
        self._left = 0.0  # recorded seconds still to be waited
        self._skipping = False
        self._paused = False

    @property
    def word(self) -> str:
        """What the header says behind ``replay``: ``×8``, ``×8 paused``."""
        if self.speed == AT_ONCE:
            return "at its end"
        return f"×{self.speed:g}" + (" paused" if self._paused else "")

    @property
    def exit(self) -> Exit:
        """The code the recorded run ended with; one that did not end was cut off."""
        code = Exit.INTERRUPTED
        for record in self.records:
            code = _code(code, record.event)
        return code

    def faster(self, times: float) -> float:
        """Change the speed by a factor, within reason; the new one."""
        if self.speed != AT_ONCE:
            self.speed = min(max(self.speed * times, 1 / 8), FASTEST)
        return self.speed

    def skip(self) -> None:
        """On to the next step, question or end, without waiting."""
        self._skipping = True

    def __call__(self, feed: Feed, steering: Steering) -> Exit:
        last: ev.Record | None = None
        code = Exit.INTERRUPTED
        try:
            for record in self.records:
                if last is not None:
                    self._wait(last, record, feed, steering)
                self.at = record.at
                while feed.waiting > AHEAD:  # a day of events is not piled up before a screen that draws it
                    steering.cancel.check()
                    steering.cancel.wait(LEAST_S)
                feed.publish(record)
                last, code = record, _code(code, record.event)
                if isinstance(record.event, _LANDMARKS):
                    self._skipping = False
        except Stopped:
            return Exit.INTERRUPTED
        except EnvironmentFailure as error:  # the journal went away, or was written into, while it was played
            self.error = error
            feed.output(f"the replay ends here: {self.redact.text(error.message)}")
            return error.exit
        for line in last_lines(self.folder / "run.log"):
            feed.output(line)
        self.ended = True
        return code

    def _wait(self, last: ev.Record, record: ev.Record, feed: Feed, steering: Steering) -> None:
        self._left += distance(last, record)
        if asks(last.event):
            self._left = max(self._left, LOOK_S * self.speed)
        while True:
            self._rest(last, feed, steering)
            speed = self.speed
            if self._skipping or speed == AT_ONCE:
                self._left = 0.0
            seconds = min(self._left / speed, SLICE_S)
            if seconds < LEAST_S:
                return
            steering.cancel.wait(seconds)
            self._left -= seconds * speed
            self.at = min(self.at + seconds * speed, record.at)

    def _rest(self, last: ev.Record, feed: Feed, steering: Steering) -> None:
        """Stand still while a pause is asked for; say so as a run would."""
        while True:
            steering.cancel.check()
            asked = steering.pause_requested.is_set()
            if asked != self._paused:
                self._paused = asked
                feed.publish(ev.Record(last.seq, self.at, ev.Paused() if asked else ev.Continued()))
            if not asked or self._skipping:
                return
            steering.cancel.wait(SLICE_S)
