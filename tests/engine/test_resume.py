"""A run killed at any event resumes to the same ledger bytes and repeats nothing that had finished."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from crashes import repeated
from often import THOROUGH, step
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, leftovers, make_repo, start, stop_at

from engine.events import DURABLE, VerificationFinished
from engine.records import journal
from engine.state import RunState, fold_all

MORE = {"outcome": "more-work", "summary": "one of two"}
KILL_AT = (
    "SnapshotTaken",
    "SuiteFinished",
    "AuditFinished",
    "AttemptStarted",
    "EditApplied",
    "AttemptFinished",
    "VerificationFinished",
    "GateSet impl",
    "ProposalMade",
    "DecisionTaken",
    "HopAdded",
    "DietFinished",
    "ChangeExamined",
    "CommitCreated",
    "LedgerWritten",
)


def script(command: Command) -> list[str]:
    return command.script([edit(FIX_ADD), finish(MORE)], [edit(FIX_MUL), finish(DONE)])


@pytest.fixture(scope="module")
def uninterrupted(lean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    place = tmp_path_factory.mktemp("uninterrupted")
    for name in ("home", "repo"):
        (place / name).mkdir()
    folder, command = make_repo(place / "repo", CALC), Command(lean_python, place / "home")
    answer = command("--json", *script(command), cwd=folder)
    assert answer.code == 0, answer.err
    return folder, Path(answer.result["ledger"]).read_bytes()


@pytest.mark.slow
def test_a_run_killed_at_any_event_ends_in_the_same_ledger(uninterrupted: tuple[Path, bytes], command: Command) -> None:
    folder, expected = uninterrupted
    for kind in KILL_AT if THOROUGH else KILL_AT[2::7]:
        run = stop_at(start(command, folder, *script(command)), kind, signal.SIGKILL)
        done = command("resume", run, "--json", cwd=folder)
        assert done.code == 0, (kind, done.err, done.out[-800:])
        assert Path(done.result["ledger"]).read_bytes() == expected, kind
        records = journal.read(folder / ".bitnet-tui" / "runs" / run / "journal.jsonl")
        assert repeated(records) == [], kind
        assert not leftovers(folder, run), kind
        assert git(folder, "rev-list", "--count", f"main..bitnet-tui/{run}") == "1", kind


FAT = {"command": "str_replace", "path": "other.py", "old_str": "A = 1\n", "new_str": "A = 2\n"}
EXTRA = "from calc.extra import one"
MORE_FAT = {"command": "str_replace", "path": "more.py", "old_str": "B = 1\n", "new_str": "B = 2\n"}


@pytest.mark.slow
def test_a_run_killed_after_pieces_were_brought_back_keeps_them(repo: Callable[..., Path], command: Command) -> None:
    folder = repo(CALC | {"other.py": "A = 1\n", "more.py": "B = 1\n"})
    script = command.script([edit(FAT), edit(MORE_FAT), edit(FIX_ADD), edit(FIX_MUL), finish(DONE)])[-1]
    ledgers = {}
    for kind in ("", *("PiecesRestored", "VerificationFinished", "DietFinished", "ProposalMade")[:: step(4)]):
        done = command.steered(script, kind, cwd=folder)
        runs = folder / ".bitnet-tui" / "runs"
        run = max(p.name for p in runs.iterdir())
        assert done.returncode == (-signal.SIGKILL if kind else 0), (kind, done.stderr)
        if kind:
            again = command("resume", run, "--json", cwd=folder)
            assert again.code == 0, (kind, again.out[-800:])
        patch = (runs / run / "patch.diff").read_text(encoding="utf-8")
        assert ("+A = 2" in patch, "+B = 2" in patch) == (False, True), kind
        assert "+A = 2" in (runs / run / "removed.diff").read_text(encoding="utf-8"), kind
        assert repeated(journal.read(runs / run / "journal.jsonl")) == [], kind
        assert not leftovers(folder, run), kind
        assert git(folder, "rev-list", "--count", f"main..bitnet-tui/{run}") == "1", kind
        ledgers[kind] = (runs / run / "ledger.md").read_bytes()
    assert set(ledgers.values()) == {ledgers[""]}, ledgers
    assert b"with 1 piece brought back" in ledgers[""]


def test_a_piece_that_breaks_the_change_alone_is_no_false_claim(repo: Callable[..., Path], command: Command) -> None:
    """An import comes back without the file it needs: that is not green, and nobody said that it was."""
    folder = repo()
    fix = FIX_ADD | {
        "old_str": "def add(a, b):\n    return a - b",
        "new_str": f"{EXTRA}\n\n\ndef add(a, b):\n    return a + b",
    }
    new = {"command": "create", "path": "calc/extra.py", "file_text": "def one():\n    return 1\n"}
    script = command.script([edit(new), edit(fix), edit(FIX_MUL), finish(DONE)])[-1]
    done = command.steered(script, cwd=folder)
    assert done.returncode == 1, done.stderr
    # What means nothing (pieces and candidates nobody knows) was no answer: the question stayed open for the next.
    assert done.stdout.endswith("3 answers refused\n")
    records = journal.read(next(folder.glob(".bitnet-tui/runs/*/journal.jsonl")))
    assert [r.event.verdict for r in records if isinstance(r.event, VerificationFinished)] == ["verified", "rejected"]
    assert not git(folder, "branch", "--list", "bitnet-tui/*")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_a_resumable_run_and_nothing_else(
    repo: Callable[..., Path], command: Command, number: signal.Signals
) -> None:
    folder = repo()
    process = start(command, folder, *script(command))
    run = stop_at(process, "TestFinished", number)
    assert process.returncode == 130
    assert not leftovers(folder, run)
    assert "interrupted" in command("runs", cwd=folder).out
    if number is signal.SIGTERM or THOROUGH:  # what is left is the same whichever it was
        assert command("resume", "--json", cwd=folder).code == 0


def test_the_next_start_cleans_what_a_killed_run_left(repo: Callable[..., Path], command: Command) -> None:
    folder = repo({"test_slow.py": "import time\ndef test_cpu_s():\n    time.sleep(60)\n"})
    run = stop_at(start(command, folder, *script(command)), "SuiteCollected", signal.SIGKILL)
    assert (folder / ".bitnet-tui" / "scratch" / run).is_dir()
    assert "removed" in command("clean", cwd=folder).out
    assert not leftovers(folder, run)


def test_two_runs_at_once_name_the_owner(repo: Callable[..., Path], command: Command) -> None:
    folder = repo({"test_slow.py": "import time\ndef test_cpu_s():\n    time.sleep(60)\n"})
    first = start(command, folder, *script(command))
    assert first.stdout is not None
    for line in first.stdout:
        if '"SuiteCollected"' in line:
            break
    second = command("--json", *script(command), cwd=folder)
    assert second.code == 5
    assert str(first.pid) in second.result["why"]
    first.send_signal(signal.SIGINT)
    first.stdout.read()
    assert first.wait(20) == 130


def test_every_prefix_and_torn_line_of_a_journal_is_readable(uninterrupted: tuple[Path, bytes], tmp_path: Path) -> None:
    folder, _ = uninterrupted
    data = next(folder.glob(".bitnet-tui/runs/*/journal.jsonl")).read_bytes()
    whole = journal.read(next(folder.glob(".bitnet-tui/runs/*/journal.jsonl")))
    path = tmp_path / "journal.jsonl"
    for cut in range(0, len(data), 97):
        path.write_bytes(data[:cut])
        writer, records = journal.reopen(path)
        assert records == whole[: len(records)]
        assert writer.seq == (records[-1].seq if records else 0)
        fold_all(RunState(), records)
        assert path.read_bytes().count(b"\n") == len(records)
    assert {type(r.event) for r in whole} & set(DURABLE)
    assert os.path.getsize(path) <= len(data)
