"""Who may come in: whoever has the address that was printed, from a page of this server, by the name it has. Pure.

Whoever gets in may do what the person at the keyboard may, so every other page and every other user of this machine
stays outside.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

ADDRESS = "127.0.0.1"


def new_token() -> str:
    """192 bits nobody can guess, fit for an address."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class Door:
    """The one way in.

    Examples
    --------
    >>> door = Door("s3cret", 8000)
    >>> door.url
    'http://127.0.0.1:8000/s3cret/'
    >>> door.refusal("/s3cret/", "127.0.0.1:8000", None, websocket=False)
    ''
    >>> door.refusal("/", "127.0.0.1:8000", None, websocket=False)
    'the address lacks its token'
    """

    token: str
    port: int

    @property
    def base(self) -> str:
        return f"/{self.token}"

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}{self.base}/"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a browser calls us. Any other name may be one that an attacker lets point here (DNS rebinding)."""
        return (f"{ADDRESS}:{self.port}", f"localhost:{self.port}")

    def refusal(self, path: str, host: str | None, origin: str | None, *, websocket: bool) -> str:
        """Why a request may not pass; empty if it may.

        Parameters
        ----------
        origin
            Of the page that asks. A browser names it for every websocket; another page's must not drive the program
            even if the token got out.
        """
        first = path.removeprefix("/").split("/", 1)[0]
        if host not in self.hosts:
            return "the name of the server is wrong"
        if not secrets.compare_digest(first.encode("utf-8", "surrogateescape"), self.token.encode()):
            return "the address lacks its token"
        if origin != f"http://{host}" and (websocket or origin is not None):
            return "another page asks"
        return ""

    def headers(self, host: str) -> dict[str, str]:
        """What every answer says to the browser: nothing from elsewhere, nothing to elsewhere, in no other page."""
        policy = {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self' 'unsafe-inline'",  # the terminal writes its own rules
            "font-src": "'self'",
            "img-src": "'self' data:",
            "connect-src": f"'self' ws://{host}",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        return {
            "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
            "Referrer-Policy": "no-referrer",  # the address is the key
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
