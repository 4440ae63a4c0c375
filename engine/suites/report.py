"""What a child of pytest showed, checked: its stream and its report must exist, agree, and carry our nonce.

No IO but reading the report file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from engine.model import CollectError, Ran, TestOutcome, TestReport, TestResult
from engine.workspace.regular import content

# pytest-json-report's words for what our stream calls otherwise.
_REPORT_WORDS = {"timeout": "failed", "rerun": "passed"}
_REPORT_LIMIT = 200_000_000


class _Event(msgspec.Struct, frozen=True, tag_field="event"):
    """What the plug-in sends; a line that does not fit is not the plug-in's."""


class _Collected(_Event, frozen=True, tag="collected"):
    ids: tuple[str, ...]


class _Started(_Event, frozen=True, tag="started"):
    nodeid: str


class _Finished(_Event, frozen=True, tag="finished"):
    nodeid: str
    outcome: TestOutcome
    phase: str
    seconds: float
    message: str = ""
    detail: str = ""
    path: str = ""
    line: int = 0
    marked: bool = False


class _Ran(_Event, frozen=True, tag="ran"):
    """Functions a test began, by file and first line: while it was set up, and after."""

    nodeid: str
    set_up: dict[str, tuple[int, ...]]
    body: dict[str, tuple[int, ...]]


class Cause(msgspec.Struct, frozen=True):
    """The exception that kept a file from being collected; ``frames`` are (file, line), the raising one last."""

    type: str
    text: str
    name: str | None
    frames: tuple[tuple[str, int], ...]


class _CollectError(_Event, frozen=True, tag="collect_error"):
    nodeid: str
    detail: str
    cause: Cause | None


class _Ended(_Event, frozen=True, tag="ended"):
    nonce: str
    exit: int
    foreign: tuple[tuple[str, str], ...]
    replaced: tuple[str, ...]
    peeked: tuple[str, ...] = ()


_Events = _Collected | _Started | _Finished | _Ran | _CollectError | _Ended


@dataclass(slots=True)
class Stream:
    """Collects the plug-in's events of one child; the only mutable thing here."""

    suite: str
    on_result: Callable[[TestResult], None]
    on_collected: Callable[[int], None]
    ours: Callable[[Cause], bool]
    results: dict[str, TestResult] = field(default_factory=dict)
    collected: tuple[str, ...] | None = None
    errors: list[CollectError] = field(default_factory=list)
    ran: dict[str, Ran] = field(default_factory=dict)
    running: str = ""
    end: _Ended | None = None
    garbled: int = 0
    heard: bool = False  # the child has written something: it was started

    def feed(self, line: bytes) -> None:
        """Take one line; what is not ours is counted, not believed."""
        self.heard = True
        try:
            # json, not msgspec, reads the line: a name or a message may hold half a surrogate pair.
            event = msgspec.convert(json.loads(line), type=_Events)
        except (ValueError, RecursionError):
            self.garbled += 1
            return
        match event:
            case _Collected(ids):
                self.collected = ids
                self.on_collected(len(ids))
            case _Started(nodeid):
                self.running = nodeid
            case _Finished():
                self.running = ""
                self._add(TestResult(self.suite, **msgspec.structs.asdict(event)))
            case _Ran(nodeid, set_up, body):
                self.ran[nodeid] = Ran(set_up, body)
            case _CollectError(nodeid, detail, cause):
                self._collect_error(nodeid, detail, cause)
            case _Ended():
                self.end = event

    def _add(self, result: TestResult) -> None:
        self.results[result.nodeid] = result
        self.on_result(result)

    def _collect_error(self, nodeid: str, detail: str, cause: Cause | None) -> None:
        message = f"{cause.type}: {cause.text}" if cause else _last_line(detail)
        self.errors.append(CollectError(nodeid, message, detail, cause is not None and self.ours(cause)))
        frames = [f for f in (cause.frames if cause else ()) if not f[0].startswith(("/", "<"))]
        path, line = frames[-1] if frames else ("", 0)
        name = nodeid or self.suite
        self._add(TestResult(self.suite, name, TestOutcome.ERROR, "collect", 0.0, message, detail, path, line))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines or ["no reason given"])[-1][:300]


def check(stream: Stream, report: Path, nonce: str, exit_code: int) -> str:
    """Why the evidence of a child that ran to its end cannot be trusted; empty if it can."""
    if stream.end is None:
        return "the test process ended without its closing line"
    if stream.end.nonce != nonce:
        return "the closing line lacks the run's nonce"
    if stream.garbled:
        return f"{stream.garbled} lines of the result stream are not the plug-in's"
    try:
        if report.lstat().st_size > _REPORT_LIMIT:
            return "the report is larger than 200 MB"
        text = content(report.parent, report.name, _REPORT_LIMIT)
        if text is None:
            return "the report is no file that can be read"
        data = json.loads(text)
    except FileNotFoundError:
        return "the report was not written"
    except (OSError, ValueError, RecursionError) as error:
        return f"the report cannot be read: {error}"
    if not isinstance(data, dict) or data.get("nonce") != nonce:
        return "the report lacks the run's nonce"
    return _disagreement(stream, data, exit_code)


def _disagreement(stream: Stream, data: Mapping[str, Any], exit_code: int) -> str:
    if data.get("exitcode") != exit_code:
        return f"the report says exit {data.get('exitcode')}, the process ended with {exit_code}"
    reported = {str(t.get("nodeid")): str(t.get("outcome")) for t in data.get("tests", ()) if isinstance(t, dict)}
    streamed = {
        n: _REPORT_WORDS.get(str(r.outcome), str(r.outcome)) for n, r in stream.results.items() if r.phase != "collect"
    }
    for nodeid, outcome in streamed.items():
        other = _REPORT_WORDS.get(reported.get(nodeid, "absent"), reported.get(nodeid, "absent"))
        if other.startswith("subtests "):
            continue  # the report keeps the last subtest's word; the stream has folded all of them
        red = {"failed", "error"}
        if other != outcome and not (other in red and outcome in red):
            return f"{nodeid}: streamed as {outcome}, reported as {other}"
    if missing := [n for n in reported if n not in streamed]:
        return f"{missing[0]}: reported, never streamed"
    return ""


def merge(suite: str, parts: list[TestReport]) -> TestReport:
    """One report of the children it took (a crash or a hang ends one; the rest runs in the next)."""
    if len(parts) == 1:
        return parts[0]
    results = {r.nodeid: r for part in parts for r in part.results}
    last = parts[-1]
    return TestReport(
        suite=suite,
        results=tuple(results.values()),
        exit_code=1,
        ended=last.ended,
        seconds=sum(p.seconds for p in parts),
        collect_errors=last.collect_errors,
        foreign=tuple(dict.fromkeys(f for p in parts for f in p.foreign)),
        replaced=tuple(dict.fromkeys(n for p in parts for n in p.replaced)),
        peeked=tuple(dict.fromkeys(n for p in parts for n in p.peeked)),
        problem=last.problem,
        ran={n: r for p in parts for n, r in p.ran.items()},
    )
