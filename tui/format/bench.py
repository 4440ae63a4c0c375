"""The bench screen's texts: a row an operation, size, format and backend; a speed only where the result is right."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.bench.sheet import REFERENCE, Kind, Result, Row, Sheet
from tui.format.bar import bar
from tui.format.text import clean, count, fit, line
from tui.glyphs import Glyphs
from tui.theme import ALIVE, BAD, GOOD, MUTED, STRONG, WANTS

NARROW = 100
LEFT = 34  # operation, format, size, tokens, backend
NUMBERS = 42  # median to the last run, without the bar
MACS_CELLS = 8  # where there is room
BAR_CELLS = 40
NOTABLE = 0.05  # a change smaller than that, or than the spread of either, is none
SORTS = ("as measured", "slowest first", "furthest from the roof", "most changed")


def microseconds(us: float, glyphs: Glyphs) -> str:
    """At most eight cells: ``6.1 µs``, ``41.2 ms``, ``1.20 s``."""
    if us < 999.5:
        return f"{us:.{1 if us < 99.95 else 0}f} {'us' if glyphs.plain else 'µs'}"
    if us < 999_500:
        return f"{us / 1e3:.{1 if us < 99_950 else 0}f} ms"
    return f"{us / 1e6:.{2 if us < 9_995_000 else 0}f} s"


def size(kind: Kind, glyphs: Glyphs) -> str:
    if kind.rows == kind.cols and not glyphs.plain:
        return f"{kind.rows}²"
    return f"{kind.rows}{'x' if glyphs.plain else '×'}{kind.cols}"


def ratio(number: float) -> str:
    """At most six cells."""
    return f"{number:.2f}x" if number < 9.995 else f"{number:.1f}x" if number < 99.95 else f"{min(number, 99999):.0f}x"


def share(number: float | None) -> str:
    return "–" if number is None else f"{min(number, 9.99):.0%}".replace("%", " %")


@dataclass(frozen=True, slots=True)
class Beside:
    """What rows are compared with, looked up once a sheet."""

    references: Mapping[str, Result]  # by the work that is done
    last: Mapping[str, Result]  # by what names a row
    most: float = 1.0  # the largest ratio to a reference

    @classmethod
    def of(cls, sheet: Sheet, before: Sheet | None) -> Beside:
        right = [r for r in sheet.rows if isinstance(r, Result)]
        references = {r.work: r for r in right if r.backend == REFERENCE}
        last = {r.key: r for r in before.rows if isinstance(r, Result)} if before is not None else {}
        ratios = [references[r.work].median_us / r.median_us for r in right if r.work in references]
        return cls(references, last, max(ratios, default=1.0))


def faster(row: Row, beside: Beside) -> float | None:
    """How many times as fast as the reference does the same."""
    other = beside.references.get(row.work)
    return other.median_us / row.median_us if other is not None and isinstance(row, Result) else None


def against(row: Row, beside: Beside) -> float | None:
    """How many times as fast as in the benchmark before this one."""
    other = beside.last.get(row.key)
    return other.median_us / row.median_us if other is not None and isinstance(row, Result) else None


def notable(row: Result, beside: Beside) -> bool:
    """Whether it changed by more than both measurements waver."""
    other = beside.last.get(row.key)
    if other is None:
        return False
    return abs(other.median_us / row.median_us - 1) > max(NOTABLE, row.spread, other.spread)


def head(width: int, glyphs: Glyphs) -> Content:
    """The names of the columns."""
    left = f"{'op':<7}{'format':<7}{'size':<10}{'tok':>3} {'on':<6}"
    cells = _bar_cells(width)
    numbers = f"{'median':>8} {'+-' if glyphs.plain else '±':>5} {'GB/s':>5} {'GMAC/s  ' if cells else ''}"
    bars = " " * (cells + bool(cells))
    return line((f"{left}{numbers}{'roof':>6} {bars}{'x ' + REFERENCE:>7}{'x last':>7}", MUTED))


def _bar_cells(width: int) -> int:
    return max(0, min(BAR_CELLS, width - LEFT - NUMBERS - MACS_CELLS - 1)) if width >= NARROW - 4 else 0


def rate(number: float) -> str:
    """At most five cells."""
    return f"{number:.2f}" if number < 9.995 else f"{number:.1f}" if number < 999.5 else f"{min(number, 99999):.0f}"


def row(row: Row, beside: Beside, glyphs: Glyphs, width: int) -> Content:
    """One line; a wrong result says how it is wrong, and no speed."""
    tokens = str(row.batch) if row.batch else glyphs.absent
    left = f"{fit(clean(row.op), 6)} {fit(clean(row.format), 6)} {fit(size(row, glyphs), 9)} {tokens:>3} "
    parts: list[str | tuple[str, str]] = [left, (f"{fit(clean(row.backend), 5)} ", STRONG)]
    if not isinstance(row, Result):
        wrong = line(*parts, (f"{glyphs.fails} wrong: {clean(row.why)}", BAD))
        rest = line((" (not timed)", BAD))
        return wrong + rest if wrong.cell_length + rest.cell_length <= width else wrong.truncate(width, ellipsis=True)
    spread = f"{row.spread:.1%}" if row.spread < 0.9995 else f"{min(row.spread, 9.99):.0%}"
    parts.append((f"{microseconds(row.median_us, glyphs):>8} ", STRONG))
    parts.append((f"{spread:>5} ", WANTS if row.spread > 0.25 else MUTED))
    parts.append(f"{rate(row.packed_gb_s):>5} ")
    speed = faster(row, beside)
    cells = _bar_cells(width)
    if cells:
        parts.append(f"{rate(row.giga_macs_s) if row.giga_macs_s else '–':>{MACS_CELLS - 2}}  ")
    parts.append(f"{share(row.roof):>6} ")
    if cells:
        parts.append((bar(speed / beside.most, cells, glyphs) if speed is not None else " " * cells, ALIVE))
        parts.append(" ")
    parts.append(f"{ratio(speed) if speed is not None else '–':>7}")
    change = against(row, beside)
    told = f"{ratio(change) if change is not None else '–':>7}"
    parts.append((told, (GOOD if (change or 1) > 1 else BAD) if notable(row, beside) else MUTED))
    return line(*parts).truncate(width, ellipsis=True)


def ordered(sheet: Sheet, beside: Beside, by: str) -> list[Row]:
    """The rows in an order of :data:`SORTS`; wrong ones first, but as measured."""
    rows = list(sheet.rows)
    if by == SORTS[0]:
        return rows

    def place(row: Row) -> float:
        if not isinstance(row, Result):
            return float("-inf")
        if by == SORTS[1]:
            return -row.median_us
        if by == SORTS[2]:
            return row.roof if row.roof is not None else float("inf")
        return -abs((against(row, beside) or 1.0) - 1)

    return sorted(rows, key=place)


def empty() -> str:
    return (
        "No benchmark yet. Press r to time the kernels on this machine: packing, unpacking and products, every result "
        "checked first. It takes about half a minute; R takes all shapes of the model."
    )


def title(sheet: Sheet) -> Content:
    """What was measured on."""
    if not sheet.machine:
        return line("Bench")
    named = clean(sheet.machine.get("processor", ""))
    parts = [p for p in (clean(sheet.tier), named, f"numpy {clean(sheet.machine.get('numpy', '?'))}") if p]
    return line("Bench", (f"  {' · '.join(parts)}", MUTED))


def foot(sheet: Sheet, before: Sheet | None, by: str) -> Content:
    """Counts, when it was measured, and what it is compared with."""
    if not sheet.rows:
        return line("")
    parts: list[str | tuple[str, str]] = [(count(len(sheet.rows), "row"), MUTED)]
    if sheet.wrong:
        parts.append((f"  {sheet.wrong} wrong", BAD))
    if sheet.disturbed:
        parts.append(("  disturbed", WANTS))
    if by != SORTS[0]:
        parts.append((f"  {by}", MUTED))
    parts.append((f"  {_day(sheet.at)}", MUTED))
    if before is not None:
        parts.append((f", before it {_day(before.at)}", MUTED))
    return line(*parts)


def _day(at: float) -> str:
    return time.strftime("%d %b %H:%M", time.localtime(at))


def under_way(state: str, sheet: Sheet, trouble: str, glyphs: Glyphs, width: int) -> Content:
    """The line below: what goes on, what went wrong, what can be done."""
    if state == "waiting":
        told = line(
            (f" {glyphs.asks} waiting", WANTS), "  until the run pauses at its next safe point   ", ("x", STRONG)
        )
        return (told + " gives up").truncate(width, ellipsis=True, pad=True)
    if state == "stopping":
        return line((f" {glyphs.alive} stopping…", ALIVE)).truncate(width, ellipsis=True, pad=True)
    if state == "running":
        what = "starting the child"
        if sheet.now is not None:
            k = sheet.now
            tokens = f" {count(k.batch, 'token')}" if k.batch else ""
            what = f"{clean(k.op)} {clean(k.format)} {size(k, glyphs)}{tokens} on {clean(k.backend)}"
        begun = len(sheet.rows) + (sheet.now is not None and sheet.now.key not in {r.key for r in sheet.rows})
        of = f"{begun} of {sheet.kinds or '?'}" if begun else ""
        told = line((f" {glyphs.alive} timing {of}".rstrip(), ALIVE), f"  {what}   ", ("x", STRONG), " stops it")
        return told.truncate(width, ellipsis=True, pad=True)
    if trouble:
        return line((f" {glyphs.fails} ", BAD), clean(trouble)).truncate(width, ellipsis=True, pad=True)
    told = line("")
    absent = [(f"   without {clean(a.backend)}: {clean(a.why)}", MUTED) for a in sheet.absent[:1]]
    if sheet.disturbed:
        words = "  a run was at work beside it: these times are no measure"
        told = line((f" {glyphs.advisory} disturbed", WANTS), words)
    elif sheet.rows and not sheet.complete:
        told = line((f" {glyphs.skipped} stopped", WANTS), f"  {len(sheet.rows)} of {sheet.kinds} kinds were measured")
    elif sheet.wrong:
        told = line((f" {glyphs.fails} {sheet.wrong} wrong", BAD), "  what computes wrong is not timed", *absent)
    elif sheet.rows:
        told = line((f" {glyphs.holds} measured", GOOD), f"  all {len(sheet.rows)} results are right", *absent)
    return told.truncate(width, ellipsis=True, pad=True)


def copied(row: Row, beside: Beside) -> str:
    """A row as one line of text, to be pasted elsewhere."""
    threads = "" if row.backend == REFERENCE else f", {count(row.threads, 'thread')}"
    heat = ("cold" if row.cold else "hot") + " weights" if row.op == "matmul" else ""
    tokens = f", {count(row.batch, 'token')}" if row.batch else ""
    name = f"{row.op} {row.format} {row.rows}x{row.cols}{tokens}, {row.backend}{threads}" + (
        f", {heat}" if heat else ""
    )
    if not isinstance(row, Result):
        return f"{name}: wrong: {row.why} (not timed)"
    told = f"{name}: {row.median_us:.1f} µs (p10 {row.p10_us:.1f}, p90 {row.p90_us:.1f}), {row.packed_gb_s:.2f} GB/s"
    told += f", {row.roof:.0%} of the roof" if row.roof is not None else ""
    ref, last = faster(row, beside), against(row, beside)
    told += f", {ratio(ref)} {REFERENCE}" if ref is not None and row.backend != REFERENCE else ""
    return told + (f", {ratio(last)} the last run" if last is not None else "")


# -- the sweep ----------------------------------------------------------------------------------------------------


def sweep(sheet: Sheet, about: Kind | None) -> list[Result]:
    """What is drawn below: the family of a row if it has a sweep, else the first that has one."""
    rows = [r for r in sheet.rows if isinstance(r, Result) and r.batch and r.giga_macs_s]
    families = list(dict.fromkeys(r.family for r in rows))
    wanted = about.family if about is not None and about.family in families else families[0] if families else None
    return [r for r in rows if r.family == wanted]


def series(rows: Iterable[Result]) -> dict[str, dict[int, float]]:
    """By backend the GMAC/s by tokens, and as ``roof`` what the machine could do."""
    found: dict[str, dict[int, float]] = {}
    for r in rows:
        found.setdefault(r.backend, {})[r.batch] = r.giga_macs_s
        if r.roof and r.backend != REFERENCE:
            found.setdefault("roof", {})[r.batch] = r.giga_macs_s / r.roof
    return found


def sweep_title(rows: Sequence[Result], glyphs: Glyphs) -> Content:
    if not rows:
        return line("Sweep")
    first = rows[0]
    names = "  ".join(f"{clean(name)[:1]} {clean(name)}" for name in series(rows))
    told = f"  {clean(first.op)} {clean(first.format)} {size(first, glyphs)}, GMAC/s by tokens   "
    return line("Sweep", told, (names, MUTED))


def sweep_table(rows: Sequence[Result], glyphs: Glyphs, width: int) -> list[Content]:
    """The sweep as bars, where no dots can be drawn."""
    found = series(rows)
    if not found:
        return [line(("No sweep yet: it needs products with several numbers of tokens.", MUTED))]
    most = max(value for points in found.values() for value in points.values())
    cells = max(10, min(60, width - 28))
    lines = []
    for name, points in found.items():
        style = MUTED if name == "roof" else ALIVE if name != REFERENCE else ""
        for tokens, value in sorted(points.items()):
            label = f"{fit(clean(name), 6)} {tokens:>5} tok "
            lines.append(line(label, (bar(value / most, cells, glyphs), style), f" {value:>8.1f}"))
    return lines
