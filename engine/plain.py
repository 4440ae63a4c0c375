"""Text that came from a repository or a child, made safe to print: no control characters, no hidden direction marks."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")


def safe(text: str) -> str:
    """``text`` with every character that could steer a terminal shown as its escape.

    Examples
    --------
    >>> safe("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return _CONTROL.sub(lambda m: ascii(m[0])[1:-1], text)
