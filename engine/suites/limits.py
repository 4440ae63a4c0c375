"""How much children that run code under test may take of the machine. Set and watched by ``child/warden.py``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.config import SandboxSettings

SHARE = 0.75  # of the machine's memory, where the settings name no figure
HEADROOM = 60.0  # seconds of processor time on top of all cores for the whole deadline
_CGROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one child with all that descends from it; ``cpu_s`` and ``file_mb`` of each process. 0: none."""

    memory_mb: int = 0
    processes: int = 0
    disk_mb: int = 0
    file_mb: int = 0
    cpu_s: int = 0

    @classmethod
    def of(cls, settings: SandboxSettings, deadlines: Iterable[float]) -> Limits:
        """What the settings ask for; processor time is what every core could give until the longest deadline."""
        longest = max(deadlines, default=0.0)
        return cls(
            memory_mb=_share() if settings.memory_mb < 0 else settings.memory_mb,
            processes=settings.processes,
            disk_mb=settings.disk_mb,
            file_mb=settings.file_mb,
            cpu_s=int(longest * (os.cpu_count() or 1) + HEADROOM) if longest else 0,
        )

    @property
    def words(self) -> str:
        """In a line, for header and receipt; what has no bound is named too."""
        bounds = (
            (self.memory_mb, f"{self.memory_mb} MB of memory", "memory"),
            (self.processes, f"{self.processes} processes", "processes"),
            (self.disk_mb, f"{self.disk_mb} MB on disk", "disk"),
            (self.file_mb, f"{self.file_mb} MB a file", "file size"),
            (self.cpu_s, f"{self.cpu_s} s of processor time a process", "processor time"),
        )
        held = [text for most, text, _ in bounds if most]
        free = [name for most, _, name in bounds if not most]
        said = [f"at most {', '.join(held)}"] if held else []
        return "; ".join([*said, *([f"no limit of {', '.join(free)}"] if free else [])])


def _share() -> int:
    """Megabytes: a share of what this machine, or the container around us, has."""
    try:
        have = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
    for path in _CGROUP:
        try:
            have = min(have, int(Path(path).read_text()))
        except (OSError, ValueError):
            continue
    return int(have * SHARE) >> 20
