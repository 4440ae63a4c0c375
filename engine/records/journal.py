"""The append-only journal of a run: JSON lines, on disk before the run goes on, a torn last line tolerated."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import EnvironmentFailure
from engine.events import DURABLE, Event, Record, from_record, to_record


@dataclass(slots=True)
class Journal:
    """Writes records; the only writer of its file.

    Parameters
    ----------
    path
        ``journal.jsonl`` of the run.
    seq
        Number of the last record already there.
    """

    path: Path
    seq: int = 0
    clock: Callable[[], float] = time.time
    _fd: int = field(default=-1, repr=False)

    def append(self, event: Event) -> Record:
        """Write one event; durable ones are on disk when this returns.

        Raises
        ------
        EnvironmentFailure
            The disk is full or the folder is gone. What was written before stays readable.
        """
        record = Record(self.seq + 1, round(self.clock(), 3), event)
        line = (
            json.dumps(to_record(record), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        )
        try:
            if self._fd < 0:
                self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            start = os.lseek(self._fd, 0, os.SEEK_END)
            written = 0
            try:
                while written < len(line):
                    written += os.write(self._fd, line[written:])
                if isinstance(event, DURABLE):
                    os.fsync(self._fd)
            except OSError:
                os.ftruncate(self._fd, start)
                raise
        except OSError as error:
            raise EnvironmentFailure(
                f"{self.path} cannot be written: {error.strerror}",
                hint="free some space, then `bitnet-tui resume`",
            ) from error
        self.seq += 1
        return record

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read(path: Path) -> list[Record]:
    """All complete records of a journal.

    Raises
    ------
    EnvironmentFailure
        No such file, or a line before the last is damaged; names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EnvironmentFailure(f"{path}: {error.strerror}", hint="`bitnet-tui runs` lists the runs") from error
    records: list[Record] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = from_record(json.loads(line))
        except ValueError as error:
            if number == len(lines):  # no newline after it: the write was cut short
                break
            raise EnvironmentFailure(f"{path}:{number}: {error}", hint="the journal is damaged") from error
        records.append(record)
    return records


def reopen(path: Path) -> tuple[Journal, list[Record]]:
    """Continue a journal: its records, and a writer behind the last complete one."""
    records = read(path)
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        os.truncate(path, end)
    # A last line that parsed but lacks its newline was cut with it.
    complete = data[:end].count(b"\n")
    records = records[:complete]
    return Journal(path, records[-1].seq if records else 0), records
