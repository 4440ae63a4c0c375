"""``bitnet-tui replay RUN --engine``: what making a run again showed, in lines or as one object."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from engine.headless import stopping
from engine.plain import safe
from engine.replaying import Replayed, replay


def report(target: Path, run: str, *, as_json: bool) -> int:
    """Make the run again, print where it went another way, and return the exit code."""
    done = replay(target, run, dict(os.environ), watch=stopping)
    if as_json:
        click.echo(json.dumps(as_data(done)))
    else:
        click.echo(safe("\n".join(lines(done))))
    return int(done.exit)


def lines(done: Replayed) -> list[str]:
    """The places, with both sides; then the sum."""
    told = []
    for one in done.found:
        told += [f"differs: {one.place}", f"  recorded  {one.recorded}", f"  now       {one.now}"]
    calls = "1 call" if done.calls == 1 else f"{done.calls} calls"
    if done.found:
        places = "1 place" if len(done.found) == 1 else f"{len(done.found)} places"
        told.append(f"replayed {done.run}: {calls}, another way at {places}")
    elif done.ended:
        told.append(f"replayed {done.run}: {calls}, the same up to where it was recorded ({done.ended})")
    else:
        told.append(f"replayed {done.run}: {calls}, same verdict ({done.verdict}), same patch")
    return [*told, f"records: {done.folder}"]


def as_data(done: Replayed) -> dict[str, object]:
    found = [{"place": d.place, "recorded": d.recorded, "now": d.now} for d in done.found]
    return {"type": "replay", "exit": int(done.exit), "run": done.run, "calls": done.calls, "differences": found}
