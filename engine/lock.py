"""One run at a time in a repository. The lock goes with its process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from engine.errors import EnvironmentFailure, no_room


class Lock:
    """An advisory lock on a file that names its owner's pid, and on its folder: the file may be deleted meanwhile.

    The kernel holds it for the process, so what the file says is for people only: a pid that is dead, reused or
    torn locks nobody out.

    Raises
    ------
    EnvironmentFailure
        Another run holds it (the message names its pid), or the file cannot be locked.
    """

    def __init__(self, path: Path, run: str) -> None:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise _unlockable(path, error) from error
        self._folder = -1
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._lock_folder(path.parent)
            self._name(f"{os.getpid()} {run}\n")
        except BlockingIOError:
            owner = os.pread(self._fd, 200, 0).decode("utf-8", "replace").split()
            self._close()
            who = f"pid {owner[0]}, run {owner[1]}" if len(owner) == 2 else "another process"
            raise EnvironmentFailure(
                f"another run works in this repository ({who})", hint="wait for it, or stop it with Ctrl-C there"
            ) from None
        except OSError as error:
            self._close()
            raise _unlockable(path, error) from error

    def _lock_folder(self, folder: Path) -> None:
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a network's file system may not know that of a folder: the file has to do
            return

    def _close(self) -> None:
        for fd in (self._fd, self._folder):
            if fd >= 0:
                os.close(fd)

    def _name(self, owner: str) -> None:
        """Say who holds it, as far as there is room for that."""
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, owner.encode(), 0)
        except OSError as error:
            if not no_room(error):
                raise

    def release(self) -> None:
        with contextlib.suppress(OSError):  # closing lets go, whatever the file says
            os.ftruncate(self._fd, 0)
        self._close()


def _unlockable(path: Path, error: OSError) -> EnvironmentFailure:
    hint = "free some space" if no_room(error) else f"make it writable, or remove {path}"
    return EnvironmentFailure(f"{path} cannot be locked: {error.strerror}", hint=hint)
