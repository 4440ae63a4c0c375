"""Where a search stood before an edit it may come to regret, and when to go back there. Pure.

An edit that mends some of the tests that run its place, and not all, is taken when nothing better shows up soon. If no
second edit mends the rest before long, the search goes back for one that mends them all, and returns if there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.providers.repair.attempt import Plausible
from engine.providers.repair.choose import Outlook
from engine.providers.repair.observe import Seen
from engine.providers.repair.replay import Step
from engine.providers.repair.source import Source

SOON = 2500  # candidates tried for a second edit before the first one is doubted


@dataclass(frozen=True, slots=True)
class Standing:
    """All that an accepted edit changes about a search."""

    sources: Mapping[str, Source]
    steps: tuple[Step, ...]
    seen: Mapping[int, Seen]
    red: tuple[int, ...]
    green: tuple[int, ...]
    changed: Mapping[int, int]
    tried: Mapping[tuple[object, ...], int]
    fixed: int
    outlook: Outlook


class SecondThoughts:
    """Remembers the first edit that mended only a part, and leads back once.

    Attributes
    ----------
    whole_only : only an edit that mends all tests that run its place counts now.
    most : how many candidates the next round may try, or None for all.
    """

    def __init__(self) -> None:
        self._before: Standing | None = None
        self._after: Standing | None = None
        self.whole_only = False

    @property
    def most(self) -> int | None:
        return SOON if self._before is not None and not self.whole_only else None

    def accepted(self, found: Sequence[Plausible], before: Standing) -> None:
        """Edits were taken where the search stood."""
        if self.whole_only:
            self._before = None
            self.whole_only = False
        elif self._before is None and self._after is None and not all(p.full for p in found):
            self._before = before

    def instead(self, now: Standing) -> Standing | None:
        """Where to go on after a round that found nothing; None when that was all."""
        if self._before is not None:
            self._after, back, self._before = now, self._before, None
            self.whole_only = True
            return back
        return self.given_up(now.fixed)

    def given_up(self, fixed: int = 0) -> Standing | None:
        """Where the search stood before it went back, if it has not come as far since: to so many ``fixed`` tests."""
        after, back = self._after, self.whole_only
        self._after, self.whole_only = None, False
        if after is None or after.fixed < fixed or (after.fixed == fixed and not back):
            return None
        return after
