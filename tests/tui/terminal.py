"""A real terminal with a real shell in it: tmux, driven by keys, read as text. It waits for claims, never for time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from support import leftovers

TMUX = shutil.which("tmux")
SHELL = shutil.which("bash")


class Terminal:
    """One window of a tmux server of its own, with a shell that has job control.

    Parameters
    ----------
    folder
        Where the shell stands.
    scratch
        For the server's socket and the shell's home.
    """

    def __init__(self, folder: Path, scratch: Path, size: tuple[int, int] = (120, 40), **environ: str) -> None:
        self.folder = folder
        self._socket = scratch / "tmux"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "PYTEST", "COV", "TMUX", "LC_"))}
        self._environ = (
            kept | {"HOME": str(scratch), "TERM": "xterm-256color", "LANG": "C.UTF-8", "PS1": "$ "} | environ
        )
        width, height = map(str, size)
        shell = f"{SHELL} --norc --noprofile -i"
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", width, "-y", height, "-s", "s", shell, cwd=folder)
        self._tmux("set-option", "-g", "window-size", "manual")
        self._tmux("set-option", "-s", "set-clipboard", "on")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server", check=False)

    def _tmux(self, *args: str, cwd: Path | None = None, check: bool = True, given: str = "") -> str:
        argv = [str(TMUX), "-u", "-S", str(self._socket), *args]
        done = subprocess.run(
            argv, cwd=cwd, env=self._environ, check=check, capture_output=True, text=True, input=given, timeout=20
        )
        return done.stdout

    def run(self, *args: str) -> None:
        """Type the command and its arguments; they must need no quotes."""
        self.type(f"{sys.executable} -m tui.cli {' '.join(args)}")

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def paste(self, text: str) -> None:
        """From a clipboard, the way a terminal that knows bracketed paste does it."""
        self._tmux("load-buffer", "-", given=text)
        self._tmux("paste-buffer", "-p", "-r")

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def clipboard(self) -> str:
        return self._tmux("show-buffer", check=False)

    def hang_up(self) -> None:
        self._tmux("kill-session")

    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def until(self, holds: str | Callable[[str], bool], seconds: float = 150) -> str:
        """Wait until the screen has a text, or a claim about it holds; the screen."""
        claim = holds if callable(holds) else (lambda seen: holds in seen)
        end = time.monotonic() + seconds
        while not claim(seen := self.text()):
            assert time.monotonic() < end, f"never on the screen: {holds}\n{seen}"
            time.sleep(0.02)
        return seen

    def at_rest(self, text: str) -> str:
        """The screen with ``text`` once it stands still: a frame may be half drawn when it is read."""
        seen: list[str] = []

        def same(now: str) -> bool:
            seen.append(below(now))
            return text in now and len(seen) > 4 and len(set(seen[-5:])) == 1

        return self.until(same)


def run_of(folder: Path) -> str:
    """The only run of a repository."""
    (found,) = (folder / ".bitnet-tui" / "runs").iterdir()
    return found.name


def gone(folder: Path, run: str, seconds: float = 60) -> None:
    """Nothing of a run is left, no child of it either."""
    end = time.monotonic() + seconds
    while left := leftovers(folder, run):
        assert time.monotonic() < end, left
        time.sleep(0.05)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def below(text: str) -> str:
    """The screen without its first line, in which a clock runs."""
    return text.partition("\n")[2]
