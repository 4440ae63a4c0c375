"""Look for expressions that give what the examples want: one for all of them, or two and a question between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from .expressions import RAISED, Bench, Expression
from .loops import looped
from .values import close, key_of, kind_of
from .vocabulary import ONLY_FOR, Operation

MOST = 100_000
HIGHEST = 9  # cost beyond which nothing is believed any more
ENOUGH = 12  # solutions after which one stops
_LOOP_AT = 4  # cost reached before one looks into the items of things
_LOOK_ON = 5  # cost up to which one looks for something simpler than what was found
_DEAREST = 12  # cost beyond which two arms and a question fit by accident
_TRUTHS = ("list", "tuple", "str", "dict")  # a parameter of these kinds is a question by itself
_BITS = {"bool": 1, "none": 1, "int": 4, "float": 5}  # what one example tells, by the kind of value; others: 8
_REFUSED: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("{} == 0", lambda value: kind_of(value) in ("int", "float") and value == 0),
    ("{} < 0", lambda value: value < 0),
    ("{} <= 0", lambda value: value <= 0),
    ("not {}", lambda value: kind_of(value) in ("str", "list", "tuple", "dict") and not value),
    ("{} is None", lambda value: value is None),
)
_UNUSED = 30  # how much likelier it is an accident that fits, for each parameter it ignores
_SOURCES = 6
_LOOP_SHARE = 0.6  # of the time left, for all of them
_ARMS, _QUESTIONS = 40, 400
_ALIKE = ({"int", "float", "bool"}, {"list", "tuple", "array", "range"}, {"array", "float", "int"})


class Example:
    """One set of arguments and what is wanted for it.

    Attributes
    ----------
    claims : what must hold of the value: (what to make of it, how its truth must be).
    wanted : values it was compared with as a whole.
    near : values it has to be near, with tolerances: a quick look before claims that take long.
    raises : name of the exception that is wanted instead of a value, or empty.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.claims: list[tuple[Callable[[Any], Any], bool]] = []
        self.wanted: list[Any] = []
        self.near: list[tuple[Any, float, float]] = []
        self.raises = ""

    def fits(self, value: Any) -> bool:
        """Whether a value is what every claim asks for."""
        if value is RAISED:
            return False
        try:
            return all(close(value, *near) for near in self.near) and all(
                bool(get(value)) is yes for get, yes in self.claims
            )
        except Exception:  # noqa: BLE001 - a value of another kind may fail any claim in any way
            return False


class Solver:
    """The search for one function.

    Parameters
    ----------
    examples : those in which a value is wanted.
    start : what expressions may begin with: parameters and constants.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        start: Sequence[Expression],
        operations: Sequence[Operation],
        until: float,
        pulse: Callable[[int], None],
        most: int = MOST,
    ) -> None:
        self._examples = examples
        self._start = start
        self._kinds = _kinds(examples)
        wanted = self._kinds or set().union(*ONLY_FOR.values())
        self._operations = [op for op in operations if wanted & ONLY_FOR.get(op.form, wanted)]
        self._until = until
        self._bench = Bench(start, self._operations, until, most)
        self._bench.watch = self._look
        self._bench.pulse = lambda: pulse(self.tried)
        self._looped = 0
        self._counts: dict[int, int] = {}
        self._full = (1 << len(examples)) - 1
        self._by_mask: dict[int, Expression] = {}
        self.found: list[tuple[int, str, int]] = []
        self.questions: list[Expression] = []

    @property
    def tried(self) -> int:
        """Expressions made so far."""
        return self._bench.tried + self._looped

    def run(self) -> None:
        """Go up in cost until something is found, or it is not worth going on."""
        while self._bench.cost < HIGHEST and not self._bench.spent:
            self._bench.grow()
            self._counts[self._bench.cost] = self._bench.kept
            if self._bench.cost == _LOOP_AT and not self.found:
                self._into_items()
            if self._bench.cost >= 4 and not self.found:
                self._two_arms()
            if self.found and self._bench.cost >= min(_LOOK_ON, min(self.found)[0]):
                break
        if not self.found:
            self._two_arms()
        self.found = sorted(set(self.found))[:ENOUGH]

    def chance(self, others: int) -> float:
        """How many of so many different expressions one would expect to fit the examples by accident."""
        picks = all(_picked(example) for example in self._examples)
        bits = sum(1 if picks else _tells(example) for example in self._examples)
        return float(min(1e6, others / 2.0 ** min(bits, 60)))

    def _look(self, expression: Expression) -> None:
        """Note what a new expression is good for."""
        if expression.kind == "bool" or (expression.cost == 1 and expression.kind in _TRUTHS):
            self.questions.append(expression)
        if self._kinds and expression.kind not in self._kinds and expression.kind not in ("mixed", "partial"):
            return
        mask = 0
        for nth, example in enumerate(self._examples):
            if example.fits(expression.values[nth]):
                mask |= 1 << nth
        if not mask:
            return
        if mask == self._full:
            unused = len(self._parameters() - expression.uses)
            others = self._bench.kept * _UNUSED**unused
            self.found.append((expression.cost + 2 * unused, expression.text, others))
        best = self._by_mask.get(mask)
        if best is None or expression.cost < best.cost:
            self._by_mask[mask] = expression

    def _up_to(self, cost: int) -> int:
        """Different expressions of up to a cost."""
        return self._counts.get(min(cost, self._bench.cost), self._bench.kept)

    def _parameters(self) -> frozenset[str]:
        return frozenset().union(*(part.uses for part in self._start))

    def _into_items(self) -> None:
        """Look at the items of what has any; of counted numbers only where a list is wanted."""
        sources = [e for e in self._bench.all_of("W", 2) if e.kind != "set" and e.uses]
        if not self._kinds & {"list", "object"}:
            sources = [source for source in sources if source.kind != "range"]
        outer = [part for part in self._start if part.cost <= 2 and part.kind in ("int", "float", "str")]
        for nth, source in enumerate(sources[:_SOURCES]):
            share = _LOOP_SHARE * (self._until - time.monotonic()) / (min(len(sources), _SOURCES) - nth)
            until = time.monotonic() + share
            self._looped += looped(source, outer, self._operations, until, self._take)

    def _take(self, expression: Expression) -> None:
        """An expression over items: judged at once, to be built upon when its turn comes."""
        self._look(expression)
        self._bench.add_later(expression)

    def _two_arms(self) -> None:
        """``a if question else b``, where each arm is right for a part of the examples."""
        arms = sorted(self._by_mask.items(), key=lambda row: row[1].cost)[:_ARMS]
        questions: dict[int, Expression] = {}
        for question in self.questions[:_QUESTIONS]:
            mask = sum(1 << nth for nth, value in enumerate(question.values) if value is not RAISED and bool(value))
            questions.setdefault(mask, question)
        for yes, one in arms:
            for no, other in arms:
                if yes | no != self._full or one is other:
                    continue
                for mask, question in questions.items():
                    if mask & ~yes or (self._full & ~mask) & ~no or mask in (0, self._full):
                        continue
                    few = min(bin(mask).count("1"), len(self._examples) - bin(mask).count("1"))
                    cost = one.cost + other.cost + question.cost + 2 + (2 if few < 2 else 0)
                    if cost > _DEAREST:
                        continue
                    unused = len(self._parameters() - one.uses - other.uses - question.uses)
                    text = f"{_arm(one)} if {_arm(question)} else {_arm(other)}"
                    pairs = (
                        self._up_to(one.cost)
                        * self._up_to(other.cost)
                        * min(len(questions), self._up_to(question.cost))
                    )
                    others = pairs * _UNUSED**unused
                    self.found.append((cost + 2 * unused, text, others))


def _tells(example: Example) -> int:
    """How many bits an example tells: little where it only wants a truth."""
    return max((_BITS.get(kind_of(value), 8) for value in example.wanted), default=1)


def _picked(example: Example) -> bool:
    """Whether what is wanted is one of the arguments: it takes but a choice among them."""
    given = [key_of(value) for value in example.given.values()]
    return any(key_of(value) in given for value in example.wanted)


def guards(examples: Sequence[Example], bad: Sequence[bool], questions: Sequence[Expression]) -> list[str]:
    """Questions that are true for the examples that are to raise, and for no other."""
    right = [
        e.text
        for e in questions
        if e.kind == "bool" and [bool(v) if v is not RAISED else None for v in e.values] == list(bad)
    ]
    return right[:3]


def refusals(examples: Sequence[Example]) -> list[str]:
    """Plain questions about one parameter that are true for the examples that are to raise, and for no other."""
    bad = [bool(example.raises) for example in examples]
    if not any(bad) or all(bad):
        return []
    found = []
    for name in examples[0].given:
        for form, ask in _REFUSED:
            try:
                answers = [bool(ask(example.given[name])) for example in examples]
            except Exception:  # noqa: BLE001 - a value the question does not suit
                continue
            if answers == bad:
                found.append(form.format(name))
    return found


def _arm(expression: Expression) -> str:
    return expression.text if expression.holds > 1 else f"({expression.text})"


def _kinds(examples: Sequence[Example]) -> set[str]:
    """Kinds of value that could fit, as far as the examples say; empty: any."""
    wanted = [kind_of(value) for example in examples for value in example.wanted]
    if len({nth for nth, example in enumerate(examples) if example.wanted}) < len(examples):
        return set()
    if any(kind in ("object", "function", "none") for kind in wanted):
        return set()
    found = set(wanted)
    for group in _ALIKE:
        if found & group:
            found |= group
    return found
