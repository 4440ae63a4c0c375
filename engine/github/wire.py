"""GitHub, asked within a budget of time; every wait and every read ends at once when the run is stopped.

An operation is tried again as a whole, from its first look on: an answer that was lost on its way may have been to a
write that was done.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from engine.cancel import CancelToken
from engine.github.refusal import Refusal, judge
from engine.github.remote import Remote
from engine.github.token import Token
from engine.github.unwritten import Clash, Unreachable, Unwritten
from engine.providers.anthropic.retry import Backoff, retry_after

T = TypeVar("T")

BUDGET_S = 60.0
SILENCE_S = 10.0
PAGE = 100
PAGES = 50
SAID_CHARS = 200
_VERSION = "2022-11-28"  # of the API, on servers that people run themselves and renew late
_HOSTED = ("github.com", "ghe.com")


@dataclass(slots=True)
class Patience:
    """How long all requests of a run may take together, and how often one of them is tried again."""

    budget_s: float = BUDGET_S
    silence_s: float = SILENCE_S
    backoff: Backoff = field(default_factory=lambda: Backoff(limit=4, cap_s=30.0, base_s=1.0))


class Wire:
    """A client of the API with a token, for one repository.

    Parameters
    ----------
    report
        Told of every retry, in a line.
    """

    def __init__(
        self,
        remote: Remote,
        address: str,
        token: Token,
        cancel: CancelToken,
        report: Callable[[str], None],
        patience: Patience | None = None,
    ) -> None:
        self.remote = remote
        self.retries = 0
        self._cancel, self._report = cancel, report
        self._patience = patience or Patience()
        self._until = time.monotonic() + self._patience.budget_s
        self._streams: list[Any] = []
        self._over = False
        self._timer = threading.Timer(self._patience.budget_s, self.interrupt)
        self._timer.daemon = True
        self._client = self._connect(address, token)

    def _connect(self, address: str, token: Token) -> Any:
        # By name: its types are the whole schema of GitHub, a minute of every check of ours. It takes a second to
        # import, too, and most runs write nothing.
        githubkit, httpx = importlib.import_module("githubkit"), importlib.import_module("httpx")
        silence = self._patience.silence_s
        return githubkit.GitHub(
            token.value,
            base_url=address,
            user_agent="bitnet-tui",
            timeout=httpx.Timeout(silence, connect=min(5.0, silence)),
            http_cache=False,  # what stands there now is what counts
            auto_retry=False,  # it would sleep on where nobody could stop it
            trust_env=urlsplit(address).hostname not in ("localhost", "127.0.0.1", "::1"),  # no proxy to this machine
            event_hooks={"request": [self._watch], "response": [_in_seconds]},
        )

    def __enter__(self) -> Self:
        self._client.__enter__()
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._client.__exit__(kind, error, trace)

    # -- asking -------------------------------------------------------------------------------------------------------

    @property
    def rest(self) -> Any:
        """The typed methods of the client, by GitHub's names."""
        return self._client.rest

    @property
    def where(self) -> tuple[str, str]:
        """Owner and name, as nearly every method wants them first."""
        return self.remote.owner, self.remote.name

    def attempt(self, operation: Callable[[], T]) -> T:
        """Do something that begins with a look, and do it again from there while it may help.

        Raises
        ------
        Unwritten
            GitHub refuses it, or did for as long as this may take.
        Stopped
            The run was stopped.
        """
        tries = 0
        while True:
            refusal = self._once(operation)
            if not isinstance(refusal, Refusal):
                return refusal
            tries += 1
            if not refusal.again or tries > self._patience.backoff.limit:
                raise self._unwritten(refusal, tries)
            self._wait(refusal, tries)

    def _once(self, operation: Callable[[], T]) -> T | Refusal:
        self._cancel.check()
        if self._over or time.monotonic() >= self._until:
            return self._late()
        try:
            with self._cancel.closing(self.interrupt):
                return operation()
        except Unwritten:
            raise
        except Exception as error:
            self._cancel.check()  # a stop shows itself as any of a dozen errors of the wire
            refusal = self._late() if self._over else self._understood(error)
            if refusal is None:
                raise
            return refusal

    def _late(self) -> Refusal:
        return Refusal("time", f"GitHub took more than {self._patience.budget_s:g} s", final=True)

    def _understood(self, error: Exception) -> Refusal | None:
        """What an error of the client means; None: it is none of its."""
        if isinstance(error, Clash):
            return Refusal("conflict", str(error), again=True)
        exceptions = importlib.import_module("githubkit.exception")
        if isinstance(error, exceptions.RequestFailed):
            response: Any = error.response
            headers = {str(k).lower(): str(v) for k, v in response.headers.items()}
            return judge(response.status_code, _message(response), headers, time.time())
        if isinstance(error, exceptions.RequestTimeout):
            return Refusal("network", "GitHub went silent", again=True)
        if isinstance(error, exceptions.RequestError):
            cause = error.exc
            return Refusal("network", f"no connection to GitHub: {str(cause) or type(cause).__name__}", again=True)
        if isinstance(error, ValueError):  # also pydantic's, for what does not fit the schema
            return Refusal("unreadable", "GitHub's answer is not what its schema says")
        return None

    def _wait(self, refusal: Refusal, number: int) -> None:
        backoff = self._patience.backoff
        seconds = backoff.seconds(number, refusal.wait)
        if (refusal.wait or 0.0) > backoff.cap_s or time.monotonic() + seconds >= self._until:
            # Asking sooner than a limit allows makes it last longer.
            words = refusal.words if refusal.wait is None else f"{refusal.words}; it asks to wait {refusal.wait:.0f} s"
            raise Unreachable(refusal.reason, words)
        self.retries += 1
        self._report(f"{refusal.words}; retry {number} of {backoff.limit} in {seconds:.1f} s")
        self._cancel.wait(seconds)

    def _unwritten(self, refusal: Refusal, tries: int) -> Unwritten:
        words = refusal.words + (f"; gave up after {tries} tries" if tries > 1 else "")
        final = refusal.final or refusal.reason == "network"
        return (Unreachable if final else Unwritten)(refusal.reason, words)

    def pages(self, method: Callable[..., Any], *args: Any, **given: Any) -> Iterator[Any]:
        """Every page of a list. Pages are counted, and links only looked at: a token follows no address of a server's.

        Raises
        ------
        Unwritten
            There are more than anybody would read.
        """
        for number in range(1, PAGES + 1):
            response = method(*args, **given, per_page=PAGE, page=number)
            yield response.parsed_data
            if 'rel="next"' not in response.headers.get("link", ""):
                return
        raise Unwritten("too-many", f"more than {PAGES * PAGE} entries to look through")

    # -- ending -------------------------------------------------------------------------------------------------------

    def _watch(self, request: Any) -> None:
        request.extensions["trace"] = self._trace
        host = self.remote.host
        if not any(host == h or host.endswith(f".{h}") for h in _HOSTED):
            request.headers["x-github-api-version"] = _VERSION

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._streams.append(info["return_value"])
            if self._over:
                self.interrupt()

    def interrupt(self) -> None:
        """End every open connection now, from any thread; what waits on one fails at once."""
        self._over = True
        for stream in tuple(self._streams):
            with contextlib.suppress(OSError):  # it may be closed already
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _in_seconds(response: Any) -> None:
    """The client reads what a limit says as whole numbers, and ends with an error of its own if it is a date."""
    headers = response.headers
    if (asked := headers.get("retry-after")) is not None and not asked.isdecimal():
        seconds = retry_after({"retry-after": asked}, time.time())
        headers["retry-after"] = str(int(seconds + 0.999)) if seconds is not None and seconds < 1e6 else "60"
    reset = headers.get("x-ratelimit-reset")
    if reset is not None and not (reset.isdecimal() and len(reset) < 12):
        del headers["x-ratelimit-reset"]


def _message(response: Any) -> str:
    """What an answer says of its error, in a line."""
    try:
        body = response.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    said = [body.get("message")]
    errors = body.get("errors")
    for error in errors[:3] if isinstance(errors, list) else ():
        said.append(error.get("message") if isinstance(error, dict) else error)
    return " ".join("; ".join(s for s in said if isinstance(s, str)).split())[:SAID_CHARS]
