"""Learn from tests what a function that is not written yet must give, and look for expressions that give it.

Runs in a fork. Values never leave it: what goes back are texts and counts.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import json
import math
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from .bounds import refuse_harm
from .examples import Call, Recorder
from .expressions import RAISED, Bench, Expression, atom
from .items import ENDLESS, PASSED
from .lifting import lift
from .setup import REAL
from .solve import Example, Solver, guards, refusals
from .values import key_of, kind_of, numpy
from .vocabulary import NUMBERS, QUESTIONS, ROWS, TEXTS, Operation, arrays, mathematics

CALL = "__bitnet_tui_call__"
_MOST_RUNS = 24
_MOST_EXAMPLES = 16
_MOST_CALLS = 400
_NOT_RAISED = re.compile(r"DID NOT RAISE (?!any of)(?:<class ')?(?:\w+\.)*(\w+)")
_SMALL = (("0", 1), ("1", 1), ("2", 1), ("-1", 1), ("10", 3), ("127", 4), ("255", 4))
_POWERS = tuple((str(1 << n), 3 if n < 5 else 4) for n in (2, 3, 4, 5, 6, 7, 8))
_STRINGS = (('""', 2), ('" "', 2), ('"-"', 3), ('","', 3), ('"_"', 3))
_HELPERS = 8


class Learner:
    """The tests of a process, run once against stand-ins.

    Parameters
    ----------
    trials : the tests and how to run them.
    """

    def __init__(self, trials: Any, request: dict[str, Any], out: Any) -> None:
        self._trials = trials
        self._request = request
        self._out = out
        self._until = time.monotonic() + request["seconds"]
        self.by_stub: dict[str, dict[Any, Example]] = {}
        self.calls_of: dict[int, list[str]] = {}

    def say(self, **words: Any) -> None:
        self._out.write(json.dumps(words) + "\n")
        self._out.flush()

    def watch(self) -> None:
        """Run the tests and gather what they ask for."""
        for patch in self._request["patches"]:
            self._trials.images.swap(*patch)
        wanted = [at for at in self._request["tests"] if at in self._trials.items]
        modules = {self._trials.items[at].module for at in wanted if hasattr(self._trials.items[at], "module")}
        modules |= {m for m in list(sys.modules.values()) if _real(getattr(m, "__file__", None)) in REAL}
        for module in modules:
            lift(module)
        for at in wanted:
            if time.monotonic() > self._until:
                break
            calls = self._run(at)
            self.calls_of[at] = sorted({call.stub for call in calls})
            for call in calls:
                self._take(call)
            if self._trials.runner.dirty:
                break

    def _run(self, at: int) -> list[Call]:
        """One test, again and again with other answers, for as long as that gets it further."""
        flipped: set[int] = set()
        replies: dict[int, Any] = {}
        options: dict[int, list[Any]] = {}
        calls: list[Call] = []
        for _ in range(_MOST_RUNS):
            recorder = Recorder(flipped, replies)
            setattr(builtins, CALL, recorder.call)
            ending = self._trials.runner.run(self._trials.items[at], 2.0, 1_000_000)
            calls = recorder.calls[:_MOST_CALLS]
            if ending.code in (PASSED, ENDLESS) or not calls:
                return calls
            what, number = recorder.last
            if what == "ask" and number not in flipped and ending.kind == "AssertionError":
                flipped.add(number)
                continue
            if what == "ask":
                if calls[-1].claims:
                    calls[-1].claims.pop()  # neither yes nor no helps: it is not known what was meant
                return calls
            if number not in options:
                options[number] = [
                    *_exceptions(ending.text, getattr(self._trials.items[at], "module", None)),
                    True,
                    False,
                    None,
                ]
            if not options[number]:
                del calls[number:]
                return calls
            replies[number] = options[number].pop(0)
        return calls

    def _take(self, call: Call) -> None:
        if call.raises is None and not call.claims:
            return
        examples = self.by_stub.setdefault(call.stub, {})
        key = tuple((name, key_of(value)) for name, value in call.given.items())
        example = examples.get(key)
        if example is None:
            if len(examples) >= _MOST_EXAMPLES:
                return
            example = examples[key] = Example(call.given)
        example.claims += call.claims
        example.wanted += call.wanted
        example.near += call.near
        if call.raises is not None:
            example.raises = call.raises.__name__

    def facts(self, stub: str) -> dict[str, Any]:
        """What is known of one function, without its values."""
        examples = list(self.by_stub.get(stub, {}).values())
        kinds: dict[str, list[str]] = {}
        for example in examples:
            for name, value in example.given.items():
                kinds.setdefault(name, [])
                kinds[name] += [kind_of(value)] if kind_of(value) not in kinds[name] else []
        print_of = hashlib.sha256(repr([*self.by_stub.get(stub, {})]).encode("utf-8", "replace")).hexdigest()[:16]
        return {
            "stub": stub,
            "examples": len(examples),
            "claims": sum(len(example.claims) for example in examples),
            "kinds": kinds,
            "wanted": sorted({kind_of(value) for example in examples for value in example.wanted}),
            "raises": sorted({example.raises for example in examples} - {""}),
            "refused": refusals(examples),
            "print": print_of,
        }

    def solve(self, wish: dict[str, Any]) -> None:
        """Look for expressions for one function."""
        examples = list(self.by_stub.get(wish["stub"], {}).values())
        valued = [example for example in examples if not example.raises]
        space = self._space(wish)
        operations = tuple(_operations(space, wish, self._trials.steps))
        until = time.monotonic() + wish["seconds"]
        bad = [bool(example.raises) for example in examples]
        tests: list[str] = []
        if any(bad) and not all(bad) and not refusals(examples):
            bench = Bench(list(_start(examples, wish, space)), operations, min(until, time.monotonic() + 2.0), 4000)
            asked: list[Expression] = []
            bench.watch = lambda e: asked.append(e) if e.kind == "bool" else None
            while bench.cost < 4 and not bench.spent:
                bench.grow()
            tests = guards(examples, bad, asked)
        said = [time.monotonic()]

        def pulse(tried: int) -> None:
            if time.monotonic() - said[0] > 0.3:
                said[0] = time.monotonic()
                self.say(tried=tried, stub=wish["stub"])

        solver = Solver(valued, list(_start(valued, wish, space)), operations, until, pulse)
        refuse_harm()
        if valued:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                solver.run()
        found = [[text, cost, solver.chance(kept)] for cost, text, kept in solver.found]
        self.say(found=found, guards=tests, stub=wish["stub"], tried=solver.tried)

    def _space(self, wish: dict[str, Any]) -> dict[str, Any]:
        """The names of the module the function is in, as its code sees them."""
        path = os.path.realpath(os.path.join(self._trials.root, wish["path"]))
        for module in list(sys.modules.values()):
            if _real(getattr(module, "__file__", None)) == path:
                return vars(module)
        return {}


def _exceptions(text: str, module: Any) -> Iterator[type[BaseException]]:
    """The exception a test waited for, under the name the test or Python has for it."""
    for name in _NOT_RAISED.findall(text):
        found = getattr(module, name, None) or getattr(builtins, name, None)
        if isinstance(found, type) and issubclass(found, Exception):
            yield found


def _real(path: Any) -> str:
    return os.path.realpath(path) if isinstance(path, str) else ""


def _start(examples: Sequence[Example], wish: dict[str, Any], space: dict[str, Any]) -> Iterator[Expression]:
    """Parameters, attributes of the object, constants of the module, and small numbers."""
    if not examples:
        return
    names = [name for name in examples[0].given if all(name in example.given for example in examples)]
    for name in names:
        values = [example.given[name] for example in examples]
        if name == wish["self"]:
            shared = [set(getattr(value, "__dict__", ())) for value in values]
            for attribute in sorted(set.intersection(*shared)):
                text = f"{name}.{attribute}"
                yield atom(text, [getattr(value, attribute) for value in values], 1, uses=text)
        else:
            yield atom(name, values, 1, uses=name)
    texts = any(kind_of(v) in ("str", "list") for e in examples for v in [*e.given.values(), *e.wanted])
    said = [(text, 1) for text in wish["constants"]]
    nothing = (("None", 2),) if any(v is None for e in examples for v in e.wanted) else ()
    for text, cost in (*said, *nothing, *_SMALL, *_POWERS, *(_STRINGS if texts else ())):
        yield atom(text, [ast.literal_eval(text)] * len(examples), cost, constant=True)
    for name in wish["names"]:
        value = space.get(name)
        if kind_of(value) in ("int", "float", "str", "list", "tuple", "dict", "array"):
            yield atom(name, [value] * len(examples), 1, constant=True)


def _operations(space: dict[str, Any], wish: dict[str, Any], steps: Any) -> Iterator[Operation]:
    yield from (*NUMBERS, *QUESTIONS, *TEXTS, *ROWS)
    if wish["numpy"] and numpy() is not None:
        yield from arrays(numpy(), wish["numpy"])
    if wish["math"]:
        yield from mathematics(math, wish["math"])
    letters = {"int": "N", "float": "N", "str": "S", "list": "L", "array": "A"}
    kinds = {letters[kind] for kinds in wish["kinds"].values() for kind in kinds if kind in letters}
    for name, count in wish["helpers"][:_HELPERS]:
        function = space.get(name)
        if callable(function) and count in (1, 2):
            for letter in sorted(kinds):
                places = ", ".join("{%d}" % n for n in range(count))  # noqa: UP031 - braces in an f-string read worse
                yield Operation(f"{name}({places})", letter * count, _bounded(function, steps), 2)


def _bounded(function: Any, steps: Any) -> Any:
    """A function of the project, which may loop for ever on values it was not made for."""

    def call(*args: Any) -> Any:
        steps.refill(20_000)
        return function(*args)

    return call


def learn(trials: Any, request: dict[str, Any], out: Any) -> None:
    """Answer one request."""
    learner = Learner(trials, request, out)
    learner.watch()
    if request["wish"] is not None:
        learner.solve(request["wish"])
        return
    for stub in request["stubs"]:
        facts = learner.facts(stub)
        facts["tests"] = [at for at, stubs in learner.calls_of.items() if stub in stubs]
        learner.say(facts=facts)
    learner.say(beside={str(at): stubs for at, stubs in learner.calls_of.items()})


__all__ = ["CALL", "RAISED", "learn"]
