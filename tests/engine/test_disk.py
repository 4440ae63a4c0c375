"""A disk that is full at any moment ends a run with a sentence, and the run goes on when there is space."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from crashes import ONE, Finished, walk
from often import some, step
from support import Command, fill, leftovers, make_repo, start

from engine import events as ev
from engine.errors import DiskFull
from engine.model import Exit
from engine.records import journal
from engine.records.receipt import write_atomically
from engine.suites import runner
from engine.workspace.area import Area, Refused
from engine.workspace.repository import Repository

WRITES = ("add", "commit-tree", "hash-object", "read-tree", "update-index", "update-ref", "worktree add", "write-tree")


@pytest.fixture(scope="module")
def finished(lean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished.make(tmp_path_factory.mktemp("tiny"), lean_python, ONE)


def interrupted(finished: Finished, case: object) -> None:
    """It said what is wrong, left nothing around, and goes on to the same end."""
    last = journal.read(finished.journal)[-1].event
    if isinstance(last, ev.RunInterrupted):  # else there was no room for that either
        assert last.exit == Exit.ENVIRONMENT, case
        assert "No space left" in last.why, case
        assert "free some space" in last.hint, case
    assert not leftovers(finished.folder, finished.run), case
    assert walk(finished.folder) == finished.checkout, case
    assert finished.go_on() is Exit.OK, case
    finished.hold(finished.run, str(case))


def failing(call: Callable[..., object], number: int) -> tuple[Callable[..., object], list[int]]:
    """The same function, with no room at its call of that number; what was counted."""
    counted = [0]

    def instead(*args: object, **more: object) -> object:
        counted[0] += 1
        if counted[0] == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return call(*args, **more)

    return instead, counted


@pytest.mark.slow
@pytest.mark.parametrize("what", ["fsync", "write"])
def test_no_room_for_a_record_at_any_moment(finished: Finished, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """From the verification on: every line of the journal, the patch, the ledger, the receipt."""
    number = 1
    while True:
        finished.take_back(finished.number(ev.VerificationFinished), torn=False).kill()
        instead, counted = failing(getattr(os, what), number)
        with monkeypatch.context() as patched:
            patched.setattr(os, what, instead)
            code = finished.go_on()
        if counted[0] < number:
            break
        assert code is Exit.ENVIRONMENT, (what, number)
        interrupted(finished, (what, number))
        number += step(6)
    assert number > 12


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ev.GuardChecked, ev.ChangeExamined])
def test_no_room_for_what_git_writes(finished: Finished, monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    """Snapshot and worktrees of the audit; worktrees of the gates, the comparison, commit and branch."""
    run = Repository.run_bytes
    number = 1
    while kind is not ev.GuardChecked or number <= 5:
        finished.take_back(finished.number(kind), torn=False).kill()
        counted = [0]

        def full(
            self: Repository, *args: str, counted: list[int] = counted, number: int = number, **more: object
        ) -> bytes:
            counted[0] += " ".join(args).startswith(WRITES)
            if counted[0] == number and " ".join(args).startswith(WRITES):
                said = f"fatal: {os.strerror(errno.ENOSPC)}"
                raise self._failure(f"git {args[0]}: {said}", said)
            return run(self, *args, **more)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(Repository, "run_bytes", full)
            code = finished.go_on()
        if counted[0] < number:
            break
        assert code is Exit.ENVIRONMENT, (kind, number)
        said = journal.read(finished.journal)[-1].event
        assert isinstance(said, ev.RunInterrupted), (kind, number)
        interrupted(finished, (kind, number))
        number += step(4)
    assert number > 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    some(
        ["RunStarted", "SnapshotTaken", "SuiteStarted", "AuditFinished", "EditApplied", "AttemptFinished", "HopAdded"],
        (3,),
    ),
)
def test_a_disk_that_fills_up_meanwhile(small_disk: Path, command: Command, finished: Finished, kind: str) -> None:
    folder = make_repo(small_disk / "repo", ONE.files)
    before = walk(folder)
    process = start(command, folder, "--suite", "cpu", *command.script(*ONE.script))
    assert process.stdout is not None
    said = ""
    for said in process.stdout:
        if f'"{kind}"' in said:
            process.send_signal(signal.SIGSTOP)
            filler = fill(small_disk)
            process.send_signal(signal.SIGCONT)
            break
    out, err = process.communicate(timeout=120)
    assert process.returncode == 5, out + err
    assert "Traceback" not in out + err
    assert "free some space" in out
    assert walk(folder) == before
    filler.unlink()
    done = command("resume", "--json", cwd=folder)
    assert done.code == 0, done.out + done.err
    assert Path(done.result["ledger"]).read_bytes() == finished.ledger
    assert not leftovers(folder, done.result["run"])
    assert walk(folder) == before


def test_no_room_before_a_run_is_there(small_disk: Path, command: Command) -> None:
    folder = make_repo(small_disk / "repo", ONE.files)
    filler = fill(small_disk)
    answer = command("--json", *command.script(*ONE.script), cwd=folder)
    assert answer.code == 5, answer.out
    assert "No space left" in answer.result["why"]
    assert "free" in answer.result["hint"]
    filler.unlink()
    assert command("--json", *command.script(*ONE.script), cwd=folder).code == 0


def test_an_edit_there_is_no_room_for_is_not_the_agents_fault(small_disk: Path) -> None:
    area = Area(small_disk)
    area.write("m.py", b"x = 1\n")
    fill(small_disk)
    with pytest.raises(DiskFull, match=r"m.py cannot be written: No space left"):
        area.write("m.py", b"x = 2\n" * 10_000)
    (small_disk / "folder").mkdir(exist_ok=True)
    with pytest.raises(Refused, match="is a folder"):
        area.write("folder", b"")


def test_what_fails_on_a_full_disk_says_nothing_of_the_code(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished.take_back(finished.number(ev.SnapshotTaken), torn=False).kill()
    with monkeypatch.context() as patched:
        patched.setattr(runner, "NO_ROOM", 2**80)  # no disk has that
        assert finished.go_on() is Exit.ENVIRONMENT
    last = journal.read(finished.journal)[-1].event
    assert isinstance(last, ev.RunInterrupted)
    assert "suite cpu ran on a full disk" in last.why
    assert finished.go_on() is Exit.OK
    finished.hold(finished.run, "full")


def test_half_a_record_is_not_left_beside_it(small_disk: Path) -> None:
    write_atomically(small_disk / "ledger.md", b"old")
    fill(small_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(small_disk / "ledger.md", b"new" * 10_000)
    assert sorted(os.listdir(small_disk)) == ["filler", "ledger.md"]
    assert (small_disk / "ledger.md").read_bytes() == b"old"
