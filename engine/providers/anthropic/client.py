"""Where requests go and with which key, and a client whose blocked reads another thread can end."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.config import Anthropic as Settings
from engine.errors import ConfigError, ProviderError

if TYPE_CHECKING:
    import anthropic

    from engine.providers.anthropic.tape import Tape

OWN_HOST = "api.anthropic.com"
NO_KEY = "no-key"  # local servers want a header, not a secret; it also keeps the SDK from looking for one
CONNECT_S = 10.0
ANSWER_TIMES = 10  # what a whole answer may take, in times of what one read may
ANSWER_BYTES = 64_000_000  # of one answer; the longest a model writes is a fraction of it


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server and how to show oneself to it."""

    base_url: str
    api_key: str = field(default="", repr=False)
    auth_token: str = field(default="", repr=False)
    auth: str = "auto"  # which header the key travels in: bearer, x-api-key, or what most servers read
    version: str = ""  # of the protocol, where one is pinned

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def shown(self) -> str:
        """The address for messages and records: without a password that may be in it."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def own(self) -> bool:
        """Whether it is Anthropic's."""
        return self.host == "anthropic.com" or self.host.endswith(".anthropic.com")

    @property
    def loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def redact(self, value: Any) -> Any:
        """``value`` without the key, wherever it is in it."""
        if isinstance(value, str):
            for secret in (self.api_key, self.auth_token):
                if secret:
                    value = value.replace(secret, "[key]")
            return value
        if isinstance(value, Mapping):
            return {k: self.redact(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.redact(v) for v in value]
        return value


def endpoint(settings: Settings, environ: Mapping[str, str]) -> Endpoint:
    """The server and the key that the settings and the environment name.

    Raises
    ------
    ProviderError
        There is neither a key nor a base_url.
    ConfigError
        The base_url is not an http(s) address.
    """
    base = checked(settings.base_url or environ.get("ANTHROPIC_BASE_URL", ""))
    key = environ.get("ANTHROPIC_API_KEY", "").strip()
    token = "" if key else environ.get("ANTHROPIC_AUTH_TOKEN", "").strip()
    if not (key or token or base):
        raise ProviderError(
            "provider anthropic: no key for the Messages API",
            hint="set ANTHROPIC_API_KEY (or ANTHROPIC_AUTH_TOKEN), or [anthropic] base_url for a server of your own; "
            "--provider repair needs neither",
        )
    if not base:
        return Endpoint(f"https://{OWN_HOST}", key, token, settings.auth, settings.version)
    # The SDK adds /v1/messages itself; people paste what their server's manual shows.
    for tail in ("/", "/messages", "/v1", "/"):
        base = base.removesuffix(tail)
    return Endpoint(base, key, token, settings.auth, settings.version)


def checked(base: str, said: str = "[anthropic] base_url") -> str:
    """An address as it was given, without the space around it.

    Parameters
    ----------
    said
        What gave it.

    Raises
    ------
    ConfigError
        It is none of http or https.
    """
    base = base.strip()
    try:
        parts = urlsplit(base)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half of an IPv6 address, a port that is none
        right = False
    if base and not (right and base.isprintable() and " " not in base):
        raise ConfigError(f"{said} = {base!r}; want an http or https address", hint="try http://127.0.0.1:11434")
    return base


class Wire:
    """An SDK client of one attempt.

    ``interrupt`` may be called from any thread: it shuts down every connection, which wakes a thread that is
    blocked reading one (closing the file descriptor would not). Sockets are learnt from the transport's trace.
    """

    def __init__(self, where: Endpoint, timeout_s: float, tape: Tape | None = None) -> None:
        import anthropic
        import httpx2

        self._streams: list[Any] = []
        self._interrupted = False
        timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        options: dict[str, Any] = {"timeout": timeout, "follow_redirects": False}
        options["event_hooks"] = {"request": [self._watch], "response": [self._bound]}
        self._seconds = ANSWER_TIMES * timeout_s
        if where.loopback:
            options["transport"] = httpx2.HTTPTransport()  # a proxy has nothing to do with this machine
        if tape is not None and tape.transport is not None:
            options["transport"] = tape.transport
        headers: dict[str, Any] = {"anthropic-version": where.version} if where.version else {}
        secret = where.auth_token or where.api_key or NO_KEY
        if where.auth == "x-api-key":
            headers |= {"x-api-key": secret, "Authorization": anthropic.Omit()}
        elif where.auth == "auto" and not where.own and not where.auth_token:
            headers["x-api-key"] = secret  # other servers read this one, the SDK sends a bearer
        self.http = anthropic.DefaultHttpxClient(**options)
        self.client: anthropic.Anthropic = anthropic.Anthropic(
            api_key=None if where.auth_token else where.api_key or NO_KEY,
            auth_token=where.auth_token or None,
            base_url=where.base_url,
            timeout=timeout,
            max_retries=0,
            default_headers=headers,
            http_client=self.http,
            open_telemetry=False,
            middleware=[tape.handle] if tape is not None else [],
        )

    def _bound(self, response: Any) -> None:
        from engine.providers.anthropic.tee import bound

        bound(response, ANSWER_BYTES, self._seconds)

    def _watch(self, request: Any) -> None:
        request.headers["accept-encoding"] = "gzip"  # the one that is read with a bound
        request.extensions["trace"] = self._trace

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._streams.append(info["return_value"])
            if self._interrupted:
                self.interrupt()

    def interrupt(self) -> None:
        """End every open connection now; what waits on one fails at once."""
        self._interrupted = True
        for stream in tuple(self._streams):
            with contextlib.suppress(OSError):  # it may be closed already
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.client.close()
