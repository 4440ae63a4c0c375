"""Pane 1, the tests: what is red, what was skipped and why, what turned green, what runs."""

from __future__ import annotations

from textual.content import Content

from tui.format import tests
from tui.format.text import line
from tui.view import View
from tui.widgets.pane import Pane


class TestsPane(Pane):
    """One row a test that asks for attention; the rest is a number until it is unfolded."""

    __test__ = False
    NUMBER = 1
    NAME = "Tests"
    HELP = (
        "Red first, suite by suite. The signs are the history: the audit, then each verified attempt. "
        "{item.open} opens a row."
    )

    def __init__(self) -> None:
        super().__init__()
        self.expanded: set[str] = set()
        self._view = View()
        self._items: list[tests.Item] = []
        self._seen: tuple[object, ...] = ()

    def show(self, view: View) -> None:
        s = view.state
        seen = (s.tests, s.suites, s.attempts, s.started, s.audit, s.ended, view.glyphs, view.keys)
        if len(seen) == len(self._seen) and all(a is b for a, b in zip(seen, self._seen, strict=True)):
            return
        self._seen, self._view = seen, view
        self._fill()

    def _fill(self) -> None:
        view = self._view
        self._items = tests.items(view.state, view.latest, self.expanded, self.needle, view.keys)
        if self._items and self._items[-1].kind == "sentence" and len(self._items) == 1:
            self.say(self._items[0].text)
        else:
            self.set_rows([item.key for item in self._items], self._line)
        # What is filtered away counts too.
        counts = tests.tally(view.state.tests.values()) if self.needle else tests.totals(self._items)
        parts = tests.counts_text(counts, view.glyphs)
        foot = line(*parts)
        self.set_edges(self.heading(), foot[: len(foot.plain.rstrip())])

    def _line(self, row: int, width: int) -> Content:
        return tests.draw(self._items[row], self._view.state, self._view.glyphs, width)

    def filter(self, needle: str) -> None:
        """Show only tests with ``needle`` in their node id."""
        self.needle = needle
        self._fill()

    def subject(self, key: str) -> str:
        return f"test:{key}" if key in self._view.state.tests else key if key.startswith("suite:") else ""

    def action_open(self) -> None:
        key = self.cursor_key
        if 0 <= self.cursor < len(self._items) and self._items[self.cursor].kind == "more":
            self.expanded ^= {key}
            self._fill()
            return
        super().action_open()

    def copied(self) -> str:
        row = self._view.state.tests.get(self.cursor_key)
        return row.nodeid if row else ""

    def failing(self, step: int) -> bool:
        """Move to the next red row, around the end; False if there is none."""
        red = [
            n
            for n, item in enumerate(self._items)
            if item.row is not None and item.row.outcome is not None and item.row.outcome.red
        ]
        if not red:
            return False
        after = [n for n in red if (n > self.cursor if step > 0 else n < self.cursor)]
        self.move_to((after or red)[0 if step > 0 else -1])
        return True
