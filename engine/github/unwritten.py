"""Why something is not on GitHub: a word for programs and a sentence for people."""

from __future__ import annotations

from typing import ClassVar

CHECK_SKIPPED = "CHECK-SKIPPED"


class Unwritten(Exception):
    """It was not written. Never the end of a run: the ledger on the disk has it all.

    Parameters
    ----------
    reason
        One word, as in ``CHECK-SKIPPED: reason=no-token``.
    words
        What a person should know of it.
    """

    final: ClassVar[bool] = False
    """Whether nothing else will be written either: the next rung is not tried."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(f"{reason}: {words}")
        self.reason = reason
        self.words = words


class Unreachable(Unwritten):
    """GitHub cannot be asked at all: no token it takes, no network, no time."""

    final = True


class Clash(Exception):
    """Somebody else wrote at the same time: it is to be looked at again, and written again."""


def line(reason: str, words: str) -> str:
    """``CHECK-SKIPPED: reason=no-remote (the repository has no remote)``"""
    return f"{CHECK_SKIPPED}: reason={reason}" + (f" ({words})" if words else "")
