"""The nouns of one try: what is installed, which tests run, how each ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

PASSED = "p"
ENDLESS = "t"
STUCK = "Stuck"  # the exception that ends a loop which goes round in one state


class Sign(NamedTuple):
    """How a test ended, as far as it tells one ending from another.

    ``code`` is p passed, f failed, s skipped, t endless, m missing; ``line`` is the last line reached in the test's own
    file; ``missed`` counts the wrong elements of an array comparison, or is -1.
    """

    code: str
    kind: str
    line: int
    missed: int

    @property
    def passed(self) -> bool:
        return self.code == PASSED


@dataclass(frozen=True, slots=True)
class Trial:
    """Sources to try and tests to run.

    Attributes
    ----------
    patches : (path, line, text) of each changed top-level ``def`` or ``class``; unused when ``early``.
    sources : path and full text of each changed file.
    early : the edit needs a new import.
    tests : red tests, most telling first.
    guard : green tests that run once a red one has passed.
    probe : give up after this many tests that show no change for the better; 0: run all of them.
    factor : stretches the limits of every test.
    alone : needs a process nothing else was tried in.
    """

    patches: tuple[tuple[str, int, str], ...]
    sources: Mapping[str, str]
    early: bool
    tests: tuple[int, ...]
    guard: tuple[int, ...] = ()
    probe: int = 1000
    factor: float = 1.0
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a trial.

    Attributes
    ----------
    how : ran; or invalid (not Python), crashed (the process died), unfit (cannot be installed).
    ends : how each test that ran ended.
    broke : the first green test that did not pass, or -1.
    """

    how: Literal["ran", "invalid", "crashed", "unfit"]
    ends: Mapping[int, Sign]
    broke: int = -1

    @property
    def mended(self) -> frozenset[int]:
        return frozenset(at for at, sign in self.ends.items() if sign.passed)

    @property
    def promising(self) -> bool:
        """Whether each test that came to an end has passed, and some that are not stuck have not: more time may do."""
        passed = self.how == "ran" and self.broke < 0 and bool(self.mended) and self.endless
        return passed and all(
            sign.passed or (sign.code == ENDLESS and sign.kind != STUCK) for sign in self.ends.values()
        )

    @property
    def endless(self) -> bool:
        return any(sign.code == ENDLESS for sign in self.ends.values())
