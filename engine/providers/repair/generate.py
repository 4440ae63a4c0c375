"""Turn suspicious statements and templates into candidates, lazily, the most promising first. Pure."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Mapping, Sequence

from engine.providers.repair.edits import Candidate
from engine.providers.repair.locate import Spot
from engine.providers.repair.source import FUNCTIONS, Source
from engine.providers.repair.templates import TEMPLATES, TIERS
from engine.providers.repair.view import View
from engine.providers.repair.words import Words

_SOONER = 0  # the tier of what failures speak for
_TIER_COST = {_SOONER: 0.7, 1: 1.0, 2: 2.0, 3: 3.5, 4: 5.0}
_AGAIN = 4.0  # how much later than in memory an edit is tried with a new import
_REACH = 25.0  # a statement this many places down the ranking costs as much as one tier more


class Quarry:
    """Candidates of one state of the project.

    Parameters
    ----------
    sources : editable files as they are now.
    imported : lines that ran while the project was imported; functions there cannot be exchanged in memory.
    wanted, expected : names and exceptions that red tests ask for in vain.
    raised, spelled : exceptions that they end with, and the words in their own strings.
    favoured : names of the templates that the failures themselves speak for; they come sooner.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        imported: Mapping[str, frozenset[int]],
        wanted: tuple[str, ...] = (),
        expected: tuple[str, ...] = (),
        raised: tuple[str, ...] = (),
        spelled: tuple[str, ...] = (),
        favoured: frozenset[str] = frozenset(),
    ) -> None:
        self._favoured = favoured
        self._sources = dict(sources)
        self.imported = imported
        self._hints = (wanted, expected, raised, spelled)
        elsewhere = {path.rpartition("/")[2].removesuffix(".py"): _defined(source) for path, source in sources.items()}
        for path, source in sources.items():
            if path.endswith("/__init__.py"):
                elsewhere[path.split("/")[-2]] = _defined(source)
        self._words = {
            path: Words(source, elsewhere, *self._hints, tuple(s for s in sources.values() if s is not source))
            for path, source in sources.items()
        }

    def with_source(self, source: Source) -> Quarry:
        """The same project with one file in another state."""
        return Quarry({**self._sources, source.path: source}, self.imported, *self._hints, favoured=self._favoured)

    def candidates(
        self, spots: Sequence[Spot], *, seed: int = 0, tiers: Sequence[int] = TIERS
    ) -> Iterator[tuple[Candidate, Spot]]:
        """Edits in the order they should be tried; the same for the same arguments."""
        chance = random.Random(seed)
        buckets = [
            (_TIER_COST[tier] * (1 + spot.order / _REACH), chance.random() if seed else 0.0, nth, tier, False)
            for nth, spot in enumerate(spots)
            for tier in (*tiers, *([_SOONER] if self._favoured else []))
        ]
        hasty = [self._hasty(spot) for spot in spots]
        buckets += [(cost + _AGAIN, luck, nth, tier, True) for cost, luck, nth, tier, _ in buckets if hasty[nth]]
        views: dict[int, View] = {}
        given: set[tuple[str, int, int, str, bool]] = set()
        for _, _, nth, tier, again in sorted(buckets):
            spot = spots[nth]
            view = views.get(nth)
            if view is None:
                view = views[nth] = View(self._words[spot.path], spot.node)
            for candidate in self._of(view, spot, tier, hasty=hasty[nth] and not again):
                key = (candidate.path, candidate.start, candidate.end, candidate.text, again)
                if key not in given:
                    given.add(key)
                    yield candidate, spot

    def _of(self, view: View, spot: Spot, tier: int, *, hasty: bool) -> Iterator[Candidate]:
        source = view.source
        early, unit = self._place(source, spot)
        for template in TEMPLATES:
            if template.name not in self._favoured if tier == _SOONER else template.tier != tier:
                continue
            for swap in template.propose(view):
                start, end = swap.span
                if source.text[start:end] == swap.text or not source.holds(swap.text):
                    continue
                start, end = _with_idle_parentheses(source, start, end, swap.text)
                yield Candidate(
                    spot.path,
                    start,
                    end,
                    swap.text,
                    spot.first,
                    swap.cost,
                    template.name,
                    swap.note,
                    early,
                    unit,
                    hasty,
                )

    def _hasty(self, spot: Spot) -> bool:
        """Whether edits that need a new import are worth a look without one, which costs a hundredth."""
        early, unit = self._place(self._sources[spot.path], spot)
        return early and bool(unit and spot.tests) and spot.path in self.imported

    def _place(self, source: Source, spot: Spot) -> tuple[bool, str]:
        """Whether an edit here needs a new import, and the definition it lies in."""
        unit = next((u for u in source.units if u.first <= spot.first and spot.last <= u.last), None)
        function = source.outermost(spot.node)
        if unit is None or function is None:
            return True, ""
        body = range(function.body[0].lineno, (function.end_lineno or function.lineno) + 1)
        ran = self.imported.get(source.path, frozenset())
        return any(line in ran for line in body), unit.name


def _with_idle_parentheses(source: Source, start: int, end: int, new: str) -> tuple[int, int]:
    """The span, and the parentheses around it that the new text no longer needs: ``n / (m - 1)``, ``n / m``."""
    text = source.text
    if text[start - 1 : start] != "(" or text[end : end + 1] != ")" or not _grouped(text[start:end]) or _grouped(new):
        return start, end
    before = text[start - 2 : start - 1]
    called = before.isalnum() or before in tuple("_)]}'\"")  # a call, or a keyword that would touch the new text
    return (start, end) if called else (start - 1, end + 1)


def _grouped(expression: str) -> bool:
    """Whether an expression has parts that parentheses may have to hold together."""
    try:
        body = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError:
        return True
    return not isinstance(body, ast.Name | ast.Attribute | ast.Call | ast.Subscript)


def _defined(source: Source) -> tuple[str, ...]:
    found = []
    for node in source.tree.body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.ImportFrom):
            found += [alias.asname or alias.name for alias in node.names]
    return tuple(dict.fromkeys(found))
