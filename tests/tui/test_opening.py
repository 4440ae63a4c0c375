"""A screen whose run is still being prepared: refusals, defects and a stop meanwhile."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import leftovers, make_repo

from engine.errors import ConfigError, Stopped
from engine.model import Exit
from tests.tui.stage import make as make_app
from tests.tui.stage import screen, settled
from tests.tui.story import Story
from tui.app import BitnetApp
from tui.opening import Opening


def refused(error: Exception) -> Callable[[], Any]:
    def make() -> Any:
        raise error

    return make


@pytest.mark.parametrize(("error", "code"), [(ConfigError("no"), Exit.USAGE), (RuntimeError("no"), Exit.DEFECT)])
async def test_a_refusal_closes_the_screen_and_is_kept_to_be_said(error: Exception, code: Exit) -> None:
    opening = Opening(refused(error))
    app = BitnetApp(opening)
    async with app.run_test() as pilot:
        while app.return_value is None:
            await pilot.pause(0.02)
    assert app.return_value is code
    assert opening.error is error
    assert opening.folder is None


async def test_the_first_screen_says_in_whole_lines_what_there_is_not() -> None:
    going = threading.Event()

    def make() -> Any:
        going.wait(20)
        raise Stopped("enough")

    app = make_app(Opening(make))
    async with app.run_test(size=(120, 40)) as pilot:
        try:
            await settled(pilot)
            assert "No tests yet. The engine is starting." in screen(app)
            await pilot.resize_terminal(80, 24)
            await settled(pilot)
            assert "No tests yet. The engine is starting." in screen(app)
        finally:
            going.set()


async def test_a_stop_while_it_is_prepared_starts_nothing() -> None:
    going = threading.Event()

    def make() -> Any:
        assert going.wait(20)
        return Story()

    opening = Opening(make)
    app = BitnetApp(opening)
    async with app.run_test() as pilot:
        await pilot.pause(0.05)
        await pilot.press("q")
        await pilot.pause(0.05)
        await pilot.press("x")
        going.set()
        while app.return_value is None:
            await pilot.pause(0.02)
    assert isinstance(opening.error, Stopped)
    assert app.return_value is Exit.INTERRUPTED


def in_a_terminal(*args: str, until: bytes = b"") -> tuple[int, bytes]:
    """Run the command in a terminal of 80x24, end it politely once it shows ``until``; code and output."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    argv = [sys.executable, "-m", "tui.cli", *args]
    process = subprocess.Popen(argv, stdin=child, stdout=child, stderr=child, env={**os.environ, "TERM": "xterm"})
    os.close(child)
    seen, asked = b"", False
    try:
        while data := os.read(parent, 65536):
            seen += data
            if until and until in seen and not asked:
                asked = True
                process.send_signal(signal.SIGTERM)
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(parent)
        code = process.wait(30)
    return code, seen


def test_a_wrong_path_is_a_sentence_in_the_terminal(tmp_path: Path) -> None:
    code, seen = in_a_terminal(str(tmp_path / "nowhere"))
    after = seen.rpartition(b"\x1b[?1049l")[2]  # what was said once the screen was gone
    assert code == Exit.ENVIRONMENT
    assert b"no such file or directory" in after
    assert b"Traceback" not in seen


def test_asked_to_end_from_outside_it_leaves_a_run_to_resume(tmp_path: Path) -> None:
    folder = make_repo(tmp_path, {"test_slow.py": "import time\ndef test_cpu_slow():\n    time.sleep(60)\n"})
    code, seen = in_a_terminal(str(folder), until=b"audit 1")
    assert code == Exit.INTERRUPTED
    assert b"bitnet-tui resume" in seen.rpartition(b"\x1b[?1049l")[2]
    assert not leftovers(folder)
