"""What a request that failed means: whether the same one may succeed later, and when. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine.providers.anthropic.retry import retry_after

_APP = re.compile(r"resource not accessible by|authenticate (via|as) a github app", re.IGNORECASE)
_LIMIT = re.compile(r"rate limit|abuse detection", re.IGNORECASE)
_COMMIT = re.compile(r"no commit found", re.IGNORECASE)
_CONFLICT = (409, 412)
_AGAIN = (408, 425, 500, 502, 503, 504)
UNTOLD_S = 60.0
"""What GitHub asks to wait where a limit says no time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request failed."""

    reason: str  # one word
    words: str
    again: bool = False
    wait: float | None = None  # seconds the server asks to wait
    final: bool = False  # no other request would fare better


def judge(status: int, said: str, headers: Mapping[str, str], now: float) -> Refusal:
    """What an answer with an error means.

    Parameters
    ----------
    said
        The message in the answer.
    headers
        By lower-case name.
    now
        Seconds since the epoch, as limits are told until when they hold.
    """
    words = f"GitHub answered {status}" + (f": {said}" if said else "")
    limited = status == 429 or (status == 403 and _is_limit(said, headers))
    if limited:
        return Refusal("rate-limit", words, again=True, wait=_wait(headers, now))
    if status == 401:
        return Refusal("bad-token", words, final=True)
    if status == 403:
        return Refusal("no-app-permission" if _APP.search(said) else "no-permission", words)
    if status == 404:
        # What a token may not see does not exist for it.
        return Refusal("no-app-permission" if _APP.search(said) else "not-found", words)
    if status in _CONFLICT:
        return Refusal("conflict", words, again=True)
    if status == 422:
        return Refusal("unknown-commit" if _COMMIT.search(said) else "refused", words)
    if status in _AGAIN:
        return Refusal("server-error", words, again=True, wait=retry_after(headers, now))
    return Refusal("server-error" if status >= 500 else "refused", words)


def _is_limit(said: str, headers: Mapping[str, str]) -> bool:
    return "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0" or bool(_LIMIT.search(said))


def _wait(headers: Mapping[str, str], now: float) -> float:
    asked = retry_after(headers, now)
    if asked is not None:
        return max(asked, 0.0)
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal() and len(reset) < 12:
        return max(float(reset) - now, 0.0)
    return UNTOLD_S
