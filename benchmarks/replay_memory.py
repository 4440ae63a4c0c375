"""Memory while the journal of a long run is replayed: it must not grow with the hours.

Writes a journal of 24 hours with the program's own writer: 5,000 tests, one run of them after the other, an edit and a
tool call between; then plays it through the dashboard as fast as the screen takes it, and reads the resident memory.

Run: python benchmarks/replay_memory.py [HOURS ROUNDS-AN-HOUR TESTS]
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine import events as ev
from engine.model import Ended, Exit, Purpose, Step, TestOutcome, TestResult
from engine.records.journal import Journal
from tui.app import BitnetApp
from tui.playback import AT_ONCE, Playback
from tui.recorded import load

START = 1_800_000_000.0
TAKEN = 10  # readings, evenly over the journal


def events(rounds: int, tests: int) -> Iterator[ev.Event]:
    yield ev.RunStarted("r", "/r", "", "0", "impl-creator", ("anthropic",), ("cpu",), 2)
    yield ev.AttemptStarted(1, "anthropic")
    names = [f"tests/test_{n % 50}.py::test_case_{n}[width={n}]" for n in range(tests)]
    for number in range(1, rounds + 1):
        yield ev.StepStarted(Step.EDIT, 1)
        yield ev.EditApplied("calc/__init__.py", 1, 1)
        yield ev.ToolCalled("run_tests", f"round {number}", True)
        yield ev.SuiteStarted("cpu", Purpose.ATTEMPT, 1)
        yield ev.SuiteCollected("cpu", Purpose.ATTEMPT, 1, tests)
        for place, name in enumerate(names):
            how = TestOutcome.FAILED if (place + number) % 10 == 0 else TestOutcome.PASSED
            yield ev.TestFinished(
                Purpose.ATTEMPT, 1, TestResult("cpu", name, how, seconds=0.01, message="assert 1 == 2")
            )
        yield ev.SuiteFinished("cpu", Purpose.ATTEMPT, 1, 1, Ended.FINISHED, 60.0, tests)
    yield ev.RunFinished(int(Exit.OK), "done")


def resident_mb() -> float:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096 / 1e6


async def play(path: Path, total: int) -> list[tuple[int, float]]:
    """How many events the screen had drawn, and the resident memory then."""
    play = Playback(load(path).records, path.parent, speed=AT_ONCE)
    app = BitnetApp(play, glyphs="unicode", ask=False)
    seen: list[tuple[int, float]] = []
    async with app.run_test(size=(120, 40)):
        while not play.ended or app.screen.bridge.state.seq < total:  # type: ignore[attr-defined]
            await asyncio.sleep(0.02)
            done = app.screen.bridge.state.seq  # type: ignore[attr-defined]
            if done >= total * (len(seen) + 1) // TAKEN:
                gc.collect()
                seen.append((done, resident_mb()))
    return seen


def main() -> None:
    hours, an_hour, tests = map(int, sys.argv[1:4]) if len(sys.argv) > 3 else (24, 4, 5000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        told = list(enumerate(events(hours * an_hour, tests), 1))
        step = hours * 3600 / len(told)
        now = [START]
        journal = Journal(path, clock=lambda: now[0])
        for number, event in told:
            now[0] = START + number * step
            journal.append(event)
        journal.close()
        total = len(told)
        del told
        size = path.stat().st_size / 1e6
        before = resident_mb()
        begun = time.perf_counter()
        seen = asyncio.run(play(path, total))
        took = time.perf_counter() - begun
    print(f"{hours} h, {total:,} events, {size:.0f} MB of journal, played in {took:.0f} s; before: {before:.0f} MB")
    for done, mb in seen:
        print(f"  {done / total:4.0%} of it   {mb:6.1f} MB resident")
    early, late = seen[0][1], seen[-1][1]
    print(f"grown from the first tenth to the end: {late - early:+.1f} MB (goal: flat)")


if __name__ == "__main__":
    main()
