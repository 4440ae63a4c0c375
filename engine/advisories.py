"""Built-in advisories: hints on an edit that never block and never raise. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.model import Advisory
from engine.records.redact import Redactor

_KEYS = Redactor()

# code, what it looks for in an added line, what to say
_NARROW = r"dtype\s*=\s*(np\.)?[\"']?int(8|16)\b"
_RULES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    (
        "BROAD-EXCEPT",
        re.compile(r"^\s*except(\s+(Base)?Exception\b[^:]*)?\s*:"),
        "a broad except hides defects; catch what you expect",
    ),
    (
        "TEST-AWARE",
        re.compile(r"PYTEST_|_getframe|sys\.modules|os\._exit|\bunittest\b|\bpytest\b"),
        "production code must not know that it is tested",
    ),
    (
        "PLACEHOLDER",
        re.compile(r"\b(Magic)?Mock\(|\bTODO\b|NotImplementedError"),
        "a mock or placeholder in production code",
    ),
    (
        "CONSTANT-EQ",
        re.compile(r"def __eq__\(.*\).*:\s*return True"),
        "an __eq__ that is always true makes every assertion pass",
    ),
    (
        "NARROW-SUM",
        re.compile(rf"\b(sum|dot|cumsum)\(.*{_NARROW}"),
        "an int8 or int16 accumulator overflows; accumulate in int32",
    ),
)


def advise(path: str, before: str, after: str) -> Iterator[Advisory]:
    """Hints on the lines ``after`` has and ``before`` had not."""
    old = set(before.splitlines())
    for number, line in enumerate(after.splitlines(), 1):
        if line in old:
            continue
        for code, pattern, text in _RULES:
            if pattern.search(line):
                yield Advisory(code, text, path, number)
        # The patch keeps it, to the byte: a person must know before it is anybody else's.
        if kinds := _KEYS.kinds(line):
            text = f"this line adds what looks like a key ({', '.join(kinds)}); it belongs in the environment"
            yield Advisory("SECRET", text, path, number)
