"""Choose among the plausible edits of a round: those that mend as much vote by how they behave beyond the tests.

An edit that mends fewer tests is never preferred; what was not chosen is kept as a runner-up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.providers.repair.attempt import Plausible, Situation
from engine.providers.repair.behaviour import Question, function_name, observed
from engine.providers.repair.budget import Budget
from engine.providers.repair.edits import combined
from engine.providers.repair.pool import Pool
from engine.providers.repair.reading import oddity
from engine.providers.repair.source import Source
from engine.providers.repair.task import RunnerUp
from engine.providers.repair.trial import Trial
from engine.providers.repair.vote import STRAY, Doubt, elect

VOTERS = 12
VOTE_S = 10.0  # a second or two, as a rule: what bounds it is the count of steps, so that a busy machine votes alike
ALONE_S = 3.0  # where there is but one
RUNNERS_UP = 5
_WATCHED_S = 0.5  # of tests, as they usually take, to see what they call
_WATCHED = 30


@dataclass(frozen=True, slots=True)
class Choice:
    """The plausible edits of a round in the order they are to be taken.

    Attributes
    ----------
    group : how many of them, from the first on, mend the same tests.
    agreement : the share of the group that behaves as the first does; None: there was no vote.
    doubts : a call on which another of the group behaves otherwise, by its place in the order.
    lost : a call from which the unedited code returned a value, and the first one does not, or one with NaN in it.
    unsure : a call from which the first one returns NaN, and the unedited code nothing.
    """

    order: tuple[Plausible, ...] = ()
    group: int = 0
    agreement: float | None = None
    doubts: Mapping[int, Doubt] = field(default_factory=dict)
    lost: Doubt | None = None
    unsure: Doubt | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the choices of a search leave open.

    Attributes
    ----------
    witnesses : the fewest tests that speak for something that was taken.
    alternatives : edits that mend as much as those taken.
    agreement : the least that a vote came to; None: there was none.
    doubt : a call on which plausible edits disagree, or one with the unedited code.
    lost : something that was taken takes away what the code could do before.
    unsure : something that was taken makes NaN, and nothing says whether it must; or no test runs any more what broke.
    partial : something that was taken left tests red that run the place, too.
    runners_up : changes in place of the one that was made.
    """

    witnesses: int = 0
    alternatives: int = 0
    agreement: float | None = None
    doubt: str = ""
    lost: bool = False
    unsure: bool = False
    partial: bool = False
    runners_up: tuple[RunnerUp, ...] = ()

    def then(self, choice: Choice, found: Sequence[Plausible], runners_up: Sequence[RunnerUp]) -> Outlook:
        """After one more round, in which ``found`` was taken."""
        taken = choice.order[:1] == tuple(found[:1])
        now = choice.agreement if taken and choice.group > 1 else None
        least = min((share for share in (self.agreement, now) if share is not None), default=None)
        apart = [choice.doubts[n] for n in sorted(choice.doubts)] if now is not None and now == least else []
        doubts = [doubt for doubt in (choice.lost, choice.unsure) if doubt is not None and taken] + apart
        tests = [len(p.mended) for p in found] + ([self.witnesses] if self.witnesses else [])
        return Outlook(
            min(tests, default=0),
            self.alternatives + max(0, choice.group - 1),
            least,
            str(doubts[0]) if doubts and not self.lost else self.doubt,
            self.lost or (taken and choice.lost is not None),
            self.unsure or (taken and choice.unsure is not None),
            self.partial or not all(p.full for p in found),
            tuple(runners_up),
        )

    def without_runners_up(self) -> Outlook:
        """What was made is not what they were made for."""
        return replace(self, runners_up=())


def choose(plausible: Sequence[Plausible], situation: Situation, pool: Pool, budget: Budget, seed: int) -> Choice:
    """Put the edits in order, after a vote of those that mend as much as the best of them.

    A single one is looked at, too: it may take away what the code could do before.
    """
    ranked = sorted(plausible, key=lambda p: p.rank)
    if not ranked:
        return Choice()
    best = ranked[0]
    group = [p for p in ranked if p.rank[:4] == best.rank[:4] and p.mended == best.mended]
    chosen = {id(p) for p in group}
    rest = [p for p in ranked if id(p) not in chosen]
    seconds = min(VOTE_S if len(group) > 1 else ALONE_S, (budget.left - budget.reserve) / 2)
    if seconds <= 0:
        return Choice((*group, *rest), len(group))
    who = "this edit does" if len(group) == 1 else f"{len(group)} edits that mend as much do"
    budget.report("searching", f"looking at what {who} beyond the tests")
    voters = group[:VOTERS]
    until = time.monotonic() + seconds
    trials = [situation.full_trial(p.candidates, [p.spot]) for p in voters]
    wanted = _wanted(voters, situation)
    guards = _quick(situation.guards(best.spot), situation)
    tests = [at for at in situation.relevant(best.spot) if at in best.mended]
    question = Question((*_quick(tests, situation), *guards), wanted, seed)
    behaviours = observed(pool, trials, question, check=budget.check_cancel, until=until)
    plain = [Trial((), {}, trials[0].early, ())]
    calm = Question(tuple(guards), wanted, seed)
    before = observed(pool, plain, calm, check=budget.check_cancel, until=until)[0]
    costs = [sum(candidate.cost for candidate in p.candidates) + _oddity(p, situation) for p in voters]
    places = [tuple((candidate.path, candidate.line) for candidate in p.candidates) for p in voters]
    unedited = None
    if any(show.how in STRAY for behaviour in behaviours for show in (behaviour or {}).values()):
        unedited = observed(pool, plain, question, check=budget.check_cancel, until=until)[0]
    election = elect(behaviours, costs, places, before, unedited)
    if election is None:
        return Choice((*group, *rest), len(group))
    doubts = {election.order.index(n): doubt for n, doubt in election.doubts.items()}
    elected = [voters[n] for n in election.order]
    order = (*elected, *group[VOTERS:], *rest)
    return Choice(order, len(group), election.agreement, doubts, election.lost, election.unsure)


def _oddity(plausible: Plausible, situation: Situation) -> float:
    """What the names that an edit leaves unread, or takes up, add to its cost."""
    if len(plausible.candidates) > 1:
        return 0.0
    (edit,) = plausible.candidates
    text = situation.sources[edit.path].text
    try:
        return oddity(text, edit.applied(text), edit.line)
    except (SyntaxError, ValueError):
        return 0.0  # what is no Python without the edit has no names to compare


def _wanted(voters: Sequence[Plausible], situation: Situation) -> tuple[str, ...]:
    """The function all of them edit; where there is not one, whatever tests call is looked at."""
    sources = situation.sources
    names = {function_name(sources[c.path], p.spot.node) for p in voters for c in p.candidates}
    return tuple(names) if len(names) == 1 and all(names) else ()


def _quick(tests: Sequence[int], situation: Situation) -> list[int]:
    """The first tests, as many as do not take long."""
    found: list[int] = []
    left = _WATCHED_S
    for at in tests[:_WATCHED]:
        left -= situation.seen[at].seconds if at in situation.seen else 0.0
        if left < 0 and found:
            break
        found.append(at)
    return found


def runners_up(
    choice: Choice, found: Sequence[Plausible], sources: Mapping[str, Source], original: Mapping[str, str]
) -> Iterator[RunnerUp]:
    """Changes with another edit of the group in place of the first one taken, those that behave otherwise first.

    Parameters
    ----------
    sources : as they were when the round began.
    original : as they were when the search began.
    """
    others = [n for n in range(choice.group) if not any(choice.order[n] is one for one in found)]
    ranked = sorted(others, key=lambda n: (n not in choice.doubts, n))
    said: set[str] = set()
    later: list[RunnerUp] = []
    for n in ranked:
        one = choice.order[n]
        kept = [candidate for other in found[1:] for candidate in other.candidates]
        if any(a.clashes(b) for a in kept for b in one.candidates):
            continue
        texts = {path: source.text for path, source in sources.items()}
        texts |= combined(sources, [*kept, *one.candidates])
        files = {path: text for path, text in texts.items() if text != original[path]}
        doubt = choice.doubts.get(n)
        differs = f"{doubt.call} → {doubt.other} in place of {doubt.first}" if doubt is not None else ""
        made = RunnerUp(files, "; ".join(c.note for c in one.candidates), differs)
        # One of each behaviour is more of a choice than five of the same.
        if differs in said:
            later.append(made)
        else:
            said.add(differs)
            yield made
    yield from later
