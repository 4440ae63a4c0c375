"""Pane 4: the detail of one thing, the diff, the log, the ledger, or the features."""

from __future__ import annotations

from textual.content import Content

from tui.format import detail, diff, features, ledger
from tui.format.places import Place, nearest
from tui.format.text import clean, count, line, wrapped
from tui.theme import MUTED, WANTS
from tui.view import View
from tui.widgets.pane import Pane
from tui.widgets.watched import Watched

FACES = ("detail", "diff", "log")
RARE = ("ledger", "features")  # named on the edge only while they are looked at


class DetailPane(Pane):
    """Several faces in one place: ``detail`` follows what is selected, the others the run."""

    NUMBER = 4
    NAME = "Detail"
    HELP = (
        "{view.diff} shows the diff, {view.log} the log, {view.ledger} the ledger, {view.features} pass and fail by "
        "feature; {back} comes back. In the log, scrolling up stops following, {list.last} follows again. "
        "In the diff, {diff.next} and {diff.previous} go from hunk to hunk; while the run asks you, {change.revert} "
        "takes the marked one away. Of a test, {copy} copies the command that reruns it."
    )
    CURSOR = False

    def __init__(self) -> None:
        super().__init__()
        self.face = "detail"
        self.chosen = ""
        self.following = True
        self._view = View()
        self._shown: tuple[object, ...] = ()
        self._lines: list[Content] = []
        self._patch = Watched("patch.diff")
        self._hunks: list[diff.Hunk] = []
        self._hunk = -1  # the marked one
        self._hunk_of: object = None  # the patch it marks a hunk of
        self._ledger_file = Watched("ledger.md")
        self._editing = False  # the subject was the provider's activity, which is followed
        self._log_end = 0  # the number of the last line when following stopped

    def turn(self, face: str, chosen: str | None = None) -> None:
        """Show another face, or another subject."""
        if face != self.face or (chosen is not None and chosen != self.chosen):
            self.scroll_to(y=0, animate=False)
        self.face = face
        if chosen is not None:
            self.chosen = chosen
        if face == "log":
            self.following = True
        else:
            self.needle = ""
        self.show(self._view)

    def show(self, view: View) -> None:
        self._view = view
        faces = {"diff": self._diff, "log": self._log, "ledger": self._ledger, "features": self._features}
        foot = faces.get(self.face, self._detail)()
        self.set_edges(self._tabs(), foot)

    def _tabs(self) -> Content:
        parts: list[str | tuple[str, str]] = [f"{self.NUMBER} "]
        for number, face in enumerate([*FACES, *(f for f in RARE if f == self.face)]):
            parts.append((" ─ ", MUTED) if number else "")
            parts.append((face.title(), "bold underline" if face == self.face else MUTED))
        return line(*parts)

    def _fill(self, lines: list[Content]) -> None:
        if (
            lines
            and len(lines) == len(self._lines)
            and all(a.is_same(b) for a, b in zip(lines, self._lines, strict=True))
        ):
            return
        self._lines = lines
        self.set_rows([""] * len(lines), lambda row, _width: lines[row])

    def _detail(self) -> Content:
        view, width = self._view, max(20, self.line_width)
        s = view.state
        moving = (view.now,) if not s.tests else ()
        shown = (self.chosen, width, s.seq, view.ended, view.folder, view.glyphs, *moving)
        if shown != self._shown:
            self._shown = shown
            bottom = self.scroll_offset.y >= self.max_scroll_y
            self._fill(detail.subject(view, self.chosen, width))
            editing = not self.chosen and detail.editing(s) and not view.ended
            if editing and bottom:
                self.call_after_refresh(self._to_end)
            elif self._editing and not editing:
                self.scroll_to(y=0, animate=False)
            self._editing = editing
        return Content(detail.title(view, self.chosen))

    def _diff(self) -> Content:
        text, width = self._patch.text(self._view.folder), max(20, self.line_width)
        if not text:
            self._shown, self._hunks, self._hunk = (), [], -1
            self._fill(wrapped(self._no_patch(), width, MUTED))
            return Content("")
        if self._patch.stamp != self._hunk_of:
            self._hunk_of, self._hunk = self._patch.stamp, -1
        shown = ("diff", self._patch.stamp, width, self._view.glyphs, self._hunk)
        if shown != self._shown:
            self._shown = shown
            rows, self._hunks = diff.drawn(text, self._view.glyphs, width, self._hunk)
            self._fill(rows)
        stat = diff.files(text)
        size = f"{count(len(stat), 'file')}  +{sum(f[1] for f in stat)} −{sum(f[2] for f in stat)}"
        return line((self._where(), WANTS), size)

    def _where(self) -> str:
        """Which hunk is marked, and what can be done with it now."""
        asked = self._view.state.deciding and bool(self._view.state.pieces)
        if self.hunk is None:
            return self._view.keys.fill("{diff.next} goes to a hunk, {change.revert} takes it away   ") if asked else ""
        takes = self._view.keys.fill(", {change.revert} takes it away") if asked else ""
        return f"hunk {self._hunk + 1} of {len(self._hunks)}{takes}   "

    @property
    def hunk(self) -> diff.Hunk | None:
        """The hunk that is marked in the diff."""
        return self._hunks[self._hunk] if self.face == "diff" and 0 <= self._hunk < len(self._hunks) else None

    def go_to_hunk(self, step: int) -> bool:
        """Mark the next hunk and show it from its first line on; False if there is none."""
        if not self._hunks:
            return False
        first = 0 if step > 0 else len(self._hunks) - 1
        self._hunk = first if self.hunk is None else min(max(0, self._hunk + step), len(self._hunks) - 1)
        self.show(self._view)
        if self.hunk is not None:
            self.scroll_to(y=self.hunk.row, animate=False)
        return True

    def _no_patch(self) -> str:
        if self._view.replay and self._view.folder is not None:
            return "No patch.diff lies beside this journal."
        return "No patch yet. It is here once an attempt has changed something."

    def _ledger(self) -> Content:
        view, width = self._view, max(20, self.line_width)
        text = self._ledger_file.text(view.folder)
        shown = ("ledger", self._ledger_file.stamp if text else view.ended, width, view.glyphs)
        if shown != self._shown:
            self._shown = shown
            found = ledger.lines(text, view.glyphs, width)
            self._fill(found or wrapped(ledger.empty(ended=view.ended, replay=bool(view.replay)), width, MUTED))
        return Content("y copies it" if text else "")

    def _features(self) -> Content:
        view, width = self._view, max(20, self.line_width)
        shown = ("features", width, view.state.seq, view.glyphs)
        if shown != self._shown:
            self._shown = shown
            self._fill(features.lines(view.state, view.glyphs, width))
        return Content("")

    def _log(self) -> Content:
        output = self._view.output
        texts = output.lines()
        if self.needle:
            texts = [t for t in texts if self.needle.casefold() in t.casefold()]
        self._shown = ()
        self._lines = []
        if not texts:
            return self._no_log()
        self.set_rows([""] * len(texts), lambda row, _width: Content(clean(texts[row])))
        if self.following:
            self._log_end = output.total
            self.call_after_refresh(self._to_end)
        else:
            missed = count(output.total - self._log_end, "new line")
            return line(
                (
                    f"{self._view.glyphs.paused} {missed}, {self._view.keys.written('list.last').split()[0]} to follow",
                    WANTS,
                )
            )
        lost = f", {output.dropped} only on disk" if output.dropped else ""
        return line((f"{count(output.total, 'line')}{lost}", MUTED))

    def _no_log(self) -> Content:
        where = f" The whole log is {self._view.folder / 'run.log'}." if self._view.folder is not None else ""
        said = (
            "A journal holds no output; that of its run.log comes at the end."
            if self._view.replay
            else "No output yet."
        )
        self._fill(wrapped(("Nothing has that text." if self.needle else said) + where, 60, MUTED))
        return Content("")

    def _to_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False)

    def filter(self, needle: str) -> None:
        """In the log: show only lines with ``needle``."""
        self.needle = needle
        self.show(self._view)

    def action_move(self, step: int) -> None:
        self._leave_end(step)
        super().action_move(step)

    def action_page(self, step: int) -> None:
        self._leave_end(step)
        super().action_page(step)

    def action_first(self) -> None:
        self._leave_end(-1)
        super().action_first()

    def action_last(self) -> None:
        self.following = True
        super().action_last()
        self.show(self._view)

    def _on_mouse_scroll_up(self, event: object) -> None:
        self._leave_end(-1)
        super()._on_mouse_scroll_up(event)  # type: ignore[arg-type]

    def _leave_end(self, step: int) -> None:
        if self.face != "log":
            return
        if step < 0 and self.following:
            self.following = False
            self._log_end = self._view.output.total
            self.show(self._view)
        elif step > 0 and self.scroll_offset.y >= self.max_scroll_y:
            self.following = True

    def place(self) -> Place | None:
        """The file and line that what is read speaks of, from the topmost line in sight on."""
        if self.face == "log":
            return None
        return nearest(self._lines, round(self.scroll_offset.y))

    def copied(self) -> str:
        if self.face in ("diff", "ledger"):
            file = self._patch if self.face == "diff" else self._ledger_file
            return file.text(self._view.folder)
        if self.face == "log":
            return "\n".join(self._view.output.lines())
        if self.face == "detail" and (command := detail.rerun(self._view, self.chosen)):
            return command
        return "\n".join(part.plain for part in self._lines)

    def on_resize(self) -> None:
        super().on_resize()
        self._shown = ()
        self._lines = []
        self.show(self._view)
