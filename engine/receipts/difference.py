"""What a look at a receipt brought up, of which kind, and what that makes of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from engine.model import Exit, Noun


class Kind(StrEnum):
    FORGED = "forged"
    """The records contradict each other, or what they say was never so."""
    STALE = "stale"
    """The repository, the settings, the interpreter or the packages moved on."""
    HERE = "not reproducible here"
    """What would be needed to see it is missing on this machine."""


class Difference(Noun, frozen=True):
    kind: Kind
    what: str


def verdict(found: Iterable[Difference]) -> Exit:
    """Forged evidence first; then what no longer holds; then what could not be seen."""
    kinds = {d.kind for d in found}
    if Kind.FORGED in kinds:
        return Exit.INTEGRITY
    if Kind.STALE in kinds:
        return Exit.NOT_GREEN
    return Exit.ENVIRONMENT if kinds else Exit.OK
