"""Benchmarks on the disk: ``.bitnet-tui/bench/<time>.json``, so that the next one has something to be compared with."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tui.bench.sheet import ROWS, Sheet

MOST_BYTES = 4_000_000
LOOKED_AT = 20  # older ones than so many are not read
_sheet = msgspec.json.Decoder(Sheet)


def folder_of(run: Path | None) -> Path | None:
    """Beside ``runs/<run>``."""
    return run.parent.parent / "bench" if run is not None and run.parent.name == "runs" else None


def keep(sheet: Sheet, folder: Path) -> Path:
    """Write a sheet under a name that sorts by time; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(sheet.at))
    path = folder / f"{stamp}-{int(sheet.at * 1000) % 1000:03}Z.json"
    written = path.with_suffix(f".{os.getpid()}.part")
    written.write_bytes(msgspec.json.encode(sheet))
    written.replace(path)
    return path


def newest(folder: Path | None) -> Sheet | None:
    """The newest sheet that can be read and has rows."""
    return next(_sheets(folder), None)


def compared(folder: Path | None, now: Sheet) -> Sheet | None:
    """What a sheet is compared with: the newest before it that nothing disturbed, a complete one if there is one."""
    calm = [s for s in _sheets(folder) if s.at < now.at and not s.disturbed]
    return next((s for s in calm if s.complete), calm[0] if calm else None)


def _sheets(folder: Path | None) -> Iterator[Sheet]:
    """Newest first, not all the way back."""
    try:
        names = sorted((p for p in folder.iterdir() if p.suffix == ".json"), reverse=True) if folder else []
    except OSError:
        return
    for path in names[:LOOKED_AT]:
        sheet = _read(path)
        if sheet is not None and sheet.rows:
            yield sheet


def _read(path: Path) -> Sheet | None:
    """Somebody else may have written it: bounded, and of the right form or not at all."""
    try:
        if path.is_symlink() or path.stat().st_size > MOST_BYTES:
            return None
        sheet = _sheet.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    good = tuple(r for r in sheet.rows[:ROWS] if getattr(r, "sane", True))
    return msgspec.structs.replace(sheet, rows=good, now=None)
