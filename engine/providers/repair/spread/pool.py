"""A pool whose trials run on a cluster; verdicts come in the order of the trials, whoever was quicker."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from engine.providers.repair.pool import Pool
from engine.providers.repair.slot import Slot
from engine.providers.repair.spread.cluster import Cluster
from engine.providers.repair.spread.orders import Standing, order_of
from engine.providers.repair.spread.parcel import digest, packed
from engine.providers.repair.spread.worker import evaluate
from engine.providers.repair.task import RepairTask
from engine.providers.repair.trial import Trial, Verdict
from engine.providers.repair.zygote import Message

BATCH_S = 0.5
_LARGEST = 64
_AHEAD = 2  # batches for each thread of the cluster, so that none waits for work


class Spread(Pool):
    """Trials on a cluster; the slots here watch the tests, and try again what a worker could not.

    Parameters
    ----------
    slots : of this machine.
    """

    def __init__(
        self, task: RepairTask, slots: list[Slot], check: Callable[[], None], patience: float, workers: int
    ) -> None:
        super().__init__(slots, check, patience)
        self._ask = check
        parcel = packed(task.root)
        self._order = order_of(task, f"{digest(parcel)}-{secrets.token_hex(4)}", patience)
        self.again = 0  # batches that a worker could not do
        self._cluster = Cluster(task.scheduler, workers)
        self._each = 0.02
        self._warming: list[Any] = []
        try:
            self._cluster.meet(self._order)
            self._parcel = self._cluster.scatter(parcel)
        except BaseException:
            self.close()
            raise
        self._standing = Standing(0, 0, {}, (), (), (), None, ())

    def begin(self, keys: Sequence[str], whole: Sequence[str], preload: Sequence[str]) -> None:
        """The tests have been collected, for the first time or anew."""
        before = self._standing
        self._standing = replace(
            before,
            number=before.number + 1,
            epoch=before.epoch + 1,
            keys=tuple(keys),
            whole=tuple(whole),
            preload=tuple(preload),
        )
        self._warming = [
            self._cluster.submit(evaluate, self._order, self._parcel, self._standing, [])
            for _ in range(self._cluster.threads)
        ]

    def know(self, knowledge: Message) -> None:
        """How tests usually end, and how long each may take."""
        self._standing = replace(self._standing, number=self._standing.number + 1, knowledge=knowledge)

    def rebase(self, sources: Mapping[str, str]) -> None:
        """These texts are the new starting point."""
        before = self._standing
        self._standing = replace(before, number=before.number + 1, sources={**before.sources, **sources})

    def run(self, trials: Iterator[Trial]) -> Iterator[tuple[Trial, Verdict]]:
        """Verdicts in order. Closing the iterator drops what has not begun."""
        source = iter(trials)
        standing = replace(self._standing, sentinels=tuple(self.sentinels))
        under_way: deque[tuple[list[Trial], Any]] = deque()
        most = _AHEAD * self._cluster.threads
        try:
            while True:
                self._ask()
                while len(under_way) < most and (batch := list(islice(source, self._batch_size()))):
                    future = self._cluster.submit(evaluate, self._order, self._parcel, standing, batch)
                    under_way.append((batch, future))
                if not under_way:
                    return
                batch, future = under_way[0]
                if not future.done():
                    time.sleep(0.004)
                    continue
                under_way.popleft()
                yield from zip(batch, self._verdicts(batch, future), strict=True)
        finally:
            self._cluster.cancel([future for _, future in under_way])

    def _batch_size(self) -> int:
        return max(1, min(_LARGEST, int(BATCH_S / max(self._each, 1e-4))))

    def _verdicts(self, batch: list[Trial], future: Any) -> list[Verdict]:
        if future.status == "finished":
            found: list[Verdict]
            found, seconds = future.result()
            self._each = 0.7 * self._each + 0.3 * seconds / len(batch)
            return found
        # A worker that went, or could not: once more, on this machine.
        self.again += 1
        return [verdict for _, verdict in super().run(iter(batch))]

    def close(self) -> None:
        """Let go of the cluster."""
        self._cluster.close(self._order.run)
