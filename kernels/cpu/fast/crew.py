"""Threads that help one caller at a time: started when first wanted, asleep when idle, gone when the process ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING
from weakref import WeakSet, finalize

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.fast import job
from kernels.cpu.fast.memory import aligned
from kernels.cpu.fast.words import layout

if TYPE_CHECKING:
    from kernels.cpu.fast.load import Code

LOOKS = 20_000
"""Looks for work before a helper goes to sleep: some tenths of a millisecond, to be awake for the next layer."""

SHARES = 4
"""Ranges of rows for each thread, so that one that is late leaves the others little to wait for."""

_crews: WeakSet[Crew] = WeakSet()


class Crew:
    """Helpers of a backend, and the job they share with its caller; see `team` for how they work together.

    Parameters
    ----------
    size : how many helpers; with none, everybody works alone.
    """

    def __init__(self, code: Code, size: int) -> None:
        self._code = code
        self._size = size
        self._prepared: dict[tuple[str, int], tuple[Callable[[bytes], int], Callable[..., bytes]]] = {}
        self._begin()
        _crews.add(self)

    def _begin(self) -> None:
        self._job: NDArray[np.int64] = aligned((job.BYTES // 8,), np.int64)
        self._job[:] = 0
        self._job_address = self._job.ctypes.data
        self._leading = threading.Lock()  # protects the job: one caller leads, others work alone meanwhile
        self._wanted = threading.Event()
        self._helpers: list[threading.Thread] = []
        self._end = finalize(self, _dismiss, self._job, self._wanted, self._helpers)

    def most_ranges(self, groups: int) -> int:
        """No work of so many groups is cut into more."""
        return -(-groups // self._share(groups))

    def _share(self, groups: int) -> int:
        return max(1, groups // ((self._size + 1) * SHARES))

    def forget(self) -> None:
        """Start anew in the child of a fork: what the crew was belongs to the parent."""
        self._end.detach()
        self._begin()

    def run(self, operation: str, groups: int, *words: float, matrices: int = 0) -> int:
        """Call an operation of the code on its `words`; its groups are shared where there is more than one."""
        call, pack = self.prepared(operation, matrices)
        if groups < 2 or not self._size or not self._leading.acquire(blocking=False):
            return call(pack(0, groups or 1, groups, *words))
        try:
            self._wake()
            return call(pack(self._job_address, self._share(groups), groups, *words))
        finally:
            self._leading.release()

    def prepared(self, operation: str, matrices: int = 0) -> tuple[Callable[[bytes], int], Callable[..., bytes]]:
        """An operation, and what makes its row of words; found once, as there are hundreds of calls for a token."""
        found = self._prepared.get((operation, matrices))
        if found is None:
            found = self._code.operations[operation], Struct(layout(operation, matrices)).pack
            self._prepared[operation, matrices] = found
        return found

    def head(self, groups: int) -> tuple[int, int, int]:
        """The head of a row whose operation is led by who plays it."""
        alone = groups < 2 or not self._size
        return (0, groups or 1, groups) if alone else (self._job_address, self._share(groups), groups)

    @property
    def job(self) -> object:
        """What `head` refers to; another one in the child of a fork."""
        return self._job

    def play(self, calls: NDArray[np.int64]) -> int:
        """Do many operations, (n, 3) of `play.CALL`, in one call; gives how many of them did what was expected."""
        if not self._size:
            return self._code.play(calls.ctypes.data, len(calls))
        with self._leading:
            self._wake()
            return self._code.play(calls.ctypes.data, len(calls))

    def _wake(self) -> None:
        while len(self._helpers) < self._size:
            helper = threading.Thread(target=_help, args=(self._code, self._job, self._wanted), daemon=True)
            helper.start()
            self._helpers.append(helper)
        if not self._wanted.is_set():
            self._wanted.set()


def _help(code: Code, shared: NDArray[np.int64], wanted: threading.Event) -> None:
    """A helper's life; a caller it does not hear, falling asleep, does the work alone."""
    while not shared[job.CLOSED // 8]:
        wanted.wait()
        code.serve(shared.ctypes.data, LOOKS)
        if not shared[job.CLOSED // 8]:
            wanted.clear()


def _dismiss(shared: NDArray[np.int64], wanted: threading.Event, helpers: list[threading.Thread]) -> None:
    """Let the helpers go, before what they run goes."""
    shared[job.CLOSED // 8] = 1
    wanted.set()
    for helper in helpers:
        helper.join()


def _forget_all() -> None:
    for crew in list(_crews):
        crew.forget()


os.register_at_fork(after_in_child=_forget_all)
