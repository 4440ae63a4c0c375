"""From the start of a process to the first painted screen, in a pseudo-terminal.

Run: python benchmarks/first_paint.py [ROUNDS]
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHOW = """
from tests.tui.story import Story
from tui.app import BitnetApp
BitnetApp(Story(until="audit"), glyphs="unicode").run()
"""


def paint(mark: bytes) -> tuple[float, float]:
    """Milliseconds until the terminal got its first byte, and until ``mark`` was on it."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW],
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
                first = first or now
                painted = now if mark in seen else 0.0
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(parent)
    if not painted:
        raise SystemExit(f"never painted; the terminal got {seen[-500:]!r}")
    return first, painted


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    mark = b"1 Tests"
    paint(mark)
    bare = []
    pairs = []
    for _ in range(rounds):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        bare.append((time.perf_counter() - begun) * 1000)
        pairs.append(paint(mark))
    print(f"python -c pass   {statistics.median(bare):6.1f} ms")
    print(f"first byte       {statistics.median(p[0] for p in pairs):6.1f} ms")
    painted = [p[1] for p in pairs]
    middle, worst = statistics.median(painted), max(painted)
    print(f"first paint      {middle:6.1f} ms   (goal: under 500 ms; worst of {rounds}: {worst:.1f} ms)")


if __name__ == "__main__":
    main()
