"""A list that draws only the lines it shows, so that five thousand rows cost what forty do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.style import Style as RichStyle
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from tui import keys
from tui.widgets.sturdy import Sturdy

Draw = Callable[[int, int], Content]  # (row, width) → its line
_BLANK = Content("")
_REVERSE = RichStyle(reverse=True)
MOST_COPIED = 70_000  # characters; terminals drop a longer one without a word
TOO_LONG = "too long for a terminal's clipboard: the whole text is in the run's folder"


class RowList(Sturdy, ScrollView, can_focus=True):
    """Rows with keys. The cursor and what is on top stay with their keys when rows come and go."""

    BINDINGS = keys.bindings("list")
    CURSOR = True  # False: plain text, the keys scroll

    # Unlike its parent's: rows that come do not make the whole screen lay itself out again.
    virtual_size: Reactive[Size] = Reactive(Size(0, 0))

    class Moved(Message):
        """The cursor was moved by a person."""

        def __init__(self, rows: RowList, key: str) -> None:
            super().__init__()
            self.rows = rows
            self.key = key

    class Opened(Moved):
        """A row was opened."""

    class Edited(Moved):
        """The file of a row is wanted in an editor."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.keys: Sequence[str] = ()
        self.cursor = -1
        self._draw: Draw = lambda _row, _width: Content("")
        self._drawn: dict[int, tuple[int, Content]] = {}  # by row: the width it was drawn at, and how it read

    @property
    def cursor_key(self) -> str:
        return self.keys[self.cursor] if 0 <= self.cursor < len(self.keys) else ""

    @property
    def line_width(self) -> int:
        """Cells a line may take."""
        return self.scrollable_content_region.width

    def set_rows(self, keys: Sequence[str], draw: Draw) -> None:
        """Replace the rows; ``draw`` is called for visible ones only. An empty key is a row without a cursor."""
        cursor, marked, top = self.cursor_key, self.cursor, self.scroll_offset.y
        top_key = self.keys[top] if self.CURSOR and 0 < top < len(self.keys) else ""
        grown = len(keys) != len(self.keys)
        changed = keys != self.keys
        self.keys, self._draw = keys, draw
        if changed and (cursor or top_key):
            place = {key: number for number, key in enumerate(keys)}
            self.cursor = place.get(cursor, min(self.cursor, len(keys) - 1)) if cursor else -1
            if top_key and place.get(top_key, top) != top:
                self.scroll_to(y=place[top_key], animate=False)
        if grown:
            self.virtual_size = Size(self.line_width, len(keys))
        if self.cursor != marked:
            self._mark_again(marked)
        self._draw_again()

    def _mark_again(self, before: int) -> None:
        """Draw the row the cursor has left, and the one it has come to."""
        for row in {before, self.cursor}:
            self.refresh_line(row)

    def _draw_again(self) -> None:
        """Draw those lines again that read otherwise now: what stays as it is costs the terminal nothing."""
        top, width = self.scroll_offset.y, self.line_width
        seen = range(top, top + self.scrollable_content_region.height)
        kept = {row: self._drawn[row] for row in seen if row in self._drawn}
        for row in seen:
            at, before = kept.get(row, (-1, _BLANK))
            if at != width or not self._content(row, width).is_same(before):
                self.refresh_line(row)
        self._drawn = kept

    def _content(self, row: int, width: int) -> Content:
        if not 0 <= row < len(self.keys):
            return _BLANK
        try:
            return self._draw(row, width).truncate(width, ellipsis=True)
        except Exception as error:  # noqa: BLE001  # a row that cannot be drawn must not take the run down
            self.app.fault(error)  # type: ignore[attr-defined]
            return Content(f"this row cannot be drawn: {type(error).__name__}").truncate(width, ellipsis=True)

    def on_focus(self) -> None:
        self.refresh_line(self.cursor)

    def on_blur(self) -> None:
        self.refresh_line(self.cursor)

    def watch_virtual_size(self, size: Size) -> None:
        self._scroll_update(size)  # shows or hides the scrollbar, which does lay out again

    def render_line(self, y: int) -> Strip:
        row, width = self.scroll_offset.y + y, self.line_width
        style = self.visual_style
        content = self._content(row, width)
        self._drawn[row] = width, content
        if content is _BLANK:
            return Strip.blank(width, style.rich_style)
        strips = Visual.to_strips(self, content, width, 1, style, pad=True)
        strip = strips[0] if strips else Strip.blank(width, style.rich_style)
        marked = self.CURSOR and row == self.cursor and self.has_focus
        return strip.adjust_cell_length(width).apply_style(_REVERSE) if marked else strip

    def move_to(self, row: int, *, tell: bool = True) -> None:
        """Put the cursor on ``row`` and show it."""
        if not 0 <= row < len(self.keys) or not self.keys[row]:
            return
        before, self.cursor = self.cursor, row
        top, height = self.scroll_offset.y, max(1, self.scrollable_content_region.height)
        if row < top:
            self.scroll_to(y=0 if not any(self.keys[:row]) else row, animate=False)
        elif row >= top + height:
            self.scroll_to(y=row - height + 1, animate=False)
        self._mark_again(before)
        if tell:
            self.post_message(self.Moved(self, self.keys[row]))

    def _next(self, start: int, step: int) -> int:
        """The nearest row with a key from ``start`` on, in steps of ``step``."""
        row = start
        while 0 <= row < len(self.keys) and not self.keys[row]:
            row += step
        return row

    def action_move(self, step: int) -> None:
        if not self.CURSOR:
            self.scroll_to(y=self.scroll_offset.y + step, animate=False)
            return
        self.move_to(self._next(self.cursor + step if self.cursor >= 0 else 0, 1 if self.cursor < 0 else step))

    def action_page(self, step: int) -> None:
        leap = step * max(1, self.scrollable_content_region.height - 1)
        if not self.CURSOR:
            self.scroll_to(y=self.scroll_offset.y + leap, animate=False)
            return
        aim = min(max(0, max(self.cursor, 0) + leap), len(self.keys) - 1)
        row = self._next(aim, step)
        self.move_to(row if 0 <= row < len(self.keys) else self._next(aim, -step))

    def action_first(self) -> None:
        if self.CURSOR:
            self.move_to(self._next(0, 1))
        self.scroll_to(y=0, animate=False)

    def action_last(self) -> None:
        if self.CURSOR:
            self.move_to(self._next(len(self.keys) - 1, -1))
        else:
            self.scroll_to(y=self.max_scroll_y, animate=False)

    def action_open(self) -> None:
        self.post_message(self.Opened(self, self.cursor_key))

    def action_edit(self) -> None:
        self.post_message(self.Edited(self, self.cursor_key))

    def copied(self) -> str:
        """What is copied of it."""
        return self.cursor_key

    def action_copy(self) -> None:
        text = self.copied()
        if len(text) > MOST_COPIED:
            self.app.notify(TOO_LONG, severity="warning", markup=False, timeout=4)
            return
        if text:
            self.app.copy_to_clipboard(text)
        said = f"copied {text.splitlines()[0][:60]}" if text else "nothing is selected: move to a row first"
        self.app.notify(said, severity="information" if text else "warning", markup=False, timeout=3)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if not self.CURSOR or offset is None:
            return
        self.move_to(self.scroll_offset.y + offset.y)
        if event.chain > 1:
            self.action_open()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.line_width, len(self.keys))
        self.refresh()
