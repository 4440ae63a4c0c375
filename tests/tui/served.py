"""A served dashboard for tests: the process, its address, what a page's websocket brings as text, and what is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from support import CALC, DONE, FIX_ADD, FIX_MUL, edit, finish, make_repo

_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
MARK = "BITNET_TUI_SERVED"


def words(data: bytes) -> str:
    """What a terminal was told, without colours and movements."""
    return _SEQUENCES.sub("", data.decode("utf-8", "replace"))


@dataclass
class Served:
    """``bitnet-tui serve`` as a process."""

    process: subprocess.Popen[str]
    url: str
    mark: str
    said: str = ""  # after the address, once it has ended

    @property
    def origin(self) -> str:
        return self.url.rsplit("/", 2)[0]

    @property
    def token(self) -> str:
        return self.url.rsplit("/", 2)[1]

    def processes(self) -> list[str]:
        """Every process that came of it and is there now."""
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found


@contextlib.contextmanager
def serving(*args: str, cwd: Path) -> Iterator[Served]:
    mark = uuid.uuid4().hex
    dropped = ("ANTHROPIC", "PYTEST", "CURRENT_FLOW", "COV")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(dropped)} | {MARK: mark}
    argv = [sys.executable, "-m", "tui.cli", "serve", *args]
    process = subprocess.Popen(
        argv, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"http://\S+/", first)
        assert found, first + (process.stderr.read() if process.stderr is not None else "")
        served = Served(process, found[0], mark)
        yield served
    finally:
        process.send_signal(signal.SIGINT)
        try:
            said = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()
    served.said = "".join(said)


def tiny(folder: Path) -> list[str]:
    """A run that comes to a decision in seconds, in a repository of its own: the arguments that start it."""
    make_repo(folder / "a repo; echo", CALC)
    script = folder / "script.json"
    script.write_text(json.dumps([[edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]]))
    return [str(folder / "a repo; echo"), "--provider", "scripted", "--script", str(script), "--suite", "cpu"]


async def until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"never happened: {what}"
        await asyncio.sleep(0.02)
