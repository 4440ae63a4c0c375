"""A journal played: its pace, its pauses, what it reads and what it refuses; no screen in sight."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support import make_repo

from engine import events as ev
from engine.commands import Continue, Pause, Stop
from engine.errors import EnvironmentFailure
from engine.feed import Feed
from engine.headless import run_headless
from engine.model import Exit, Route, RouteKind, Step
from engine.records.journal import Journal, Tape
from engine.records.redact import Redactor
from engine.session import Session
from engine.state import RunState, fold_all
from tests.tui import tape
from tests.tui.story import START, Story
from tui.playback import AT_ONCE, CAP_S, Playback, asks, distance, last_lines
from tui.recorded import find, home_of, load, past


def at(*moments: float) -> list[ev.Record]:
    return [ev.Record(n, START + m, ev.GuardChecked("f", True)) for n, m in enumerate(moments, 1)]


@pytest.fixture(scope="module")
def taped() -> list[ev.Record]:
    return tape.records()


@pytest.mark.parametrize(("earlier", "later", "wanted"), [(0, 2, 2), (0, 900, CAP_S), (5, 5, 0), (9, 3, 0)])
def test_a_wait_is_the_recorded_one_never_negative_and_never_long(earlier: int, later: int, wanted: float) -> None:
    assert distance(*at(earlier, later)) == wanted


def test_only_questions_to_a_person_are_held() -> None:
    asked = ev.BudgetReached("q", "usd", 1.0, 1.0, 1.5, "why")
    assert asks(asked)
    assert not asks(ev.BudgetReached("q", "usd", 1.0, 1.0, 1.5, "why", asked=False))
    assert not asks(ev.DecisionTaken("q", Route(RouteKind.NEXT, "self"), "user"))


def play(play: Playback, *, feed: Feed | None = None) -> tuple[Session, Feed]:
    feed = feed or Feed()
    session = Session(play, feed, ask=False)
    session.start()
    return session, feed


def test_at_once_everything_comes_as_it_was_recorded(taped: list[ev.Record], tmp_path: Path) -> None:
    session, feed = play(Playback(taped, tmp_path, speed=AT_ONCE))
    assert session.join(20) is Exit.OK
    assert feed.drain(1_000_000)[0] == taped


def test_paced_or_not_the_same_state_comes_out(taped: list[ev.Record], tmp_path: Path) -> None:
    few = [r for r in taped if not isinstance(r.event, ev.ProposalMade)]
    session, feed = play(Playback(few, tmp_path, speed=1024.0))
    assert session.join(20) is Exit.OK
    assert fold_all(RunState(), feed.drain(1_000_000)[0]) == fold_all(RunState(), few)


def test_a_pause_stands_still_and_says_so_and_goes_on(tmp_path: Path) -> None:
    """The wait between the two records ends only once nobody pauses any more."""
    woken = threading.Event()
    feed = Feed(woken.set)
    playback = Playback(at(0, 1), tmp_path, speed=0.125)
    session, _ = play(playback, feed=feed)
    session.send(Pause())
    told: list[ev.Record] = []

    def until(kind: str) -> list[str]:
        while kind not in (kinds := [type(r.event).__name__ for r in told]):
            assert woken.wait(20)
            woken.clear()
            while got := feed.drain()[0]:
                told.extend(got)
        return kinds

    assert until("Paused") == ["GuardChecked", "Paused"]
    assert playback.word.endswith("paused")
    session.send(Continue())
    assert until("Continued") == ["GuardChecked", "Paused", "Continued"]
    playback.skip()
    session.join(20)
    told += feed.drain()[0]
    assert [type(r.event).__name__ for r in told] == ["GuardChecked", "Paused", "Continued", "GuardChecked"]
    assert not fold_all(RunState(), told).paused


def test_skipping_ends_at_the_next_step(tmp_path: Path) -> None:
    step = ev.Record(3, START + 2000, ev.StepStarted(Step.EDIT, 1))
    recorded = [*at(0, 1000), step, ev.Record(4, START + 3000, ev.GuardChecked("f", True))]
    playback = Playback(recorded, tmp_path, speed=0.125)
    playback.skip()
    session, feed = play(playback)
    seen: list[ev.Record] = []
    while len(seen) < 3:
        seen += feed.drain()[0]
    session.send(Stop(now=True))
    assert session.join(20) is Exit.INTERRUPTED
    assert not playback.ended
    assert [r.seq for r in seen + feed.drain()[0]] == [1, 2, 3]


def test_a_stop_is_heard_in_the_longest_wait(tmp_path: Path) -> None:
    session, feed = play(Playback(at(0, 1e9), tmp_path, speed=0.125))
    session.send(Stop(now=True))
    assert session.join(20) is Exit.INTERRUPTED
    assert len(feed.drain()[0]) <= 1


@pytest.mark.parametrize(("left", "says"), [(None, "No such file"), ("{}\n", "journal.jsonl:1: ")])
def test_a_journal_that_is_lost_or_damaged_meanwhile_ends_the_replay_and_says_why(
    taped: list[ev.Record], tmp_path: Path, left: str | None, says: str
) -> None:
    path = tmp_path / "journal.jsonl"
    writer = Journal(path)
    for record in taped:
        writer.append(record.event)
    writer.close()
    playback = Playback(Tape(path), tmp_path, speed=AT_ONCE)
    kept = path.read_text(encoding="utf-8")
    path.unlink()
    if left is not None:
        path.write_text(left + kept, encoding="utf-8")
    session, feed = play(playback)
    assert session.join(20) is Exit.ENVIRONMENT
    assert says in str(playback.error)
    assert [line for line in feed.drain()[1] if "the replay ends here" in line]


def test_the_speed_stays_within_reason(tmp_path: Path) -> None:
    playback = Playback(at(0), tmp_path)
    assert (playback.word, playback.faster(2), playback.word) == ("×8", 16.0, "×16")
    assert [playback.faster(1e9), playback.faster(1e-9)] == [1024.0, 0.125]
    whole = Playback(at(0), tmp_path, speed=AT_ONCE)
    assert (whole.faster(0.5), whole.word) == (math.inf, "at its end")


def test_the_exit_is_the_recorded_one_and_a_torn_end_is_an_interruption(taped: list[ev.Record], tmp_path: Path) -> None:
    assert Playback(taped, tmp_path).exit is Exit.OK
    assert Playback(taped[:-1], tmp_path).exit is Exit.INTERRUPTED
    resumed = [*taped, ev.Record(len(taped) + 1, START, ev.RunResumed(7))]
    assert Playback(resumed, tmp_path).exit is Exit.INTERRUPTED
    odd = [*taped, ev.Record(len(taped) + 1, START, ev.RunFinished(99, "of a later version"))]
    assert Playback(odd, tmp_path).exit is Exit.DEFECT


def test_plain_lines_are_those_of_the_live_run(tmp_path: Path) -> None:
    """A run, and then its journal, through the same printer."""

    class Live(Story):
        error = None
        redact = Redactor()

    folder = tape.keep(tmp_path, "20231114-221320-4f1c", tape.records(Story(folder=tmp_path / "kept")))
    for as_json in (False, True):
        told = io.StringIO(), io.StringIO()
        live = Live(folder=folder)
        assert run_headless(live, as_json=as_json, out=told[0]) is Exit.OK
        recorded = load(folder / "journal.jsonl")
        again = Playback(recorded.records, folder, speed=AT_ONCE)
        assert run_headless(again, as_json=as_json, out=told[1]) is Exit.OK
        wanted, got = (t.getvalue().replace(str(tmp_path / "kept"), str(folder)).splitlines() for t in told)
        assert got == wanted
        assert len(got) > 50


def test_the_end_of_the_output_comes_at_the_end(tmp_path: Path, taped: list[ev.Record]) -> None:
    log = tmp_path / "run.log"
    assert last_lines(log) == []
    log.write_text("one\ntwo\n")
    session, feed = play(Playback(taped, tmp_path, speed=AT_ONCE))
    session.join(20)
    assert feed.drain(1_000_000)[1] == ["one", "two"]
    log.write_bytes(b"x" * 70 + b"\n" + (b"\xff" + b"y" * 98 + b"\n") * 2000)
    assert len(last_lines(log)) == 1999
    assert set(last_lines(log)) == {"\ufffd" + "y" * 98}


def test_a_journal_is_found_by_id_by_file_and_by_folder(tmp_path: Path, taped: list[ev.Record]) -> None:
    root = make_repo(tmp_path, {"a.py": ""})
    folder = tape.keep(root, "20231114-221320-4f1c", taped)
    tape.keep(root, "20231114-221321-77aa", taped[:9])
    wanted = folder / "journal.jsonl"
    assert find(root, "4f1c") == wanted
    assert find(root, "").parent.name.endswith("77aa")
    assert find(Path(), str(wanted)) == wanted
    assert find(Path(), str(folder)) == wanted
    assert load(wanted).folder == folder
    home = home_of(folder)
    assert home is not None
    assert home.root == root
    assert home_of(tmp_path) is None
    with pytest.raises(EnvironmentFailure, match="no run match"):
        find(root, "nothing")


def test_damage_is_named_with_its_line(tmp_path: Path, taped: list[ev.Record]) -> None:
    folder = tape.keep(tmp_path, "20231114-221320-4f1c", taped)
    journal = folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)

    def broken(*replaced: bytes, start: int = 0) -> str:
        journal.write_bytes(b"".join([*lines[:start], *replaced, *lines[start + len(replaced) :]]))
        with pytest.raises(EnvironmentFailure) as caught:
            load(journal)
        return str(caught.value)

    assert "journal.jsonl:3: " in broken(b"{nonsense}\n", start=2)
    home = home_of(folder)
    assert home is not None
    assert past(home, folder.name).damage.startswith("journal.jsonl:3: ")
    lines = lines[:1]
    later = json.dumps(json.loads(lines[0]) | {"v": 2}).encode() + b"\n"
    assert "journal.jsonl:1: journal version 2; this program reads version 1" in broken(later)
    assert "journal.jsonl:1: " in broken(b"\xff\xfe\n")
    assert "journal.jsonl:1: the line was cut short" in broken(lines[0].rstrip())
    assert "holds no event" in broken(b"")
    nothing = ev.to_record(ev.Record(1, START, ev.RunFailed(5, "the disk is full")))
    assert "ended before it began: the disk is full" in broken(json.dumps(nothing).encode() + b"\n")


def test_a_journal_of_an_earlier_version_plays(tmp_path: Path, taped: list[ev.Record]) -> None:
    """Fields that came later are not in it, and a field nobody knows any more is passed over."""
    later = {"tests", "agent_source", "script", "apply", "publish", "packages_sha256", "why_provider", "notes", "whole"}
    later |= {"specialist", "dispatch", "check", "collect_errors", "rewritten", "peeked", "unfit", "counts"}
    journal = tmp_path / "old.jsonl"
    with journal.open("w", encoding="utf-8") as file:
        for record in taped:
            data = ev.to_record(record)
            kept = {k: v for k, v in data.items() if k not in later}
            file.write(json.dumps(kept | {"mood": "old"}) + "\n")
    recorded = load(find(tmp_path, str(journal)))
    session, feed = play(Playback(recorded.records, recorded.folder, speed=AT_ONCE))
    assert session.join(20) is Exit.OK
    assert fold_all(RunState(), feed.drain(1_000_000)[0]).commit is not None


def test_the_command_prints_a_journal_anywhere_and_refuses_what_does_not_go_together(tmp_path: Path) -> None:
    journal = tape.keep(tmp_path, "20231114-221320-4f1c", tape.records()) / "journal.jsonl"

    def command(*args: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-X", "importtime", "-m", "tui.cli", "replay", *args]
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    told = command(str(journal))  # no terminal: plain lines, as a run would do
    assert told.returncode == 0
    assert told.stdout.splitlines()[-1] == "exit 0: gate impl passed and verified"
    assert "textual" not in told.stderr
    refused = command(str(journal), "--engine", "--speed", "8")
    assert (refused.returncode, "leave out --speed" in refused.stderr) == (2, True)
