"""Read one answer off the wire, whole or not at all.

The SDK hands out a message that looks complete when a stream was cut, and guesses at a tool's input when its
JSON was; neither gets past this module unmarked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from engine.providers.anthropic.forecast import CHARS_A_TOKEN
from engine.providers.anthropic.pricing import Tokens
from engine.providers.anthropic.retry import BrokenAnswer, ServerError

# What the SDK raises, bare, when a stream is not what it expects.
_UNEXPECTED = (ValueError, TypeError, AttributeError, LookupError, RuntimeError, AssertionError)

ANSWER_LIMIT = 8_000_000  # characters; no model writes as much, a server that has lost its way may

Say = Callable[[str, str], None]  # kind and text of something to show


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    name: str
    input: dict[str, Any]
    broken: str = ""  # why the input cannot be used


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete answer of the model."""

    content: tuple[dict[str, Any], ...]  # blocks as they go back in the next request
    calls: tuple[Call, ...]
    stop: str
    why: str  # the server's explanation of the stop, if it gave one
    tokens: Tokens
    model: str
    request_id: str

    @property
    def text(self) -> str:
        return "\n".join(b["text"] for b in self.content if b.get("type") == "text").strip()


def read(client: Any, request: dict[str, Any], say: Say, spent: Callable[[str, Tokens], None]) -> Reply:
    """Send ``request`` and read its answer.

    Parameters
    ----------
    say
        Called with each finished block of text or thought.
    spent
        Called with model and tokens as soon as they are known, also for an answer that is cut short.

    Raises
    ------
    BrokenAnswer
        The answer is cut short or not what the protocol says.
    ServerError
        The server sent an error object with a status that says all is well.
    """
    with client.messages.stream(**request) as stream:
        kind = stream.response.headers.get("content-type", "")
        if kind.split(";")[0].strip() == "application/json":
            return _from_json(stream.response.read(), say, spent, stream.request_id or "")
        return _from_stream(stream, say, spent)


def _from_stream(stream: Any, say: Say, spent: Callable[[str, Tokens], None]) -> Reply:
    message: Any = None
    raw: dict[int, list[str]] = {}  # the JSON of each tool's input, as it came
    done, counted, size = False, False, 0
    events = iter(stream)
    try:
        while True:
            try:
                event = next(events, None)
            except _UNEXPECTED as error:
                if type(error) is ValueError and message is not None and _in_call(message):
                    # The SDK read a whole event, and cannot read what the model wrote: no fault of the wire.
                    return _broken_off(message, raw, str(error), stream.request_id or "")
                if isinstance(error, AttributeError) and message is not None and message.stop_reason:
                    done = True  # the last event had everything but the usage, which the SDK takes for granted
                    break
                raise BrokenAnswer(f"{type(error).__name__}: {str(error)[:200]}") from error
            if event is None:
                break
            if (size := size + _length(event)) > ANSWER_LIMIT:
                raise BrokenAnswer("the answer does not end")
            if event.type == "message_start":
                message = stream.current_message_snapshot
            elif event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                raw.setdefault(event.index, []).append(event.delta.partial_json)
            elif event.type == "content_block_stop":
                _show(event.content_block.to_dict(warnings=False), say)
            elif event.type == "message_delta":
                done = counted = True
    finally:
        if message is not None:
            known = _tokens(message.usage)
            spent(str(message.model or ""), known if counted else _at_least(known, size))
    if message is None:
        raise BrokenAnswer("the stream held no message")
    if not done or not message.stop_reason:
        raise BrokenAnswer("the stream ended before the message did")
    inputs = {number: "".join(parts) for number, parts in raw.items()}
    details = getattr(message.stop_details, "explanation", None) or ""
    blocks = [block.to_dict(warnings=False) for block in message.content]
    return _reply(blocks, inputs, str(message.stop_reason), details, message, stream.request_id or "")


def _at_least(known: Tokens, size: int) -> Tokens:
    """What an answer cost whose own count never came: it was written, and is paid for, as far as it was seen."""
    return replace(known, out=max(known.out, math.ceil(size / CHARS_A_TOKEN)))


def _length(event: Any) -> int:
    delta = getattr(event, "delta", None)
    return sum(len(getattr(delta, part, None) or "") for part in ("text", "partial_json", "thinking"))


def _in_call(message: Any) -> bool:
    return bool(message.content) and message.content[-1].type == "tool_use"


def _broken_off(message: Any, raw: dict[int, list[str]], why: str, request_id: str) -> Reply:
    """An answer whose last call has an input that is not JSON; what came after it is not read."""
    blocks = [block.to_dict(warnings=False) for block in message.content]
    inputs = {number: "".join(parts) for number, parts in raw.items()}
    inputs[len(blocks) - 1] = ""
    blocks[-1]["input"] = {}
    reply = _reply(blocks, inputs, "tool_use", "", message, request_id)
    reason = why.partition("Error: ")[2].partition(". JSON:")[0]
    broken = replace(reply.calls[-1], broken=f"the input is not JSON ({reason or 'it cannot be read'})")
    return replace(reply, calls=(*reply.calls[:-1], broken))


def _from_json(body: bytes, say: Say, spent: Callable[[str, Tokens], None], request_id: str) -> Reply:
    """A server that ignores ``stream`` answers with the whole message at once."""
    from anthropic.types import Message

    try:
        data = json.loads(body)
    except ValueError as error:
        raise BrokenAnswer(f"not JSON: {error}") from error
    if isinstance(data, dict) and (said := data.get("error")):
        known = said if isinstance(said, dict) else {"message": said}
        raise ServerError(str(known.get("type", "")), str(known.get("message", said)))
    if not isinstance(data, dict) or not isinstance(data.get("content"), list) or not data.get("stop_reason"):
        raise BrokenAnswer("JSON, but not a message")
    message = Message.construct(**data)
    blocks = [dict(b) for b in data["content"] if isinstance(b, dict)]
    for block in blocks:
        _show(block, say)
    spent(str(data.get("model") or ""), _tokens(message.usage))
    return _reply(blocks, {}, str(data["stop_reason"]), "", message, request_id)


def _reply(
    blocks: list[dict[str, Any]], inputs: dict[int, str], stop: str, why: str, message: Any, request_id: str
) -> Reply:
    content, calls = [], []
    for number, block in enumerate(blocks):
        if block.get("type") == "tool_use":
            call = _call(block, inputs.get(number, ""), f"toolu_{request_id or getattr(message, 'id', '')}_{number}")
            calls.append(call)
            block = {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}
        elif block.get("type") == "text":
            block = {"type": "text", "text": block.get("text") or ""}
        content.append(block)
    model = str(getattr(message, "model", "") or "")
    return Reply(tuple(content), tuple(calls), stop, why, _tokens(message.usage), model, request_id)


def _call(block: dict[str, Any], raw: str, spare_id: str) -> Call:
    given: Any = block.get("input") or {}
    broken = ""
    if raw.strip():
        try:
            given = json.loads(raw)
        except ValueError as error:
            given, broken = {}, f"the input is not JSON ({error})"
    if not isinstance(given, dict):
        given, broken = {}, "the input is not a JSON object"
    return Call(str(block.get("id") or spare_id), str(block.get("name") or ""), given, broken)


def _show(block: dict[str, Any], say: Say) -> None:
    if block.get("type") == "text" and (said := str(block.get("text") or "").strip()):
        say("text", said)
    elif block.get("type") == "thinking" and (thought := str(block.get("thinking") or "").strip()):
        say("thought", thought)


def _tokens(usage: Any) -> Tokens:
    def count(name: str) -> int:
        value = usage.get(name) if isinstance(usage, dict) else getattr(usage, name, None)
        return max(0, value) if isinstance(value, int) else 0  # less than nothing would lengthen a budget

    return Tokens(
        fresh=count("input_tokens"),
        written=count("cache_creation_input_tokens"),
        read=count("cache_read_input_tokens"),
        out=count("output_tokens"),
    )
