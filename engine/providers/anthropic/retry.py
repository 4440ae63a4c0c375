"""What a failed request means, whether to try again, and when. Nothing here waits or sends."""

from __future__ import annotations

import email.utils
import math
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    RETRY = "retry"  # the same request may succeed later
    SHAPE = "shape"  # the server does not take a request of this shape
    TOO_LONG = "too-long"  # the conversation does not fit
    FATAL = "fatal"  # a person has to do something


@dataclass(frozen=True, slots=True)
class Failure:
    kind: Kind
    text: str  # one sentence for people
    hint: str = ""
    wait: float | None = None  # seconds the server asked to wait


class BrokenAnswer(Exception):
    """The server answered, and the answer cannot be used: cut short, not JSON, out of order."""


class ServerError(Exception):
    """The server sent an error object where an answer was due."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and how long to wait: what the server asks for, else growing with jitter, never above the cap."""

    limit: int = 4
    cap_s: float = 30.0
    base_s: float = 0.5
    jitter: Callable[[], float] = random.random

    def seconds(self, retry: int, asked: float | None) -> float:
        """Seconds before the ``retry``-th retry, counted from 1."""
        if asked is not None and not math.isnan(asked):
            return min(max(asked, 0.0), self.cap_s)
        grown = self.base_s * 2.0 ** min(retry - 1, 16)
        return min(grown, self.cap_s) * (0.75 + 0.25 * self.jitter())  # a wait is longer than the one before it


_STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 504,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}
_QUOTA = {"contract_spend_limit_reached", "enforced_spend_limit_reached"}
# The API has no code of its own for this, so the text has to do.
_LONG = re.compile(r"too long|context.{0,8}(length|window|size)|maximum context|too many tokens", re.IGNORECASE)
_MONEY = re.compile(r"credit balance|usage limits?\b|spend limit", re.IGNORECASE)
_RETRIED = {408, 409, 425, 429}
_NOT_RETRIED = {501, 505}


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds a response asks to wait: ``retry-after-ms``, or ``retry-after`` in seconds or as a date."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if not value:
            continue
        try:
            seconds = float(value) / unit
        except ValueError:
            seconds = _until(value, now)
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _until(date: str, now: float) -> float:
    """Seconds until a date of HTTP; not a number if it is none."""
    try:
        parsed = email.utils.parsedate_tz(date)
        return email.utils.mktime_tz(parsed) - now if parsed is not None else math.nan
    except (ValueError, OverflowError, TypeError):
        return math.nan


def judge(status: int, message: str, code: str = "", wait: float | None = None) -> Failure:
    """What an error of the API means. ``status`` and ``code`` decide; the text only where they cannot."""
    said = f": {message}" if message else ""
    if status == 401:
        hint = "check ANTHROPIC_API_KEY (or ANTHROPIC_AUTH_TOKEN); for a server of your own also [anthropic] auth"
        return Failure(Kind.FATAL, f"the server does not accept the key (401){said}", hint)
    if status == 402 or code in _QUOTA or (status == 400 and _MONEY.search(message)):
        return Failure(Kind.FATAL, f"the account cannot pay ({status}){said}", "see Billing and Limits in the console")
    if status == 403:
        return Failure(Kind.FATAL, f"the key may not do this ({status}){said}", "check the key's workspace and scope")
    if status == 404:
        return Failure(Kind.FATAL, f"not found (404){said}", "check [anthropic] model and base_url")
    if status == 413 or (status == 400 and (code == "context_length_exceeded" or _LONG.search(message))):
        return Failure(Kind.TOO_LONG, f"the conversation is too long ({status}){said}")
    if status in (400, 422):
        return Failure(Kind.SHAPE, f"the server calls the request invalid ({status}){said}")
    if status in _RETRIED or (status >= 500 and status not in _NOT_RETRIED):
        what = {429: "rate limit", 529: "overloaded", 503: "unavailable", 408: "timed out"}.get(status, "server error")
        return Failure(Kind.RETRY, f"{what} ({status}){said}", "try again later, or raise [anthropic] retries", wait)
    return Failure(Kind.FATAL, f"the server answered {status}{said}", "check [anthropic] base_url")


def classify(error: Exception, where: str) -> Failure | None:
    """What ``error`` means for the request that raised it; None if it is none of the SDK's or the wire's."""
    import anthropic
    import httpx2

    if isinstance(error, BrokenAnswer):
        return Failure(Kind.RETRY, f"unusable answer from {where}: {error}", "does it speak the Messages API?")
    if isinstance(error, ServerError):
        return judge(_STATUS_OF.get(error.kind, 500), str(error))
    if isinstance(error, anthropic.APIStatusError):
        status = error.status_code if error.status_code >= 300 else _STATUS_OF.get(str(error.type), 500)
        message = error.api_message if isinstance(error.api_message, str) else str(error.body or "")
        wait = retry_after(error.response.headers, time.time())
        return judge(status, " ".join(message.split())[:300], error.error_code or _bare_code(error.body), wait)
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return Failure(Kind.RETRY, f"{where} went silent", "try again later, or raise [anthropic] timeout_s")
    if isinstance(error, anthropic.APIConnectionError | httpx2.RequestError):
        cause = str(error.__cause__ or error) or type(error).__name__
        return Failure(Kind.RETRY, f"no connection to {where}: {cause}", "is the server running and reachable?")
    if isinstance(error, anthropic.AnthropicError):
        return Failure(Kind.FATAL, str(error))
    return None


def _bare_code(body: object) -> str:
    """``error.code``, where other servers put what Anthropic puts into ``error.details.error_code``."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else ""
