"""Streams of the HTTP library: one that is kept while it is read, and the transport that plays what was kept.

The only module of ours that imports that library when it is loaded; it is loaded when a request is made.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx2

from engine.providers.anthropic.retry import BrokenAnswer

PIECE = 65_536
MOST_BYTES = 16_000_000  # of one answer; what follows is read and not kept


class Bounded(httpx2.SyncByteStream):
    """An answer as it was before it was compressed, no longer and for no longer than an answer can be.

    A server may send a sign of life for ever, or a line without an end: no read of it takes long, all of them do.
    """

    def __init__(self, stream: Any, encoding: str, most: int, seconds: float) -> None:
        self._stream, self._encoding, self._most = stream, encoding, most
        self._seconds, self._until = seconds, time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self._plain():
            if (size := size + len(part)) > self._most:
                raise BrokenAnswer(f"the answer does not end: more than {self._most:,} bytes")
            if time.monotonic() > self._until:
                raise BrokenAnswer(f"the answer does not end: more than {self._seconds:g} s")
            yield part

    def _plain(self) -> Iterator[bytes]:
        if not self._encoding:
            yield from self._stream
            return
        if self._encoding not in ("gzip", "deflate"):
            raise BrokenAnswer(f"compressed as {self._encoding[:40]}, which was not asked for")
        inflate = zlib.decompressobj(wbits=47)  # either of the two, by its head
        try:
            for part in self._stream:
                while part:  # a few bytes may hold gigabytes
                    yield inflate.decompress(part, PIECE)
                    part = inflate.unconsumed_tail
            yield inflate.flush()
        except zlib.error as error:
            raise BrokenAnswer(f"compressed, and damaged: {error}") from error

    def close(self) -> None:
        self._stream.close()


def bound(response: Any, most: int, seconds: float) -> None:
    """Let the body of a response be :class:`Bounded`."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding:
        del response.headers["content-encoding"]
    if not response.is_stream_consumed:
        response.stream = Bounded(response.stream, "" if encoding == "identity" else encoding, most, seconds)


class Tee(httpx2.SyncByteStream):
    """Passes bytes on as they come, and hands all of them over when there are no more.

    Parameters
    ----------
    done
        Called once, with the bytes and how they ended: ``whole``, ``closed``, or the name of an error and its text.
    """

    def __init__(self, stream: Any, done: Callable[[bytes, str], None]) -> None:
        self._stream, self._done = stream, done
        self._kept: list[bytes] = []
        self._size = 0
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._stream:
                if self._size < MOST_BYTES:
                    self._kept.append(part)
                    self._size += len(part)
                yield part
        except Exception as error:
            self._end(f"{type(error).__name__}: {error}")
            raise
        self._end("whole")

    def close(self) -> None:
        self._end("closed")
        self._stream.close()

    def _end(self, how: str) -> None:
        if not self._ended:
            self._ended = True
            self._done(b"".join(self._kept), how if self._size < MOST_BYTES else "bounded")


def decoded(status: int, headers: Mapping[str, str], data: bytes) -> str:
    """The text of a body as it came over the wire, possibly compressed."""
    try:
        body = httpx2.Response(status, headers={"content-encoding": headers.get("content-encoding", "")}, content=data)
        return body.content.decode("utf-8", "replace")
    except httpx2.DecodingError:  # cut short
        return data.decode("utf-8", "replace")


class Played(httpx2.SyncByteStream):
    """Bytes that were kept, and then the error that ended them, if one did."""

    def __init__(self, data: bytes, ended: str) -> None:
        self._data, self._how = data, ended

    def __iter__(self) -> Iterator[bytes]:
        yield self._data
        if self._how not in ("whole", "closed", "bounded"):
            raise failure(self._how)


class Player(httpx2.BaseTransport):
    """Answers the request that is made with the line that was chosen for it; it reaches nothing."""

    def __init__(self) -> None:
        self.line: Mapping[str, Any] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        line = self.line
        if "error" in line:
            raise failure(str(line["error"]))
        stream = Played(str(line.get("body", "")).encode(), str(line.get("ended", "whole")))
        return httpx2.Response(int(line["status"]), headers=dict(line.get("headers", {})), stream=stream)


def failure(told: str) -> Exception:
    """The error of the wire that was recorded as ``NAME: text``."""
    name, _, text = told.partition(": ")
    kind = getattr(httpx2, name, None)
    if not (isinstance(kind, type) and issubclass(kind, httpx2.RequestError)):
        kind = httpx2.RemoteProtocolError
    return kind(text)


def cause(error: BaseException) -> str:
    """An error of the wire as it is recorded: what the SDK made of it was made from its cause."""
    inner = error.__cause__ if isinstance(error.__cause__, httpx2.RequestError) else error
    return f"{type(inner).__name__}: {inner}"
