"""One benchmark at a time: waits for quiet, runs the child, keeps what it found. The app owns it, a screen shows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from tui.bench import kept
from tui.bench.child import BASE, Child
from tui.bench.sheet import Sheet, fold, said

LOOK_S = 0.05

SWEEPS = {
    "short": ("--shape", "2560x2560", "--batch", "1,8,32,128"),
    "long": ("--shape", "2560x2560", "6912x2560", "2560x6912", "--batch", "1,8,32,128"),
}
"""What is timed; the shapes are those of BitNet b1.58 2B-4T."""

COMMON = ("--backend", "numpy,auto", "--format", "i2_s,tq1_0,tq2_0", "--threads", "1", "--rounds", "3")


class Bench:
    """``state`` is empty, ``waiting``, ``running`` or ``stopping``; ``trouble`` says in a sentence what went wrong."""

    def __init__(
        self,
        changed: Callable[[], None],
        *,
        base: Sequence[str] = BASE,
        sweeps: dict[str, tuple[str, ...]] = SWEEPS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sheet = Sheet()
        self.before: Sheet | None = None  # what this one is compared with
        self.state = ""
        self.trouble = ""
        self._changed = changed
        self._base = tuple(base)
        self._sweeps = sweeps
        self._clock = clock
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None
        self._looked = False
        self._closed = False

    @property
    def busy(self) -> bool:
        return bool(self.state)

    def recall(self, folder: Path | None) -> None:
        """Show what was measured last, once it is known where that lies."""
        if self._looked or folder is None or self.busy or self.sheet.rows:
            return
        self._looked = True
        found = kept.newest(folder)
        if found is not None:
            self.sheet, self.before = found, kept.compared(folder, found)

    def start(
        self,
        folder: Path | None,
        sweep: str = "short",
        *,
        quiet: Callable[[], bool] = lambda: True,
        wait: bool = False,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin one, unless one is under way.

        Parameters
        ----------
        folder
            Where it is kept; None: nowhere.
        quiet
            Whether nothing else is at work; asked again and again.
        wait
            Begin only once it is quiet.
        after
            Called at the end, however that comes.
        """
        if self.busy:
            return
        self.state = "waiting" if wait else "running"
        self.trouble = ""
        self._task = asyncio.get_running_loop().create_task(self._run(folder, sweep, quiet, wait, after))
        self._changed()

    async def _run(
        self, folder: Path | None, sweep: str, quiet: Callable[[], bool], wait: bool, after: Callable[[], None]
    ) -> None:
        try:
            while wait and not quiet():
                await asyncio.sleep(LOOK_S)
            self.state = "running"
            self.sheet = Sheet(at=self._clock())
            self.before = kept.compared(folder, self.sheet)
            self._changed()

            def heard(line: bytes) -> None:
                what = said(line)
                if what is not None:
                    self.sheet = replace(fold(self.sheet, what), disturbed=self.sheet.disturbed or not quiet())
                    self._changed()

            self._child = Child((*self._base, *self._sweeps[sweep], *COMMON), heard)
            self.trouble = await self._child.run()
            self._keep(folder)
        except Exception as error:  # noqa: BLE001  # a benchmark must never take the run down
            self.trouble = f"The benchmark fell over: {type(error).__name__}: {error}"
        finally:
            self.state = ""
            self.sheet = replace(self.sheet, now=None)
            self._child = self._task = None
            if not self._closed:
                after()
                self._changed()

    def _keep(self, folder: Path | None) -> None:
        if folder is None or not self.sheet.rows:
            return
        try:
            kept.keep(replace(self.sheet, now=None), folder)
        except OSError as error:
            self.trouble = self.trouble or f"The benchmark could not be kept in {folder}: {error.strerror or error}."

    def stop(self) -> None:
        """End what is under way; what was measured stays."""
        if self.state == "waiting" and self._task is not None:
            self._task.cancel()
        elif self.state == "running" and self._child is not None:
            self.state = "stopping"
            self._stopping = asyncio.get_running_loop().create_task(self._child.stop())
        self._changed()

    def close(self) -> None:
        """The app goes: nothing of it may stay."""
        self._closed = True
        if self._child is not None:
            self._child.kill()
        if self._task is not None:
            self._task.cancel()
