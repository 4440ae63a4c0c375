"""From the start of the command to its first line and its first screen, in a pseudo-terminal, on a copy of the demo.

Run: python benchmarks/first_paint.py [ROUNDS]
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tui.demo import copy_project  # noqa: E402

# The least a Textual program can be: what is above it is ours.
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("1 Tests")
Bare().run()
"""


def paint(argv: list[str], mark: bytes) -> tuple[float, float]:
    """Milliseconds until the terminal got its first text, and until ``mark`` was on it."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    begun = time.perf_counter()
    process = subprocess.Popen(
        argv,
        stdin=child,
        stdout=child,
        stderr=child,
        cwd=ROOT,
        env=environ,
        start_new_session=True,
    )
    os.close(child)
    seen, first, painted = b"", 0.0, 0.0
    try:
        while not painted and time.perf_counter() - begun < 20:
            if select.select([parent], [], [], 0.1)[0]:
                seen += os.read(parent, 65536)
                now = (time.perf_counter() - begun) * 1000
                first = first or (now if any(word in seen for word in (b" bitnet-tui", mark)) else 0.0)
                painted = now if mark in seen else 0.0
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(parent)
    if not painted:
        raise SystemExit(f"never painted; the terminal got {seen[-500:]!r}")
    return first, painted


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its byte code
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    mark = b"1 Tests"
    project = copy_project()
    bare = [sys.executable, "-c", BARE]
    ours = [sys.executable, "-m", "tui.cli", str(project)]
    try:
        paint(bare, mark), paint(ours, mark)
        pairs = [(paint(bare, mark), paint(ours, mark)) for _ in range(rounds)]
    finally:
        shutil.rmtree(project.parent)
    for name, one in (("an empty Textual app", 0), ("bitnet-tui", 1)):
        first = statistics.median(pair[one][0] for pair in pairs)
        painted = [pair[one][1] for pair in pairs]
        print(f"{name:<21} first line {first:6.1f} ms   whole screen {statistics.median(painted):6.1f} ms", end="")
        print(f"   (best {min(painted):.1f}, worst {max(painted):.1f} of {rounds})")
    ratio = statistics.median(pair[1][1] / pair[0][1] for pair in pairs)
    print(
        f"goals: a first paint under 400 ms, the screen under 500 ms; {ratio:.2f} times the empty app (median of pairs)"
    )


if __name__ == "__main__":
    main()
