"""Watch tests and try candidates where forking is not safe: each in a process that is good for nothing else.

Slow, and so the last resort: a process has to start and to collect the tests before it can answer one question.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

from engine.providers.repair.budget import Stopped
from engine.providers.repair.observe import Seen, seen_from
from engine.providers.repair.pool import Pool, wire
from engine.providers.repair.slot import Slot, greet
from engine.providers.repair.trial import ENDLESS, Sign, Trial, Verdict
from engine.providers.repair.zygote import Gone, Message, Zygote

_START_S = 60.0  # a process that has not collected by then never will


class Silent(Exception):
    """A process has said nothing for too long."""


class Fresh(Pool):
    """A pool in which nothing is shared between trials but the files on disk."""

    def __init__(self, slots: list[Slot], check: Callable[[], None], patience: float) -> None:
        super().__init__(slots, check, patience)
        self._ask = check

    def run(self, trials: Iterator[Trial]) -> Iterator[tuple[Trial, Verdict]]:
        """Verdicts in order, as many at a time as there are copies of the project."""
        source = iter(trials)
        with _Crew(self.slots) as crew:
            waiting: deque[tuple[Trial, Future[Verdict]]] = deque()
            while True:
                self._ask()
                while len(waiting) < len(self.slots) and (trial := next(source, None)) is not None:
                    waiting.append((trial, crew.begin(self._verdict, trial)))
                if not waiting:
                    return
                if waiting[0][1].done():
                    trial, future = waiting.popleft()
                    yield trial, future.result()
                else:
                    time.sleep(0.01)

    def stop(self) -> None:
        """Nothing outlives a call of `run`."""

    def trace(
        self, tests: Sequence[int], ask: Callable[[list[int]], Message], until: float | None = None
    ) -> dict[int, Seen]:
        """Run tests once under the tracer; ``ask`` makes the request for those that are left."""
        share = -(-len(tests) // max(1, len(self.slots)))
        parts = [list(tests[at : at + share]) for at in range(0, len(tests), max(1, share))]
        found: dict[int, Seen] = {}
        with _Crew(self.slots) as crew:
            futures = [crew.begin(self._watch, part, ask, until, found) for part in parts]
            while not all(future.done() for future in futures):
                self._ask()
                time.sleep(0.01)
        for future in futures:
            future.result()
        return found

    def _verdict(self, slot: Slot, check: Callable[[], None], trial: Trial) -> Verdict:
        request = {"op": "try", "batch": 0, "sentinels": [], "trials": [wire(0, trial)]}
        messages = self._answers(slot, check, request, early=trial.early)
        answer = next((message for message in messages if "trial" in message), None)
        if answer is None:
            return Verdict("crashed", {})
        if answer["how"] == "unfit" and not trial.early:
            return self._verdict(slot, check, replace(trial, early=True))
        ends = {int(at): Sign(*sign) for at, sign in answer["ends"].items()}
        return Verdict(answer["how"], ends, answer["broke"])

    def _watch(
        self,
        slot: Slot,
        check: Callable[[], None],
        rest: list[int],
        ask: Callable[[list[int]], Message],
        until: float | None,
        found: dict[int, Seen],
    ) -> None:
        while rest and (until is None or time.monotonic() < until):
            request = ask(rest)
            messages = self._answers(slot, check, request, early=False)
            for message in messages:
                if "test" in message:
                    found[message["test"]] = seen_from(message)
                    del rest[: rest.index(message["test"]) + 1]
            if rest and not any("done" in message for message in messages):
                found[rest[0]] = Seen(Sign(ENDLESS, "", 0, -1), (), "the process died", {}, 0.0, 0)
                del rest[0]
            elif not any("test" in message for message in messages):
                return  # what is left is not collected here

    def _answers(self, slot: Slot, check: Callable[[], None], request: Message, *, early: bool) -> list[Message]:
        """What one process says to one request until it is done, dies or falls silent."""
        zygote = Zygote(
            slot.scratch, tests=slot.tests, whole=slot.whole, editable=slot.task.editable, early=early, once=True
        )
        messages: list[Message] = []
        try:
            greet(zygote, _until(check, _START_S))
            if slot.knowledge is not None:
                zygote.send(slot.knowledge)
            zygote.send({"patience": self.patience, **request})
            last = time.monotonic()
            while not any("done" in message for message in messages):
                check()
                if heard := zygote.receive():
                    messages += heard
                    last = time.monotonic()
                elif time.monotonic() - last > max(self.patience, request.get("patience", 0.0)):
                    break
                else:
                    time.sleep(0.005)
        except (Gone, Silent):
            pass  # what it has said counts, what it has not is for the caller to judge
        finally:
            zygote.close()
        return messages


def _until(check: Callable[[], None], seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def both() -> None:
        check()
        if time.monotonic() > end:
            raise Silent

    return both


class _Crew:
    """Threads that each take a free copy of the project for as long as a question needs; all end with the block."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._free: SimpleQueue[Slot] = SimpleQueue()
        for slot in slots:
            self._free.put(slot)
        self._over = threading.Event()
        self._threads = ThreadPoolExecutor(max(1, len(slots)))

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def begin(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Ask in a thread."""
        return self._threads.submit(self._with_slot, function, args)

    def _with_slot(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        slot = self._free.get()
        try:
            return function(slot, self._check, *args)
        finally:
            self._free.put(slot)

    def _check(self) -> None:
        if self._over.is_set():
            raise Stopped("nobody waits for it any more")
