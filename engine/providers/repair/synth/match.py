"""Choose idioms for a function: by what it is called, how many things it takes and of which kinds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from engine.providers.repair.synth.idiom import KINDS, Idiom
from engine.providers.repair.synth.stubs import Stub, words_of

_NAME, _DOC = 3.0, 1.0
_MOST = 160
_DULL = frozenset({"the", "a", "of", "to", "and", "is", "in", "for", "x", "1", "0", "that", "returns", "return"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What tests showed of a function.

    Attributes
    ----------
    examples : different sets of arguments with something asked of the value.
    kinds : kinds of value each parameter was given.
    wanted : kinds of value the result was compared with.
    raises : exceptions that are wanted for some arguments.
    tests : numbers of the tests that call it.
    trace : equal for equal arguments.
    """

    examples: int
    kinds: Mapping[str, tuple[str, ...]]
    wanted: tuple[str, ...]
    raises: tuple[str, ...]
    tests: frozenset[int]
    trace: str

    def enough(self, stub: Stub) -> bool:
        """Whether the examples are enough to trust an expression that only fits them."""
        return self.examples >= 3 * max(1, len(stub.parameters))


@dataclass(frozen=True, slots=True)
class Match:
    """An idiom, the parameters in its places, and how unlikely it is."""

    idiom: Idiom
    names: tuple[str, ...]
    cost: float


def matches(stub: Stub, facts: Facts, bank: Sequence[Idiom]) -> list[Match]:
    """Idioms that could be the function, the likeliest first."""
    said = words_of(stub.doc) - _DULL
    found: list[tuple[float, int, Match]] = []
    for nth, idiom in enumerate(bank):
        likeness = _NAME * len(stub.words & idiom.words) + _DOC * len((said - stub.words) & idiom.words)
        # An idiom that says much more than the function is one of its special cases.
        likeness -= 0.1 * len(idiom.words - stub.words - said)
        if idiom.gives and facts.wanted and not set(facts.wanted) & _giving(idiom.gives):
            continue
        for names, strange in _places(stub, idiom, facts):
            length = 0.05 * idiom.body.count("\n")
            cost = 1.0 + 3.0 / (1.0 + max(0.0, likeness)) + strange + length + (3.0 if likeness < 1 else 0.0)
            found.append((cost, nth, Match(idiom, names, cost)))
    return [match for _, _, match in sorted(found, key=lambda row: row[:2])[:_MOST]]


def _places(stub: Stub, idiom: Idiom, facts: Facts) -> Iterator[tuple[tuple[str, ...], float]]:
    """Parameters for the places of an idiom; those left over must have a default."""
    count = len(idiom.takes)
    spare = len(stub.parameters) - count
    if spare < 0:
        return
    used = tuple(name for name in stub.parameters if name not in stub.optional)
    choices = [stub.parameters] if not spare else [stub.parameters[:count]] if len(used) <= count else []
    for chosen in choices:
        orders = permutations(chosen) if count <= 3 else (chosen,)
        for nth, names in enumerate(orders):
            if all(
                _fits(facts.kinds.get(name, ()), letter) for name, (_, letter) in zip(names, idiom.takes, strict=True)
            ):
                yield names, (0.4 if nth else 0.0) + 1.0 * spare


def _fits(kinds: Sequence[str], letter: str) -> bool:
    allowed = KINDS.get(letter)
    return allowed is None or all(kind in allowed for kind in kinds)


def _giving(letter: str) -> frozenset[str]:
    """Kinds of value that may be compared with what an idiom gives."""
    kinds = KINDS[letter]
    if letter in "NIF":
        return kinds | {"object", "bool"}  # an approximation is an object
    return kinds | {"list", "tuple", "object"} | ({"float", "int"} if letter == "A" else set())
