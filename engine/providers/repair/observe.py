"""What was seen when each test ran once under the tracer, and the groups that red tests form. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from engine.providers.repair.slot import lines_of
from engine.providers.repair.trial import Sign
from engine.providers.repair.zygote import Message

_WANTED = (
    re.compile(r"cannot import name '(\w+)'"),
    re.compile(r"has no attribute '(\w+)'"),
    re.compile(r"name '(\w+)' is not defined"),
)
_OF_TESTS = {"AssertionError", "Failed", "TimeUp", "Skipped", "UsageError"}
_EXPECTED = re.compile(r"DID NOT RAISE (?!any of)(?:<class ')?(?:\w+\.)*(\w+)")


@dataclass(frozen=True, slots=True)
class Seen:
    """One test, run once.

    Attributes
    ----------
    frames : (path, line) in editable files that the traceback passed, outermost first.
    lines : editable lines the test ran.
    memory : bytes that it and the tests before it have taken beyond what was there.
    values : plain values by name at the innermost frame of a failure.
    """

    sign: Sign
    frames: tuple[tuple[str, int], ...]
    text: str
    lines: Mapping[str, frozenset[int]]
    seconds: float
    steps: int
    memory: int = 0
    values: tuple[tuple[str, str], ...] = ()

    def runs(self, path: str, first: int, last: int) -> bool:
        lines = self.lines.get(path)
        return lines is not None and any(line in lines for line in range(first, last + 1))

    def within(self, other: Seen) -> float:
        """The share of this test's lines that the other one runs too."""
        shared = sum(len(lines & other.lines.get(path, frozenset())) for path, lines in self.lines.items())
        return shared / self.size if self.size else 0.0

    @property
    def size(self) -> int:
        """How much of the project it touches: the smaller, the more a failure says."""
        return sum(len(lines) for lines in self.lines.values())


def seen_from(message: Message) -> Seen:
    """An observation as it came over the wire."""
    return Seen(
        sign=Sign(*message["sign"]),
        frames=tuple((path, line) for path, line in message["frames"]),
        text=message["text"],
        lines=lines_of(message["lines"]),
        seconds=message["seconds"],
        steps=message["steps"],
        memory=message["memory"],
        values=tuple((name, value) for name, value in message.get("values", ())),
    )


def file_of(key: str) -> str:
    """The test file a key belongs to."""
    return key.partition("::")[0]


def function_of(key: str) -> str:
    """The test function a key belongs to, parameters left out."""
    return key.partition("[")[0]


def groups(keys: Sequence[str], tests: Iterable[int]) -> list[list[int]]:
    """Red tests by test function: what most often shares one cause."""
    found: dict[str, list[int]] = {}
    for at in tests:
        found.setdefault(function_of(keys[at]), []).append(at)
    return list(found.values())


def round_robin(grouped: Iterable[Sequence[int]]) -> list[int]:
    """One of each group, then the second of each, and so on."""
    return [at for row in zip_longest(*grouped) for at in row if at is not None]


def wanted_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Names the messages of red tests say are missing; of those that Python itself asks for, none is meant."""
    found = dict.fromkeys(name for text in texts for form in _WANTED for name in form.findall(text))
    return tuple(name for name in found if not (name.startswith("__") and name.endswith("__")))


def raised_errors(kinds: Iterable[str]) -> tuple[str, ...]:
    """Exceptions that red tests ended with, those of the tests' own making left out."""
    return tuple(dict.fromkeys(kind for kind in kinds if kind.isidentifier() and kind not in _OF_TESTS))


def spelled_words(tests: Iterable[str]) -> tuple[str, ...]:
    """Words in the strings of test files, given their sources."""
    found: dict[str, None] = {}
    for text in tests:
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= 200:
                found.update(dict.fromkeys([node.value, *re.findall(r"\w+", node.value)]))
    return tuple(word for word in found if 3 < len(word) <= 40)[:2000]


def expected_errors(texts: Iterable[str]) -> tuple[str, ...]:
    """Exceptions that red tests waited for in vain."""
    return tuple(dict.fromkeys(name for text in texts for name in _EXPECTED.findall(text) if name))
