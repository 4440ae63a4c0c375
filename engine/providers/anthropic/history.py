"""The conversation so far, as the next request sends it. Pure: no wire, no clock.

Old answers of tools give way to one line each when all of them together grow too long. That happens in big
steps, so that the prefix a server has cached stays the same between them.
"""

from __future__ import annotations

import json
from typing import Any

from engine.plain import whole
from engine.providers.anthropic.profile import Profile

ANSWERS_CHARS = 400_000  # about 100 000 tokens
MARKED = 2  # user turns that end in a cache mark; with those of the tools and the system, all four there may be
KEPT = 4  # most recent turns of answers that are never shortened

Block = dict[str, Any]


class History:
    """User and assistant turns, alternating."""

    def __init__(self, limit: int = ANSWERS_CHARS) -> None:
        self._turns: list[dict[str, Any]] = []
        self._limit = limit
        self._calls: dict[str, str] = {}  # tool_use id → what was called, in short
        self._left_out: set[str] = set()  # tool_use ids

    def __len__(self) -> int:
        return len(self._turns)

    def user(self, *blocks: Block) -> None:
        """Add to the person's side; two turns in a row become one."""
        kept = [_whole(block) for block in blocks]
        if self._turns and self._turns[-1]["role"] == "user":
            self._turns[-1]["content"].extend(kept)
        else:
            self._turns.append({"role": "user", "content": kept})

    def assistant(self, blocks: list[Block]) -> None:
        """Add an answer of the model, without what a server would not take back."""
        kept = [_whole(b) for b in blocks if b.get("type") != "text" or b.get("text", "").strip()]
        for block in kept:
            if block.get("type") == "tool_use":
                self._calls[block["id"]] = _call(block)
        if not kept:
            return
        if self._turns and self._turns[-1]["role"] == "assistant":
            self._turns[-1]["content"].extend(kept)
        else:
            self._turns.append({"role": "assistant", "content": kept})

    def render(self, profile: Profile) -> list[dict[str, Any]]:
        """The ``messages`` of a request; the last two user turns end in cache marks if the profile has them.

        A server looks back only 20 blocks from a mark for what it has: past a turn of many answers it would not
        find the mark of the request before, so that one is made again.
        """
        turns = [{"role": t["role"], "content": list(t["content"])} for t in self._turns]
        if not profile.rich:
            return _without_thoughts(turns)
        for turn in [t for t in turns if t["role"] == "user" and t["content"]][-MARKED:]:
            turn["content"][-1] = {**turn["content"][-1], "cache_control": {"type": "ephemeral"}}
        return turns

    def tail(self) -> dict[str, Any]:
        """The turn added last."""
        return self._turns[-1]

    def compact(self, *, force: bool = False) -> int:
        """Shorten the oldest answers of tools if they are too long together; how many characters that freed.

        When it has to shorten, it goes down to half of the limit; ``force`` shortens all but the last turn.
        """
        answered = [t for t in self._turns if any(b.get("type") == "tool_result" for b in t["content"])]
        total = sum(_length(b) for t in answered for b in t["content"])
        if not force and total <= self._limit:
            return 0
        freed = 0
        for turn in answered[: -1 if force else -KEPT]:
            for number, block in enumerate(turn["content"]):
                call = block.get("tool_use_id", "")
                note = f"[left out to save room: {self._calls.get(call, 'an earlier answer')}"
                note += f", {_length(block)} characters; call it again if you need it]"
                if _length(block) > len(note) and call not in self._left_out:
                    self._left_out.add(call)
                    freed += _length(block) - len(note)
                    turn["content"][number] = {**block, "content": note}
            if not force and total - freed <= self._limit // 2:
                break
        return freed


def _without_thoughts(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Turns without thoughts no server vouched for; what is left of two turns of a person becomes one."""
    kept: list[dict[str, Any]] = []
    for turn in turns:
        content = [b for b in turn["content"] if not _unsigned(b)]
        if kept and kept[-1]["role"] == turn["role"]:
            kept[-1]["content"] += content
        elif content:
            kept.append({"role": turn["role"], "content": content})
    return kept


def result(call_id: str, text: str, *, is_error: bool) -> Block:
    """An answer to a tool call; never empty, since an empty error is refused."""
    block: Block = {"type": "tool_result", "tool_use_id": call_id, "content": text.strip("\n") or "(nothing to show)"}
    return {**block, "is_error": True} if is_error else block


def text(said: str) -> Block:
    return {"type": "text", "text": said}


def _whole(value: Any) -> Any:
    """What can be sent: a file, a test or a model may say half of a character."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {_whole(k): _whole(v) for k, v in value.items()}
    return [_whole(v) for v in value] if isinstance(value, list) else value


def _unsigned(block: Block) -> bool:
    """A thought only its own server could vouch for, and did not."""
    return block.get("type") == "thinking" and not block.get("signature")


def _length(block: Block) -> int:
    return len(block["content"]) if block.get("type") == "tool_result" else 0


def _call(block: Block) -> str:
    given = {k: v for k, v in block["input"].items() if k in ("command", "path", "pattern", "suite", "tests")}
    return f"{block['name']} {json.dumps(given, ensure_ascii=False)[:120]}" if given else str(block["name"])
