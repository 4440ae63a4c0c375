"""Text that came from a repository or a child, made safe to print: no control characters, no hidden direction marks."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")

_HALF = re.compile("[\ud800-\udfff]")

_STEERING = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")


def safe(text: str) -> str:
    """``text`` with every character that could steer a terminal shown as its escape.

    Examples
    --------
    >>> safe("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return _CONTROL.sub(lambda m: ascii(m[0])[1:-1], text)


def one_line(text: str, most: int) -> str:
    """``text`` in a line of at most so many characters, without what could steer a terminal.

    Examples
    --------
    >>> one_line("\x1b[31mtwo\x1b[0m\n  lines", 20)
    'two lines'
    """
    bare = _CONTROL.sub("", _STEERING.sub("", text[: 8 * most]).replace("\r", " "))
    words = " ".join(bare.split())
    return words if len(words) <= most else words[: most - 1] + "…"


def whole(text: str) -> str:
    """``text`` without halves of surrogate pairs, which nothing can be sent or written with.

    Examples
    --------
    >>> whole("caf\\udce9")
    'caf\ufffd'
    """
    return text if text.isascii() else _HALF.sub("\ufffd", text)
