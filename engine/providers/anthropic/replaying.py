"""Plays a recording in place of a server, without key or network; what is asked is compared with what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import AttemptEnded, BitnetError, EnvironmentFailure
from engine.model import Exit
from engine.providers.anthropic.tape import VERSION, Asked, Difference, asked, differences, unpacked


class RecordingOver(BitnetError):
    """The engine asks for more than was recorded."""

    exit = Exit.ENVIRONMENT


@dataclass(frozen=True, slots=True)
class Call:
    """One try, as recorded."""

    asked: Asked
    line: Mapping[str, Any]  # the answer


@dataclass(frozen=True, slots=True)
class Recorded:
    """The tries of a run by part; of a part that was made again after an interruption, the last time."""

    parts: Mapping[str, Sequence[Call]]
    server: str
    retries: Mapping[str, int] = field(default_factory=dict)  # how often a call could be tried again, by part

    @property
    def calls(self) -> int:
        """Answers of a model."""
        return sum(1 for calls in self.parts.values() for c in calls if c.asked.turns)


def read(path: Path) -> Recorded:
    """A recording; a last line that was cut short is left out.

    Raises
    ------
    EnvironmentFailure
        There is none, or it is damaged; names the line.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise EnvironmentFailure(
            f"{path}: {error.strerror}", hint="only runs of the provider anthropic are recorded"
        ) from error
    parts: dict[str, list[Call]] = {}
    retries: dict[str, int] = {}
    server, before = "", None
    for number, data in enumerate(lines, 1):
        try:
            line = json.loads(data)
            if line["v"] != VERSION:
                raise ValueError(f"version {line['v']!r}; this program reads version {VERSION}")
            if line["kind"] == "part":
                part = str(line["part"])
                parts[part], server, before = [], str(line["server"]), None
                retries |= {part: int(line["retries"])} if "retries" in line else {}
                continue
            now = unpacked(line, before)
            before = now if now.turns else before
            parts.setdefault(str(line["part"]), []).append(Call(now, line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EnvironmentFailure(f"{path}:{number}: {error}", hint="the recording is damaged") from error
    return Recorded(parts, server, retries)


@dataclass(slots=True)
class Replay:
    """A tape that plays what was kept, in order, and says where it is asked something else.

    Parameters
    ----------
    ended
        Parts that a person ended at a limit: they end where their recording does.
    redact
        As the recording was redacted.
    """

    recorded: Recorded
    redact: Callable[[Any], Any] = lambda value: value
    ended: frozenset[str] = frozenset()
    found: list[Difference] = field(default_factory=list)
    played: int = 0  # answers of a model
    _part: str = ""
    _left: list[Call] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)
    _player: Any = None

    @property
    def transport(self) -> Any:
        if self._player is None:
            from engine.providers.anthropic.tee import Player

            self._player = Player()
        return self._player

    def start(self, part: str, server: str, retries: int) -> int:
        self._part, self._left = part, list(self.recorded.parts.get(part, ()))
        self._known.clear()
        return self.recorded.retries.get(part, retries)

    def handle(self, request: Any, call_next: Any) -> Any:
        now = asked(request.method, request.url, self.redact(request.json))
        self.transport.line = self._next(now)
        return call_next(request)

    def _next(self, now: Asked) -> Mapping[str, Any]:
        kind = bool(now.turns)
        call = next((c for c in self._left if bool(c.asked.turns) is kind), None)
        if call is None and not kind:
            return {"status": 404, "body": "{}", "headers": {"content-type": "application/json"}}
        number = 1 + sum(1 for c in self.recorded.parts.get(self._part, ()) if c.asked.turns)
        if call is None:
            if self._part in self.ended:
                raise AttemptEnded("as a person ended it when it was recorded")
            raise RecordingOver(f"{self._part}: the recording ends before call {number}")
        self._left.remove(call)
        if kind:
            self.played += 1
            left = sum(1 for c in self._left if c.asked.turns)
            self._compare(call.asked, now, number - 1 - left)
        return call.line

    def _compare(self, recorded: Asked, now: Asked, call: int) -> None:
        """A part that differs is told once a part: every later request holds it, too."""
        for part in differences(recorded, now):
            if part.place not in self._known:
                self._known.add(part.place)
                where = f"{self._part}, call {call}: {part.place}"
                self.found.append(Difference(where, part.recorded, part.now))

    @property
    def left(self) -> int:
        """Answers of a model that nobody asked for."""
        return self.recorded.calls - self.played
