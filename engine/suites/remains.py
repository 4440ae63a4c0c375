"""Which processes a run has started, by the marks they bear (Linux; elsewhere none are found). It ends none."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

_MARK = 1 << 40  # as in child/warden.py


def processes_of(run: str) -> list[int]:
    """Processes of a run that still are, this one excepted.

    The environment names the run; it can be cleared. A limit of locks bears the same name and can only be lowered
    (root may raise it, where nothing confines). Whoever lowered it and left its parent has become ours.
    """
    name = f"BITNET_TUI_RUN={run}".encode()
    mark, own, me = str(_MARK + zlib.crc32(run.encode())), _limit("self"), os.getpid()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        borne = _limit(entry.name)
        strange = borne not in ("", own) and _parent(entry.name) == str(me)
        if borne == mark or strange or name in _environment(entry):
            found.append(int(entry.name))
    return [pid for pid in found if pid != me]


def name_of(pid: int) -> str:
    """The name of a process; empty if it has ended."""
    return _text(f"/proc/{pid}/comm").strip()


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []  # it ended, or it is not ours to read


def _limit(pid: str) -> str:
    line = next((x for x in _text(f"/proc/{pid}/limits").splitlines() if x.startswith("Max file locks")), "")
    return line.split()[4] if line else ""


def _parent(pid: str) -> str:
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[1] if len(fields) > 1 else ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
