"""How every feature stands now and stood at the audit: counts, a bar, and what changed."""

from __future__ import annotations

from textual.content import Content

from engine.features import Tally, by_feature
from engine.state import RunState
from tui.format.bar import bar
from tui.format.text import clean, line, wrapped
from tui.glyphs import Glyphs
from tui.theme import BAD, GOOD, MUTED, STRONG

NAME_CELLS = 13
NOW_CELLS = 15  # three counts, each with its sign
LEAST_BAR = 6


def lines(state: RunState, glyphs: Glyphs, width: int) -> list[Content]:
    """The table, or why there is none."""
    found = by_feature(state.tests.values())
    if not found:
        said = "No test was run." if state.ended is not None else "No tests yet. They are counted as they finish."
        return wrapped(said, width, MUTED)
    whole = Tally()
    for tally in found.values():
        for name in Tally.__slots__:
            setattr(whole, name, getattr(whole, name) + getattr(tally, name))
    top = line((f"{'feature':<{NAME_CELLS}}  {'now':<{NOW_CELLS}}{'at the audit'}", MUTED))
    rows = [row(name, tally, glyphs, width) for name, tally in found.items()]
    total = [row("all", whole, glyphs, width)] if len(found) > 1 else []
    told = "By the names of tests: test_cpu_…, test_gpu_…, test_quantization_…, test_inference_…; the rest is other."
    return [top, *rows, *total, Content(""), *wrapped(told, width, MUTED)]


def row(name: str, tally: Tally, glyphs: Glyphs, width: int) -> Content:
    """``cpu   2 ✗  28 ✓   8 ✗  22 ✓   ████▋ 6 fixed``"""
    parts: list[str | tuple[str, str]] = [(f"{clean(name):<{NAME_CELLS}}", STRONG)]
    parts += _counts(tally.red, tally.held, tally.skipped, glyphs)
    parts += [*_counts(tally.was_red, tally.was_held, tally.was_skipped, glyphs, quiet=True), " "]
    told = []
    if tally.broken:
        told.append((f" {tally.broken} broken", BAD))
    if tally.fixed:
        told.append((f" {tally.fixed} fixed", GOOD))
    room = min(20, width - NAME_CELLS - 2 * NOW_CELLS - 1 - sum(len(t) for t, _ in told))
    judged = tally.held + tally.red
    if room >= LEAST_BAR and judged:
        filled = bar(tally.held / judged, room, glyphs) if tally.held else " " * room
        parts.append((filled, BAD if tally.red else GOOD))
    return line(*parts, *told).truncate(width, ellipsis=True)


def _counts(red: int, held: int, skipped: int, glyphs: Glyphs, *, quiet: bool = False) -> list[tuple[str, str]]:
    """Three columns of fixed width, so that rows can be compared; what there is none of is left blank."""
    columns = ((red, glyphs.fails, BAD), (held, glyphs.holds, GOOD), (skipped, glyphs.skipped, MUTED))
    return [
        (f"{n if n else '':>3}{' ' + sign if n else '  '}", MUTED if quiet else style) for n, sign, style in columns
    ]
