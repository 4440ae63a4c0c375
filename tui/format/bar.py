"""A share as a bar of cells."""

from __future__ import annotations

from tui.glyphs import Glyphs

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, cells: int, glyphs: Glyphs) -> str:
    """A bar of eighths of a cell; where there are only plain letters, of whole ones.

    Examples
    --------
    >>> from tui.glyphs import ASCII, UNICODE
    >>> bar(0.3, 5, UNICODE), bar(0.3, 5, ASCII)
    ('█▌   ', '##   ')
    """
    share = min(1.0, max(0.0, share))
    if glyphs.plain:
        return ("#" * max(1, round(share * cells))).ljust(cells)
    eighths = max(1, round(share * cells * 8))
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()).ljust(cells)
