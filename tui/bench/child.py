"""The child that measures: ``python -m kernels bench --stream`` in a process group of its own, heard line by line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence

from engine.suites.process import GRACE, signal_group
from tui.bench.sheet import LINE_BYTES

BASE = (sys.executable, "-P", "-m", "kernels", "bench", "--stream")  # -P: a folder of that name here is not ours
TAIL_BYTES = 8_000
# One thread is compared with one: left to itself NumPy takes every core, and suffers from whoever else has them.
ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
SHOWN = "python -m kernels bench"


class Child:
    """One child, once. Everything here runs on the screen's thread."""

    def __init__(self, argv: Sequence[str], heard: Callable[[bytes], None]) -> None:
        self._argv = tuple(argv)
        self._heard = heard
        self._process: asyncio.subprocess.Process | None = None
        self._tail = b""
        self.stopped = False

    async def run(self) -> str:
        """Hear it to its end; a sentence about what went wrong, or an empty string."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                env=os.environ | ONE_THREAD,
                limit=LINE_BYTES,
            )
        except OSError as error:
            return f"The benchmark cannot start: {error.strerror or error}. Try `{SHOWN}` in a terminal."
        self._process = process
        if self.stopped:  # while it was being started
            self.kill()
        try:
            await asyncio.gather(self._listen(process), self._keep_tail(process))
            code = await process.wait()
        finally:
            self.kill()  # whatever of the group is left
        return "" if self.stopped else verdict(code, self._tail.decode("utf-8", "replace"))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than any line of ours
                continue
            if not line:
                return
            self._heard(line)

    async def _keep_tail(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while data := await process.stderr.read(4096):
            self._tail = (self._tail + data)[-TAIL_BYTES:]

    async def stop(self) -> None:
        """End it: TERM, and KILL for what does not listen."""
        self.stopped = True
        if self._process is None:
            return
        signal_group(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), GRACE)
        self.kill()

    def kill(self) -> None:
        """At once; it keeps nothing that needs a moment."""
        self.stopped = self.stopped or self._process is None or self._process.returncode is None
        if self._process is not None:
            signal_group(self._process.pid, signal.SIGKILL)


def verdict(code: int, tail: str) -> str:
    """What an exit code and the last words on stderr mean to a person; empty for an end in order.

    Examples
    --------
    >>> verdict(2, "no CUDA device: CuPy is not installed\\n")
    'The benchmark cannot run: no CUDA device: CuPy is not installed'
    """
    words = tail.strip().splitlines()
    last = words[-1].strip()[:300] if words else ""
    if "No module named" in last or last.startswith("ImportError"):
        return f"The benchmark cannot start: {last}. Install the package beside {sys.executable}."
    if code in (0, 1) and "Traceback" not in tail:
        return ""
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        kept = "What it had measured is kept."
        return f"The benchmark was ended by {name}. {kept} Try `{SHOWN} --backend numpy` in a terminal."
    if code == 2 and last:
        return f"The benchmark cannot run: {last}"
    return (
        f"The benchmark fell over (exit {code}{': ' + last if last else ''}). `{SHOWN}` in a terminal shows all of it."
    )
