"""Offer candidates for functions that are still to be written: idioms of the bank first, then made expressions."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from typing import Any

from engine.providers.repair.attempt import Plausible, Situation
from engine.providers.repair.budget import Budget
from engine.providers.repair.edits import Candidate, patches
from engine.providers.repair.lab import Lab
from engine.providers.repair.locate import Spot
from engine.providers.repair.source import Source
from engine.providers.repair.synth.ask import asked
from engine.providers.repair.synth.match import Facts, matches
from engine.providers.repair.synth.stubs import Stub, stubs
from engine.providers.repair.synth.write import candidate
from engine.providers.repair.words import Words
from engine.providers.repair.zygote import Message

Offer = tuple[Candidate, Spot]
_SHARE, _LONGEST = 0.15, 10.0  # of the time left for one function's expressions, and seconds at most
_MOST_STUBS = 40
_ACCIDENT = 2.0  # expressions expected to fit by accident, beyond which one that fits says nothing
_FEW = 2.0  # what an expression costs more where few examples stand behind it


class Synthesis:
    """What is known of the functions that are still to be written, over all rounds.

    Parameters
    ----------
    lab : the warm processes.
    """

    def __init__(self, lab: Lab, budget: Budget) -> None:
        self._lab = lab
        self._budget = budget
        self._facts: dict[str, Facts] = {}
        self._beside: dict[int, frozenset[str]] = {}
        self._made: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
        self._tests: dict[str, list[str]] = {}
        self._stubs: dict[str, Stub] = {}
        self._words: dict[str, Words] = {}
        self._tried = 0

    def offers(self, here: Situation, imported: Mapping[str, frozenset[int]]) -> Iterator[list[Offer]]:
        """Candidates to try, the quickest to have first; nothing where no function is to be written."""
        found = [stub for source in here.sources.values() for stub in stubs(source, imported)]
        wanted = [(stub, tests) for stub in found if (tests := _callers(here, stub))][:_MOST_STUBS]
        self._stubs = {stub.key: stub for stub, _ in wanted}
        if not wanted:
            return
        self._words = {path: Words(source) for path, source in here.sources.items()}
        tests = sorted({at for _, callers in wanted for at in callers})
        self._budget.report("searching", f"synthesis: {len(wanted)} function(s) to write")
        self._learn(here, tests)
        yield self._ordered(self._idioms(here))
        self._express(here, tests)
        yield self._ordered(self._expressions(here))

    def believes(self, found: Plausible, here: Situation) -> bool:
        """Whether a candidate mends all it should: a body that is right for some of the examples is a wrong one."""
        inside = {self._around(c.path, c.line) for c in found.candidates} - {""}
        if not inside:
            return True
        rest = [at for at in here.relevant(found.spot) if at not in found.mended]
        return all(self._beside.get(at, frozenset()) - inside for at in rest)

    def _around(self, path: str, line: int) -> str:
        """The function still to be written that a line lies in."""
        for stub in self._stubs.values():
            if stub.path == path and stub.node.lineno <= line <= (stub.node.end_lineno or 0):
                return stub.key
        return ""

    def _ordered(self, offers: Iterator[Offer]) -> list[Offer]:
        return sorted(offers, key=lambda offer: offer[0].cost)

    def _patches(self, here: Situation) -> list[tuple[str, int, str]]:
        """What makes every function that is to be written tell what it is called with."""
        made: dict[str, list[Candidate]] = {}
        for stub in self._stubs.values():
            text = stub.written(stub.stand_in, "\n")
            made.setdefault(stub.path, []).append(
                Candidate(stub.path, stub.start, stub.end, text, 0, 0.0, "", "", False, stub.unit)
            )
        return [patch for path, edits in made.items() for patch in patches(here.sources[path], edits)]

    def _request(self, here: Situation, tests: list[int], wish: dict[str, Any] | None) -> dict[str, Any]:
        seconds = min(_LONGEST, max(1.0, _SHARE * self._budget.left))
        return {
            "tests": tests,
            "patches": self._patches(here),
            "stubs": sorted(self._stubs),
            "seconds": seconds + (wish["seconds"] if wish else 0.0),
            "wish": wish,
        }

    def _learn(self, here: Situation, tests: list[int]) -> None:
        try:
            asked(self._lab.slots, [self._request(here, tests, None)], self._budget.check, self._heard)
        finally:
            self._lab.pool.stop()

    def _heard(self, message: Message) -> None:
        if "facts" in message:
            facts = message["facts"]
            self._tests[facts["stub"]] = facts["refused"]
            self._facts[facts["stub"]] = Facts(
                facts["examples"],
                {name: tuple(kinds) for name, kinds in facts["kinds"].items()},
                tuple(facts["wanted"]),
                tuple(facts["raises"]),
                frozenset(facts["tests"]),
                facts["print"],
            )
        elif "beside" in message:
            self._beside.update({int(at): frozenset(keys) for at, keys in message["beside"].items()})
        elif "found" in message:
            key = message["stub"]
            self._made[(key, self._facts[key].trace)] = [tuple(row) for row in message["found"]]
            self._tests[key] = message["guards"] or self._tests[key]
            self._tried += message["tried"]
        elif "tried" in message:
            self._say(self._tried + message["tried"])

    def _say(self, tried: int) -> None:
        examples = sum(facts.examples for key, facts in self._facts.items() if key in self._stubs)
        self._budget.report("searching", f"synthesis: {tried} expressions, {examples} examples")

    def _express(self, here: Situation, tests: list[int]) -> None:
        """Have expressions made for the functions whose examples nobody has looked at yet."""
        requests = []
        for stub, facts in self._known():
            if (stub.key, facts.trace) not in self._made:
                mine = [at for at in tests if at in facts.tests]
                requests.append(self._request(here, mine, self._wish(here, stub, facts)))
        try:
            asked(self._lab.slots, requests, self._budget.check, self._heard)
        finally:
            self._lab.pool.stop()
        self._say(self._tried)

    def _wish(self, here: Situation, stub: Stub, facts: Facts) -> dict[str, Any]:
        source = here.sources[stub.path]
        words = self._words[stub.path]
        unwritten = {other.name for other in self._stubs.values()}
        return {
            "stub": stub.key,
            "path": stub.path,
            "self": stub.receiver,
            "constants": stub.constants,
            "names": words.constants,
            "numpy": words.numpy,
            "math": _alias(source, "math"),
            "kinds": dict(facts.kinds),
            "helpers": [[name, count] for name, count in words.functions.items() if name not in unwritten],
            "seconds": min(_LONGEST, max(1.0, _SHARE * self._budget.left)),
        }

    def _guarded(self, stub: Stub, facts: Facts, body: str) -> str:
        """The body, behind the question that tells which arguments are refused."""
        tests = self._tests.get(stub.key, ())
        if len(facts.raises) != 1 or not tests or not self._nameable(stub, facts.raises[0]):
            return body
        return f'if {tests[0]}:\n    raise {facts.raises[0]}("{stub.name}: {_plain(tests[0])}")\n{body}'

    def _nameable(self, stub: Stub, exception: str) -> bool:
        """Whether an exception has a name where the function is."""
        words = self._words[stub.path]
        classes = [n.name for n in words.source.tree.body if isinstance(n, ast.ClassDef)]
        return hasattr(builtins, exception) or exception in words.imported or exception in classes

    def _idioms(self, here: Situation) -> Iterator[Offer]:
        from engine.providers.repair.synth.idioms import IDIOMS

        uses_numpy = any(words.numpy for words in self._words.values())
        for stub, facts in self._known():
            source = here.sources[stub.path]
            name = self._words[stub.path].numpy
            arrays = uses_numpy or any("array" in kinds for kinds in facts.kinds.values())
            for match in matches(stub, facts, IDIOMS):
                if match.idiom.numpy and not name and not arrays:
                    continue
                body = self._guarded(stub, facts, match.idiom.filled(match.names, name))
                importing = match.idiom.numpy and not name
                made = candidate(
                    source, stub, body, match.cost, _behind(facts, sure=facts.examples >= 2), importing=importing
                )
                yield made, stub.spot(facts.tests)

    def _expressions(self, here: Situation) -> Iterator[Offer]:
        for stub, facts in self._known():
            for text, cost, chance in self._made.get((stub.key, facts.trace), ()):
                if chance > _ACCIDENT:
                    continue
                body = self._guarded(stub, facts, f"return {text}")
                sure = facts.enough(stub) and chance < 1
                likely = 2.0 + 0.5 * cost + (0.0 if sure else _FEW)
                made = candidate(here.sources[stub.path], stub, body, likely, _behind(facts, sure=sure))
                yield made, stub.spot(facts.tests)
            if self._tests.get(stub.key):
                yield from (offer for offer in self._idioms(here) if offer[0].line == stub.node.lineno)

    def _known(self) -> Iterator[tuple[Stub, Facts]]:
        """Functions of which there is at least one example."""
        for key, stub in self._stubs.items():
            facts = self._facts.get(key)
            if facts is not None and facts.examples:
                yield stub, facts


def _behind(facts: Facts, *, sure: bool) -> str:
    said = f"{facts.examples} example{'s' if facts.examples != 1 else ''}"
    return said if sure else f"only {said} (low confidence)"


def _callers(here: Situation, stub: Stub) -> list[int]:
    """Red tests that run the function."""
    first, last = stub.node.body[0].lineno, stub.node.end_lineno or stub.node.lineno
    return [at for at in here.red if at in here.seen and here.seen[at].runs(stub.path, first, last)]


def _alias(source: Source, module: str) -> str:
    for node in source.tree.body:
        for name in node.names if isinstance(node, ast.Import) else ():
            if name.name == module:
                return name.asname or name.name
    return ""


def _plain(text: str) -> str:
    return text.replace("\\", "").replace('"', "'")
