"""Whether a program answers as its reference does, over many inputs no test has. Run in a child: what it runs may hang.

Inputs come from a generator by the program's name, else they are the inputs of its tests with small changes that keep
types and ranges. What the reference refuses is left out. Prints one JSON object.

Run: python judge.py PROGRAM.json
({"name", "function", "reference", "candidate", "check", "inputs", "generated", "root"})
"""

from __future__ import annotations

import copy
import inspect
import json
import math
import resource
import signal
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from inputs import GENERATORS

CASES, CALL_S = 400, 1.0
MOST_LATE = 5  # calls of the reference that do not end soon: inputs like these say no more
REFUSED = "refused"


class Late(BaseException):
    """A call takes too long."""


def answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """What a call gives, in a form that compares: an exception is its kind."""

    def ring(*_: object) -> None:
        raise Late

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, CALL_S, 0.2)
    try:
        return plain(function(*arguments))
    except Exception as error:  # noqa: BLE001  # whatever it raises is its answer
        return (REFUSED, type(error).__name__)
    except Late:
        return (REFUSED, "late")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def plain(value: Any) -> Any:
    """Generators become lists, nodes their values, a chain of nodes the chain of values."""
    if isinstance(value, types.GeneratorType | map | filter | zip | range):
        return [plain(v) for v, _ in zip(value, range(100_000), strict=False)]
    if hasattr(value, "dtype"):
        return ("array", value.dtype.str, value.tolist()) if value.ndim else value.item()
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, set | frozenset):
        return frozenset(plain(v) for v in value)
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    if hasattr(value, "successor"):
        chain, seen = [], set()
        while value is not None and id(value) not in seen:
            seen.add(id(value))
            chain.append(value.value)
            value = value.successor
        return ("nodes", *chain)
    return value


def same(one: Any, other: Any) -> bool:
    """Equal, numbers up to rounding."""
    if isinstance(one, float) or isinstance(other, float):
        numbers = isinstance(one, int | float) and isinstance(other, int | float)
        return numbers and (math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12) or (one != one and other != other))
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(v, other[k]) for k, v in one.items())
    return bool(one == other)


def changed(value: Any, r: Random) -> Any:
    """A value of the same type, near this one."""
    if isinstance(value, bool):
        return r.random() < 0.5
    if isinstance(value, int):
        near = r.choice([value + 1, value - 1, value * 2, value // 2, r.randint(min(0, value), abs(value) + 2), value])
        return near if value < 0 else abs(near)
    if isinstance(value, float):
        near = r.choice([value + 1.0, value - 1.0, value * 1.5, value / 2, round(value), value]) * 1.0
        return near if value < 0 else abs(near)
    if isinstance(value, str):
        return "".join(_rows(list(value), r))
    if isinstance(value, list):
        rows = _rows(value, r)
        return [changed(v, r) if r.random() < 0.4 else v for v in rows]
    if isinstance(value, tuple):
        return tuple(changed(v, r) for v in value)
    if isinstance(value, dict):
        return {k: changed(v, r) for k, v in value.items() if r.random() < 0.8}
    return value


def _rows(rows: list[Any], r: Random) -> list[Any]:
    rows = list(rows)
    for _ in range(r.randint(0, 3)):
        how = r.randrange(4)
        if rows and how == 0:
            del rows[r.randrange(len(rows))]
        elif rows and how == 1:
            rows.insert(r.randrange(len(rows) + 1), r.choice(rows))
        elif rows and how == 2:
            r.shuffle(rows)
        elif rows:
            i, j = r.randrange(len(rows)), r.randrange(len(rows))
            rows[i], rows[j] = rows[j], rows[i]
    return rows


def recorded(check: str, reference: Callable[..., Any]) -> list[tuple[Any, ...]]:
    """The arguments a test calls the program with."""
    found: list[tuple[Any, ...]] = []

    def recorder(*arguments: Any, **named: Any) -> Any:
        given = inspect.signature(reference).bind(*arguments, **named) if named else None
        found.append(copy.deepcopy(given.args if given is not None else arguments))
        return reference(*arguments, **named)

    # The test may call what else the program defines.
    space: dict[str, Any] = dict(getattr(reference, "__globals__", {}))
    exec(check, space)
    space["check"](recorder)
    return found


def cases(task: dict[str, Any], reference: Callable[..., Any]) -> Iterator[Callable[[], tuple[Any, ...]]]:
    """Makers of arguments: both programs get their own."""
    name = task["name"]
    if task["inputs"]:
        import numpy as np

        space = {"np": np, "math": math}
        for seed in range(CASES):
            yield lambda seed=seed: eval(task["inputs"], {**space, "r": Random(f"{name} {seed}")})
        return
    if task["generated"]:
        for seed in range(CASES):
            yield lambda seed=seed: GENERATORS[name](Random(f"{name} {seed}"))
        return
    found = recorded(task["check"], reference)
    for arguments in found:
        yield lambda arguments=arguments: copy.deepcopy(arguments)
    for seed in range(CASES):
        r = Random(f"{name} {seed}")
        arguments = tuple(changed(v, r) for v in r.choice(found))
        yield lambda arguments=arguments: copy.deepcopy(arguments)


def judge(task: dict[str, Any]) -> dict[str, Any]:
    """How many inputs were answered alike, and one that was not."""
    functions = []
    for text in (task["reference"], task["candidate"]):
        module = types.ModuleType("program")
        sys.modules["program"] = module  # dataclasses look there for what their annotations mean
        exec(compile(text, "program", "exec"), vars(module))
        functions.append(eval(task["function"], vars(module)))
    tried, alike, late, example = 0, 0, 0, ""
    for make in cases(task, functions[0]):
        right = answer(functions[0], make())
        if isinstance(right, tuple) and right[:1] == (REFUSED,):
            late += right == (REFUSED, "late")
            if late > MOST_LATE:
                break
            continue
        got = answer(functions[1], make())
        tried += 1
        ok = same(right, got)
        if task["name"] == "sqrt" and not ok and isinstance(got, float):  # any root within epsilon is right
            x, epsilon = make()
            ok = abs(x - got**2) <= epsilon
        alike += ok
        if not ok and not example:
            example = f"{make()!r:.150}: {right!r:.80}, got {got!r:.80}"
    return {"tried": tried, "alike": alike, "example": example}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    sys.setrecursionlimit(3000)
    asked = json.loads(Path(sys.argv[1]).read_text())
    sys.path.insert(0, asked["root"])
    print(json.dumps(judge(asked)))
