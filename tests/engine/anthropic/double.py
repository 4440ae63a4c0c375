"""A Messages-API server for tests: it plays a script, one step a request, and checks what it is sent.

It is written from the protocol's description, not from our client: a request that breaks a rule of the
protocol is answered with a 400 and remembered in ``violations``.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


def text(said: str) -> Body:
    return {"type": "text", "text": said}


def use(name: str, call_id: str = "", **arguments: Any) -> Body:
    return {"type": "tool_use", "id": call_id or f"toolu_{time.monotonic_ns()}", "name": name, "input": arguments}


def thinking(thought: str, signature: str = "sig") -> Body:
    return {"type": "thinking", "thinking": thought, "signature": signature}


@dataclass
class Say:
    """An answer, streamed as events."""

    blocks: list[Body]
    stop: str | None = ""  # "" is tool_use or end_turn, by the blocks
    usage: Body = field(default_factory=lambda: {"input_tokens": 100, "output_tokens": 10})
    model: str = "claude-sonnet-5-5"
    cut_before: str = ""  # end the stream cleanly before this event
    drop_before: str = ""  # break the connection before this event
    stall_before: str = ""  # go silent before this event
    garbage_before: str = ""  # send an event that is not JSON
    error_before: str = ""  # send an error event of this kind
    raw_input: str | None = None  # what to stream as the input of every tool call
    as_json: bool = False  # ignore "stream" and answer with one JSON object
    details: Body | None = None

    def reason(self) -> str | None:
        if self.stop == "":
            return "tool_use" if any(b["type"] == "tool_use" for b in self.blocks) else "end_turn"
        return self.stop

    def message(self) -> Body:
        message: Body = {"id": "msg_1", "type": "message", "role": "assistant", "model": self.model}
        message |= {"content": self.blocks, "stop_reason": self.reason(), "stop_sequence": None}
        return message | ({"usage": self.usage} if self.usage else {})

    def events(self) -> Iterator[tuple[str, Body]]:
        start = self.message() | {"content": [], "stop_reason": None}
        yield "message_start", {"message": start}
        yield "ping", {}
        for index, block in enumerate(self.blocks):
            empty: dict[str, Body] = {
                "text": {"text": ""},
                "tool_use": {"input": {}},
                "thinking": {"thinking": "", "signature": ""},
            }
            yield "content_block_start", {"index": index, "content_block": block | empty[block["type"]]}
            for delta in self._deltas(block):
                yield "content_block_delta", {"index": index, "delta": delta}
            yield "content_block_stop", {"index": index}
        end: Body = {"stop_reason": self.reason(), "stop_sequence": None}
        if self.details is not None:
            end["stop_details"] = self.details
        used: Body = {"usage": {"output_tokens": self.usage["output_tokens"]}} if self.usage else {}
        yield "message_delta", {"delta": end, **used}
        yield "message_stop", {}

    def _deltas(self, block: Body) -> Iterator[Body]:
        if block["type"] == "text":
            yield {"type": "text_delta", "text": block["text"]}
        elif block["type"] == "thinking":
            yield {"type": "thinking_delta", "thinking": block["thinking"]}
            if block["signature"]:
                yield {"type": "signature_delta", "signature": block["signature"]}
        else:
            raw = json.dumps(block["input"]) if self.raw_input is None else self.raw_input
            for at in range(0, len(raw), 7):
                yield {"type": "input_json_delta", "partial_json": raw[at : at + 7]}


@dataclass
class Refuse:
    """An HTTP error."""

    status: int
    message: str = "no"
    kind: str = "api_error"
    headers: dict[str, str] = field(default_factory=dict)
    code: str = ""

    def body(self) -> Body:
        error: Body = {"type": self.kind, "message": self.message}
        if self.code:
            error["details"] = {"error_code": self.code}
        return {"type": "error", "error": error}


@dataclass
class Hang:
    """Take the request and say nothing."""

    seconds: float = 20.0


@dataclass
class Pings:
    """Answer with signs of life, and never with more."""


@dataclass
class Bytes:
    """Answer with exactly these bytes as body."""

    body: bytes
    content_type: str


Step = Say | Refuse | Hang | Pings | Bytes | Callable[[Body], "Say | Refuse | Hang | Pings | Bytes"]


@dataclass
class Seen:
    path: str
    headers: dict[str, str]
    body: Body


class Double:
    """The server; use it as a context manager."""

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.seen: list[Seen] = []
        self.listings = 0
        self.models: list[Body] | None = None  # None answers 404
        self.violations: list[str] = []
        self.rejects: Callable[[Body], str] = lambda body: ""  # what this server does not take, if anything
        self.stopped = threading.Event()
        double = self

        class Handler(_Handler):
            owner = double

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def bodies(self) -> list[Body]:
        return [s.body for s in self.seen]

    def __enter__(self) -> Double:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._http.shutdown()
        self._http.server_close()


def broken_rule(body: Body) -> str:
    """The first rule of the protocol a request breaks."""
    turns = body.get("messages") or []
    if not turns or turns[0]["role"] != "user":
        return "the first turn is not the user's"
    marks = json.dumps(body).count('"cache_control"')
    if marks > 4:
        return f"{marks} cache marks"
    for before, turn in zip([None, *turns], turns, strict=False):
        blocks = turn["content"]
        if before is not None and before["role"] == turn["role"]:
            return f"two {turn['role']} turns in a row"
        if not blocks:
            return "an empty turn"
        if any(b["type"] == "text" and not b["text"].strip() for b in blocks):
            return "an empty text block"
        if any(b["type"] == "tool_use" and not isinstance(b["input"], dict) for b in blocks):
            return "a tool input that is not an object"
        asked = [b["id"] for b in before["content"] if b["type"] == "tool_use"] if before else []
        if turn["role"] == "user":
            given = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
            if asked != given:
                return f"calls {asked} were answered by {given}"
            if any(b["type"] == "tool_result" for b in blocks[len(given) :]):
                return "an answer after text"
    last = turns[-1]
    if last["role"] == "assistant" and any(b["type"] == "tool_use" for b in last["content"]):
        return "calls without answers"
    return ""


class _Handler(BaseHTTPRequestHandler):
    owner: Double
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/v1/models") and self.owner.models is not None:
            self.owner.listings += 1
            self._json(200, {"data": self.owner.models, "has_more": False})
        else:
            self._json(404, {"type": "error", "error": {"type": "not_found_error", "message": "no such page"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        owner = self.owner
        owner.seen.append(Seen(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        wrong = broken_rule(body)
        if wrong:
            owner.violations.append(wrong)
        said = wrong or owner.rejects(body)
        if said:
            step: Step = Refuse(400, said, "invalid_request_error")
        elif not owner.script:
            owner.violations.append("a request after the end of the script")
            step = Refuse(400, "the script is over", "invalid_request_error")
        else:
            step = owner.script.pop(0)
        if callable(step):
            step = step(body)
        self._play(step)

    def _play(self, step: Say | Refuse | Hang | Pings | Bytes) -> None:
        match step:
            case Refuse():
                self._json(step.status, step.body(), step.headers)
            case Hang():
                self.owner.stopped.wait(step.seconds)
                self.close_connection = True
            case Pings():
                self._head(200, "text/event-stream", None)
                with contextlib.suppress(OSError):  # nobody listens any more
                    while not self.owner.stopped.wait(0.01):
                        self._chunk('event: ping\ndata: {"type": "ping"}\n\n')
                self.close_connection = True
            case Bytes():
                self._head(200, step.content_type, len(step.body))
                self.wfile.write(step.body)
            case Say(as_json=True):
                self._json(200, step.message())
            case Say():
                self._stream(step)

    def _stream(self, step: Say) -> None:
        self._head(200, "text/event-stream", None)
        for name, data in step.events():
            if name == step.cut_before:
                break
            if name == step.drop_before:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if name == step.stall_before:
                self.owner.stopped.wait(20)
                return
            if name == step.garbage_before:
                self._chunk(f"event: {name}\ndata: {{not json\n\n")
            if name == step.error_before:
                self._chunk(f"event: error\ndata: {json.dumps(Refuse(0, 'busy', 'overloaded_error').body())}\n\n")
                break
            self._chunk(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, said: str) -> None:
        data = said.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _json(self, status: int, data: Body, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(data).encode()
        self._head(status, "application/json", len(body), headers)
        self.wfile.write(body)

    def _head(self, status: int, kind: str, length: int | None, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("request-id", "req_1")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if length is None:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(length))
        self.end_headers()
