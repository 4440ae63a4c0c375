"""What a program driven by Textual's web driver writes: plain text, then packets of its screen, then plain text. Pure.

A line says that packets begin: a letter, four bytes of length (the highest first), that many bytes. ``D`` is for the
screen, ``M`` a note as JSON; the one of type ``exit`` is the last packet.
"""

from __future__ import annotations

import json

BEGIN = b"__GANGLION__\n"
KEPT_BYTES = 16_000
"""Of the plain text."""
LARGEST = 1 << 26
"""A packet of more is none."""


def packet(kind: bytes, payload: bytes) -> bytes:
    """What the program is told: ``D`` what was typed, ``M`` a note.

    Examples
    --------
    >>> packet(b"D", b"q")
    b'D\\x00\\x00\\x00\\x01q'
    """
    return kind + len(payload).to_bytes(4, "big") + payload


def note(**fields: str | int) -> bytes:
    """A note to the program."""
    return packet(b"M", json.dumps(fields).encode())


class Packets:
    """Takes bytes as they come, gives what is for the screen, keeps the text around it.

    Parameters
    ----------
    plain
        There is no screen in them.

    Examples
    --------
    >>> stream = Packets()
    >>> stream.feed(b"hello\\n__GANGLION__\\nD\\0\\0\\0\\3abcM\\0\\0")
    b'abc'
    >>> stream.feed(b"\\0\\x10" + b'{"type": "exit"}' + b"bye") + stream.end()
    b''
    >>> bytes(stream.text)
    b'hello\\nbye'
    """

    def __init__(self, *, plain: bool = False) -> None:
        self.text = bytearray()
        self._buffer = b""
        self._drawing: bool | None = False if plain else None  # None: not yet; False: no longer

    def feed(self, data: bytes) -> bytes:
        """The bytes for the screen in what is complete by now."""
        self._buffer += data
        if self._drawing is None and BEGIN in self._buffer:
            before, self._buffer = self._buffer.split(BEGIN, 1)
            self._keep(before)
            self._drawing = True
        screen = b""
        while self._drawing and len(self._buffer) >= 5:
            size = int.from_bytes(self._buffer[1:5], "big")
            kind, payload = self._buffer[:1], self._buffer[5 : 5 + size]
            if kind not in b"DMP" or size > LARGEST:  # the program writes over its own screen
                self._drawing = False
            elif len(payload) < size:
                break
            else:
                self._buffer = self._buffer[5 + size :]
                screen += payload if kind == b"D" else b""
                self._drawing = not (kind == b"M" and _leaves(payload))
        if self._drawing is False:
            self.end()
        elif self._drawing is None:
            kept = len(BEGIN) - 1
            self._keep(self._buffer[:-kept])
            self._buffer = self._buffer[-kept:]
        return screen

    def end(self) -> bytes:
        """No more comes: what is left is text."""
        if not self._drawing:
            self._keep(self._buffer)
        self._buffer = b""
        return b""

    def _keep(self, text: bytes) -> None:
        self.text += text[: max(0, KEPT_BYTES - len(self.text))]


def _leaves(payload: bytes) -> bool:
    try:
        said = json.loads(payload)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("type") == "exit"
