"""What is drawn: the folded state and the little a screen knows besides. Frozen, except the ring of output."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.model import TestResult
from engine.state import RunState
from tui.glyphs import UNICODE, Glyphs
from tui.keymap import Keymap

LINES = 5000


class Output:
    """The last lines of output, each with its number since the start."""

    def __init__(self, lines: int = LINES) -> None:
        self._ring: deque[str] = deque(maxlen=lines)
        self.total = 0
        self.dropped = 0

    def add(self, lines: list[str], dropped: int) -> None:
        """Append ``lines``; ``dropped`` were lost before them, in the feed."""
        self._ring.extend(lines)
        self.total += len(lines) + dropped
        self.dropped += dropped

    @property
    def first(self) -> int:
        """Number of the oldest line still here, if nothing was dropped in between."""
        return self.total - len(self._ring)

    def lines(self) -> list[str]:
        return list(self._ring)


@dataclass(frozen=True, slots=True)
class View:
    """One moment of a run, ready to be drawn."""

    state: RunState = RunState()
    now: float = 0.0
    latest: Mapping[str, TestResult] = field(default_factory=dict)  # the last finished test of each suite
    output: Output = field(default_factory=Output)
    glyphs: Glyphs = UNICODE
    keys: Keymap = field(default_factory=Keymap)
    folder: Path | None = None  # where the run keeps its files
    title: str = ""
    stopping: bool = False  # asked for here, not yet confirmed by the engine
    exit: int | None = None  # the engine's thread is gone; its exit code
    replay: str = ""  # what is shown was recorded: how fast it goes by, or that it is at its end

    @property
    def status(self) -> str:
        """One word: where the run stands, what was asked of it here included."""
        if self.state.ended is None and self.stopping:
            return "stopping"
        return self.state.status

    @property
    def ended(self) -> bool:
        return self.state.ended is not None or self.exit is not None

    @property
    def elapsed(self) -> float:
        """Seconds since the start; stands still once the run has ended."""
        if self.state.started is None:
            return 0.0
        until = self.state.updated_at if self.state.ended is not None else self.now
        return max(0.0, until - self.state.started_at)
