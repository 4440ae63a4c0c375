r"""Patterns as people write them for Python, as ``grep -E`` takes them. Pure.

It has no ``\d``, no ``\t`` and no ``(?:``, and no ``\w`` between brackets: most of it are letters there, and a search
for a number finds the letter d without a word.
"""

from __future__ import annotations

import re

LONGEST = 1000  # characters; a longer one is taken as it is
_TOKEN = re.compile(r"\\.|\(\?:|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|.", re.DOTALL)
_MEANT = {r"\d": "[0-9]", r"\D": "[^0-9]", r"\t": "\t", "(?:": "("}
_MEANT_IN_BRACKETS = {r"\d": "0-9", r"\w": "[:alnum:]_", r"\s": "[:space:]", r"\t": "\t"}


def extended(pattern: str) -> str:
    r"""An extended regular expression that means what ``pattern`` does.

    Examples
    --------
    >>> extended(r"(?:get|set)[\d_]+ = \d"), extended("[^]a-z][(]")
    ('(get|set)[0-9_]+ = [0-9]', '[^]a-z][(]')
    """
    return pattern if len(pattern) > LONGEST else _TOKEN.sub(lambda m: _token(m[0]), pattern)


def _token(text: str) -> str:
    if text.startswith("[") and len(text) > 1:
        for said, meant in _MEANT_IN_BRACKETS.items():
            text = text.replace(said, meant)
        return text
    return _MEANT.get(text, text)
