"""The first line of the screen before there is a screen: to import what draws the rest takes a third of a second.

Uses nothing but the standard library. The program paints over it; it holds what the first painted frame holds there.
"""

from __future__ import annotations

import os
from typing import Any

ALTERNATE, BACK = "\x1b[?1049h", "\x1b[?1049l"
_STDERR = 2  # Textual draws there
_SMALLEST = (80, 24)
# The header's and the background's colours in the theme every run begins with.
_BAR, _GROUND = "\x1b[1;38;2;200;207;224;48;2;35;39;51m", "\x1b[48;2;20;22;29m"
_PLAIN = ("dumb", "linux", "vt100", "vt220")


def frame(width: int, *, colours: bool) -> str:
    """What is written: the alternate screen, no cursor, an empty ground, the header's first word.

    Examples
    --------
    >>> frame(20, colours=False)
    '\\x1b[?1049h\\x1b[?25l\\x1b[2J\\x1b[H bitnet-tui         \\x1b[0m'
    """
    bar, ground = (_BAR, _GROUND) if colours else ("", "")
    return f"{ALTERNATE}\x1b[?25l{ground}\x1b[2J\x1b[H{bar}{' bitnet-tui':<{width}}\x1b[0m"


class Curtain:
    """Drawn where a terminal is large enough; the program's own screen takes its place, or it is lifted."""

    def __init__(self) -> None:
        self.down = False

    def draw(self) -> None:
        """Draw it, where there is room. Ctrl-C may come at any moment of this."""
        text = _here()
        self.down = bool(text)
        self.down = _write(text)

    def lift(self) -> None:
        """Give the terminal back as it was, unless the program has it by now."""
        if self.down:
            _write(f"{BACK}\x1b[?25h")
        self.down = False

    def before(self, driver: type[Any]) -> type[Any]:
        """The driver, but that it finds the alternate screen as it is: entering it again would empty it."""
        if not self.down:
            return driver
        curtain = self

        class Behind(driver):  # type: ignore[misc]  # which one is known only here
            def write(self, data: str) -> None:
                if curtain.down and data == ALTERNATE:
                    curtain.down = False
                else:
                    super().write(data)

        return Behind


def _here() -> str:
    try:
        width, height = os.get_terminal_size(_STDERR)
    except OSError:
        return ""
    if os.environ.get("TEXTUAL_DRIVER") or width < _SMALLEST[0] or height < _SMALLEST[1]:
        return ""
    deep = os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    return frame(width, colours=deep and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in _PLAIN)


def _write(text: str) -> bool:
    try:
        return bool(text) and os.write(_STDERR, text.encode("ascii")) > 0
    except OSError:  # the terminal went away: Textual will find out
        return False
