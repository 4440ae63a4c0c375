"""Ask warm processes how edits behave beyond the tests: on the arguments the tests call with, and on others like them.

It takes down what is shown; what to make of it is decided in `vote`.
"""

from __future__ import annotations

import ast
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.providers.repair.pool import Pool
from engine.providers.repair.slot import Slot
from engine.providers.repair.source import Source
from engine.providers.repair.trial import Trial
from engine.providers.repair.vote import Behaviour, Show
from engine.providers.repair.zygote import Gone, Message, Zygote

_ROOM = 20_000  # steps for one call: more than a test of a small function takes
_MOST = 200_000  # for all calls of one edit
_CALL_S = 0.3
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every edit alike.

    Attributes
    ----------
    tests : run to see what they call.
    wanted : the functions of interest, as ``path:name``; none: whatever tests call in editable files.
    """

    tests: tuple[int, ...]
    wanted: tuple[str, ...]
    seed: int


def observed(
    pool: Pool, trials: Sequence[Trial], question: Question, *, check: Callable[[], None], until: float
) -> list[Behaviour | None]:
    """How each trial's edit behaves, in the order given; None where that was not seen before the time ``until``."""
    answers: list[Behaviour | None] = [None] * len(trials)
    waiting = deque(enumerate(trials))
    asked: dict[Zygote, tuple[Slot, int, dict[str, Show]]] = {}
    try:
        while (waiting or asked) and time.monotonic() < until:
            check()
            for slot in pool.slots if waiting else ():
                if slot.busy is None and waiting:
                    index, trial = waiting.popleft()
                    zygote = slot.ready(early=trial.early, check=check)
                    zygote.send(_request(trial, question))
                    zygote.busy = True
                    asked[zygote] = (slot, index, {})
            for zygote, (slot, index, shows) in list(asked.items()):
                if _heard(zygote, slot, shows):
                    del asked[zygote]
                    answers[index] = shows or None
            time.sleep(0.002)
    finally:
        pool.stop()
    return answers


def _heard(zygote: Zygote, slot: Slot, shows: dict[str, Show]) -> bool:
    """Take in what has arrived; whether that was all."""
    try:
        messages = zygote.receive()
    except Gone:
        slot.lost(zygote)
        return True
    for message in messages:
        if "show" in message:
            call, *said = message["show"]
            shows[call] = Show(*said)
        elif "done" in message:
            zygote.busy = False
            return True
    return False


def _request(trial: Trial, question: Question) -> Message:
    return {
        "op": "behave",
        "batch": 0,
        "patience": _PATIENCE_S,
        "trial": {
            "early": trial.early,
            "patches": [] if trial.early else list(trial.patches),
            "sources": dict(trial.sources) if trial.early else {},
            "tests": list(question.tests),
            "guard": [],
        },
        "tests": list(question.tests),
        "wanted": list(question.wanted),
        "seed": question.seed,
        "seconds": _CALL_S,
        "room": _ROOM,
        "most": _MOST,
    }


def function_name(source: Source, node: ast.AST) -> str:
    """The function an edit lies in, as ``path:name`` the way Python calls it; empty where it lies in none."""
    function = source.outermost(node)
    if function is None:
        return ""
    classes = [holder.name for holder in source.above(function) if isinstance(holder, ast.ClassDef)]
    return f"{source.path}:{'.'.join([*reversed(classes), function.name])}"
