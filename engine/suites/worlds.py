"""Several versions of a change in one child: each is tried by a fork of it, before anything of the project is imported.

What comes of it is a hint. A version that fails there fails; one that passes is still to be run by itself, because
what ran in one fork may have touched the process that waits for it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from engine.config import Suite
from engine.errors import Stopped
from engine.model import TestResult
from engine.suites.report import Stream, check
from engine.suites.runner import Ours, Place, SuiteRunner

MOST = 32
"""Versions that one child tries."""

MOST_TEXT = 8_000_000
"""Characters in the files of all of them."""

SLACK = 10.0  # seconds a child may take beyond the time for its forks
_EPOCH, _SPAN = 500_000_000, 10**9  # times of files that are tried: no file of today has one of them

World = Mapping[str, str | None]
"""The text of each file that differs between versions; None: there is no such file."""


class _Told(msgspec.Struct, frozen=True, tag_field="event", tag="world"):
    number: int
    exit: int
    text: str


@dataclass(slots=True)
class _Listening:
    """What the child passed on, by number."""

    told: dict[int, _Told] = field(default_factory=dict)
    heard: bool = False

    def feed(self, line: bytes) -> None:
        self.heard = True
        try:
            event = msgspec.convert(json.loads(line), type=_Told)
        except (ValueError, RecursionError):
            return
        self.told.setdefault(event.number, event)


def tried(
    runner: SuiteRunner,
    name: str,
    suite: Suite,
    place: Place,
    only: Sequence[str],
    worlds: Sequence[World],
    seconds: float,
) -> list[tuple[TestResult, ...] | None]:
    """What some tests of a suite show in each world, up to the first that is red; None where that is not known.

    The files are left as some world has them.

    Raises
    ------
    Stopped
        The run was cancelled.
    EnvironmentFailure
        The child cannot be started.
    """
    if not able(name, suite, worlds):
        return [None] * len(worlds)
    first = _EPOCH + secrets.randbelow(_SPAN)
    nonces = [secrets.token_hex(16) for _ in worlds]
    reports = [place.scratch / f"report-{secrets.token_hex(8)}.json" for _ in worlds]
    told = [
        {"files": dict(world), "nonce": nonce, "report": str(report), "stamp": first + number}
        for number, (world, nonce, report) in enumerate(zip(worlds, nonces, reports, strict=True))
    ]
    listening = _Listening()
    control = {
        "only": [runner.names.real(nodeid) for nodeid in only],
        "stop_early": True,
        "worlds": told,
        "worlds_s": seconds,
        "nonce": "",
        "report": "",
    }
    try:
        exited = runner.start(
            name,
            suite,
            place,
            control,
            deadline_s=seconds + SLACK,
            on_event=listening.feed,
            begun=lambda: listening.heard,
        )
        if exited.killed == "stopped":
            raise Stopped("stopped on request")
        found = [listening.told.get(number) for number in range(len(worlds))]
        return [
            _results(runner, name, place, event, report, nonce) if event is not None else None
            for event, report, nonce in zip(found, reports, nonces, strict=True)
        ]
    finally:
        for report in reports:
            report.unlink(missing_ok=True)


def able(name: str, suite: Suite, worlds: Sequence[World]) -> bool:
    """Whether these can be tried in forks: a device does not live through one, and all of them must be told."""
    size = sum(len(text or "") for world in worlds for text in world.values())
    return "gpu" not in (name, suite.marker) and len(worlds) <= MOST and size <= MOST_TEXT


def _results(
    runner: SuiteRunner, name: str, place: Place, event: _Told, report: Path, nonce: str
) -> tuple[TestResult, ...] | None:
    stream = Stream(name, lambda _result: None, lambda _count: None, Ours(place))
    for line in event.text.splitlines():
        stream.feed(line.encode("utf-8", "replace"))
    if check(stream, report, nonce, event.exit):
        return None
    return tuple(map(runner.names.result, stream.results.values()))
