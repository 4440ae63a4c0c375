"""A run that is prepared on the session's thread: the screen is there before git and pytest have answered."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BitnetError
from engine.events import Record, RunFailed
from engine.feed import Feed
from engine.model import Exit
from engine.session import Steering

if TYPE_CHECKING:
    from engine.launch import Plan
    from engine.run import Run


class Opening:
    """Callable once, on the session's thread.

    Parameters
    ----------
    make
        Checks everything a run needs and returns it; slow, and may refuse.
    """

    def __init__(self, make: Callable[[], Run]) -> None:
        self._make = make
        self._run: Run | None = None
        self._refusal: Exception | None = None
        self.ready: Callable[[Plan], object] = lambda plan: None

    @property
    def folder(self) -> Path | None:
        """Where the run keeps its files, once there is one."""
        return self._run.folder if self._run is not None else None

    @property
    def error(self) -> Exception | None:
        """Why nothing was recorded: to be said where the screen no longer is."""
        return self._run.error if self._run is not None else self._refusal

    def __call__(self, feed: Feed, steering: Steering) -> Exit:
        try:
            run = self._make()
            steering.cancel.check()
        except Exception as error:  # noqa: BLE001  # whoever opened the screen raises it again
            from engine.records.redact import Redactor

            self._refusal = error
            code = error.exit if isinstance(error, BitnetError) else Exit.DEFECT
            feed.publish(Record(1, 0.0, RunFailed(int(code), Redactor.of(os.environ).text(str(error)))))
            return code
        self._run = run
        self.ready(run.plan)
        return run(feed, steering)
