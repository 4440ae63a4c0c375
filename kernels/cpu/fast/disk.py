"""Machine code on disk, so that it is made once a machine; done without where a cache cannot be trusted or written."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from kernels import product, ternary
from kernels.formats import i2_s
from kernels.ops import head, order

_DIGEST = hashlib.sha256().digest_size

_ELSEWHERE = [Path(str(module.__file__)) for module in (head, i2_s, order, product, ternary)]
"""Sources outside this folder that the emitted code takes numbers from."""


def key(*parts: str) -> str:
    """A name for code that depends on these and on the sources that emit it."""
    digest = hashlib.sha256("\0".join(parts).encode())
    for path in (*sorted(Path(__file__).parent.glob("*.py")), *_ELSEWHERE):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def read(name: str) -> bytes | None:
    """What was kept under this name, if it is whole and nobody else could have written it."""
    folder = _folder()
    if folder is None:
        return None
    try:
        with open(os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            if not _ours(os.fstat(file.fileno())):
                return None
            content = file.read()
    except OSError:
        return None
    code = content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == content[:_DIGEST] else None


def write(name: str, code: bytes) -> bool:
    """Keep code under a name, all of it or nothing; gives whether it was kept."""
    folder = _folder()
    if folder is None:
        return False
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".new-")
        with open(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(temporary, folder / name)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        return False
    return True


def _folder() -> Path | None:
    """The user's own folder, made if need be; None where it is not theirs alone."""
    try:
        base = os.environ.get("XDG_CACHE_HOME", "")
        root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
        folder = root / "bitnet-kernels"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except (OSError, RuntimeError):  # RuntimeError: no home
        return None
    return folder if stat.S_ISDIR(status.st_mode) and _ours(status) else None


def _ours(status: os.stat_result) -> bool:
    """Whether it belongs to this user, and no other may write it."""
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
