"""One round of the search: try candidates in order, keep the plausible ones, pick what goes together.

It must not change the project; making an edit the new starting point is the caller's decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from engine.providers.repair.answers import Answers
from engine.providers.repair.attempt import Plausible, Situation
from engine.providers.repair.budget import Budget
from engine.providers.repair.choose import Choice, choose
from engine.providers.repair.edits import Candidate, patches
from engine.providers.repair.generate import Quarry
from engine.providers.repair.lab import Lab
from engine.providers.repair.locate import Spot, spots, while_importing
from engine.providers.repair.observe import groups
from engine.providers.repair.source import Source
from engine.providers.repair.synth.synthesis import Synthesis
from engine.providers.repair.trial import ENDLESS, Trial, Verdict

AFTERWARDS = 150  # candidates still tried once one mends every test that runs its place: there may be a better one
FEW = 4  # red tests below which more are tried, because the fewer there are the more is mended by accident
HOPEFUL = 1000  # the same, once one mends every case of a test function, but not all tests there
PATIENT = 3000  # candidates after which one that mends some cases of a test function has to do
_COSTLY = 15  # the share of all this where each candidate costs a process
FURTHER = 2500  # candidates still tried when the one that was chosen does not look right
# Steps of a test, for so many of those that mend all tests that end in time: a right edit does not make them quicker.
_CHANCES = ((1_000_000, 8), (20_000_000, 2))
_MOSTLY = 3  # tests mended for each that has not ended, before the last and longest of these is granted
_LIKELIER = 3  # more of them, each likelier than one that needs as long and mends all
_LAST_S = 15.0  # that has to be left for it
_LONGER = ((5.0, 600), (100.0, 150))  # times the steps, for so many of those that did not end
_GUESSES = 400  # candidates where no red test says where to look, each with a new import
_PARTNERS = 5
_PARTNER_TRIES = 700
_MOST_CHECKS = 15
_MOST_DEAF = 20


@dataclass(slots=True)
class Memory:
    """What earlier rounds tried in vain, and which tests have changed since.

    Attributes
    ----------
    tried : the round in which each edit of a definition's text was last tried.
    changed : the round after which a red test last saw an edit in what it runs.
    """

    tried: dict[tuple[object, ...], int] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)

    def key(self, source: Source, candidate: Candidate) -> tuple[object, ...]:
        unit = next((u for u in source.units if u.name == candidate.unit), None)
        if unit is None:
            return (candidate.path, source.text, candidate.start, candidate.end, candidate.text)
        first, last = source.line_span(unit.first, unit.last)
        text, start = hash(source.text[first:last]), candidate.start - first
        return (candidate.path, text, start, candidate.end, candidate.text, candidate.hasty)


@dataclass(slots=True)
class Round:
    """Everything one round needs.

    Attributes
    ----------
    number : counts from 0.
    errors : (path, line) that failed imports passed through.
    most : how many candidates may be tried, if not all.
    whole_only : only an edit that mends every red test that runs its place is wanted.
    chances : how many edits may still be given more time at once, because all tests that ended have passed.
    deaf : green tests that do not pass among all the others of their place, edited or not: they tell nothing.
    refused : the best edit that mends tests and breaks another one, and that one.
    """

    lab: Lab
    budget: Budget
    situation: Situation
    quarry: Quarry
    memory: Memory
    number: int
    errors: tuple[tuple[str, int], ...]
    wanted: tuple[str, ...]
    seed: int
    most: int | None = None
    whole_only: bool = False
    synthesis: Synthesis | None = None
    located: list[Spot] = field(default_factory=list)
    plausible: list[Plausible] = field(default_factory=list)
    choice: Choice = field(default_factory=Choice)
    partners: list[tuple[int, float, int, Candidate, Spot]] = field(default_factory=list)
    slow: list[tuple[Candidate, Spot]] = field(default_factory=list)
    hanging: list[tuple[Candidate, Spot]] = field(default_factory=list)
    chances: list[int] = field(default_factory=lambda: [most for _, most in _CHANCES])
    deaf: set[int] = field(default_factory=set)
    refused: tuple[Plausible, int] | None = None

    def locate(self) -> list[Spot]:
        here = self.situation
        grouped = groups(here.keys, here.red)
        found = spots(here.sources, here.seen, grouped, self.errors, self.wanted)
        self.located = found or while_importing(here.sources, self.quarry.imported)
        if not found:  # a guess, and each candidate costs an import
            self.most = min(self.most or _GUESSES, _GUESSES)
        return self.located

    def search(self) -> list[Plausible]:
        """The plausible candidates of this round, best first; empty when there are none."""
        if self._written():
            self.choice = self._choose()
            return self._checked()
        source = self.quarry.candidates(self.located, seed=self.seed)
        if not self._try(islice(self._fresh(source), self.most)) and not self.plausible:
            for factor, most in _LONGER:
                if self._try(iter(self._slow_ones(most)), factor=factor) or self.plausible:
                    break
        if not self.plausible and not self.whole_only:
            self._in_pairs()
        self.choice = self._choose()
        if self.choice.lost is not None or self.choice.unsure is not None:
            # It takes away what the code could do before, or numbers: a better one may be among those that come next.
            source = self.quarry.candidates(self.located, seed=self.seed)
            self._try(islice(self._fresh(source), FURTHER))
            self.choice = self._choose()
        return self._checked()

    def _written(self) -> bool:
        """Whether a function that was still to be written could be: no edit mends what is not there."""
        for offered in (
            self.synthesis.offers(self.situation, self.quarry.imported) if self.synthesis and self.lab.forks else ()
        ):
            self._try(self._fresh(iter(offered)))
            if self.plausible:
                return True
        return False

    def _choose(self) -> Choice:
        if self.lab.costly:  # what behaviour tells is not worth a process for each
            return Choice(tuple(sorted(self.plausible, key=lambda p: p.rank)), len(self.plausible))
        return choose(self.plausible, self.situation, self.lab.pool, self.budget, self.seed)

    def _fresh(self, source: Iterator[tuple[Candidate, Spot]]) -> Iterator[tuple[Candidate, Spot]]:
        """Candidates that were not tried before under the same circumstances."""
        for candidate, spot in source:
            key = self.memory.key(self.situation.sources[candidate.path], candidate)
            before = self.memory.tried.get(key, -1)
            tests = self.situation.relevant(spot) if before >= 0 else ()
            if before >= 0 and all(self.memory.changed.get(at, -1) < before for at in tests):
                continue
            yield candidate, spot

    def _slow_ones(self, most: int) -> list[tuple[Candidate, Spot]]:
        """Candidates that mended something, or might have, had they had more time; so many that never ended."""
        found = [*self.slow[: most // 5], *sorted(self.hanging, key=lambda row: row[0].cost)[:most]]
        self.slow.clear()
        self.hanging.clear()
        return found

    def _try(self, source: Iterator[tuple[Candidate, Spot]], *, factor: float = 1.0) -> bool:
        """Try candidates until there is one to keep; true if the source did not run dry."""
        last: int | None = None
        answers = Answers(self.lab.pool, self.situation, source, factor)
        try:
            for index, (candidate, spot, verdict) in enumerate(answers):
                self._count(index)
                key = self.memory.key(self.situation.sources[candidate.path], candidate)
                self.memory.tried[key] = self.number
                needed = factor
                if factor == 1.0 and verdict.promising:
                    verdict, needed = self._given_time(answers, candidate, spot, verdict)
                found = self.situation.judged(candidate, spot, verdict, index, needed)
                if found is not None and self.synthesis and not self.synthesis.believes(found, self.situation):
                    found = None
                if found is not None and (found.full or not self.whole_only):
                    self.plausible.append(found)
                    self.budget.best = max(self.budget.best, len(found.mended))
                    until = index + _patience(found) // (_COSTLY if self.lab.costly else 1)
                    last = min(last, until) if last is not None else until
                elif verdict.endless and (verdict.mended or verdict.broke >= 0):
                    self.slow.insert(0, (candidate, spot))
                elif verdict.ends and all(sign.code == ENDLESS for sign in verdict.ends.values()):
                    self.hanging.append((candidate, spot))
                elif further := self.situation.further(verdict):
                    self.partners.append((-further, candidate.cost, index, candidate, spot))
                if last is not None and index >= last:
                    return True
                self.budget.check_edits()
        finally:
            answers.close()
        return False

    def _given_time(
        self, answers: Answers, candidate: Candidate, spot: Spot, verdict: Verdict
    ) -> tuple[Verdict, float]:
        """What comes of an edit once the tests that did not end have more time, and how much that was."""
        needed = 1.0
        for nth, (steps, _) in enumerate(_CHANCES):
            factor = steps / self.lab.endless_room
            unlikely = nth > 0 and len(verdict.mended) < _MOSTLY * (len(verdict.ends) - len(verdict.mended))
            if self.lab.costly or not verdict.promising or unlikely:
                break
            if nth > 0 and self.budget.left - self.budget.reserve < _LAST_S:
                break
            # Once one is known to need that long, each that is likelier may have as long.
            whole = min((p.candidates[0].cost for p in self.plausible if p.full and p.factor == factor), default=0.0)
            if self.chances[nth] <= (-_LIKELIER if candidate.cost < whole else 0):
                break
            self.chances[nth] -= 1
            longer = answers.again(candidate, spot, factor)
            if longer.how != "ran":
                break  # with more of everything it does harm; what it mended before still counts
            verdict, needed = longer, factor
        return verdict, needed

    def _count(self, index: int) -> None:
        self.budget.tried += 1
        if index % 16 == 0:
            open_tests = len(self.situation.red)
            self.budget.report(
                "searching", f"round {self.number + 1}: {open_tests} red, {self.budget.tried} edits tried"
            )

    def _in_pairs(self) -> None:
        """Two edits together, where the first one brought a test further without mending it."""
        self.partners.sort(key=lambda row: row[:3])
        for _, _, _, first, spot in self.partners[:_PARTNERS]:
            source = self.situation.sources[first.path]
            changed = Source(first.path, first.applied(source.text))
            if first.early or changed.text.count("\n") != source.text.count("\n"):
                continue
            before = patches(source, [first])
            tests = self.situation.relevant(spot)[:20]
            seen = {**self.situation.seen, **self.lab.trace(tests, patches=before)}
            here = Situation(
                {**self.situation.sources, first.path: changed},
                seen,
                tuple(tests),
                self.situation.green,
                self.situation.keys,
            )
            near = spots(here.sources, seen, groups(here.keys, tests), (), ())
            quarry = self.quarry.with_source(changed)
            if self._second(here, quarry, near, first, spot, before):
                return

    def _second(
        self,
        here: Situation,
        quarry: Quarry,
        near: list[Spot],
        first: Candidate,
        spot: Spot,
        before: list[tuple[str, int, str]],
    ) -> bool:
        asked: list[tuple[Candidate, Spot]] = []

        def trials() -> Iterator[Trial]:
            for candidate, place in quarry.candidates(near, tiers=(1, 2)):
                if candidate.early or len(asked) >= _PARTNER_TRIES or candidate.clashes(first):
                    continue
                asked.append((candidate, place))
                yield here.trial(candidate, place, before=before)

        running = self.lab.pool.run(trials())
        try:
            for index, (_, verdict) in enumerate(running):
                self._count(index)
                candidate, place = asked[index]
                found = here.judged(candidate, place, verdict, index)
                if found is not None and found.whole:
                    second = _in_old_text(candidate, first)
                    pair = Plausible((first, second), place, found.mended, index, True, found.full)
                    self.plausible.append(pair)
                    return True
                self.budget.check_edits()
        finally:
            running.close()  # type: ignore[attr-defined]
        return False

    def _checked(self) -> list[Plausible]:
        """The best plausible edits, each alone and in full; then others that mend different tests along with them."""
        kept: list[Plausible] = []
        mended: set[int] = set()
        looked = 0
        for found in self.choice.order:
            edits = [candidate for other in kept for candidate in other.candidates]
            if found.mended <= mended or any(c.clashes(o) for c in found.candidates for o in edits):
                continue
            if (kept and not found.full) or looked >= _MOST_CHECKS:
                break
            if found.factor > 1.0 and not kept and self.situation.quick_is_full(found.spot):
                # It was by itself when it was given the time it needs, which is not spent twice.
                kept, mended = [found], set(found.mended)
                continue
            looked += 1
            places = [*(other.spot for other in kept), found.spot]
            factor = max(other.factor for other in (*kept, found))
            verdict = self._in_full([*edits, *found.candidates], places, factor)
            if verdict.how == "ran" and verdict.broke >= 0 and self.refused is None:
                self.refused = (found, verdict.broke)
            if verdict.how == "ran" and verdict.broke < 0 and mended < verdict.mended:
                kept.append(found)
                mended = set(verdict.mended)
        for found in self.plausible:
            # What was not kept this time may be what the next round needs.
            for candidate in found.candidates if found not in kept else ():
                for one in (candidate, replace(candidate, hasty=True)):
                    self.memory.tried.pop(self.memory.key(self.situation.sources[candidate.path], one), None)
        return kept

    def _in_full(self, edits: Sequence[Candidate], places: Sequence[Spot], factor: float) -> Verdict:
        """What every test of these places says, those left out that object to the unedited code as well."""
        while True:
            trial = self.situation.full_trial(edits, places, factor, self.deaf)
            verdict = self.lab.pool.one(trial)
            if verdict.broke < 0 or len(self.deaf) >= _MOST_DEAF or not self._is_deaf(verdict.broke, trial):
                return verdict
            self.deaf.add(verdict.broke)

    def _is_deaf(self, at: int, trial: Trial) -> bool:
        """Whether a test fails, after those that run before it, without any edit: it may draw numbers, or take long."""
        before = trial.guard[: trial.guard.index(at) + 1]
        unedited = self.lab.pool.one(Trial((), {}, trial.early, before, probe=0, factor=2 * trial.factor, alone=True))
        return unedited.how == "ran" and at in unedited.ends and not unedited.ends[at].passed


def _patience(found: Plausible) -> int:
    """How many candidates are still tried after this one."""
    if found.shadowed or not found.whole:
        return PATIENT
    return AFTERWARDS * max(1, FEW // len(found.mended)) if found.full else HOPEFUL


def _in_old_text(second: Candidate, first: Candidate) -> Candidate:
    """An edit of a text that has the first one in it, as an edit of the text without."""
    if second.path != first.path or second.start < first.start:
        return second
    shift = (first.end - first.start) - len(first.text)
    return Candidate(
        second.path,
        second.start + shift,
        second.end + shift,
        second.text,
        second.line,
        second.cost,
        second.template,
        second.note,
        second.early,
        second.unit,
    )
