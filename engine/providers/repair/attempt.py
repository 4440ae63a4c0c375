"""Turn a candidate into a trial and judge what came of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from engine.providers.repair.edits import Candidate, combined, patches
from engine.providers.repair.locate import Spot
from engine.providers.repair.observe import Seen, file_of, function_of, groups, round_robin
from engine.providers.repair.source import Source
from engine.providers.repair.trial import Trial, Verdict

_MOST_TESTS, _MOST_GUARDS = 60, 40
_LEAST_PROBES, _MOST_PROBES = 3, 6  # the second where tests are few
_SLOW_S = 0.2
_MOST_STEPS = 20_000
_SHADOW = 0.9  # share of a test's lines another must run to stand behind it


@dataclass(frozen=True, slots=True)
class Plausible:
    """A candidate that mends something and breaks nothing that was tried.

    Attributes
    ----------
    whole : it mends every red test of each test function it touches.
    full : it mends every red test that runs the place.
    shadowed : each test it mends also runs what a smaller test, still red, runs: the cause may lie there, and this
        edit may only make up for it.
    factor : how much longer than usual the tests were given for it.
    """

    candidates: tuple[Candidate, ...]
    spot: Spot
    mended: frozenset[int]
    index: int
    whole: bool
    full: bool
    shadowed: bool = False
    factor: float = 1.0

    @property
    def rank(self) -> tuple[bool, bool, bool, int, float, int, int]:
        """Lower is better; of two as likely, the one that leaves less to read: `x` before `x + 1` for `x - 1`."""
        cost = sum(candidate.cost for candidate in self.candidates)
        growth = sum(candidate.growth for candidate in self.candidates)
        return (self.shadowed, not self.full, not self.whole, -len(self.mended), cost, growth, self.index)


@dataclass(frozen=True, slots=True)
class Situation:
    """The state of the project at the start of a round: texts, what tests did, which are red.

    Attributes
    ----------
    fickle : tests whose word counts only in a process of their own.
    """

    sources: Mapping[str, Source]
    seen: Mapping[int, Seen]
    red: tuple[int, ...]
    green: tuple[int, ...]
    keys: Sequence[str]
    fickle: frozenset[int] = frozenset()
    _known: dict[tuple[object, ...], list[int]] = field(default_factory=dict, repr=False, compare=False)

    def relevant(self, spot: Spot) -> list[int]:
        """Red tests an edit at this place may mend, the most telling first."""
        return self._once(("red", spot.tests), lambda: self._relevant(spot))

    def _once(self, what: tuple[object, ...], find: Callable[[], list[int]]) -> list[int]:
        # Thousands of candidates ask for the same few places.
        found = self._known.get(what)
        if found is None:
            found = self._known[what] = find()
        return found

    def _relevant(self, spot: Spot) -> list[int]:
        tests = [at for at in self.red if spot.tests is None or at in spot.tests]
        grouped = groups(self.keys, tests)
        for group in grouped:
            group.sort(key=lambda at: (self._seconds(at) > _SLOW_S, self._steps(at) > _MOST_STEPS, self._size(at), at))
        grouped.sort(key=lambda group: (self._seconds(group[0]) > _SLOW_S, self._size(group[0]), group[0]))
        return round_robin(grouped)

    def guards(self, spot: Spot, most: int | None = _MOST_GUARDS) -> list[int]:
        """Green tests an edit at this place may break: the quickest and steadiest ``most``, or all, in their order."""
        what = ("green", spot.path, spot.first, spot.last, spot.tests is None, most)
        return self._once(what, lambda: self._guards(spot, most))

    def _guards(self, spot: Spot, most: int | None) -> list[int]:
        tests = [
            at
            for at in self.green
            if spot.tests is None or at not in self.seen or self.seen[at].runs(spot.path, spot.first, spot.last)
        ]
        if most is None:
            return sorted(tests)
        # One that there was no time to watch may take long: it has its say in full trials.
        tests = [at for at in tests if at not in self.fickle and at in self.seen]
        tests.sort(key=lambda at: (self._seconds(at), at))
        return sorted(tests[:most])

    def _seconds(self, at: int) -> float:
        return self.seen[at].seconds if at in self.seen else 0.0

    def _steps(self, at: int) -> int:
        return self.seen[at].steps if at in self.seen else 0

    def _probes(self, spot: Spot) -> int:
        """How many tests are asked when none is better than before; one that runs the lines of another tells little."""
        tests = self.relevant(spot)
        count = len(groups(self.keys, tests))
        known: set[object] = set()
        fresh = 0
        for nth, at in enumerate(tests, 1):
            lines = frozenset(self.seen[at].lines.items()) if at in self.seen else self.keys[at]
            fresh = nth if lines not in known else fresh
            known.add(lines)
        most = min(max(_MOST_PROBES, count), 16)
        return min(max(_LEAST_PROBES, min(fresh, most)), self._affordable(tests))

    def _affordable(self, tests: Sequence[int]) -> int:
        """How many tests are asked when none is better: two at least, and long ones only where all are long."""
        spent = accumulate(self._steps(at) for at in tests)
        return max(2, sum(steps <= _MOST_STEPS for steps in spent))

    def _size(self, at: int) -> int:
        return self.seen[at].size if at in self.seen else 0

    def trial(self, candidate: Candidate, spot: Spot, *, before: Sequence[tuple[str, int, str]] = ()) -> Trial:
        """A quick look at one candidate; ``before`` are patches that it builds upon."""
        tests = self.relevant(spot)
        early = candidate.early and not candidate.hasty
        changed = () if early else patches(self.sources[candidate.path], [candidate])
        kept = [patch for patch in before if patch[:2] not in [p[:2] for p in changed]]
        return Trial(
            patches=(*kept, *changed),
            sources=combined(self.sources, [candidate]),
            early=early,
            tests=tuple(tests[:_MOST_TESTS]),
            guard=tuple(self.guards(spot)),
            probe=self._once(("probes", spot.tests), lambda: [self._probes(spot)])[0],
        )

    def quick_is_full(self, spot: Spot) -> bool:
        """Whether a quick look already runs every test that an edit here may mend or break."""
        guards = self.guards(spot, None)
        return len(self.relevant(spot)) <= _MOST_TESTS and len(guards) == len(self.guards(spot))

    def full_trial(
        self,
        candidates: Sequence[Candidate],
        spots: Iterable[Spot],
        factor: float = 1.0,
        deaf: Collection[int] = (),
    ) -> Trial:
        """Everything these candidates may mend or break, but for ``deaf`` tests, in a process of its own."""
        places = list(spots)
        tests = list(dict.fromkeys(at for spot in places for at in self.relevant(spot)))
        guard = sorted({at for spot in places for at in self.guards(spot, None)}.difference(deaf))
        early = any(candidate.early for candidate in candidates)
        changed = []
        for path in dict.fromkeys(candidate.path for candidate in candidates):
            changed += [] if early else patches(self.sources[path], [c for c in candidates if c.path == path])
        return Trial(
            patches=tuple(changed),
            sources=combined(self.sources, candidates),
            early=early,
            tests=tuple(tests),
            guard=tuple(guard),
            factor=3.0 * factor,
            alone=True,
        )

    def judged(
        self, candidate: Candidate, spot: Spot, verdict: Verdict, index: int, factor: float = 1.0
    ) -> Plausible | None:
        """The candidate as a plausible one, if it is."""
        if verdict.how != "ran" or not verdict.mended or verdict.broke >= 0:
            return None
        touched = {function_of(self.keys[at]) for at in verdict.mended}
        rest = [at for at in self.relevant(spot) if at not in verdict.mended]
        whole = not any(function_of(self.keys[at]) in touched for at in rest)
        shadowed = all(self._shadowed(at, verdict.mended) for at in verdict.mended)
        # Whatever was seen in memory, from now on it is looked at with a new import where it needs one.
        asked = (replace(candidate, hasty=False),)
        return Plausible(asked, spot, verdict.mended, index, whole, not rest, shadowed, factor)

    def _shadowed(self, at: int, mended: frozenset[int]) -> bool:
        """Whether a red test that stays red runs nearly only what this one runs, and less of it.

        One beside it that runs no line at all has its cause where the module is made, and this one's may lie there too.
        """
        mine = self.seen.get(at)
        if mine is None:
            return False
        for left in self.red:
            other = self.seen.get(left)
            if left in mended or other is None or other.size >= mine.size:
                continue
            if other.within(mine) >= _SHADOW if other.size else file_of(self.keys[left]) == file_of(self.keys[at]):
                return True
        return False

    def further(self, verdict: Verdict) -> int:
        """How many red tests came further than before without passing."""
        count = 0
        for at, sign in verdict.ends.items():
            was = self.seen[at].sign if at in self.seen else None
            if was is None or sign.passed or sign.code == "t":
                continue
            count += sign.line > was.line or (sign.line == was.line and 0 <= sign.missed < was.missed)
        return count
