"""Foreign text in Markdown that cannot break out of its place. Pure."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def fenced(text: str, language: str = "", most: int = 4000) -> str:
    """A block of code around ``text``, with a fence longer than any in it."""
    text = _CONTROL.sub("�", text)
    if len(text) > most:
        text = text[:most] + "\n…"
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`+", text))])
    return f"{fence}{language}\n{text}\n{fence}"


def code(text: str, most: int = 300) -> str:
    """``text`` as code within a line.

    Examples
    --------
    >>> code("a|b")
    '`a|b`'
    >>> code("a`b")
    '`` a`b ``'
    """
    line = _CONTROL.sub("�", " ".join(text.split()))[:most]
    if "`" not in line:
        return f"`{line}`"
    fence = "`" * max(len(run) + 1 for run in re.findall(r"`+", line))
    return f"{fence} {line} {fence}"


def plain(text: str, most: int = 120) -> str:
    """One line of words for a title: nobody is mentioned, nothing is linked or marked up."""
    line = _CONTROL.sub("", " ".join(text.split()))
    line = re.sub(r"[`*_<>\[\]#|]", "", line).replace("@", "(at)")
    return line if len(line) <= most else line[: most - 1] + "…"
