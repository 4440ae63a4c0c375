"""A finished run taken back to any instant, as a crash would have left it; and what a checkout is, byte by byte."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support import DONE, Command, edit, finish, git, leftovers, make_repo, start

from engine import events as ev
from engine.cancel import CancelToken
from engine.events import Record
from engine.feed import Feed
from engine.launch import Options, Plan, prepare
from engine.model import Exit, Purpose, Step
from engine.records import journal
from engine.run import Run
from engine.session import Steering
from engine.workspace.home import Home

M = "def f(a):\n    return a - 1\n\n\ndef g(a):\n    return a\n"
TEST_M = (
    "from m import f, g\n\n\ndef test_cpu_g():\n    assert g(1) == {}\n\n\ndef test_cpu_f():\n    assert f(1) == 2\n"
)
FIX_F = edit({"command": "str_replace", "path": "m.py", "old_str": "a - 1", "new_str": "a + 1"})
FIX_G = edit({"command": "str_replace", "path": "m.py", "old_str": "return a\n", "new_str": "return a + 2\n"})
MORE = finish({"outcome": "more-work", "summary": "one of two"})


@dataclass(frozen=True)
class Tale:
    """A project and what is done to it."""

    files: dict[str, str]
    script: list[list[dict[str, Any]]]


ONE = Tale({"m.py": M, "test_m.py": TEST_M.format(1)}, [[FIX_F, finish(DONE)]])
TWO = Tale({"m.py": M, "test_m.py": TEST_M.format(3)}, [[FIX_F, MORE], [FIX_G, finish(DONE)]])


def walk(folder: Path) -> dict[str, tuple[str, int, bytes]]:
    """Kind, mode, content and time of everything in a checkout that is not ours; of ``.git``, too."""
    found = {}
    for place, folders, files in os.walk(folder):
        here = Path(place).relative_to(folder)
        # Objects are left out: git's own names for them say what they hold.
        folders[:] = [f for f in folders if not _ours(here / f) and (here / f).parts != (".git", "objects")]
        files = [f for f in files if not _ours(here / f)]
        for name in sorted(folders + files):
            path = Path(place) / name
            status = path.lstat()
            content = b""
            if stat.S_ISLNK(status.st_mode):
                content = os.fsencode(os.readlink(path))
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes() + str(status.st_mtime_ns).encode()
            found[(here / name).as_posix()] = (stat.filemode(status.st_mode)[0], status.st_mode, content)
    return found


def _ours(path: Path) -> bool:
    """Our folder, and our refs with their logs."""
    return path.parts[0] == ".bitnet-tui" or (path.parts[0] == ".git" and path.name.startswith("bitnet-tui"))


def repeated(records: list[Record]) -> list[str]:
    """What a journal did again although it had finished: audit rounds, attempts, verifications, diets, decisions."""
    done: set[str] = set()
    again: list[str] = []
    for record in records:
        match record.event:
            case ev.SuiteStarted(suite, Purpose.AUDIT, round_):
                again += {f"audit {suite} {round_}", "audit"} & done
            case ev.SuiteFinished(suite, Purpose.AUDIT, round_):
                done.add(f"audit {suite} {round_}")
            case ev.SuiteStarted(suite, Purpose.ALONE):
                again += {f"alone {suite}", "audit"} & done
            case ev.SuiteFinished(suite, Purpose.ALONE):
                done.add(f"alone {suite}")
            case ev.AuditFinished():
                done.add("audit")
            case ev.SuiteStarted(_, purpose, number):
                again += {f"{purpose} {number}"} & done
            case ev.AttemptFinished(number):
                done.add(f"attempt {number}")
            case ev.VerificationFinished(number):
                done.add(f"verify {number}")
            case ev.StepStarted(Step.JUDGE, number):
                again += {f"gates {number}"} & done
            case ev.StepFinished(Step.JUDGE, number):
                done.add(f"gates {number}")
            case (
                ev.PiecesRestored(number) | ev.PiecesReverted(number) | ev.RunnerUpTaken(number)
            ):  # it is another change now
                done -= {f"{word} {number}" for word in ("reach", "verify", "gates", "diet", "look")}
            case ev.DietFinished(number):
                done.add(f"diet {number}")
            case ev.ChangeExamined(number):
                again += {f"look {number}"} & done
                done.add(f"look {number}")
            case ev.ProposalMade(proposal):
                again += {proposal.id} & done
            case ev.DecisionTaken(id_):
                again += {id_} & done
                done.add(id_)
            case ev.CommitCreated() | ev.LedgerWritten() | ev.ReceiptWritten() | ev.HopAdded():
                name = str(record.event)
                again += {name} & done
                done.add(name)
    return again


@dataclass
class Finished:
    """A tiny run that has ended, kept as it was, and the folder where it is taken back to its instants."""

    command: Command
    tale: Tale
    folder: Path
    run: str = ""
    lines: list[bytes] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    ledger: bytes = b""
    checkout: dict[str, tuple[str, int, bytes]] = field(default_factory=dict)
    plan: Plan | None = None

    @classmethod
    def make(cls, place: Path, python: Path, tale: Tale) -> Finished:
        for name in ("home", "repo"):
            (place / name).mkdir()
        made = cls(Command(python, place / "home"), tale, make_repo(place / "repo", tale.files))
        (made.folder / "notes.txt").write_text("mine\n")  # so that the snapshot is a commit of its own
        made.checkout = walk(made.folder)
        answer = made.command("--json", *made.options, cwd=made.folder)
        assert answer.code == 0, answer.out + answer.err
        made.run = answer.result["run"]
        made.lines = made.journal.read_bytes().splitlines(keepends=True)
        made.records = journal.read(made.journal)
        made.ledger = Path(answer.result["ledger"]).read_bytes()
        shutil.copytree(made.folder, place / "kept", symlinks=True)
        given = Options(made.folder, providers=("scripted",), suites=("cpu",), script=place / "home" / "script.json")
        made.plan = prepare(given, made.command.environment())
        return made

    @property
    def options(self) -> list[str]:
        return ["--suite", "cpu", *self.command.script(*self.tale.script)]

    @property
    def home(self) -> Home:
        return Home(self.folder)

    @property
    def journal(self) -> Path:
        return self.home.run(self.run) / "journal.jsonl"

    def number(self, kind: type) -> int:
        """Where the first event of a kind stands."""
        return next(n for n, r in enumerate(self.records, 1) if isinstance(r.event, kind))

    # -- back to an instant -------------------------------------------------------------------------------------------

    def take_back(self, number: int, *, torn: bool) -> subprocess.Popen[bytes]:
        """The folder as a crash after ``number`` events left it; a process of the run that outlived it.

        Parameters
        ----------
        torn
            The next event was being written: half of its line is there, and what it tells of was done.
        """
        shutil.rmtree(self.folder)
        shutil.copytree(self.folder.with_name("kept"), self.folder, symlinks=True)
        self.journal.write_bytes(b"".join(self.lines[:number]))
        if torn:
            with self.journal.open("ab") as file:
                file.write(self.lines[number][: len(self.lines[number]) // 2])
        happened = {type(r.event) for r in self.records[: number + torn]}
        self._files(happened)
        self._refs(happened)
        if ev.SnapshotTaken in happened:
            self._worktrees(torn)
        child = subprocess.Popen(
            ["sleep", "600"], env={"BITNET_TUI_RUN": self.run, "PATH": os.environ["PATH"]}, start_new_session=True
        )
        dead = subprocess.Popen(["true"])
        dead.wait()
        self.home.lock.write_text(f"{dead.pid} {self.run}\n")
        return child

    def _files(self, happened: set[type]) -> None:
        folder = self.home.run(self.run)
        written = {
            "patch.diff": ev.ProposalMade,  # no such tale leaves a removed.diff
            "ledger.md": ev.LedgerWritten,
            "receipts/impl.json": ev.ReceiptWritten,
        }
        for name, kind in written.items():
            path = folder / name
            if kind not in happened:
                half = path.read_bytes()[:100]
                path.unlink()
                path.with_name(f".{path.name}.new").write_bytes(half)
        for place in (self.home.scratch(self.run), self.home.temp(self.run) / "work" / "tmp"):
            place.mkdir(parents=True)
            (place / "index").write_bytes(b"half")

    def _refs(self, happened: set[type]) -> None:
        snapshot = next(r.event for r in self.records if isinstance(r.event, ev.SnapshotTaken))
        commit = next(r.event for r in self.records if isinstance(r.event, ev.CommitCreated))
        if ev.SnapshotTaken in happened and ev.RunFinished not in happened:
            git(self.folder, "update-ref", f"refs/bitnet-tui/{self.run}/base", snapshot.commit)
        if ev.CommitCreated not in happened:
            git(self.folder, "update-ref", "-d", f"refs/heads/{commit.branch}")

    def _worktrees(self, torn: bool) -> None:
        scratch = self.home.scratch(self.run)
        git(self.folder, "worktree", "add", "-q", "--detach", str(scratch / "work"), "HEAD")
        if torn:  # git itself was killed: a record without a link, a ref that is locked
            record = self.folder / ".git" / "worktrees" / "verify"
            record.mkdir()
            (record / "locked").write_text("initializing")
            for ref in (f"refs/bitnet-tui/{self.run}/base", f"refs/heads/bitnet-tui/{self.run}"):
                lock = self.folder / ".git" / f"{ref}.lock"
                lock.parent.mkdir(parents=True, exist_ok=True)
                lock.touch()

    # -- and on from there --------------------------------------------------------------------------------------------

    def go_on(self) -> Exit:
        """Resume in this process: the next start without the start of an interpreter."""
        assert self.plan is not None
        return Run(self.plan, resume=self.run)(Feed(lambda: None), Steering(CancelToken(), ask=False))

    def check(self, number: int, *, torn: bool) -> None:
        """Take it back, go on, and hold every promise to it."""
        child = self.take_back(number, torn=torn)
        case = f"{number} events" + (" and a half" if torn else "")
        try:
            code = self.go_on()
            assert code is Exit.OK, (case, journal.read(self.journal)[-1])
            child.wait(10)  # it would go on for long; here the engine is its parent and has taken note of its end
        finally:
            child.kill()
            child.wait()
        self.hold(self.run, case)
        assert journal.read(self.journal)[:number] == self.records[:number], case

    def hold(self, run: str, case: str) -> None:
        """The same ledger, nothing twice, nothing left, the checkout as it was."""
        home = self.home.run(run)
        assert (home / "ledger.md").read_bytes() == self.ledger, case
        assert repeated(journal.read(home / "journal.jsonl")) == [], case
        assert not leftovers(self.folder, run), case
        assert not self.home.temp(run).exists(), case
        assert not list(home.rglob(".*.new")), case
        assert (home / "receipts" / "impl.json").is_file(), case
        assert git(self.folder, "rev-list", "--count", f"main..bitnet-tui/{run}") == "2", case  # snapshot, change
        assert git(self.folder, "for-each-ref", f"refs/bitnet-tui/{run}") == "", case
        now = walk(self.folder)
        assert now == self.checkout, (case, differing(self.checkout, now))

    def kill(self, number: int) -> None:
        """Kill a new run at an event, for real, resume it with the command, and hold every promise to it."""
        process = start(self.command, self.folder, *self.options)
        assert process.stdout is not None
        run = ""
        for count, line in enumerate(process.stdout, 1):
            run = run or json.loads(line).get("run", "")
            if count == number:
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
        process.wait(30)
        done = self.command("resume", run, "--json", cwd=self.folder)
        if number < len(self.records):  # else it had ended by itself
            assert done.code == 0, (number, done.err, done.out[-800:])
        self.hold(run, f"killed at event {number}")


def differing(before: dict[str, Any], after: dict[str, Any]) -> Sequence[str]:
    return sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))
