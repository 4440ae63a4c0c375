"""Tie a child's life to its parent's: when the parent's end of a pipe closes, the process group dies.

It must never outlive a call to `Watch.stop`, because a process with threads cannot be forked safely.
"""

from __future__ import annotations

import _thread
import os
import select
import signal
import sys

_FOR_ARRAYS = 1 << 30  # bytes: the first product of matrices may ask for much of it, and does not bear a refusal


class Watch:
    """A thread that ends the process group as soon as the parent is gone.

    Parameters
    ----------
    fd : the reading end of a pipe whose other end only the parent holds.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._wake, self._waker = os.pipe()
        self._ended = _thread.allocate_lock()
        self._ended.acquire()
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        # poll, not select: a project may hold more than 1024 descriptors.
        poller = select.poll()
        poller.register(self._fd, select.POLLIN | select.POLLHUP)
        poller.register(self._wake, select.POLLIN)
        ready = dict(poller.poll())
        if self._wake in ready:
            self._ended.release()
            return
        os.killpg(os.getpgrp(), signal.SIGKILL)

    def stop(self) -> None:
        """End the thread and wait for it, so that a fork right after is safe."""
        os.write(self._waker, b"x")
        self._ended.acquire()
        os.close(self._wake)
        os.close(self._waker)


def limit_resources(file_mib: int = 64, memory_gib: int = 8) -> None:
    """Bound what code under trial may take: no core dumps, no huge files, no endless memory.

    Of memory, what the process has now and a quarter of the machine's, from 2 GiB to ``memory_gib``.
    """
    try:
        import resource
    except ImportError:  # not a POSIX system: there is nothing to set
        return
    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, file_mib << 20)]
    if not any(name in sys.modules for name in ("cupy", "torch", "jax")):
        # Drivers of accelerators reserve far more addresses than they use.
        wanted.append((resource.RLIMIT_AS, size() + max(2 << 30, min(memory_gib << 30, _memory() // 4))))
    for what, value in wanted:
        _, hard = resource.getrlimit(what)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (ceiling, hard))


class Memory:
    """Holds code under trial to little memory, and lets it have all that this process may take where it needs more.

    Parameters
    ----------
    room : bytes beyond what the process has taken by now.
    """

    def __init__(self, room: int) -> None:
        self._most = self._held = 0
        try:
            import resource
        except ImportError:
            return
        self._set = resource.setrlimit
        self._what = resource.RLIMIT_AS
        self._most, self._hard = resource.getrlimit(self._what)
        taken = size()
        if room and "numpy" in sys.modules:
            room = max(room, _FOR_ARRAYS)
        if self._most == resource.RLIM_INFINITY or not (room and taken):
            self._most = 0  # it is not bounded at all, and there is a reason; or nobody knows what it has
        self._little = min(self._most, taken + room)

    def hold(self, *, little: bool) -> None:
        """From now on this much may be taken."""
        limit = self._little if little and self._most else self._most
        if limit != self._held:
            self._set(self._what, (limit, self._hard))
            self._held = limit


def _memory() -> int:
    """Bytes of memory in this machine, or 0."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def processor_seconds(pid: int) -> float:
    """Seconds of processor time that a process has used, or 0 where nobody says."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def peak() -> int:
    """The most bytes of address space this process has had, or 0."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            return next((int(row.split()[1]) << 10 for row in file if row.startswith("VmPeak")), 0)
    except (OSError, ValueError, IndexError):
        return 0


def size() -> int:
    """Bytes of address space this process has taken, or 0."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
