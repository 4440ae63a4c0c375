"""Regular files in folders that children may write: through no link, never waited for, no more than was asked for."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from pathlib import Path


class Irregular(Exception):
    """Something is there that is neither a file nor a folder, or too much of it; the message says what."""


def open_below(root: Path, relative: str, flags: int, *, make: bool = False) -> int:
    """Open below ``root``, following no link on the way and never up; folders that lack are made on request.

    A pipe is opened without waiting for its other end: whoever reads asks first what was opened.
    """
    *folders, name = relative.split("/")
    if ".." in (*folders, name) or "" in (*folders, name):
        raise FileNotFoundError(errno.ENOENT, f"no path below {root}", relative)
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=here)
            down = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = down
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644, dir_fd=here)
    finally:
        os.close(here)


def content(root: Path, relative: str, most: int) -> bytes | None:
    """A regular file of at most ``most`` bytes; None: there is none, it is longer, or a link leads there."""
    fd = _regular(root, relative)
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as file, contextlib.suppress(OSError):
        data = file.read(most + 1)
        return data if len(data) <= most else None
    return None


def digest(root: Path, relative: str, most: int) -> tuple[str, int] | None:
    """Digest and size of a regular file; None where :func:`content` has none."""
    fd = _regular(root, relative)
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as file, contextlib.suppress(OSError):
        size = os.fstat(fd).st_size
        return (hashlib.file_digest(file, "sha256").hexdigest(), size) if size <= most else None
    return None


def listed(root: Path, below: str, most: int) -> list[str]:
    """Paths of the files below a folder, what Python compiled left out.

    Raises
    ------
    Irregular
        There is a link, a pipe or a device, a folder that cannot be read, or more than ``most`` files and folders.
    """
    found: list[str] = []
    left, seen = [below], 0
    while left:
        folder = left.pop()
        try:
            fd = open_below(root, folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                with os.scandir(fd) as entries:
                    for entry in entries:
                        seen += 1
                        if seen > most:
                            raise Irregular(f"there are more than {most} files and folders")
                        path = f"{folder}/{entry.name}"
                        if entry.is_dir(follow_symlinks=False):
                            left += [path] if entry.name != "__pycache__" else []
                        elif entry.is_file(follow_symlinks=False):
                            found.append(path)
                        else:
                            raise Irregular(f"{path} is neither a file nor a folder")
            finally:
                os.close(fd)
        except OSError as error:
            raise Irregular(f"{folder} is no folder that can be read: {error.strerror}") from error
    return sorted(found)


def _regular(root: Path, relative: str) -> int | None:
    """A descriptor of a regular file; None if it is anything else."""
    try:
        fd = open_below(root, relative, os.O_RDONLY)
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None
