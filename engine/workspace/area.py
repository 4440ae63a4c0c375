"""The worktree an attempt writes in: every read and write goes through here, by descriptor, under the root."""

from __future__ import annotations

import os
import stat
import sys
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import DiskFull, no_room
from engine.workspace.encoding import declared
from engine.workspace.regular import open_below
from engine.workspace.scope import of_git

READ_LIMIT = 2_000_000
PATH_LIMIT = 4096 if sys.platform.startswith("linux") else 1024  # bytes; no program opens a longer one by its name


class Refused(Exception):
    """A path or a file the area does not hand out; the message is for whoever asked."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text file as people see it: ``\\n`` between lines, and what it takes to write it back unchanged."""

    content: str
    encoding: str
    newline: str

    def encode(self, content: str) -> bytes:
        """Bytes of ``content`` in this file's encoding and line endings."""
        return content.replace("\n", self.newline).encode(self.encoding)


@dataclass(slots=True)
class Area:
    """One worktree. Remembers which files were written, nothing else."""

    root: Path
    touched: set[str] = field(default_factory=set)

    def locate(self, path: str) -> str:
        """``path`` as posix path relative to the root.

        Raises
        ------
        Refused
            It leads out of the root, through a symbolic link, or is no path at all.
        """
        if "\0" in path or not path.strip() or not _encodes(path):
            raise Refused(f"{path!r} is not a path")
        root = os.path.realpath(self.root)
        if len(os.fsencode(os.path.join(root, path))) >= PATH_LIMIT:
            raise Refused(f"{path[:80]}… is longer than paths can be")
        given = path if os.path.isabs(path) else os.path.join(root, path)
        full = os.path.normpath(given)
        if os.path.isabs(path) and not _inside(full, root):
            # Models like to write /src/x.py for a path in the project.
            full = os.path.normpath(os.path.join(root, path.lstrip("/")))
            if not os.path.lexists(full):
                raise Refused(f"{path} is outside the project; paths are relative to its root{_near(path, root)}")
        if not _inside(full, root):
            raise Refused(f"{path} leads out of the project")
        if of_git(os.path.relpath(full, root).split("/", 1)[0]):
            raise Refused(f"{path} belongs to git")
        parent = os.path.dirname(full)
        if full != root and os.path.realpath(parent) != parent:
            raise Refused(f"{path} leads through a symbolic link")
        return Path(os.path.relpath(full, root)).as_posix()

    def kind(self, relative: str) -> str:
        """``file``, ``folder``, ``link``, ``other``, or an empty string if there is nothing."""
        try:
            mode = (self.root / relative).lstat().st_mode
        except OSError:
            return ""
        if stat.S_ISLNK(mode):
            return "link"
        return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"

    def read_bytes(self, relative: str, most: int | None = None) -> bytes:
        """Content of a regular file.

        Parameters
        ----------
        most
            Bytes it may have; None: as many as it likes.

        Raises
        ------
        Refused
            It is missing, a link, a folder or a device, too large, or cannot be read.
        """
        try:
            fd = open_below(self.root, relative, os.O_RDONLY)
        except FileNotFoundError:
            raise Refused(f"no such file: {relative}") from None
        except OSError as error:
            raise Refused(f"{relative} cannot be read: {error.strerror}") from error
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise Refused(f"{relative} is not a regular file")
            if most is None:
                return file.read()
            data = file.read(most + 1) if status.st_size <= most else b""
            if (size := max(status.st_size, len(data))) > most:
                raise Refused(f"{relative} has {size} bytes; files up to {most} can be edited")
            return data

    def read(self, relative: str) -> Text:
        """A text file, with what it takes to write it back.

        Raises
        ------
        Refused
            It cannot be read, is binary, or larger than 2 MB.
        """
        data = self.read_bytes(relative, READ_LIMIT)
        if b"\0" in data:
            raise Refused(f"{relative} is a binary file")
        encoding = declared(data) if relative.endswith(".py") else "utf-8-sig" if data.startswith(BOM_UTF8) else "utf-8"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            raise Refused(f"{relative} is not {encoding} text (byte {error.start})") from error
        crlf = text.count("\r\n")
        newline = "\r\n" if crlf and crlf == text.count("\n") else "\n"
        return Text(text.replace("\r\n", "\n") if newline == "\r\n" else text, encoding, newline)

    def write(self, relative: str, data: bytes) -> None:
        """Write a file, in place; folders in between are made.

        Raises
        ------
        Refused
            It is a link, has other names (hard links), or cannot be written.
        DiskFull
            There is no room: no matter of whoever wants to write.
        """
        kind = self.kind(relative)
        if kind not in ("", "file"):
            raise Refused(f"{relative} is a {kind}")
        try:
            fd = open_below(self.root, relative, os.O_WRONLY | os.O_CREAT, make=True)
            with os.fdopen(fd, "wb") as file:
                # What was opened is asked, not what has the name now: another process may swap it.
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):
                    raise Refused(f"{relative} is not a regular file")
                if status.st_nlink > 1:
                    raise Refused(f"{relative} has other names (hard links); changing it would change them too")
                before = status.st_mtime if kind else 0.0
                os.ftruncate(fd, 0)
                file.write(data)
                file.flush()
                self._later(fd, before)
        except OSError as error:
            message = f"{relative} cannot be written: {error.strerror}"
            raise DiskFull(message) if no_room(error) else Refused(message) from error
        self.touched.add(relative)

    def _later(self, fd: int, before: float) -> None:
        """Let a changed file be newer by a whole second: Python knows its compiled form by second and size."""
        now = os.fstat(fd).st_mtime
        if before and int(now) <= int(before):
            os.utime(fd, (int(before) + 1, int(before) + 1))

    def changes(self) -> dict[str, bytes | None]:
        """What was written, as it is now; None for a file that is gone."""
        found: dict[str, bytes | None] = {}
        for relative in sorted(self.touched):
            found[relative] = self.read_bytes(relative) if self.kind(relative) == "file" else None
        return found


def _inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root + os.sep)


def _near(path: str, root: str) -> str:
    """Whether the end of a path names something in the project: it may be the place a model knows it from."""
    parts = path.strip("/").split("/")
    ends = (os.path.join(*parts[n:]) for n in range(1, len(parts)))
    found = next((e for e in ends if not of_git(e.split("/", 1)[0]) and os.path.isfile(os.path.join(root, e))), "")
    return f": did you mean {found}?" if found else ", as in pkg/mod.py"


def _encodes(path: str) -> bool:
    """Whether the system can be told of it: half a surrogate pair is no name."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True
