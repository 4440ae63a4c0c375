"""Records of earlier runs, found by id or by file, and summed up. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EnvironmentFailure
from engine.events import Record, from_record
from engine.records import journal
from engine.state import RunState, fold_all
from engine.workspace.home import Home
from engine.workspace.repository import STATE, Repository

JOURNAL = "journal.jsonl"
_LINE_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run as its journal tells it."""

    folder: Path
    records: Iterable[Record]  # from the start each time; read as they are asked for
    state: RunState


@dataclass(frozen=True, slots=True)
class Past:
    """One run of a repository, to be listed; without a state it cannot be read, and ``damage`` says where."""

    name: str
    state: RunState | None = None
    damage: str = ""

    @property
    def short(self) -> str:
        """What tells it from others of its day: the end of its id."""
        return self.name.rsplit("-", 1)[-1]


def find(target: Path, run: str) -> Path:
    """The journal ``run`` means: a file, a folder that holds one, or a run of ``target`` by its id.

    Raises
    ------
    EnvironmentFailure
        There is no such run, or more than one.
    """
    given = Path(run)
    if run and (given.suffix == ".jsonl" or given.is_file() or (len(given.parts) > 1 and given.is_dir())):
        return given / JOURNAL if given.is_dir() else given
    home = Home(Repository.open(target).root)
    return home.run(home.find(run)) / JOURNAL


def load(path: Path) -> Recorded:
    """Read a journal.

    Raises
    ------
    EnvironmentFailure
        It is damaged (the message says in which line), of another version, or tells of no run.
    """
    records = journal.Tape(path)
    state = fold_all(RunState(), records)
    if not state.seq:
        raise EnvironmentFailure(f"{path}{_first_fault(path)}", hint="name a run of `bitnet-tui runs`, or its journal")
    if state.started is None:
        why = getattr(state.ended, "why", "")
        raise EnvironmentFailure(
            f"{path}: the run ended before it began" + (f": {why}" if why else ""), hint="start a new one: bitnet-tui"
        )
    return Recorded(path.parent, records, state)


def _first_fault(path: Path) -> str:
    """Why a file without a single event is no journal."""
    with path.open("rb") as file:
        line = file.readline(_LINE_BYTES)
    if not line.strip():
        return " holds no event"
    try:
        data = json.loads(line)
        if not isinstance(data, dict):
            raise ValueError("not a record")
        from_record(data)
    except ValueError as error:
        return f":1: {error}"
    return ":1: the line was cut short"


def past(home: Home, run: str) -> Past:
    """One run of a repository as a row needs it."""
    try:
        return Past(run, load(home.run(run) / JOURNAL).state)
    except EnvironmentFailure as error:
        return Past(run, damage=error.message.removeprefix(f"{home.run(run)}/"))


def home_of(folder: Path | None) -> Home | None:
    """The home a run's folder lies in, if it lies in one."""
    if folder is None or folder.parent.name != "runs" or folder.parent.parent.name != STATE:
        return None
    return Home(folder.parent.parent.parent)
