"""What a hook printed, as advisories. Hostile text: bounded, in one line each, and never one of our own codes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from engine.model import Advisory
from engine.plain import one_line
from engine.quoting import unforged

PREFIX = "hook:"
"""What codes of hooks begin with."""
MOST = 20
"""Advisories one run of a hook may give."""
TEXT = 400
"""Characters of one."""
_LINE = re.compile(r"\s*\[ADVISORY\]\s*([A-Za-z][\w.-]{0,39})\s*:\s*(\S.*)")
_OBJECTS = 20
"""Places at which an object may begin that are tried."""


def advisories(lines: Sequence[str], path: str, redact: Callable[[str], str]) -> list[Advisory]:
    """Advisories in the output of a hook that ended well, about the file that was edited.

    Examples
    --------
    >>> [a] = advisories(["noise", "[ADVISORY] slow: a loop over rows"], "m.py", str)
    >>> a.code, a.text
    ('hook:SLOW', 'a loop over rows')
    """
    found: list[Advisory] = []
    for line in lines:
        if said := _LINE.match(line):
            found.append(_advisory(said[1], said[2], path, redact))
    for context in _contexts("\n".join(lines)):
        found.append(_advisory("CONTEXT", context, path, redact))
    return [a for a in dict.fromkeys(found) if a.text][:MOST]


def _advisory(code: str, text: str, path: str, redact: Callable[[str], str]) -> Advisory:
    told = unforged(one_line(redact(text), TEXT))
    return Advisory(f"{PREFIX}{code.upper()[:24]}", told, path)


def _contexts(text: str) -> Iterator[str]:
    """``additionalContext`` of the first object in a text."""
    decoder = json.JSONDecoder()
    starts = [m.start() for _, m in zip(range(_OBJECTS), re.finditer(r"^[ \t]*\{", text, re.MULTILINE), strict=False)]
    for start in starts:
        try:
            data, _ = decoder.raw_decode(text[start:].lstrip())
        except (ValueError, RecursionError):
            continue
        inner = data.get("hookSpecificOutput")
        parts: tuple[Any, ...] = (data, inner if isinstance(inner, dict) else {})
        for part in parts:
            if isinstance(said := part.get("additionalContext"), str):
                yield said
        return
