"""One run at a time in a repository. The lock goes with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from engine.errors import EnvironmentFailure


class Lock:
    """An advisory lock on a file that names its owner's pid.

    Raises
    ------
    EnvironmentFailure
        Another run holds it; the message names its pid.
    """

    def __init__(self, path: Path, run: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._fd, 200, 0).decode("utf-8", "replace").split()
            os.close(self._fd)
            who = f"pid {owner[0]}, run {owner[1]}" if len(owner) == 2 else "another process"
            raise EnvironmentFailure(
                f"another run works in this repository ({who})", hint="wait for it, or stop it with Ctrl-C there"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()} {run}\n".encode(), 0)

    def release(self) -> None:
        os.ftruncate(self._fd, 0)
        os.close(self._fd)
