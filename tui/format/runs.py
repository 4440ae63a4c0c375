"""Earlier runs, a line each: which, when, how it ended, tests, cost, route."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from textual.content import Content

from engine.policy import impl_passes
from tui.format import diff
from tui.format.status import ending
from tui.format.text import clean, count, cut, fit, line, money, wrapped
from tui.glyphs import Glyphs
from tui.recorded import Past
from tui.theme import BAD, GOOD, MUTED, STRONG, WANTS
from tui.view import View

ID_CELLS = 6
WORD_CELLS = 14
NONE = (
    "No other run in this repository yet. Every run stays here once it has begun, with its journal, its patch and its "
    "ledger, until `bitnet-tui clean --all` removes it."
)
NOWHERE = "This run keeps no folder in a repository, so there are no others beside it."


def row(past: Past, glyphs: Glyphs, width: int) -> Content:
    """``9f3a   2026-11-28 16:03  ✓ verified      3 → 0 red   $0.27  FINALIZE → code-reviewer``"""
    name = (fit(clean(past.short), ID_CELLS) + " ", STRONG)
    if past.state is None:
        return line(name, (cut(f"damaged: {clean(past.damage)}", max(1, width - ID_CELLS - 1)), BAD))
    s = past.state
    glyph, word, style = (
        ending(View(s, glyphs=glyphs)) if s.ended is not None else (glyphs.skipped, "unfinished", WANTS)
    )
    before = len(s.audit.targets) if s.audit is not None else 0
    after = s.attempt.failing_after if s.attempt is not None and s.attempt.failing_after is not None else before
    return line(
        name,
        (time.strftime("%Y-%m-%d %H:%M", time.localtime(s.started_at)), MUTED),
        (f"  {glyph} {word}".ljust(WORD_CELLS + 4), style),
        f"{before:>3} → {after} red".ljust(13),
        (f"{money(s.usage.usd):>6}  ", MUTED),
        clean(getattr(s.ended, "route", "")),
    )


def heading(found: Sequence[Past], more: int) -> str:
    """How many there are; those that are too old to be listed are named."""
    said = f"{count(len(found), 'run')} of this repository, the newest first."
    return said + (f" {more} older ones: bitnet-tui runs." if more else "")


def why_not_applied(past: Past, patch: Path) -> str:
    """Why the change of a run is not to be had by a key; empty if it is."""
    if past.state is None:
        return "its journal is damaged"
    if not patch.is_file():
        return "it has no patch, nothing was changed"
    if not impl_passes(past.state):
        return f"it is not verified (`bitnet-tui apply {past.short} --unverified` applies it all the same)"
    return ""


def to_apply(patch: str, root: Path, width: int, *, live: bool) -> list[Content]:
    """What applying a patch would write, file by file."""
    stat = diff.files(patch)
    lines = wrapped(f"{count(len(stat), 'file')} in {clean(str(root))} would change:", width)
    for name, added, removed in stat:
        where = cut(clean(name), max(8, width - 16))
        lines.append(line(f"  {where}  ", (f"+{added}", GOOD), " ", (f"−{removed}", BAD)))
    said = "Where your files changed meanwhile it is merged; if that fails, nothing is changed."
    lines += [Content(""), *wrapped(said, width, MUTED)]
    if live:
        note = "The run under way works on its own copy; its ledger will note that your files changed."
        lines += wrapped(note, width, WANTS)
    return lines


def applied(past: Past, files: int, *, written: bool) -> str:
    """What the toast says afterwards."""
    if not written:
        return f"your files hold all of run {past.short} already"
    return f"applied: {count(files, 'file')} changed; undo with: bitnet-tui diff {past.short} | git apply -R"
