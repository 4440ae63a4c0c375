"""Time of ``bitnet-tui --help``, beside the interpreter's own start in the same rounds.

Run: python benchmarks/startup.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time


def once(argv: list[str]) -> float:
    """Milliseconds from start to end of a process."""
    start = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its byte code
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    bare = [sys.executable, "-c", "pass"]
    full = [sys.executable, "-m", "tui.cli", "--help"]
    once(full)
    pairs = [(once(bare), once(full)) for _ in range(rounds)]
    python = statistics.median(a for a, _ in pairs)
    ours = statistics.median(b for _, b in pairs)
    print(f"python -c pass      {python:6.1f} ms")
    print(f"bitnet-tui --help   {ours:6.1f} ms   (goal: under 150 ms; {ours - python:.1f} ms are ours)")


if __name__ == "__main__":
    main()
