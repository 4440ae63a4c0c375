"""The folder ``.bitnet-tui/`` in the target: runs, scratch space, the lock, and the cleaning after killed runs."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from engine.errors import EnvironmentFailure
from engine.suites.remains import name_of, processes_of
from engine.workspace.repository import STATE, Repository
from engine.workspace.worktrees import remove_tree

REPLAYS = "replays"  # records of runs that were made again
_FIRST_LINE = 1_000_000  # bytes; the first line of a journal is shorter
_STAMP = "%Y%m%d-%H%M%S"


def new_run_id(after: str = "", now: float | None = None) -> str:
    """``20261123-031500-9f3a``: sorts by time, unique enough for one repository.

    Parameters
    ----------
    after
        The newest run there is. Clocks are set back, and summer time ends: the id is behind it all the same.
    """
    stamp = time.strftime(_STAMP, time.localtime(now))
    if after[:15] >= stamp:
        with contextlib.suppress(ValueError, OverflowError):  # a folder somebody made by hand
            later = datetime.strptime(after[:15], _STAMP) + timedelta(seconds=1)
            stamp = later.strftime(_STAMP)
    return f"{stamp}-{secrets.token_hex(2)}"


@dataclass(frozen=True, slots=True)
class Home:
    """Places of all runs in one repository; making it writes nothing."""

    root: Path
    kept: str = "runs"  # name of the folder of their records

    @property
    def folder(self) -> Path:
        return self.root / STATE

    @property
    def runs(self) -> Path:
        return self.folder / self.kept

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    def run(self, run: str) -> Path:
        return self.runs / run

    def scratch(self, run: str) -> Path:
        return self.folder / "scratch" / run

    @staticmethod
    def temp(run: str) -> Path:
        """Short paths for children: a socket's name may have no more than 107 bytes."""
        return Path(tempfile.gettempdir()).resolve() / f"bitnet-tui-{run}"

    def make(self) -> None:
        """Create the folder; it ignores itself.

        Raises
        ------
        EnvironmentFailure
            The target is write-protected or the disk is full.
        """
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists() or not ignore.stat().st_size:  # made, but killed before it was written
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as error:
            with contextlib.suppress(OSError):  # half made, git would show it
                if not any(self.runs.iterdir()):
                    remove_tree(self.folder)
            raise EnvironmentFailure(
                f"{self.folder} cannot be written: {error.strerror}", hint="make the repository writable, or free space"
            ) from error

    def known(self) -> list[str]:
        """Run ids, oldest first."""
        if not self.runs.is_dir():
            return []
        return sorted(p.name for p in self.runs.iterdir() if (p / "journal.jsonl").is_file())

    def newest(self) -> str:
        """Id of the newest run; empty if there is none, or none can be read."""
        try:
            known = self.known()
        except OSError:
            return ""
        return known[-1] if known else ""

    def find(self, name: str) -> str:
        """The run whose id is or ends with ``name``; an empty name is the newest.

        Raises
        ------
        EnvironmentFailure
            There is none, or more than one.
        """
        known = self.known()
        if not known:
            raise EnvironmentFailure(f"no runs in {self.root}", hint="start one: bitnet-tui")
        found = known[-1:] if not name else [r for r in known if r == name] or [r for r in known if name in r]
        if len(found) != 1:
            what = "no run" if not found else f"{len(found)} runs"
            raise EnvironmentFailure(f"{what} match {name!r}", hint="`bitnet-tui runs` lists them")
        return found[0]

    def clear(self, run: str) -> None:
        """Remove the scratch of a run, and the folder around it unless another run's is there."""
        remove_tree(self.temp(run))  # first: the next start finds it by the other
        remove_tree(self.scratch(run))
        with contextlib.suppress(OSError):
            self.scratch(run).parent.rmdir()

    def sweep(self, repository: Repository) -> list[str]:
        """Remove what killed runs left: processes, worktrees, scratch. Call it with the lock held."""
        swept = []
        scratch = self.folder / "scratch"
        left = sorted(p.name for p in scratch.iterdir()) if scratch.is_dir() else []
        for run in left:
            _let_git_end(run)
            swept += [f"process {pid}" for pid in self.end_processes(run)]
            for worktree in ("work", "verify"):
                repository.remove_worktree(scratch / run / worktree)
                repository.forget_worktree(scratch / run / worktree)
            repository.unlock(
                (f"refs/bitnet-tui/{run}/base", f"refs/heads/bitnet-tui/{run}", f"refs/heads/bitnet-tui-{run}")
            )
            self.clear(run)
            swept.append(f"scratch of run {run}")
        return swept + self._sweep_records()

    def _sweep_records(self) -> list[str]:
        """Files a killed run was about to write, and runs that ended before their first event."""
        swept = []
        for folder in sorted(self.runs.iterdir()) if self.runs.is_dir() else ():
            for half in (*folder.glob(".*.new"), *folder.glob("receipts/.*.new")):
                half.unlink(missing_ok=True)
                swept.append(f"half of {half.name[1:-4]} of run {folder.name}")
            if _empty(folder / "journal.jsonl") and not (folder / "crash.txt").exists():
                remove_tree(folder)
                swept.append(f"run {folder.name}, which never began")
        return swept

    @staticmethod
    def end_processes(run: str) -> list[int]:
        """Kill what children of a run left behind in sessions of their own; who was killed."""
        ended: list[int] = []
        for _ in range(5):  # one that forks meanwhile is met again
            found = [p for p in processes_of(run) if p not in ended]
            for pid in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            ended += found
            if not found:
                break
        _forget(ended)
        return ended


def _empty(journal: Path) -> bool:
    """Whether it holds no whole line; one that is not there holds none."""
    try:
        return journal.stat().st_size < _FIRST_LINE and b"\n" not in journal.read_bytes()
    except OSError as error:
        return error.errno == errno.ENOENT


def _forget(pids: list[int]) -> None:
    """Take note of the end of orphans that have become children of this process, or they would stay as zombies."""
    until = time.monotonic() + 0.5
    for pid in pids:
        with contextlib.suppress(ChildProcessError):  # somebody else's child
            while not os.waitpid(pid, os.WNOHANG)[0] and time.monotonic() < until:
                time.sleep(0.005)


def _let_git_end(run: str) -> None:
    """Wait for what git still does for a run that was killed; asked to end, it takes its lock files along."""
    for _ in range(60):
        found = [p for p in processes_of(run) if name_of(p) == "git"]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
        if not found:
            return
        time.sleep(0.05)
