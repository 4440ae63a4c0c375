"""How a run ended: the word, the reason, and where everything is."""

from __future__ import annotations

from textual.content import Content

from engine import events as ev
from engine import spending
from tui.format.status import ending
from tui.format.text import clean, line, wrapped
from tui.theme import MUTED, STRONG, WANTS
from tui.view import View

LABEL_CELLS = 14
SILENT = "The engine stopped without saying why."


def field(label: str, text: str, width: int, style: str = "") -> list[Content]:
    """A label and its text, the text wrapped beside it."""
    first, *rest = wrapped(text, width - LABEL_CELLS, style)
    return [line((label.ljust(LABEL_CELLS), MUTED)) + first, *(Content(" " * LABEL_CELLS) + part for part in rest)]


def closing(view: View, width: int) -> list[Content]:
    """The page shown once the run has ended."""
    s, ended = view.state, view.state.ended
    glyph, word, style = ending(view)
    silent = "The journal ends here: the run was killed, or it still goes on." if view.replay else SILENT
    why = clean(ended.why) if ended is not None else silent
    lines = [line((f"{glyph} {word}", f"bold {style}")), *wrapped(why, width), Content("")]
    if isinstance(ended, ev.RunFinished) and ended.route:
        lines += field("route", clean(ended.route), width, STRONG)
    if isinstance(ended, ev.RunInterrupted | ev.RunFailed) and ended.hint:
        lines += field("do next", clean(ended.hint), width, WANTS)
    if isinstance(ended, ev.RunFailed) and ended.traceback:
        lines += field("traceback", clean(ended.traceback), width)
    if s.commit is not None:
        lines += field("branch", clean(s.commit.branch), width)
        lines += field("commit", f"{s.commit.sha[:9]} {clean(s.commit.subject)}", width)
    if s.attempt is not None and s.attempt.finished is not None:
        minimal = ", minimal" if s.attempt.diff.minimal else ""
        files = ", ".join(map(clean, s.attempt.files)) or "no file"
        lines += field("patch", f"{s.attempt.slimmed} in {files}{minimal}", width)
    if view.folder is not None:
        lines += field("", clean(str(view.folder / "patch.diff")), width) if s.attempt is not None else []
        if s.attempt is not None and s.attempt.diet is not None and s.attempt.diet.dropped:
            lines += field("taken away", clean(str(view.folder / "removed.diff")), width)
        lines += field("log", clean(str(view.folder / "run.log")), width)
    for told in spending.summary(s):
        label, _, rest = clean(told).partition(": ")
        lines += field(label.strip(), rest, width)
    if raised := s.followed + len(s.advised):
        lines += field("advisories", f"{s.followed} of {raised} followed", width)
    if s.ledger is not None:
        lines += field("ledger", clean(s.ledger.path), width)
    if s.receipt is not None:
        lines += field("receipt", clean(s.receipt.path), width)
        lines += field("", clean(s.receipt.check), width, MUTED) if s.receipt.check else []
    for entry in (p for p in s.published if p.url):
        lines += field("github", f"{clean(entry.kind)} {clean(entry.url)}", width)
    if s.checkout is not None:
        words = "untouched" if s.checkout.untouched else "changed while this ran"
        lines += field("checkout", f"{words}{'; ' + clean(s.checkout.note) if s.checkout.note else ''}", width)
    if s.commit is not None and s.started is not None:
        apply = f"bitnet-tui apply {clean(s.started.run)}"
        lines += [Content(""), *field("to take it", apply, width, STRONG)]
    return lines
