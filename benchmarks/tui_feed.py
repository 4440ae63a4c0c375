"""Stalls of the screen while thousands of tests and lines arrive as fast as a thread can publish them.

Run: python benchmarks/tui_feed.py [TESTS LINES]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.model import TestOutcome
from tests.tui.story import Burst
from tui.app import BitnetApp

BEAT_S = 0.002
ROUNDS = 5


async def stalls(tests: int, lines: int, size: tuple[int, int], *, log: bool) -> tuple[list[float], float]:
    """How much later than asked the loop woke, each time, in ms; and how long all of it took, in s."""
    names = [f"tests/test_{n % 50}.py::test_case_{n}[width={n}]" for n in range(tests)]
    run = Burst(names, lambda n: TestOutcome.FAILED if n % 10 == 0 else TestOutcome.PASSED, lines, go=threading.Event())
    app = BitnetApp(run, glyphs="unicode")
    late: list[float] = []
    async with app.run_test(size=size) as pilot:
        if log:
            await pilot.press("l")
        begun = time.perf_counter()
        run.go.set()
        while not (len(app.bridge.state.tests) == tests and app.bridge.output.total == lines):
            asked = time.perf_counter()
            await asyncio.sleep(BEAT_S)
            late.append((time.perf_counter() - asked - BEAT_S) * 1000)
        took = time.perf_counter() - begun
    return late, took


def main() -> None:
    tests, lines = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (5000, 50_000)
    print(f"{tests} tests and {lines} lines; the loop of the screen is asked to wake every {BEAT_S * 1000:.0f} ms")
    print(f"screen   face    wakes   median     worst       all   (each the median of {ROUNDS} rounds)")
    for size in ((120, 40), (80, 24)):
        for log in (False, True):
            rounds = [asyncio.run(stalls(tests, lines, size, log=log)) for _ in range(ROUNDS)]
            wakes = statistics.median(len(late) for late, _ in rounds)
            middle = statistics.median(statistics.median(late) for late, _ in rounds)
            worst = statistics.median(max(late) for late, _ in rounds)
            took = statistics.median(took for _, took in rounds)
            face = "log" if log else "detail"
            print(
                f"{size[0]}x{size[1]:<4} {face:<7} {wakes:5.0f} {middle:5.1f} ms {worst:6.1f} ms {took * 1000:6.0f} ms"
            )


if __name__ == "__main__":
    main()
