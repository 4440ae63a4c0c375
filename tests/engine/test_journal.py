"""What a journal keeps when the power goes, the clock is set back, or the disk has no room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import fill

from engine import events as ev
from engine.errors import DiskFull, EnvironmentFailure
from engine.events import Record
from engine.model import Hop, Route, RouteKind, Step
from engine.records import journal
from engine.records.journal import Journal

NOTE = ev.ActivityReported("note", "ünder way")
DURABLE = ev.HopAdded(Hop("agent", "text", Route(RouteKind.NEXT, "self")))


def written(path: Path, *events: ev.Event) -> list[Record]:
    writer = Journal(path)
    records = [writer.append(event) for event in events]
    writer.close()
    return records


def test_every_prefix_of_a_journal_can_be_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    records = written(path, ev.GuardChecked("generative", True), NOTE, DURABLE, ev.StepFinished(Step.EDIT, 1))
    data = path.read_bytes()
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        writer, kept = journal.reopen(path)
        assert kept == records[: data[:cut].count(b"\n")]
        writer.append(NOTE)
        writer.close()
        assert [r.seq for r in journal.read(path)] == list(range(1, len(kept) + 2))


@pytest.mark.parametrize("torn", [b"\0" * 40, b"\0" * 40 + b"\n", b"[1]\n", b'{"v":1}\n', b"\xff\xfe\n", b'"a"'])
def test_what_was_not_yet_safe_may_be_torn_in_any_order(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    records = written(path, DURABLE, NOTE)
    after = tmp_path / "after.jsonl"
    written(after, NOTE)
    path.write_bytes(path.read_bytes() + torn + after.read_bytes())
    assert journal.read(path) == records
    writer, kept = journal.reopen(path)
    assert kept == records
    assert writer.append(NOTE).seq == 3
    assert len(journal.read(path)) == 3


def test_what_was_safe_and_is_damaged_is_said_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path, NOTE, NOTE, DURABLE)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0\0\n" + lines[2])
    with pytest.raises(EnvironmentFailure, match=r"journal.jsonl:2: "):
        journal.reopen(path)
    assert path.read_bytes().count(b"\n") == 3


def test_no_record_is_older_than_the_one_before(tmp_path: Path) -> None:
    times = [1000.0, 400.0, 5000.0, 4999.9]
    writer = Journal(tmp_path / "journal.jsonl", clock=lambda: times.pop(0))
    assert [writer.append(NOTE).at for _ in range(4)] == [1000.0, 1000.0, 5000.0, 5000.0]
    writer.close()
    again, _ = journal.reopen(tmp_path / "journal.jsonl")
    again.clock = lambda: 3.0
    assert again.now() == 5000.0
    assert again.append(NOTE).at == 5000.0


def test_a_line_there_was_no_room_for_leaves_no_half(small_disk: Path) -> None:
    path = small_disk / "journal.jsonl"
    writer = Journal(path)
    writer.append(NOTE)
    fill(small_disk)
    with pytest.raises(DiskFull, match="No space left"):
        any(writer.append(long) is None for long in [ev.ActivityReported("note", "y" * 1000)] * 100)
    whole = journal.read(path)
    assert path.read_bytes().endswith(b"\n")
    (small_disk / "filler").unlink()
    assert writer.append(DURABLE).seq == len(whole) + 1
    assert len(journal.read(path)) == len(whole) + 1


def test_half_a_line_that_could_not_be_taken_back_is_taken_back_later(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    writer = Journal(path)
    writer.append(NOTE)
    with path.open("ab") as file:
        file.write(b'{"v":1,"se')
    writer.append(DURABLE)
    assert [r.seq for r in journal.read(path)] == [1, 2]


def test_a_new_journal_has_its_name_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    written(tmp_path / "journal.jsonl", DURABLE)
    assert synced == [str(tmp_path), str(tmp_path / "journal.jsonl")]
