"""Where a file goes, and what waits beside it: the part that is there, what it is a part of, a lock."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from kernels.download.errors import DownloadError

CHUNK = 2**20
SPARE = 2**26
"""Bytes of a disk that are left free."""

Progress = Callable[[str, int, int | None], object]
"""Called with what is done, the bytes so far and the bytes in all, if known."""


def cache_folder() -> Path:
    """The user's folder for models."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "bitnet-kernels" / "models"


@dataclass(frozen=True, slots=True)
class Source:
    """What a part is a part of: only with a strong tag can it be gone on with."""

    url: str
    tag: str
    size: int | None

    def __post_init__(self) -> None:
        if not isinstance(self.url, str) or not isinstance(self.tag, str) or not isinstance(self.size, int | None):
            raise TypeError(f"no source: {self}")


def is_strong(tag: str) -> bool:
    """Whether a tag names bytes, and can be sent back.

    Examples
    --------
    >>> [is_strong(tag) for tag in ('"a1"', 'W/"a1"', '', '"\N{SNOWMAN}"')]
    [True, False, False, False]
    """
    return re.fullmatch("(?!W/)[!-~]+", tag) is not None


@dataclass(frozen=True, slots=True)
class Place:
    """A file to be, and its companions."""

    goal: Path

    @property
    def part(self) -> Path:
        """The bytes that are there."""
        return self.goal.with_name(self.goal.name + ".part")

    @property
    def note(self) -> Path:
        """What they are a part of."""
        return self.goal.with_name(self.goal.name + ".part.json")

    @contextmanager
    def held(self) -> Iterator[None]:
        """No other process writes this file meanwhile.

        Raises
        ------
        DownloadError
            One does, or nothing can be written here.
        """
        try:
            self.goal.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(
                self.goal.with_name(self.goal.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise DownloadError(
                f"{self.goal.parent} cannot be written: {error.strerror}", "name another with --to"
            ) from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DownloadError(f"another process fetches {self.goal}", "wait for it, or end it") from None
            yield
        finally:
            os.close(handle)

    def holds(self, sha256: str, progress: Progress) -> bool:
        """Whether the file is there and has this hash.

        Raises
        ------
        DownloadError
            Something else is there, which is neither read nor replaced.
        """
        try:
            found = self.goal.stat()
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(found.st_mode):
            raise DownloadError(f"{self.goal} is no regular file", "move it away, or name another folder with --to")
        return sha256_of(self.goal, progress) == sha256

    def known(self) -> Source | None:
        """What the part is a part of; None where there is no part to go on with."""
        try:
            source = Source(**json.loads(self.note.read_text()))
            return source if self.part.stat().st_size and is_strong(source.tag) else None
        except (OSError, ValueError, TypeError, RecursionError):
            return None

    def begin(self, source: Source) -> None:
        """An empty part of this."""
        self.part.write_bytes(b"")
        self.note.write_text(json.dumps(asdict(source)))

    def drop(self) -> None:
        """Nothing of it stays."""
        for path in (self.part, self.note):
            with suppress(FileNotFoundError):
                path.unlink()

    def finish(self) -> None:
        """The part is the file."""
        with open(self.part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(self.part, self.goal)
        with suppress(FileNotFoundError):
            self.note.unlink()

    def check_room(self, needed: int) -> None:
        """Refuse before the first byte what will not fit."""
        free = shutil.disk_usage(self.goal.parent).free
        if needed + SPARE > free:
            said = f"{self.goal.parent} has {free / 1e6:,.1f} MB free; {needed / 1e6:,.1f} MB are to come"
            raise DownloadError(said, "make room, or name another folder with --to")


def sha256_of(path: Path, progress: Progress) -> str:
    """The hash of a file, in hex."""
    digest, size, done = hashlib.sha256(), path.stat().st_size, 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress("checking", done, size)
    return digest.hexdigest()
