"""Run trials on every worker at once and hand their verdicts back in the order the trials came.

The order is what makes a search repeatable; it must not depend on which worker was quicker.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

from engine.providers.repair.slot import Slot
from engine.providers.repair.trial import Sign, Trial, Verdict
from engine.providers.repair.zygote import Gone, Message, Zygote

BATCH_S = 0.25
LARGEST_BATCH = 100
LEAST_BATCH = 8  # a fork costs more than a few slow trials
MANY_LEAKS = 20  # from then on nothing shares a process
MANY_CUT = 10  # batches that ended early by themselves; from then on they are small
SMALL_BATCH = 8
_WORKED = 77  # the exit status by which a fork says that it ended by itself

Queued = tuple[int, Trial]


class Pool:
    """Several slots that answer trials.

    Parameters
    ----------
    slots : at least one, each with whatever processes it has.
    check : raises when the search has to stop; asked several times a second.
    patience : seconds without any result after which a fork is killed.
    """

    def __init__(self, slots: list[Slot], check: Callable[[], None], patience: float) -> None:
        self.slots = slots
        self.patience = patience
        self.sentinels: list[int] = []
        self._leaks = 0
        self._cut = 0
        self._check = check
        self._each_s = 0.01
        self._batch = 0
        self._running: dict[Zygote, deque[Queued]] = {}
        self._heard: dict[Zygote, list[tuple[int, Trial, Verdict]]] = {}

    def run(self, trials: Iterator[Trial]) -> Iterator[tuple[Trial, Verdict]]:
        """Verdicts in order. Closing the iterator stops what is under way."""
        source = enumerate(trials)
        queues: tuple[deque[Queued], deque[Queued]] = (deque(), deque())  # late, early
        given: dict[int, Trial] = {}
        answers: dict[int, Verdict] = {}
        following = 0
        try:
            while True:
                self._check()
                self._fill(source, queues, given)
                if following not in answers and not given:
                    return
                for slot in self.slots:
                    if slot.busy is None:
                        self._dispatch(slot, queues)
                while following in answers:
                    yield given.pop(following), answers.pop(following)
                    following += 1
                self._collect(queues, answers)
        finally:
            self.stop()

    def one(self, trial: Trial) -> Verdict:
        """The verdict on a single trial."""
        for _, verdict in self.run(iter((trial,))):
            return verdict
        raise Gone("no answer")

    def _fill(
        self, source: Iterator[Queued], queues: tuple[deque[Queued], deque[Queued]], given: dict[int, Trial]
    ) -> None:
        room = len(self.slots) * self._size() * 2 - sum(len(queue) for queue in queues)
        if room < self._size():
            return
        for index, trial in islice(source, room):
            given[index] = trial
            queues[trial.early].append((index, trial))

    def _size(self) -> int:
        most = LARGEST_BATCH if self._cut < MANY_CUT else SMALL_BATCH
        most = most if self._leaks < MANY_LEAKS else 1
        return min(most, max(LEAST_BATCH, int(BATCH_S / self._each_s)))

    def _dispatch(self, slot: Slot, queues: tuple[deque[Queued], deque[Queued]]) -> None:
        filled = [queue for queue in queues if queue]
        if not filled:
            return
        queue = min(filled, key=lambda q: q[0][0])
        early = queue is queues[1]
        size = 1 if early or queue[0][1].alone else self._size()
        batch: deque[Queued] = deque()
        while queue and len(batch) < size and not (batch and queue[0][1].alone):
            batch.append(queue.popleft())
        zygote = slot.ready(early=early, check=self._check)
        self._batch += 1
        zygote.batch, zygote.busy = self._batch, True
        self._running[zygote] = batch
        self._heard[zygote] = []
        request = {
            "op": "try",
            "batch": self._batch,
            "patience": self.patience,
            "sentinels": self.sentinels,
            "trials": [wire(index, trial) for index, trial in batch],
        }
        try:
            zygote.send(request)
        except Gone:
            self._fell(slot, zygote, queues, {})

    def _collect(self, queues: tuple[deque[Queued], deque[Queued]], answers: dict[int, Verdict]) -> None:
        """Take in what has arrived, waiting a moment for it."""
        busy = {slot.busy.link.fileno(): slot for slot in self.slots if slot.busy is not None}
        if not busy:
            return
        poller = select.poll()
        for fd in busy:
            poller.register(fd, select.POLLIN | select.POLLHUP)
        for fd, _ in poller.poll(50):
            slot = busy[fd]
            zygote = slot.busy
            assert zygote is not None
            try:
                messages = zygote.receive()
            except Gone:
                self._fell(slot, zygote, queues, answers)
                continue
            for message in messages:
                self._take(zygote, message, queues, answers)

    def _take(
        self,
        zygote: Zygote,
        message: Message,
        queues: tuple[deque[Queued], deque[Queued]],
        answers: dict[int, Verdict],
    ) -> None:
        waiting = self._running[zygote]
        if "trial" in message:
            index, trial = waiting.popleft()
            if message["how"] == "unfit" and not trial.early:
                queues[1].appendleft((index, replace(trial, early=True)))
                return
            ends = {int(at): Sign(*sign) for at, sign in message["ends"].items()}
            self._heard[zygote].append((index, trial, Verdict(message["how"], ends, message["broke"])))
            if not zygote.early:
                self._each_s = 0.95 * self._each_s + 0.05 * message["seconds"]
        elif "leak" in message:
            # Something a trial did outlived it, so what came after it proves nothing: each again, alone.
            self._leaks += 1
            again = [(index, replace(trial, alone=True)) for index, trial, _ in self._heard[zygote]]
            queues[zygote.early].extendleft(reversed(again))
            self._heard[zygote].clear()
        elif "done" in message:
            zygote.busy = False
            answers.update((index, verdict) for index, _, verdict in self._heard[zygote])
            by_itself = message["done"] == "end" and message["status"] == _WORKED << 8
            self._cut += by_itself and bool(waiting)
            if waiting and not by_itself:
                answers[waiting.popleft()[0]] = Verdict("crashed", {})
            queues[zygote.early].extendleft(reversed(waiting))
            waiting.clear()

    def _fell(
        self,
        slot: Slot,
        zygote: Zygote,
        queues: tuple[deque[Queued], deque[Queued]],
        answers: dict[int, Verdict],
    ) -> None:
        waiting = self._running.pop(zygote)
        answers.update((index, verdict) for index, _, verdict in self._heard.pop(zygote))
        if waiting:
            answers[waiting.popleft()[0]] = Verdict("crashed", {})
        queues[zygote.early].extendleft(reversed(waiting))
        slot.lost(zygote)

    def stop(self) -> None:
        """Have every busy process kill its fork, and wait for the word that it did."""
        for slot in self.slots:
            zygote = slot.busy
            if zygote is None:
                continue
            try:
                zygote.send({"op": "stop"})
                give_up = time.monotonic() + 2.0
                while zygote.busy and time.monotonic() < give_up:
                    zygote.busy = not any("done" in message for message in zygote.receive())
                    if zygote.busy:
                        time.sleep(0.002)
            except Gone:
                zygote.busy = True
            if zygote.busy:
                slot.drop(late=zygote is slot.late, early=zygote is slot.early)
        self._running.clear()
        self._heard.clear()


def wire(index: int, trial: Trial) -> Message:
    """A trial as a process takes it."""
    return {
        "trial": index,
        "early": trial.early,
        "patches": [] if trial.early else trial.patches,
        "sources": trial.sources if trial.early else {},
        "tests": trial.tests,
        "guard": trial.guard,
        "probe": trial.probe,
        "factor": trial.factor,
    }
