"""What runs in a worker: a copy of the project with warm processes of its own, and trials put to them.

It starts no thread, and everything it started ends with `leave`, or with the worker.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from engine.errors import EnvironmentFailure
from engine.providers.repair.pool import Pool
from engine.providers.repair.scratch import Scratch
from engine.providers.repair.slot import Slot
from engine.providers.repair.spread.orders import Order, Standing, task_of
from engine.providers.repair.spread.parcel import unpack
from engine.providers.repair.trial import Trial, Verdict

_PLACES: dict[tuple[str, int], Place] = {}
_LOCK = threading.Lock()  # protects _PLACES: a worker may have several threads


class Place:
    """One thread's copy of a project.

    Parameters
    ----------
    parcel : the project, packed.
    """

    def __init__(self, order: Order, parcel: bytes) -> None:
        check_python(order)
        self._home = Path(tempfile.mkdtemp(prefix="bitnet-tui-spread-", dir=order.here)).resolve()
        root = self._home / "original"
        root.mkdir()
        unpack(parcel, root)
        self._task = task_of(order, root, self._home)
        self._slot: Slot | None = None
        self._pool: Pool | None = None
        self._patience = order.patience
        self._standing: Standing | None = None

    def follow(self, standing: Standing) -> Pool:
        """Make what the search has accepted so far the starting point here too."""
        before, slot = self._standing, self._slot
        if slot is None:
            slot = self._slot = Slot(self._task, Scratch(self._task), [], [])
            self._pool = Pool([slot], lambda: None, self._patience)
        if before is None or before.epoch != standing.epoch:
            slot.drop()
            slot.scratch.write(dict(standing.sources))
            slot.tests[:], slot.whole[:] = standing.keys, standing.whole
            slot.preload = list(standing.preload)
            slot.knowledge = standing.knowledge
        elif before.number != standing.number:
            changed = {p: t for p, t in standing.sources.items() if before.sources.get(p) != t}
            if changed:
                slot.load(changed, lambda: None)
            if standing.knowledge is not None:
                slot.tell(standing.knowledge)
        slot.ready(early=False, check=lambda: None)
        self._standing = standing
        assert self._pool is not None
        self._pool.sentinels = list(standing.sentinels)
        return self._pool

    def leave(self) -> None:
        """End the processes and delete the copy."""
        if self._slot is not None:
            self._slot.drop()
            self._slot.scratch.remove()
        shutil.rmtree(self._home, ignore_errors=True)


def check_python(order: Order) -> str:
    """Whether the project's interpreter is on this machine; its name."""
    if not Path(order.python).exists():
        raise EnvironmentFailure(
            f"a Dask worker has no {order.python}",
            hint="give the project's environment the same path on every worker, or clear [repair] scheduler",
        )
    return order.python


def evaluate(order: Order, parcel: bytes, standing: Standing, trials: Sequence[Trial]) -> tuple[list[Verdict], float]:
    """Verdicts on a few trials, in their order, and the seconds they took; without any, only get ready."""
    key = (order.run, threading.get_ident())
    with _LOCK:
        place = _PLACES.get(key)
    if place is None:
        place = Place(order, parcel)
        with _LOCK:
            _PLACES[key] = place
    pool = place.follow(standing)
    began = time.monotonic()
    return [verdict for _, verdict in pool.run(iter(trials))], time.monotonic() - began


def leave(run: str) -> None:
    """End everything of a search."""
    with _LOCK:
        mine = [key for key in _PLACES if key[0] == run]
        places = [_PLACES.pop(key) for key in mine]
    for place in places:
        place.leave()
