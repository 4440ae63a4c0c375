"""One line to type into; what is pasted is one clean line, whatever was on the clipboard."""

from __future__ import annotations

from textual.events import Paste
from textual.widgets import Input

from tui.format.text import clean


class Field(Input):
    """An input that no escape sequence and no invisible sign gets into."""

    def _on_paste(self, event: Paste) -> None:
        # Textual calls its own handler after this one, with what is left.
        first = next((part for part in event.text.splitlines() if part.strip()), "")
        text = clean(first).replace("�", "").strip()
        # More than there is room for would be refused whole, without a word.
        room = len(text) if self.max_length is None else self.max_length - len(self.value) + len(self.selected_text)
        event.text = text[: max(0, room)]
