"""What became of each program, and what that comes to: shares, times and rates, each said for what it is."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from engine.providers.repair.task import SearchProgress

MANY = 200  # candidates from which on a rate says something


@dataclass(slots=True)
class Clock:
    """Reads times off a search's own reports.

    Attributes
    ----------
    red : how many tests failed before.
    first_s : seconds to the first edit with which all of them pass; 0 until there is one.
    searching_s : seconds in which candidates were tried: neither start, nor watching, nor proof.
    searching_cpu_s : seconds of processor time that this took, here and in all children.
    """

    red: int
    first_s: float = 0.0
    searching_s: float = 0.0
    searching_cpu_s: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _searching: float = 0.0
    _cpu: float = 0.0

    def hear(self, now: SearchProgress) -> None:
        at = time.monotonic()
        if now.phase == "searching":
            if not self._searching:
                self._searching, self._cpu = at, processor_time(os.getpid())
        elif self._searching:
            self.searching_s += at - self._searching
            self.searching_cpu_s += processor_time(os.getpid()) - self._cpu
            self._searching = 0.0
        # What was kept counts as fixed only once the round that found it is over.
        mended = now.fixed + (now.best if now.phase == "searching" else 0)
        if not self.first_s and mended >= self.red:
            self.first_s = at - self._began


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one program. ``alike`` of ``judged`` hidden inputs are answered as by the reference.

    ``listed``: what was chosen is not right, but one of its runners-up is.
    """

    kind: str
    name: str
    plausible: bool
    right: bool
    first_s: float
    seconds: float
    searching_s: float
    searching_cpu_s: float
    tried: int
    alternatives: int
    confidence: str
    judged: int
    alike: int
    edits: tuple[str, ...]
    note: str
    listed: bool = False

    @property
    def rate(self) -> float:
        """Candidates a second while candidates were tried."""
        return self.tried / max(self.searching_s, 1e-3)

    @property
    def rate_of_a_core(self) -> float:
        """Candidates a second of processor time: what a core does that has nothing else to do."""
        return self.tried / max(self.searching_cpu_s, 1e-3)

    @property
    def rate_in_all(self) -> float:
        """Candidates a second of the whole time, from the start of the processes to the proof."""
        return self.tried / max(self.seconds, 1e-3)

    @property
    def line(self) -> str:
        """The row for a person; below it what is wrong, if anything is."""
        word = "right" if self.right else "plausible, not right" if self.plausible else "not mended"
        said = f"{self.kind:13} {self.name:28} {word:21} {self.first_s:6.1f} {self.seconds:6.1f} s "
        said += f"{self.tried:6} tried {self.rate:6.0f}/s {self.rate_of_a_core:6.0f}/s  {'; '.join(self.edits)[:120]}"
        return said if self.right else f"{said}\n{'':14}{self.note[:220]}"


def summary(name: str, rows: Iterable[Row]) -> str:
    """The figures of one data set, or of a part of it."""
    rows = list(rows)
    n = len(rows)
    mended = [r for r in rows if r.plausible]
    right = sum(r.right for r in rows)
    busy = [r for r in rows if r.tried > MANY]
    tried, spent = sum(r.tried for r in rows), sum(r.searching_s for r in rows)
    cpu = sum(r.searching_cpu_s for r in rows)
    alone = sum(r.alternatives == 0 for r in mended)
    trust = []
    for word in ("high", "medium", "low"):
        mine = [r for r in mended if r.confidence == word]
        trust.append(f"{sum(r.right for r in mine)} of {len(mine)} of {word} confidence")
    return (
        f"{name}: {len(mended)} of {n} plausible ({100 * len(mended) / n:.0f} %), {right} right "
        f"({100 * right / n:.0f} %), {len(mended) - right} plausible and wrong "
        f"({sum(r.listed for r in rows)} with the right one among the runners-up), {alone} without alternatives\n"
        f"  right: {', '.join(trust)}\n"
        f"  first fix {_median(r.first_s for r in mended):.1f} s, proved {_median(r.seconds for r in mended):.1f} s "
        f"(medians of the mended)\n"
        f"  candidates a second: {_median(r.rate for r in busy):.0f} while trying, "
        f"{_median(r.rate_of_a_core for r in busy):.0f} a second of processor time, "
        f"{_median(r.rate_in_all for r in busy):.0f} of the whole time (medians where more than {MANY} were tried)\n"
        f"  {tried} in {spent:.0f} s of trying and {cpu:.0f} s of processor time: "
        f"{tried / max(spent, 1e-3):.0f} and {tried / max(cpu, 1e-3):.0f} a second"
    )


def by_class(rows: Iterable[Row]) -> str:
    """What became of each class of planted slips, over all programs; the class is the first word of a name."""
    classes: dict[str, list[Row]] = {}
    for row in rows:
        if " " in row.name:
            classes.setdefault(row.name.split()[0], []).append(row)
    said = []
    for word, mine in sorted(classes.items()):
        right, wrong = sum(r.right for r in mine), sum(r.plausible and not r.right for r in mine)
        sure = sum(r.plausible and not r.right and r.confidence == "high" for r in mine)
        none = len(mine) - right - wrong
        said.append(
            f"  {word:18} {len(mine):3}: {right:3} right, {wrong:2} wrong ({sure} of high confidence), {none:2} none"
        )
    return "\n".join(said)


def processor_time(top: int) -> float:
    """Seconds of processor time of a process, its living children and theirs, and all that they have outlived."""
    used: dict[int, tuple[int, int]] = {}
    for entry in Path("/proc").iterdir() if Path("/proc/self/stat").exists() else ():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has just ended
            used[int(entry.name)] = (int(words[1]), sum(map(int, words[11:15])))
    total, waiting = 0, [top]
    while waiting:
        one = waiting.pop()
        total += used.get(one, (0, 0))[1]
        waiting += [pid for pid, (parent, _) in used.items() if parent == one]
    return total / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """What the times depend on."""
    one, five, _ = os.getloadavg()
    return f"{os.cpu_count()} cores, load {one:.1f} over a minute, {five:.1f} over five"


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return statistics.median(found) if found else float("nan")
