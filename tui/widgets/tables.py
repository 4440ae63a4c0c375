"""Panes 2, 3 and 5: the attempts, the gates, the hops."""

from __future__ import annotations

from tui.format import tables
from tui.format.text import count, line
from tui.theme import MUTED
from tui.view import View
from tui.widgets.pane import Pane


class AttemptsPane(Pane):
    """One row an attempt, from how many failing to how many."""

    NUMBER = 2
    NAME = "Attempts"
    HELP = (
        "Each row: failing before and after, lines changed, time, cost. "
        "{item.open} shows what it said and what it fixed."
    )

    def show(self, view: View) -> None:
        attempts = view.state.attempts
        if attempts:
            self.set_rows([str(a.number) for a in attempts], lambda n, w: tables.attempt_row(attempts[n], view, w))
        else:
            self.say(tables.attempts_empty(view))
        self.set_edges(self.heading(), tables.attempts_foot(view))

    def subject(self, key: str) -> str:
        return f"attempt:{key}"


class GatesPane(Pane):
    """The gate table; one row a gate that has, or still lacks, a receipt."""

    NUMBER = 3
    NAME = "Gates"
    HELP = "Each row is a receipt: pass, fail, or skipped with its reason. {item.open} shows the evidence."

    def show(self, view: View) -> None:
        names = tables.gate_names(view.state)
        self.set_rows(names, lambda n, _w: tables.gate_row(names[n], view.state, view.glyphs))
        self.set_edges(self.heading(), tables.gates_foot(view.state, view.glyphs))

    def subject(self, key: str) -> str:
        return f"gate:{key}"


class HoplogPane(Pane):
    """The hops, oldest first, and the one that waits for a person."""

    NUMBER = 5
    NAME = "Hoplog"
    HELP = "Where the run was routed, by whom and why. The newest is at the end."

    def show(self, view: View) -> None:
        s, g = view.state, view.glyphs
        lines = [tables.hop_row(hop, at, g) for hop, at in zip(s.hops, s.hop_times, strict=True)]
        names = [str(n) for n in range(len(lines))]
        if view.status == "deciding":
            lines.append(tables.waiting_row(view))
            names.append("")
        at_end = self.scroll_offset.y >= self.max_scroll_y
        grown = len(names) != len(self.keys)
        if lines:
            self.set_rows(names, lambda n, _w: lines[n])
        else:
            self.say(tables.hops_empty(view))
        if grown and at_end and self.cursor < 0:
            self.call_after_refresh(lambda: self.scroll_to(y=self.max_scroll_y, animate=False))
        self.set_edges(self.heading(), line((count(len(s.hops), "hop"), MUTED)))

    def subject(self, key: str) -> str:
        return f"hop:{key}"
