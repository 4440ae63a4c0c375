"""What is pasted presses no key: Textual's reader takes escape sequences inside of pasted text for typed ones.

A terminal that knows bracketed paste says where it begins and ends. An escape in between, which some terminals let
through, would make the rest of it keys, and one of them could accept a decision.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.message import Message

_BEGIN, _END, _ESCAPE = "\x1b[200~", "\x1b[201~", "\x1b"


class Calm:
    """Takes the escapes out of pasted text, however the stream is cut."""

    def __init__(self) -> None:
        self._pasting = False
        self._tail = ""  # outside: the last characters, among which a beginning may be cut
        self._held = ""  # inside: what may be the beginning of the end

    def __call__(self, data: str) -> str:
        """The same stream; what was read so far is remembered.

        Examples
        --------
        >>> Calm()("j\\x1b[200~a\\x1b[31mb\\x1b[201~\\x1b[A")
        'j\\x1b[200~a[31mb\\x1b[201~\\x1b[A'
        """
        out: list[str] = []
        while data:
            text, data = self._inside(self._held + data) if self._pasting else self._outside(data)
            out.append(text)
        return "".join(out)

    def _outside(self, data: str) -> tuple[str, str]:
        at = (self._tail + data).find(_BEGIN)
        if at < 0:
            self._tail = (self._tail + data)[1 - len(_BEGIN) :]
            return data, ""
        end = at + len(_BEGIN) - len(self._tail)
        self._pasting, self._tail, self._held = True, "", ""
        return data[:end], data[end:]

    def _inside(self, data: str) -> tuple[str, str]:
        text, end, rest = data.partition(_END)
        if end:
            self._pasting, self._held = False, ""
            return text.replace(_ESCAPE, "") + end, rest
        cut = next((n for n in range(len(_END) - 1, 0, -1) if data.endswith(_END[:n])), 0)
        self._held = data[len(data) - cut :]
        return data[: len(data) - cut].replace(_ESCAPE, ""), ""


class CalmParser(XTermParser):
    """Textual's reader of a terminal, behind :class:`Calm`."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._calm = Calm()

    def feed(self, data: str) -> Iterable[Message]:
        calm = self._calm(data)
        return super().feed(calm) if calm or not data else ()  # to Textual, nothing is the end of the stream


def install() -> None:
    """From now on, drivers of a terminal read through :class:`CalmParser`."""
    if sys.platform != "win32":
        from textual.drivers import linux_driver

        vars(linux_driver)["XTermParser"] = CalmParser
