"""What the next call of a conversation will take, told from what the last one did. Pure but for the clock it is given.

Characters are counted here, tokens by the server: after the first answer only what was added since is a guess.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.providers.anthropic.pricing import Tokens

CHARS_A_TOKEN = 3.0  # before the first answer; code takes more tokens than prose
WARM_S = 240.0  # what a server has cached for five minutes is counted on for four
USUAL_OUT = 500  # tokens of an answer, before the first one


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of a request; ``cached`` of them the server should still have."""

    prompt: int
    cached: int
    out: int  # as the answers so far
    marked: bool = True  # the request has cache marks

    @property
    def input(self) -> Tokens:
        """As a price wants it: what is not cached is written to the cache, where there are marks."""
        if not self.marked:
            return Tokens(fresh=self.prompt - self.cached, read=self.cached)
        return Tokens(written=self.prompt - self.cached, read=self.cached)


@dataclass(slots=True)
class Forecast:
    """Learns from each answer of one conversation."""

    clock: Callable[[], float] = time.monotonic
    _chars: int = 0
    _last: Tokens = field(default_factory=Tokens)
    _at: float = 0.0
    _sent: float = 0.0
    _answers: int = 0
    _written: int = 0

    def of(self, chars: int) -> Estimate:
        """What a request of so many characters will take."""
        usual = self._written // self._answers if self._answers else USUAL_OUT
        if not self._last.prompt:
            return Estimate(round(chars / CHARS_A_TOKEN), 0, usual)
        a_token = min(10.0, max(1.0, self._chars / self._last.prompt))
        if chars < self._chars:  # something was left out: what follows it is new to the server
            return Estimate(round(chars / a_token), 0, usual)
        prompt = self._last.prompt + round((chars - self._chars) / a_token)
        warm = self.clock() - self._at < WARM_S
        return Estimate(prompt, self._last.read + self._last.written if warm else 0, usual)

    def sending(self) -> None:
        """A request goes out: what it leaves in the cache is as old as that, however long the answer takes."""
        self._sent = self.clock()

    def learn(self, chars: int, tokens: Tokens) -> None:
        """Take in what a request of so many characters took."""
        if tokens.prompt:
            self._chars, self._last, self._at = chars, tokens, self._sent
        self._answers += 1
        self._written += tokens.out


def length(request: dict[str, Any]) -> int:
    """Characters of what the model reads."""
    read = [request["system"], request["tools"], request["messages"]]
    return len(json.dumps(read, ensure_ascii=False))
