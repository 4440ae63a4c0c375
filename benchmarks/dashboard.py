"""The dashboard under load: from a key to the frame that shows it, the longest stall of its loop, the first paint.

A thread publishes results of 5,000 tests, 10,000 a second, round and round, while keys are pressed. A frame counts once
its escape sequences are made; the terminal's own time is not in it.

Run: python benchmarks/dashboard.py [EVENTS-A-SECOND KEYS]
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import tui  # noqa: F401  # before Textual, as in the program: it says how often that may draw

# isort: split
from textual import events
from textual._compositor import CompositorUpdate

from benchmarks import first_paint, tui_feed
from engine import events as ev
from engine.errors import Stopped
from engine.feed import Feed
from engine.model import Exit, Purpose, Step, TestOutcome, TestResult
from engine.session import Steering
from tests.tui.story import START
from tui.app import BitnetApp
from tui.screens.main import MainScreen

TESTS = 5000
TICK_S = 0.01


class Flood:
    """Publishes that many results a second until it is stopped; each tick what is due."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.sent = 0
        names = [f"tests/test_{n % 50}.py::test_case_{n}[width={n}]" for n in range(TESTS)]
        red = [TestOutcome.FAILED if n % 10 == 0 else TestOutcome.PASSED for n in range(TESTS)]
        self._results = [TestResult("cpu", name, how, seconds=0.01) for name, how in zip(names, red, strict=True)]

    def __call__(self, feed: Feed, steering: Steering) -> Exit:
        head = (
            ev.RunStarted("b", "/b", "", "0", "impl-creator", ("repair",), ("cpu",), 2),
            ev.StepStarted(Step.ANALYZE),
            ev.SuiteStarted("cpu", Purpose.AUDIT, 1),
            ev.SuiteCollected("cpu", Purpose.AUDIT, 1, TESTS),
        )
        for number, event in enumerate(head, 1):
            feed.publish(ev.Record(number, START, event))
        begun = time.perf_counter()
        try:
            while True:
                due = int((time.perf_counter() - begun) * self.rate)
                for place in range(self.sent, due):
                    result = self._results[place % TESTS]
                    feed.publish(ev.Record(len(head) + 1 + place, START, ev.TestFinished(Purpose.AUDIT, 1, result)))
                self.sent = due
                steering.cancel.wait(TICK_S)
        except Stopped:
            return Exit.INTERRUPTED


class Watched(BitnetApp):
    """Notes when a frame was ready."""

    CSS_PATH = Path(__file__).parents[1] / "tui/styles/app.tcss"
    framed = 0.0

    def _display(self, screen: Any, renderable: Any) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable.render_segments(self.console)  # without a terminal nobody else would
            self.framed = time.perf_counter()
        super()._display(screen, renderable)


async def key_to_paint(size: tuple[int, int], rate: int, presses: int) -> tuple[list[float], float, int]:
    """Milliseconds of each key; how many events a second arrived at the screen; how many waited at the end."""
    flood = Flood(rate)
    app = Watched(flood, glyphs="unicode")
    took: list[float] = []
    async with app.run_test(size=size):
        main = app.screen
        assert isinstance(main, MainScreen)
        while len(app.bridge.state.tests) < TESTS:
            await asyncio.sleep(TICK_S)
        main.tests.action_first()
        begun, before = time.perf_counter(), app.bridge.state.seq
        for number in range(presses):
            key = "k" if number % 2 else "j"
            cursor, pressed = main.tests.cursor, time.perf_counter()
            app.post_message(events.Key(key, key))
            while main.tests.cursor == cursor or app.framed < pressed:
                await asyncio.sleep(0.0005)
                if app.faults:
                    raise SystemExit(app.faults[0])
                if main.tests.cursor == cursor:
                    app.framed = 0.0  # a frame of before the cursor moved does not show it
            took.append((app.framed - pressed) * 1000)
            await asyncio.sleep(0.02)
        arrived = (app.bridge.state.seq - before) / (time.perf_counter() - begun)
        left = flood.sent - app.bridge.state.seq
    return took, arrived, max(0, left)


def machine() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        name = next(line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    load = os.getloadavg()[0]
    return f"{name}, {os.cpu_count()} cores (load {load:.1f}), Python {platform.python_version()}"


def main() -> None:
    rate, presses = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (10_000, 200)
    print(machine())
    for size in ((120, 40), (80, 24)):
        took, arrived, left = asyncio.run(key_to_paint(size, rate, presses))
        took.sort()
        print(
            f"{size[0]}x{size[1]:<4} key to paint: median {statistics.median(took):5.1f} ms, "
            f"99 % under {took[int(len(took) * 0.99)]:5.1f} ms, worst {took[-1]:5.1f} ms"
            f"   ({presses} keys, {arrived:,.0f} events/s arrived, {left:,} waited; goal: 99 % under 50 ms)"
        )
    worst = [max(asyncio.run(tui_feed.stalls(TESTS, 50_000, (120, 40), log=log))[0]) for log in (False, True) * 3]
    middle = statistics.median(worst)
    print(f"120x40  longest stall, {TESTS} tests and 50,000 lines at once: {middle:.1f} ms", end="")
    print(f"   (median of {len(worst)} rounds, worst {max(worst):.1f}; goal: none over 100 ms)")
    first_paint.main()


if __name__ == "__main__":
    main()
