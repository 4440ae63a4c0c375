"""Let edits that pass the same tests vote on how the code should behave where no test looks. Pure.

Right edits behave alike, however they are written; each wrong one is wrong in its own way. And whoever raises, comes
back with nothing or with another type where the others return a value is seldom right.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

VALUE, RAISED, ENDLESS = "value", "raised", "endless"
UNDEFINED, CHANGED = "undefined", "changed"
"""A value came back, but with NaN or infinity where there was none; but an array that was given is another one then."""
STRAY = (UNDEFINED, CHANGED)
HIGH, MEDIUM, LOW = "high", "medium", "low"
_MANY, _FEW = 2 / 3, 1 / 3


class Show(NamedTuple):
    """What one call came to: how it ended, the type of what came back or was raised, and the text of it."""

    how: str
    type: str
    text: str

    @property
    def said(self) -> str:
        """As a person reads it."""
        if self.how == UNDEFINED:
            return f"{self.text} (not all of it a number)"
        valued = self.how in (VALUE, CHANGED)
        return self.text if valued else f"{self.type} is raised" if self.how == RAISED else "no end"


_NOTHING = Show("", "", "")
Behaviour = Mapping[str, Show]
"""By call, in the order the calls were made."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A call on which edits that pass all tests disagree."""

    call: str
    first: str  # what the elected edit makes of it
    other: str

    def __str__(self) -> str:
        return f"{self.call} → {self.first} or {self.other}"


@dataclass(frozen=True, slots=True)
class Election:
    """What a vote came to.

    Attributes
    ----------
    order : the edits, by number, the best first.
    agreement : the share of the voices that speak for what the first does; one that was not seen speaks against it.
    doubts : for each of the others that does not, by number, a call that tells them apart.
    lost : a call from which the first one returns no value, or one of another type, and the unedited code did; or that
        makes NaN or infinity, or changes an array that it is given, and did not before.
    unsure : a call of which the first one makes NaN or infinity, where the unedited code comes to nothing at all.
    """

    order: tuple[int, ...]
    agreement: float
    doubts: Mapping[int, Doubt]
    lost: Doubt | None = None
    unsure: Doubt | None = None


def elect(
    behaviours: Sequence[Behaviour | None],
    costs: Sequence[float],
    places: Sequence[Hashable],
    before: Behaviour | None = None,
    unedited: Behaviour | None = None,
) -> Election | None:
    """Rank edits by how they behave; None where there is nothing to go by.

    Parameters
    ----------
    behaviours : of each edit; None where it was not seen.
    costs : lower is more likely; each unit halves the weight of a vote.
    places : where each edit is made: two spellings of one edit are one voice.
    before : how the unedited code behaves on the calls of green tests, and on calls like those.
    unedited : the same on any calls: wrong as its values may be, where it kept to numbers and changed no array that it
        was given, an edit should too.
    """
    seen = [n for n, behaviour in enumerate(behaviours) if behaviour]
    calls = _shared([behaviours[n] or {} for n in seen])
    if not calls:
        return None
    shows = {n: tuple((behaviours[n] or {})[call] for call in calls) for n in seen}
    weights = dict.fromkeys(seen, 0.0)
    for at in {(places[n], shows[n]) for n in seen}:
        cheapest = min((n for n in seen if (places[n], shows[n]) == at), key=lambda n: (costs[n], n))
        weights[cheapest] = 2.0 ** -costs[cheapest]
    usual = _usual(shows, weights, len(calls))
    was = [_type((before or {}).get(call)) for call in calls]
    clean = [(unedited or {}).get(call, _NOTHING).how == VALUE for call in calls]
    proper = [any(shown[at].how == VALUE for shown in shows.values()) for at in range(len(calls))]
    faults = {
        n: _faults(shown, usual)
        + _faults(shown, was)
        + _strays(shown, STRAY, clean)
        + _strays(shown, STRAY[:1], proper)
        for n, shown in shows.items()
    }
    support: dict[tuple[Show, ...], float] = {}
    for n in seen:
        support[shows[n]] = support.get(shows[n], 0.0) + weights[n]
    order = sorted(seen, key=lambda n: (faults[n], -support[shows[n]], costs[n], n))
    best = shows[order[0]]
    doubts = {n: _apart(calls, best, shows[n]) for n in order if shows[n] != best}
    unseen = [n for n in range(len(behaviours)) if n not in shows]
    voices = [n for n in seen if weights[n]]
    agreement = sum(shows[n] == best for n in voices) / (len(voices) + len(unseen))
    lost = _lost(calls, best, before or {}) or _strayed(calls, best, STRAY, (VALUE,), unedited or {})
    unsure = _strayed(calls, best, STRAY[:1], (RAISED, ENDLESS), unedited or {})
    return Election((*order, *sorted(unseen, key=lambda n: (costs[n], n))), agreement, doubts, lost, unsure)


def _shared(behaviours: Sequence[Behaviour]) -> list[str]:
    """Calls that each of them was seen to make."""
    first, *others = behaviours or [{}]
    return [call for call in first if all(call in other for other in others)]


def _usual(shows: Mapping[int, Sequence[Show]], weights: Mapping[int, float], calls: int) -> list[str]:
    """The type that most return from each call; empty where there is no majority for one."""
    found: list[str] = []
    whole = sum(weights.values())
    for at in range(calls):
        speak: dict[str, float] = {}
        for n, shown in shows.items():
            speak[_type(shown[at])] = speak.get(_type(shown[at]), 0.0) + weights[n]
        most = max(speak, key=lambda kind: speak[kind])
        found.append(most if speak[most] > whole / 2 else "")
    return found


def _type(show: Show | None) -> str:
    """What type of value came back; empty where none did, or None."""
    return show.type if show is not None and show.how in (VALUE, CHANGED) and show.type != "NoneType" else ""


def _faults(shown: Sequence[Show], expected: Sequence[str]) -> int:
    """On how many calls something is raised, nothing comes back, or another type, where a value is expected."""
    return sum(bool(want) and _type(show) != want for show, want in zip(shown, expected, strict=True))


def _strays(shown: Sequence[Show], how: Sequence[str], avoided: Sequence[bool]) -> int:
    """On how many calls it ends in one of these ways, where that can be avoided."""
    return sum(show.how in how and can for show, can in zip(shown, avoided, strict=True))


def _apart(calls: Sequence[str], one: Sequence[Show], other: Sequence[Show]) -> Doubt:
    """The shortest call that tells two behaviours apart, one to which both return a value first."""
    differing = [n for n in range(len(calls)) if one[n] != other[n]]
    at = min(differing, key=lambda n: (one[n].how != VALUE or other[n].how != VALUE, len(calls[n]), n))
    return Doubt(calls[at], one[at].said, other[at].said)


def _lost(calls: Sequence[str], shown: Sequence[Show], before: Behaviour) -> Doubt | None:
    """The shortest call from which a value came back before, and none does now, or another type."""
    was = [(call, show, before[call]) for call, show in zip(calls, shown, strict=True) if call in before]
    lost = [row for row in was if _type(row[2]) and _type(row[1]) != _type(row[2])]
    if not lost:
        return None
    call, now, then = min(lost, key=lambda row: (len(row[0]), row[0]))
    return Doubt(call, now.said, then.said)


def _strayed(
    calls: Sequence[str], shown: Sequence[Show], now: Sequence[str], then: Sequence[str], unedited: Behaviour
) -> Doubt | None:
    """The shortest call that ends in one of these ways now, and ended in one of those before."""
    rows = [(call, show, unedited[call]) for call, show in zip(calls, shown, strict=True) if call in unedited]
    strayed = [(call, show, was) for call, show, was in rows if show.how in now and was.how in then]
    if not strayed:
        return None
    call, show, was = min(strayed, key=lambda row: (len(row[0]), row[0]))
    return Doubt(call, show.said, was.said)


def confidence(
    failing: int, alternatives: int, agreement: float | None, *, lost: bool = False, unsure: bool = False
) -> str:
    """How far to trust that passing tests mean a right edit.

    Measured on broken programs with hidden references: one failing test is little to go by, and so is disagreement.

    Parameters
    ----------
    failing : tests that failed before, and of which the edit mends each.
    alternatives : other edits that pass them.
    agreement : the share that behaves as the chosen edit does; None: not seen.
    lost : the edit takes away what the code could do before.
    unsure : other tests still fail, or numbers get lost where nothing says whether they must.
    """
    if lost:
        return LOW
    if unsure:
        return min(MEDIUM, confidence(failing, alternatives, agreement), key=(LOW, MEDIUM, HIGH).index)
    if not alternatives:
        return HIGH if failing > 1 else MEDIUM
    if agreement is None:
        return MEDIUM if failing > 1 else LOW
    if agreement > _MANY:
        return HIGH if failing > 1 else MEDIUM
    return LOW if failing <= 1 or agreement <= _FEW else MEDIUM
