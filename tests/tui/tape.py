"""A recorded run for tests: the story's events as a journal in the place a run would leave them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.events import Record
from engine.feed import Feed
from engine.records.journal import Journal
from engine.session import Runnable, Session
from engine.workspace.home import Home
from tests.tui.story import PATCH, Story


def records(run: Runnable | None = None) -> list[Record]:
    """Everything a run says when nobody is asked."""
    feed = Feed()
    session = Session(run or Story(), feed, ask=False)
    session.start()
    session.join(60)
    return feed.drain(1_000_000)[0]


def keep(root: Path, name: str, taped: Sequence[Record], patch: str = PATCH) -> Path:
    """The folder of a run of the repository at ``root``."""
    folder = Home(root).run(name)
    folder.mkdir(parents=True)
    if patch:
        (folder / "patch.diff").write_text(patch, encoding="utf-8")
    at = 0.0
    journal = Journal(folder / "journal.jsonl", clock=lambda: at)
    for record in taped:
        at = record.at
        journal.append(record.event)
    journal.close()
    return folder
