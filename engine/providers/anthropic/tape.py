"""What was asked of a server and what it answered, as it is kept: one line a try. Pure.

A request is kept as what it adds to the one before it. Cache marks move from request to request and change nothing
of what the model reads: they are kept apart.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

VERSION = 1
HEADERS = ("request-id", "content-type", "retry-after", "retry-after-ms")
MESSAGES = "/v1/messages"

# What differs between two runs of the same tests, and says nothing of them.
_VARYING = (
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "0x…"),
    (re.compile(r"\b\d+(\.\d+)? ?(s|ms|us|µs|seconds?|milliseconds?)\b"), "… s"),
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), "…run…"),
    (re.compile(r'(?<=repository-data id=")[0-9a-f]{8,}(?=")'), "…"),  # the mark nobody can forge
    (re.compile(r"pytest-of-[\w-]+/pytest-\d+|/tmp/tmp\w+"), "…tmp…"),
)


class Tape(Protocol):
    """What sits between the SDK and the wire: it keeps what passes, or plays what was kept."""

    transport: Any | None  # in place of the wire

    def start(self, part: str, server: str, retries: int) -> int:
        """A part of the run begins: an attempt, or a specialist's hop.

        Returns
        -------
        How often a call may be tried again: as the settings say, or as they said then.
        """
        ...

    def handle(self, request: Any, call_next: Any) -> Any:
        """The SDK's middleware: called once for each try."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What a model was to read, without cache marks."""

    method: str = "POST"
    path: str = MESSAGES
    model: str = ""
    system: str = ""
    tools: Sequence[Any] = ()
    turns: Sequence[Mapping[str, Any]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)  # thinking and effort
    max_tokens: int = 0
    marks: Sequence[Any] = ()  # "system", "tools", or turn and block

    @property
    def digest(self) -> str:
        """Equal for requests in which a model reads the same."""
        read = [self.model, self.system, self.tools, self.turns, self.settings]
        return hashlib.sha256(json.dumps(read, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def asked(method: str, path: str, body: Any) -> Asked:
    """A request of the SDK, taken apart."""
    if not isinstance(body, Mapping):
        return Asked(method.upper(), path)
    system, marks = body.get("system", ""), list[Any]()
    if not isinstance(system, str):
        marks += ["system"] if any("cache_control" in b for b in system) else []
        system = "\n".join(str(b.get("text", "")) for b in system)
    tools = list(body.get("tools", ()))
    marks += ["tools"] if any("cache_control" in t for t in tools) else []
    turns = []
    for number, turn in enumerate(body.get("messages", ())):
        blocks = (
            turn["content"] if not isinstance(turn["content"], str) else [{"type": "text", "text": turn["content"]}]
        )
        marks += [[number, at] for at, block in enumerate(blocks) if "cache_control" in block]
        turns.append({"role": turn["role"], "content": [_unmarked(b) for b in blocks]})
    settings = {k: body[k] for k in ("thinking", "output_config") if k in body}
    plain = [_unmarked(t) for t in tools]
    most = int(body.get("max_tokens") or 0)
    return Asked(method.upper(), path, str(body.get("model", "")), system, plain, turns, settings, most, marks)


def _unmarked(block: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in block.items() if k != "cache_control"}


def packed(now: Asked, before: Asked | None) -> dict[str, Any]:
    """A request as what it adds to the one before."""
    known = before or Asked()
    same = 0
    for old, new in zip(known.turns, now.turns, strict=False):
        if old != new:
            break
        same += 1
    line: dict[str, Any] = {"method": now.method, "path": now.path, "model": now.model, "max_tokens": now.max_tokens}
    line |= {"settings": dict(now.settings), "marks": list(now.marks), "same": same, "turns": list(now.turns[same:])}
    line |= {} if now.system == known.system else {"system": now.system}
    line |= {} if now.tools == known.tools else {"tools": list(now.tools)}
    return line | {"digest": now.digest}


def unpacked(line: Mapping[str, Any], before: Asked | None) -> Asked:
    """The request of a line, given the one of the line before."""
    known = before or Asked()
    return Asked(
        method=str(line.get("method", "POST")),
        path=str(line.get("path", MESSAGES)),
        model=str(line.get("model", "")),
        system=line.get("system", known.system),
        tools=line.get("tools", known.tools),
        turns=[*known.turns[: int(line.get("same", 0))], *line.get("turns", ())],
        settings=line.get("settings", {}),
        max_tokens=int(line.get("max_tokens", 0)),
        marks=line.get("marks", ()),
    )


def alike(text: str) -> str:
    """``text`` without what differs from one run of a test to the next: addresses, durations, temporary folders.

    Examples
    --------
    >>> alike("<Foo at 0x7f12ab34cd56> took 1.25s")
    '<Foo at 0x…> took … s'
    """
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two requests part, and the first line of each side that does."""

    place: str
    recorded: str
    now: str


def differences(recorded: Asked, now: Asked) -> list[Difference]:
    """Every part of a request that a model would read differently, in the order it reads them."""
    found = [_difference("the model", recorded.model, now.model)]
    found.append(_difference("the settings", _text(recorded.settings), _text(now.settings)))
    found.append(_difference("the tools", _text(recorded.tools), _text(now.tools)))
    found.append(_difference("the system prompt", recorded.system, now.system))
    for number in range(max(len(recorded.turns), len(now.turns))):
        old = recorded.turns[number] if number < len(recorded.turns) else None
        new = now.turns[number] if number < len(now.turns) else None
        role = (old or new or {}).get("role", "")
        found.append(_difference(f"turn {number + 1} ({role})", _turn(old), _turn(new)))
    return [d for d in found if d is not None]


def _difference(place: str, recorded: str, now: str) -> Difference | None:
    old, new = alike(recorded).splitlines(), alike(now).splitlines()
    if old == new:
        return None
    at = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    return Difference(place, _line(old, at), _line(new, at))


def _line(lines: Sequence[str], at: int) -> str:
    return lines[at].strip()[:300] if at < len(lines) else "(nothing)"


def _turn(turn: Mapping[str, Any] | None) -> str:
    if turn is None:
        return ""
    return "\n".join(_block(b) for b in turn["content"])


def _block(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text", ""))
    if kind == "tool_result":
        word = "refused" if block.get("is_error") else "answer"
        return f"{word}: {block.get('content', '')}"
    return _text({k: v for k, v in block.items() if k != "signature"})


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


_PIECES = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def joined(body: str) -> str:
    """A stream of events with the pieces of each block in one: shorter, and a key in it cannot hide between two.

    What is no proper stream stays as it is.
    """
    *events, rest = body.split("\n\n")
    kept: list[tuple[str, dict[str, Any]]] = []
    for text in events:
        name, data = _event(text)
        if data is None:
            return body
        last = kept[-1][1] if kept else {}
        piece = _PIECES.get(str(data.get("delta", {}).get("type"))) if name == "content_block_delta" else None
        if piece and _same_block(last, data):
            last["delta"][piece] += data["delta"][piece]
        else:
            kept.append((name, data))
    return "".join(f"event: {n}\ndata: {json.dumps(d, ensure_ascii=False)}\n\n" for n, d in kept) + rest


def _event(text: str) -> tuple[str, dict[str, Any] | None]:
    lines = text.split("\n")
    if len(lines) != 2 or not lines[0].startswith("event: ") or not lines[1].startswith("data: "):
        return "", None
    try:
        data = json.loads(lines[1][6:])
    except ValueError:
        return "", None
    fits = isinstance(data, dict) and isinstance(data.get("delta", {}), dict)
    return lines[0][7:].strip(), data if fits else None


def _same_block(last: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    if last.get("type") != "content_block_delta" or last.get("index") != data.get("index"):
        return False
    piece = _PIECES[data["delta"]["type"]]
    same = last["delta"].get("type") == data["delta"]["type"]
    return same and isinstance(last["delta"].get(piece), str) and isinstance(data["delta"].get(piece), str)
