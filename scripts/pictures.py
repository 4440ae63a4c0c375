"""The pictures of the documentation, made from a recorded run: ``python -m scripts.pictures``.

``--record`` makes the run again first: the demo, headless, its journal kept without the paths of this machine.
The journal goes through the bridge and the screens as a live run does; only where it stops is chosen here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, chdir
from pathlib import Path
from typing import Any

from engine import events as ev
from engine.errors import Stopped
from engine.feed import Feed
from engine.model import Exit, Purpose, Step
from engine.records import journal
from engine.session import Steering
from scripts import svg
from tui.app import BitnetApp
from tui.theme import DARK

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "docs" / "pictures"
TAPE = PLACE / "demo.jsonl"
PATCH = PLACE / "demo.diff"
HOME = "/home/you/ternary"  # where the demo seems to lie
WIDE = (120, 40)
SMALL = (80, 24)


class Stops:
    """Plays a journal up to a place, waits to be sent on; in place of a run."""

    def __init__(self, records: Sequence[ev.Record]) -> None:
        self.records = records
        self.at = records[0].at
        self._upto = 0
        self._more = threading.Semaphore(0)

    def __call__(self, feed: Feed, steering: Steering) -> Exit:
        try:
            for number, record in enumerate(self.records):
                while number >= self._upto:
                    steering.cancel.wait(0.005)
                self.at = record.at
                feed.publish(record)
        except Stopped:
            return Exit.INTERRUPTED
        return Exit.OK

    def go(self, upto: int) -> None:
        self._upto = upto


@asynccontextmanager
async def stage(size: tuple[int, int]) -> AsyncIterator[tuple[Any, Callable[..., Any]]]:
    """A screen on which the journal plays, and what takes a picture of it behind the first event that is wanted."""
    records = journal.read(TAPE)
    play = Stops(records)
    run = next(r.event.run for r in records if isinstance(r.event, ev.RunStarted))
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        # Paths on the screen are relative: they are the same wherever the pictures are made.
        folder = Path(".bitnet-tui", "runs", run)
        folder.mkdir(parents=True)
        shutil.copy(PATCH, folder / "patch.diff")
        app = BitnetApp(play, glyphs="unicode", folder=folder, clock=lambda: play.at)
        async with app.run_test(size=size, notifications=False) as pilot:

            async def take(
                wanted: Callable[[ev.Event], bool], seconds: float = 1.0, keys: str = "", skip: int = 0
            ) -> Any:
                after = app.bridge.state.seq
                found = [n for n, r in enumerate(records, 1) if n > after and wanted(r.event)]
                play.go(here := found[min(skip, len(found) - 1)])
                while app.bridge.state.seq < here or app._paint_due:
                    await asyncio.sleep(0.005)
                if keys:
                    await pilot.press(*keys.split())
                for _ in range(3):  # a scroll bar comes one layout later
                    await pilot.pause()
                    app.paint()
                strips = app.screen._compositor.render_strips()
                return svg.frame(strips, str(DARK.foreground), str(DARK.background), seconds)

            yield app, take


def is_(kind: type[Any], **fields: Any) -> Callable[[ev.Event], bool]:
    """A wish for an event of a kind, with these fields."""
    return lambda e: isinstance(e, kind) and all(getattr(e, k) == v for k, v in fields.items())


async def moving(size: tuple[int, int]) -> str:
    """The whole run in a dozen frames."""
    async with stage(size) as (_, take):
        frames = [
            await take(is_(ev.SuiteCollected, purpose=Purpose.AUDIT), 0.8),
            await take(is_(ev.TestFinished, purpose=Purpose.AUDIT), 0.6, skip=6),
            await take(is_(ev.TestFinished, purpose=Purpose.AUDIT), 0.6, skip=8),
            await take(is_(ev.AuditFinished), 1.6),
            await take(is_(ev.ActivityReported), 0.8),
            await take(is_(ev.ActivityReported), 0.8, skip=2),
            await take(is_(ev.AttemptFinished), 1.2),
            await take(is_(ev.StepStarted, step=Step.VERIFY), 0.8),
            await take(is_(ev.TestFinished, purpose=Purpose.VERIFY), 0.6, skip=8),
            await take(is_(ev.VerificationFinished), 1.0),
            await take(is_(ev.ProposalMade), 2.4),
            await take(is_(ev.RunFinished), 4.0),
        ]
    return svg.picture(frames, str(DARK.background).lower(), "A run of bitnet-tui: red tests become green, verified.")


async def still(size: tuple[int, int], wanted: Callable[[ev.Event], bool], says: str, keys: str = "") -> str:
    """One moment of it."""
    async with stage(size) as (_, take):
        shown = await take(wanted, keys=keys)
    return svg.picture([shown], str(DARK.background).lower(), says)


async def pictures() -> dict[str, str]:
    """Every picture by its name."""
    asked = is_(ev.ProposalMade)
    return {
        "run.svg": await moving(SMALL),
        "audit.svg": await still(WIDE, is_(ev.AuditFinished), "After the audit: which tests fail, always.", "n"),
        "decision.svg": await still(WIDE, asked, "The run asks where to go next, the patch beside the tests.", "d"),
        "ended.svg": await still(SMALL, is_(ev.RunFinished), "The end on a small terminal.", "4"),
    }


def record() -> None:
    """Make the demo, and keep its journal and its patch."""
    argv = [sys.executable, "-m", "tui.cli", "demo", "--no-tui", "--yes"]
    told = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    target = Path(next(line for line in told.splitlines() if line.startswith("demo project: ")).split(": ", 1)[1])
    folder = next((target / ".bitnet-tui" / "runs").iterdir())
    home = [(str(target.resolve()), HOME), (str(target), HOME), (sys.executable, "/usr/bin/python3")]
    home += [(str(Path(sys.prefix).resolve()), "/usr"), (sys.prefix, "/usr"), (str(ROOT), "/opt/bitnet-tui")]
    home += [(tempfile.gettempdir() + "/", "/scratch/")]
    lines = []
    for line in (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines():
        for path, other in home:
            line = line.replace(json.dumps(path, ensure_ascii=False)[1:-1], other)
        lines.append(line + "\n")
    PLACE.mkdir(parents=True, exist_ok=True)
    TAPE.write_text("".join(lines), encoding="utf-8")
    shutil.copy(folder / "patch.diff", PATCH)
    shutil.rmtree(target.parent)


def main() -> None:
    """Write all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="make the run again first")
    if parser.parse_args().record:
        record()
    os.environ |= {"TZ": "UTC", "TERM": "xterm-256color"}
    os.environ.pop("NO_COLOR", None)
    time.tzset()
    for name, text in asyncio.run(pictures()).items():
        (PLACE / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{PLACE / name}  {len(text) / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
