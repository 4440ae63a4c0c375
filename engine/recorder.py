"""Where events go: the journal first, then the state, then whoever watches."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.events import Event, Record
from engine.feed import Feed
from engine.records.journal import Journal
from engine.records.redact import Lines, Redactor
from engine.state import RunState, fold_all

LOG_BYTES = 50_000_000


@dataclass(slots=True)
class Recorder:
    """Holds the only state of a run; it is folded when somebody asks for it.

    Parameters
    ----------
    log
        The run log; output beyond 50 MB is not kept, and that is said.
    redact
        What no key passes: journal, state, log and screen get what it leaves.
    """

    journal: Journal
    feed: Feed
    log: Path
    _state: RunState = field(default_factory=RunState)
    redact: Redactor = field(default_factory=Redactor)
    _unfolded: list[Record] = field(default_factory=list)
    _logged: int = 0
    _lines: Lines = field(init=False)

    def __post_init__(self) -> None:
        self._lines = self.redact.lines()

    @property
    def state(self) -> RunState:
        if self._unfolded:
            records, self._unfolded = self._unfolded, []
            self._state = fold_all(self._state, records)
        return self._state

    def emit(self, event: Event) -> None:
        """Record one event."""
        record = self.journal.append(self.redact.noun(event))
        self._unfolded.append(record)
        self.feed.publish(record)

    def keep_secret(self, name: str, value: str) -> None:
        """Let no key that was found on the way pass from now on."""
        more = Redactor.of({f"{name} token": value})
        self.redact = Redactor({**more.known, **self.redact.known})
        self._lines = self.redact.lines()

    def line(self, text: str) -> None:
        """Keep a line of a child's output."""
        text = self._lines(text)
        self.feed.output(text)
        if self._logged > LOG_BYTES:
            return
        self._logged += len(text) + 1
        if self._logged > LOG_BYTES:
            text = "… the log has reached 50 MB; what follows is not kept …"
        try:
            with self.log.open("a", encoding="utf-8", errors="replace") as file:
                file.write(text + "\n")
        except OSError:
            # The journal says so for what matters; a log line is not worth a run.
            self._logged = LOG_BYTES + 1
