"""The warm processes of one search: open them, trace the tests, make an accepted edit the new starting point.

It answers what is asked; which edit to try or keep is decided elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.providers.repair.fresh import Fresh
from engine.providers.repair.observe import Seen, seen_from
from engine.providers.repair.pool import Pool
from engine.providers.repair.scratch import Scratch
from engine.providers.repair.slot import Greeting, Slot, greet
from engine.providers.repair.task import RepairTask
from engine.providers.repair.trial import ENDLESS, Sign, Trial
from engine.providers.repair.zygote import Message, Zygote

if TYPE_CHECKING:
    from engine.providers.repair.spread.pool import Spread

_WORKED = 77
_RED_CLOCK_S = 3.0  # a red test that runs longer than this is taken for an endless one
_TRACE_ROOM = 1_000_000
_FIRST_ROOM = 50_000  # an endless test says all it can within this many steps; so does nearly every other one
_FIRST_S = 0.5
_LONGER = 1.5
_LEAST_ROOM, _MOST_ROOM = 2_000, 10_000  # of an endless test; what needs more is tried again, if nothing else mends
_QUICK_CLOCK_S = 0.06
_LEAST_MEMORY = 128 << 20  # what takes more is taken for endless
_LEAST_DEPTH = 200  # the same of calls in one another; there are never more than steps, where the project calls itself
_UNKNOWN = (0.1, 100_000)  # seconds and steps of a test that was not watched
_QUICK_S, _MOST_QUICK, _MOST_HASTY = 0.05, 300, 40


class Lab:
    """Slots, the numbers of their tests, and what is known of each.

    Parameters
    ----------
    keys : tests that matter, red ones first.
    whole : test files that cannot be collected now.
    check : raises when the search has to end.
    """

    def __init__(self, task: RepairTask, keys: list[str], whole: list[str], check: Callable[[], None]) -> None:
        self._task = task
        self._check = check
        self._whole = whole
        self.keys = keys
        self.greeting: Greeting | None = None
        self.slots: list[Slot] = []
        self.pool = Pool(self.slots, check, patience=max(8.0, task.test_timeout_s * 1.5))
        self._spread: Spread | None = None
        self.start_s = 0.0
        self._warm_is_unsafe = False
        self._fresh: Fresh | None = None
        self._hasty = True  # whether few calls in one another and little memory do for the tests
        self.endless_room = _MOST_ROOM  # steps that a test that did not end is given under trial
        self._late_imports: set[str] = set()  # what tests import as they run: better once than in every fork

    def open(self) -> Greeting:
        """Copy the project for every worker and wait until each has collected the tests."""
        count = max(1, self._task.workers)
        if self._task.scheduler:
            self._reach(count)
            count = 1
        began = time.monotonic()
        with ThreadPoolExecutor(count) as copiers:
            copies = list(copiers.map(lambda _: Scratch(self._task), range(count)))
        self.slots.extend(Slot(self._task, scratch, self.keys, self._whole) for scratch in copies)
        greeting = self._start()
        self.start_s = time.monotonic() - began
        return greeting

    def _reach(self, workers: int) -> None:
        """Have candidates tried on a cluster; the processes here only watch the tests."""
        from engine.providers.repair.spread.pool import Spread

        self._spread = Spread(self._task, self.slots, self._check, self.pool.patience, workers)
        self.pool = self._spread

    def _start(self) -> Greeting:
        # Where nothing is to be forked, one is enough to see what is collected.
        slots = self.slots if self._fresh is None else self.slots[:1]
        started = [slot.start(early=False, trace_imports=nth == 0) for nth, slot in enumerate(slots)]
        greetings = [greet(zygote, self._check) for zygote in started]
        self.greeting = greetings[0]
        self.keys[:] = self.greeting.tests
        if self._spread is not None:
            self._spread.begin(self.keys, self._whole, self.greeting.outside)
        for slot in self.slots:
            slot.preload = [
                name for name in self.greeting.outside if not name.startswith(("_", "bitnet_tui", "pytest"))
            ]
        if self._fresh is not None:
            self.slots[0].drop()
        return self.greeting

    def ran_at_import(self) -> Mapping[str, frozenset[int]]:
        """Lines that ran while the project was imported; all of them, where nothing may be exchanged in memory."""
        assert self.greeting is not None
        return _Everything() if self._warm_is_unsafe else self.greeting.imported

    @property
    def forks(self) -> bool:
        """Whether warm processes are there to be asked."""
        return self._fresh is None

    @property
    def costly(self) -> bool:
        """Whether each candidate costs a process that has to start and collect."""
        return self.pool is self._fresh

    def settle(self) -> str:
        """Stop forking where that is not safe; a sentence about it, or nothing."""
        assert self.greeting is not None
        alive, able = self.greeting.threads, self.greeting.fork
        if able and alive <= 1:
            return ""
        for slot in self.slots:
            slot.drop()
        self._fresh = Fresh(self.slots, self._check, self.pool.patience)
        self._warm_is_unsafe = True
        # Before the project is imported its threads are not there yet: that is when a fork is still possible.
        early = greet(self.slots[0].start(early=True), self._check) if able else None
        if self._spread is None and (early is None or early.threads > 1):
            self.slots[0].drop()
            self.pool = self._fresh
        why = f"{alive} threads after collection" if able else "the target's platform has no fork"
        return f"Forking is not safe here: {why}; each candidate costs a process."

    def close(self) -> None:
        for slot in self.slots:
            slot.drop()
            slot.scratch.remove()
        self.slots.clear()
        if self._spread is not None:
            self._spread.close()

    def trace(
        self,
        tests: Sequence[int],
        *,
        seconds: float | None = None,
        patches: Sequence[tuple[str, int, str]] = (),
        until: float | None = None,
    ) -> dict[int, Seen]:
        """Run tests once under the tracer, on every worker; after the time ``until`` the rest is left out."""
        if self._fresh is not None:
            clock = seconds or min(_RED_CLOCK_S, self._task.test_timeout_s)
            return self._fresh.trace(tests, lambda rest: self._request(rest, clock, _TRACE_ROOM, patches), until)
        if seconds is not None:
            return self._traced(tests, seconds, _TRACE_ROOM, patches, until)
        seconds = min(_RED_CLOCK_S, self._task.test_timeout_s)
        found = self._traced(tests, min(seconds, _FIRST_S), _FIRST_ROOM, patches, until)
        doubtful = [at for at in tests if at in found and found[at].sign.code == ENDLESS]
        if doubtful:
            # Where the first one never ends, without the slow tracer, the others most likely do not either.
            long = Trial(tuple(patches), {}, early=False, tests=(doubtful[0],), factor=_LONGER, alone=True)
            if not self.pool.one(long).endless:
                found |= self._traced(doubtful, seconds, _TRACE_ROOM, patches, until)
        return found

    def _traced(
        self,
        tests: Sequence[int],
        seconds: float,
        room: int,
        patches: Sequence[tuple[str, int, str]],
        until: float | None,
    ) -> dict[int, Seen]:
        share = -(-len(tests) // max(1, len(self.slots)))
        waiting = {
            slot.ready(early=False, check=self._check): list(tests[nth * share : (nth + 1) * share])
            for nth, slot in enumerate(self.slots)
        }
        found: dict[int, Seen] = {}
        for zygote, rest in waiting.items():
            self._ask(zygote, rest, seconds, room, patches)
        try:
            while any(waiting.values()):
                self._check()
                if until is not None and time.monotonic() > until:
                    break
                for zygote, rest in waiting.items():
                    for message in zygote.receive() if zygote.busy else ():
                        if self._take(zygote, message, rest, found):
                            self._ask(zygote, rest, seconds, room, patches)
                time.sleep(0.004)
        finally:
            self.pool.stop()
        return found

    def _ask(self, zygote: Zygote, tests: list[int], seconds: float, room: int, patches: Sequence[Any]) -> None:
        zygote.busy = bool(tests)
        if tests:
            zygote.send(self._request(tests, seconds, room, patches))

    def _request(self, tests: list[int], seconds: float, room: int, patches: Sequence[Any]) -> Message:
        return {
            "op": "trace",
            "batch": 0,
            "tests": tests,
            "seconds": seconds,
            "room": room,
            "patches": list(patches),
            "patience": self._task.test_timeout_s * 2 + 5,
        }

    def _take(self, zygote: Zygote, message: Message, rest: list[int], found: dict[int, Seen]) -> bool:
        """Note one message; true when the remaining tests have to be asked for again."""
        if "test" in message:
            found[message["test"]] = seen_from(message)
            self._late_imports.update(message["loaded"])
            # What was skipped over is not collected here.
            del rest[: rest.index(message["test"]) + 1]
        elif "done" in message:
            zygote.busy = False
            by_itself = message["done"] == "end" and message["status"] == _WORKED << 8
            if rest and not by_itself:
                found[rest[0]] = Seen(
                    Sign(ENDLESS, "", 0, -1), (), "the process died", {}, self._task.test_timeout_s, 0
                )
                del rest[0]
            return bool(rest)
        return False

    def know(self, seen: Mapping[int, Seen]) -> None:
        """Tell the processes how tests usually end and how long each may take under trial."""
        slowest = max((view.seconds for view in seen.values() if view.sign.passed), default=0.0)
        # Once it ends, an endless test takes about as many steps as those beside it that do.
        usual = 20 * max((view.steps for view in seen.values() if view.sign.code != ENDLESS), default=0)
        self.endless_room = max(_LEAST_ROOM, min(usual, _MOST_ROOM))
        hasty = self._hasty and self._fresh is None  # nor is haste worth anything where each has a process
        # Nobody knows how long those take that there was no time to watch: they are heard as far as they come.
        limits = dict.fromkeys(range(len(self.keys)), _UNKNOWN)
        for at, view in seen.items():
            endless = view.sign.code == ENDLESS
            room = self.endless_room if endless else min(10 * view.steps, 2 * view.steps + 100_000) + _LEAST_ROOM
            seconds = _QUICK_CLOCK_S if endless else max(_QUICK_CLOCK_S, 8 * view.seconds, min(4 * slowest, 2.0))
            limits[at] = (min(seconds, self._task.test_timeout_s), room)
        message = {
            "op": "know",
            "limits": limits,
            "usual": {at: list(view.sign) for at, view in seen.items()},
            "preload": sorted(self._late_imports),
            # 0: as much as Python and the machine give.
            "depth": 0
            if not hasty
            else _LEAST_DEPTH + 2 * max((v.steps for v in seen.values() if _ended(v)), default=0),
            "memory": 0 if not hasty else max(_LEAST_MEMORY, 4 * max((v.memory for v in seen.values()), default=0)),
        }
        for slot in self.slots:
            slot.tell(message)
        if self._spread is not None:
            self._spread.know(message)

    def fickle(self, seen: Mapping[int, Seen]) -> frozenset[int]:
        """Tests that end otherwise when all run again in one process: what they say depends on what ran before.

        Of those that end alike, some are set to watch over every batch of trials.
        """
        if self._fresh is not None:
            return frozenset()  # nothing shares a process
        quick = sorted(at for at, view in seen.items() if view.seconds < _QUICK_S and view.sign.code in "pf")
        trial = Trial((), {}, early=False, tests=tuple(quick[:_MOST_QUICK]), probe=0, factor=_LONGER)
        self.pool.sentinels = []
        hasty = replace(trial, tests=trial.tests[:_MOST_HASTY], factor=1.0)
        *ends, hasted = [verdict.ends for _, verdict in self.pool.run(iter((trial, trial, hasty)))]
        odd = frozenset(at for at in trial.tests if any(found.get(at) != seen[at].sign for found in ends))
        told = [at for at in hasty.tests if at not in odd and seen[at].sign.kind != "RecursionError"]
        if self._hasty and any(hasted.get(at) != seen[at].sign for at in told):
            # Deep calls of a library, say, which no step counts: then nothing is cut early but by steps and the clock.
            self._hasty = False
            self.know(seen)
        steady = sorted((seen[at].seconds, at) for at in trial.tests if at not in odd)
        for passed in (False, True):
            self.pool.sentinels += [at for _, at in steady if seen[at].sign.passed == passed][:2]
        return odd

    def rebase(self, sources: Mapping[str, str], *, imported_again: bool) -> None:
        """Make these sources the starting point; ``imported_again`` where that needs new processes."""
        if self._spread is not None:
            self._spread.rebase(sources)
        for slot in self.slots:
            if imported_again:
                slot.scratch.write(dict(sources))
                slot.drop()
            else:
                slot.load(sources, self._check)
        if imported_again:
            self._start()


def _ended(view: Seen) -> bool:
    """Whether a test came to an end that tells how deep its calls go."""
    return view.sign.code != ENDLESS and view.sign.kind != "RecursionError"


class _Everything(dict[str, frozenset[int]]):
    """Coverage that holds every line of every file."""

    def get(self, key: str, default: object = None) -> frozenset[int]:
        return frozenset(range(1, 100_000))
