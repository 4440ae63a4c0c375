"""Keeps every answer of a server, as it came, in ``recording.jsonl`` of the run: with no key in it, and bounded.

A line is written when an answer has been read to its end; a run that is killed loses the one that was under way.
"""

from __future__ import annotations

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

    def start(self, part: str, server: str) -> None:
        self._part, self._number, self._before = part, 0, None
        self._write({"v": VERSION, "kind": "part", "part": part, "server": server})

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
        """One line, in one piece; where there is no room for it the run goes on without."""
        data = json.dumps(self._redact(line), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(fd).st_size + len(data) <= MOST_BYTES:
                    os.write(fd, data)
            finally:
                os.close(fd)
        except OSError:
            return  # the journal says so for what matters; a recording is not worth a run
