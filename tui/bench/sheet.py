"""What a benchmark found so far, folded from what its child says line by line. Pure.

The lines are those of ``python -m kernels bench --stream``. What cannot be read is left out: a result without sense is
no result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
from msgspec import field
from msgspec.structs import replace

LINE_BYTES = 64_000
ROWS = 500  # beyond that nobody looks
TEXT = 400


class Kind(msgspec.Struct, frozen=True):
    """What is timed in one go; ``batch`` is 0 where no activations take part."""

    op: str
    format: str
    backend: str
    rows: int
    cols: int
    batch: int = 0
    threads: int = 1
    cold: bool = False

    @property
    def key(self) -> str:
        """What names it, here and in the next benchmark."""
        heat = "cold" if self.cold else "hot"
        return f"{self.op} {self.format} {self.rows}x{self.cols} {self.batch} {self.threads} {heat} {self.backend}"

    @property
    def work(self) -> str:
        """The same whatever computes it."""
        return self.key.rpartition(" ")[0].replace(f" {self.threads} ", " ", 1)

    @property
    def family(self) -> tuple[str, str, int, int]:
        """Kinds that differ in tokens and backend alone: they make one sweep."""
        return self.op, self.format, self.rows, self.cols


class Begins(Kind, frozen=True, tag_field="type", tag="begins"):
    """It is being timed."""


class Result(Kind, frozen=True, tag_field="type", tag="result"):
    """It is right, and so fast."""

    median_us: float = 0.0
    p10_us: float = 0.0
    p90_us: float = 0.0
    packed_gb_s: float = 0.0
    giga_macs_s: float = 0.0
    machine: Mapping[str, float] = field(default_factory=dict)

    @property
    def spread(self) -> float:
        """Half of what lies between the tenth and the ninetieth of a hundred, as a share of the median."""
        return (self.p90_us - self.p10_us) / 2 / self.median_us

    @property
    def roof(self) -> float | None:
        """Share of what the machine could do in the same moments; None where nothing is known of it.

        Cold weights are read from memory, so reading bounds a product too; hot ones come from nearer by.
        """
        peak = max(self.machine.get("multiply", 0.0), self.machine.get("multiply_best", 0.0))
        shares = [self.giga_macs_s / peak] if peak > 0 and self.giga_macs_s > 0 else []
        read = self.machine.get("read", 0.0)
        if read > 0 and (self.cold or self.op != "matmul"):
            shares.append(self.packed_gb_s / read)
        return max(shares, default=None)

    @property
    def sane(self) -> bool:
        numbers = (self.median_us, self.p10_us, self.p90_us, self.packed_gb_s, self.giga_macs_s)
        finite = all(math.isfinite(n) and n >= 0 for n in (*numbers, *self.machine.values()))
        return finite and self.median_us > 0 and self.p10_us <= self.p90_us


class Wrong(Kind, frozen=True, tag_field="type", tag="wrong"):
    """Its check failed: there is no speed."""

    why: str = ""


class About(msgspec.Struct, frozen=True, tag_field="type", tag="about"):
    machine: Mapping[str, str] = field(default_factory=dict)
    backends: tuple[Mapping[str, object], ...] = ()
    kinds: int = 0


class Absent(msgspec.Struct, frozen=True, tag_field="type", tag="absent"):
    backend: str
    why: str = ""


class End(msgspec.Struct, frozen=True, tag_field="type", tag="end"):
    kinds: int = 0


Row = Result | Wrong
Said = Begins | Result | Wrong | About | Absent | End
_said = msgspec.json.Decoder(Said)


class Sheet(msgspec.Struct, frozen=True):
    """One benchmark, under way or over."""

    at: float = 0.0  # when it was started
    rows: tuple[Row, ...] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    tier: str = ""
    absent: tuple[Absent, ...] = ()
    kinds: int = 0  # how many there will be
    now: Begins | None = None  # what is timed, or was last
    complete: bool = False
    disturbed: bool = False  # a run was at work beside it: its times are no measure

    @property
    def wrong(self) -> int:
        return sum(isinstance(r, Wrong) for r in self.rows)


REFERENCE = "numpy"
"""The backend others are measured by: it runs everywhere."""


def said(line: bytes) -> Said | None:
    """One line of the child; None for one that says nothing we know."""
    if len(line) > LINE_BYTES:
        return None
    try:
        what: Said = _said.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return what


def fold(sheet: Sheet, what: Said) -> Sheet:
    """The sheet after one more line."""
    if isinstance(what, Result | Wrong):
        if len(sheet.rows) >= ROWS or (isinstance(what, Result) and not what.sane):
            return sheet
        return replace(sheet, rows=(*sheet.rows, what))
    if isinstance(what, Begins):
        return replace(sheet, now=what)
    if isinstance(what, About):
        tier = next((str(b["tier"])[:TEXT] for b in what.backends if b.get("tier")), "")
        return replace(sheet, machine=what.machine, tier=tier, kinds=what.kinds)
    if isinstance(what, Absent):
        return replace(sheet, absent=(*sheet.absent[:8], what))
    return replace(sheet, now=None, complete=True)
