"""Keeps every answer of a server, as it came, in ``recording.jsonl`` of the run: with no key in it, and bounded.

A line is written when an answer has been read to its end; a run that is killed loses the one that was under way.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.providers.anthropic.tape import HEADERS, VERSION, Asked, asked, joined, packed

NAME = "recording.jsonl"
MOST_BYTES = 256_000_000  # of all answers of a run


class Recording:
    """A tape that keeps what passes.

    Parameters
    ----------
    redact
        Takes every key out of plain data.
    """

    transport = None

    def __init__(self, path: Path, redact: Callable[[Any], Any], clock: Callable[[], float] = time.time) -> None:
        self._path, self._redact, self._clock = path, redact, clock
        self._part, self._number = "", 0
        self._before: Asked | None = None
        self._opening: dict[str, Any] | None = None  # of the part, until it is written
        self._full = False  # nothing more is kept: what follows a hole could not be read

    def start(self, part: str, server: str, retries: int) -> int:
        self._part, self._number, self._before = part, 0, None
        self._opening = {"v": VERSION, "kind": "part", "part": part, "server": server, "retries": retries}
        self._keep(b"")
        return retries

    def handle(self, request: Any, call_next: Any) -> Any:
        from engine.providers.anthropic.tee import Tee, cause, decoded

        now = asked(request.method, request.url, request.json)
        self._number += 1
        line = {
            "v": VERSION,
            "kind": "call",
            "part": self._part,
            "n": self._number,
            "at": round(self._clock(), 3),
        }
        line |= packed(now, self._before)
        if now.turns:
            self._before = now
        try:
            answer = call_next(request)
        except Exception as error:
            self._write({**line, "error": cause(error)})
            raise
        response = answer.http_response
        headers = dict(response.headers)
        told = {"status": response.status_code, "headers": {k: headers[k] for k in HEADERS if k in headers}}
        if getattr(response, "is_stream_consumed", False):
            self._write({**line, **told, "body": joined(response.text), "ended": "whole"})
            return answer

        def done(data: bytes, how: str) -> None:
            body = joined(decoded(response.status_code, headers, data))
            self._write({**line, **told, "body": body, "ended": how})

        response.stream = Tee(response.stream, done)
        return answer

    def _write(self, line: dict[str, Any]) -> None:
        self._keep(self._line(line))

    def _line(self, line: dict[str, Any]) -> bytes:
        return json.dumps(self._redact(line), ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def _keep(self, data: bytes) -> None:
        """Whole lines or none; where there is no room for them the run goes on without.

        What cannot be kept leaves no half a line, and the next line is read without it: it tells all of its request,
        and of its part, if that was not said.
        """
        data = (self._line(self._opening) if self._opening else b"") + data
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                end = _last_whole(fd)
                self._full = self._full or end + len(data) > MOST_BYTES
                if not self._full:
                    _all_or_nothing(fd, data, end)
                    self._opening = None
            finally:
                os.close(fd)
        except OSError:
            self._before = None  # the journal says so for what matters; a recording is not worth a run


def _last_whole(fd: int) -> int:
    """Where the last whole line ends; what a killed run left behind it is taken away."""
    size = at = os.fstat(fd).st_size
    while at:
        begin = max(0, at - 65_536)
        found = os.pread(fd, at - begin, begin).rfind(b"\n")
        if found >= 0:
            at = begin + found + 1
            break
        at = begin
    if at < size:
        os.ftruncate(fd, at)
    return at


def _all_or_nothing(fd: int, data: bytes, end: int) -> None:
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(fd, left) :]
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, end)
        raise
