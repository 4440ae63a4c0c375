"""Words, numbers and cells: what every text needs. Everything from outside passes :func:`clean` first."""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size
from textual.content import Content

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system commands: titles, links, the clipboard
    r"|[\x1b][PX^_][^\x1b]*(?:\x1b\\)?"  # device control, application commands
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours, cursor movement
    r"|\x1b[ -/]*[0-~]?"
)
# Controls, bidirectional overrides, zero-width and variation signs, tags, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)


def clean(text: str) -> str:
    """``text`` as one line that cannot move the cursor, hide, or turn the reading direction.

    Examples
    --------
    >>> clean("a\\x1b[31mb\\nc")
    'ab c'
    """
    if text.isascii() and text.isprintable():
        return text
    text = _ESCAPES.sub("", text)
    return _UNSAFE.sub("�", text.replace("\r\n", " ").replace("\n", " ").replace("\t", "    "))


def clean_lines(text: str) -> list[str]:
    """The lines of ``text``, each cleaned; a carriage return overwrites, as a terminal would."""
    return [clean(line.rstrip("\r").rsplit("\r", 1)[-1]) for line in text.split("\n")]


def fit(text: str, width: int) -> str:
    """``text`` cut or padded to exactly ``width`` cells; a cut ends in an ellipsis."""
    if width <= 0:
        return ""
    length = len(text) if text.isascii() else cell_len(text)
    if length <= width:
        return text + " " * (width - length)
    return set_cell_size(text, width - 1) + "…"


def cut(text: str, width: int) -> str:
    """Like :func:`fit`, without the padding."""
    return fit(text, width).rstrip() if cell_len(text) > width else text


def money(usd: float) -> str:
    return f"${usd:.2f}" if usd < 1000 else f"${usd:,.0f}"


def clock(seconds: float) -> str:
    """``04:31``, from an hour on ``1:04:31``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def took(seconds: float) -> str:
    """A duration in at most six cells: ``0.02s``, ``12.3s``, ``1m02``, ``2h05``."""
    if seconds < 9.995:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02}" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}"


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 hop``, ``4 hops``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def line(*parts: str | tuple[str, str]) -> Content:
    """One line of parts, each plain or with a style; never markup."""
    return Content.assemble(*parts)


def wrapped(text: str | Content, width: int, style: str = "", indent: str = "") -> list[Content]:
    """Prose broken into lines of at most ``width`` cells."""
    content = text if isinstance(text, Content) else Content.styled(text, style) if style else Content(text)
    lines = content.wrap(max(8, width - len(indent)))
    return [Content(indent) + part for part in lines] if indent else lines


def edges(left: Content, right: Content, width: int) -> Content:
    """``left`` cut where ``right`` begins, ``right`` at the end of the line."""
    room = max(0, width - right.cell_length)
    return left.truncate(room, ellipsis=True, pad=True) + right.truncate(width)
