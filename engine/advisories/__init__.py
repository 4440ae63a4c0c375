"""Advisories: hints on an edit that never block and never raise. The built-in ones, and who may raise more.

What is here is pure. ``hooks`` runs the repository's own checks, ``desk`` keeps what was said in one attempt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from engine.advisories.module import Module, Standards, added_lines, parsed
from engine.advisories.numeric import NUMERIC
from engine.advisories.rules import RULES
from engine.model import Advisory
from engine.records.redact import Redactor

_KEYS = Redactor()
_NARROW = r"dtype\s*=\s*(np\.)?[\"']?int(8|16)\b"

USUAL = Standards()
PLAIN = "a mock or placeholder in production code"
# Code, what it looks for in an added line, what to say: of what no syntax tree shows.
_WORDS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    (
        "TEST-AWARE",
        re.compile(r"^[^#]*(PYTEST_|_getframe|sys\.modules|os\._exit|\bunittest\b|\bpytest\b)"),
        "production code must not know that it is tested",
    ),
    ("PLACEHOLDER", re.compile(r"#.*\b(TODO|FIXME)\b"), PLAIN),
)
# And of a text that is no Python yet.
_BROKEN = (
    *_WORDS,
    (
        "BROAD-EXCEPT",
        re.compile(r"^\s*except(\s+(Base)?Exception\b[^:]*)?\s*:"),
        "a broad except hides defects; catch what you expect",
    ),
    ("PLACEHOLDER", re.compile(r"\b(Magic)?Mock\(|\braise NotImplementedError"), PLAIN),
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


def _raised(error: Exception) -> None:
    raise error


def advise(
    path: str,
    before: str,
    after: str,
    standards: Standards = USUAL,
    failed: Callable[[Exception], None] = _raised,
) -> Iterator[Advisory]:
    """Hints on the lines ``after`` has and ``before`` had not, in their order.

    Parameters
    ----------
    failed
        Called with what a rule raised; the others have their say all the same.
    """
    found: list[Advisory] = []
    added = added_lines(before, after)
    lines = after.split("\n")
    if path.endswith((".py", ".pyi")):
        tree = parsed(after)
        prose: frozenset[int] = frozenset()
        if tree is not None:
            module = Module(path, tree, added, parsed(before), standards)
            prose = module.prose
            for code, rule in (*RULES, *NUMERIC):
                try:
                    found += [Advisory(code, text, path, line) for line, text in rule(module) if line in added]
                except Exception as error:  # noqa: BLE001  # code of a stranger; what it says of itself may be anything
                    failed(error)
        for number in sorted(added - prose):
            for code, pattern, text in _WORDS if tree is not None else _BROKEN:
                if pattern.search(lines[number - 1]):
                    found.append(Advisory(code, text, path, number))
    for number in sorted(added):
        # The patch keeps it, to the byte: a person must know before it is anybody else's.
        if kinds := _KEYS.kinds(lines[number - 1]):
            text = f"this line adds what looks like a key ({', '.join(kinds)}); it belongs in the environment"
            found.append(Advisory("SECRET", text, path, number))
    yield from dict.fromkeys(sorted(found, key=lambda a: a.line))


__all__ = ["Standards", "advise"]
