"""A file of the run as the screen may show it: read again when it changed, bounded, without keys."""

from __future__ import annotations

import os
from pathlib import Path

MOST_BYTES = 2_000_000


class Watched:
    """The text of one name in whatever folder the run has; empty while there is no such file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stamp: tuple[str, float, int] = ("", 0.0, 0)  # changes when the text does
        self._text = ""

    def text(self, folder: Path | None) -> str:
        """The file as it is now."""
        if folder is None:
            return ""
        from engine.records.redact import Redactor  # not before there is something to read

        path = folder / self.name
        try:
            found = path.stat()
            stamp = (str(path), found.st_mtime, found.st_size)
            if stamp != self.stamp:
                with path.open(encoding="utf-8", errors="replace") as file:
                    # What lies on the disk is as it must be to the byte; the screen is no place for a key.
                    self._text = Redactor.of(os.environ).text(file.read(MOST_BYTES))
                self.stamp = stamp
        except OSError:
            return ""
        return self._text
