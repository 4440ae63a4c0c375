"""The append-only journal of a run: JSON lines, on disk before the run goes on, what a power loss tore tolerated."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import DiskFull, EnvironmentFailure, no_room
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
    at
        Its time: no record is older than the one before it, whatever happens to the clock.
    """

    path: Path
    seq: int = 0
    at: float = 0.0
    clock: Callable[[], float] = time.time
    _fd: int = field(default=-1, repr=False)
    _end: int = field(default=0, repr=False)

    def now(self) -> float:
        """Seconds since the epoch, never before the last record: clocks are set back."""
        return max(self.at, round(self.clock(), 3))

    def append(self, event: Event) -> Record:
        """Write one event; durable ones are on disk when this returns.

        Raises
        ------
        DiskFull
            There is no room. What was written before stays readable.
        EnvironmentFailure
            The folder is gone, or cannot be written.
        """
        record = Record(self.seq + 1, self.now(), event)
        line = (
            json.dumps(to_record(record), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        )
        try:
            self._open()
            try:
                self._write(line)
                if isinstance(event, DURABLE):
                    os.fsync(self._fd)
            except OSError:
                os.ftruncate(self._fd, self._end)
                raise
        except OSError as error:
            message = f"{self.path} cannot be written: {error.strerror}"
            if no_room(error):
                raise DiskFull(message) from error
            raise EnvironmentFailure(message, hint="make it writable, then `bitnet-tui resume`") from error
        self._end += len(line)
        self.seq, self.at = record.seq, record.at
        return record

    def _open(self) -> None:
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._end = os.lseek(self._fd, 0, os.SEEK_END)
            sync_folder(self.path.parent)
        elif os.lseek(self._fd, 0, os.SEEK_END) > self._end:
            os.ftruncate(self._fd, self._end)  # half a line that could not be taken back when it failed

    def _write(self, line: bytes) -> None:
        written = 0
        while written < len(line):
            written += os.write(self._fd, line[written:])

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def sync_folder(folder: Path) -> None:
    """Let the names in a folder outlive a power loss: a file that is on disk without its name is lost."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Tape:
    """The complete records of a journal, up to what a power loss tore; each time from the start, one in memory.

    Iterating raises what :func:`read` raises.
    """

    path: Path

    def __iter__(self) -> Iterator[Record]:
        return (record for record, _ in _parse(self.path))


def read(path: Path) -> list[Record]:
    """All of them at once.

    Raises
    ------
    EnvironmentFailure
        No such file, or a line that was safely on disk is damaged; names the line.
    """
    return list(Tape(path))


def _parse(path: Path) -> Iterator[tuple[Record, int]]:
    """The complete records, each with the place where it ends."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise EnvironmentFailure(f"{path}: {error.strerror}", hint="`bitnet-tui runs` lists the runs") from error
    end = 0
    with file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):  # it was cut short
                return
            end += len(line)
            if not line.strip():
                continue
            try:
                record = _record(line)
            except ValueError as error:
                # Blocks reach the disk in any order until the next durable record says that all of them did.
                if not any(_durable(later) for later in file if later.endswith(b"\n")):
                    return
                raise EnvironmentFailure(f"{path}:{number}: {error}", hint="the journal is damaged") from error
            yield record, end


def _record(line: bytes) -> Record:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("not a record")
    return from_record(data)


def _durable(line: bytes) -> bool:
    try:
        return isinstance(_record(line).event, DURABLE)
    except ValueError:
        return False


def reopen(path: Path) -> tuple[Journal, list[Record]]:
    """Continue a journal: its records, and a writer behind the last complete one."""
    records: list[Record] = []
    end = 0
    for record, place in _parse(path):
        records.append(record)
        end = place
    if end < path.stat().st_size:
        os.truncate(path, end)
    last = records[-1] if records else None
    return Journal(path, last.seq if last else 0, last.at if last else 0.0), records
