"""The first line stands before the screen does; the screen takes its place, and the terminal is given back once."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from textual.color import Color

from tui import curtain
from tui.theme import DARK

HERE = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(Path(__file__).parents[2])}


def seen(argv: list[str], width: int, height: int, typed: tuple[bytes, bytes] = (b"", b"")) -> tuple[int, bytes]:
    """Exit code and everything the terminal got; ``typed``: after the first, the second is typed."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def own() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        argv, stdin=child, stdout=child, stderr=child, env=os.environ | HERE, preexec_fn=own, close_fds=True
    )
    os.close(child)
    got, late, left = b"", time.monotonic() + 60, typed
    while time.monotonic() < late:
        if select.select([parent], [], [], 0.1)[0]:
            try:
                got += os.read(parent, 65536)
            except OSError:  # the last process that had it is gone
                break
        if left[1] and left[0] in got:
            os.write(parent, left[1])
            left = (b"", b"")
    os.close(parent)
    return process.wait(timeout=10), got


def test_it_has_the_colours_every_run_begins_with() -> None:
    def colour(code: int, value: str) -> str:
        return "{};2;{};{};{}".format(code, *Color.parse(value).rgb)

    shown = curtain.frame(80, colours=True)
    for code, value in (38, DARK.foreground), (48, DARK.variables["bar"]), (48, DARK.background):
        assert colour(code, str(value)) in shown


@pytest.mark.parametrize(("size", "drawn"), [((120, 40), True), ((79, 24), False)])
def test_the_terminal_is_entered_once_and_given_back_once(tmp_path: Path, size: tuple[int, int], drawn: bool) -> None:
    code, got = seen([sys.executable, "-m", "tui.cli", str(tmp_path / "nowhere")], *size)
    assert code == 5
    assert (b"\x1b[2J\x1b[H" in got[:60]) == drawn
    assert got.count(b"\x1b[?1049h") == got.count(b"\x1b[?1049l") == 1
    assert b"no such file or directory" in got.partition(b"\x1b[?1049l")[2]


def test_what_ends_it_before_there_is_a_screen_lifts_it() -> None:
    """Ctrl-C while the rest is imported."""
    waits = "tui.start._behind = lambda *a, **k: time.sleep(30)"
    begin = f"import sys, time, tui.start; from tui.cli import main; {waits}; sys.argv = ['x']; main()"
    code, got = seen([sys.executable, "-c", begin], 120, 40, (b"bitnet-tui", b"\x03"))
    assert code == 130
    assert got.count(b"\x1b[?1049h") == got.count(b"\x1b[?1049l") == 1
    assert b"Traceback" not in got
