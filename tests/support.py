"""Real parts for tests: git repositories, the command as a process, what a run may not leave behind."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LEAN = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
IDENTITY = ("-c", "user.name=A Person", "-c", "user.email=person@example.org")

CALC = {
    "calc/__init__.py": "def add(a, b):\n    return a - b\n\n\ndef mul(a, b):\n    return a + b\n",
    "tests/test_calc.py": (
        "import pytest\nfrom calc import add, mul\n\n\n"
        '@pytest.mark.parametrize("a", [1, 2])\ndef test_cpu_add(a):\n    assert add(a, 2) == a + 2\n\n\n'
        "def test_cpu_mul():\n    assert mul(2, 3) == 6\n\n\ndef test_cpu_two():\n    assert mul(2, 2) == 4\n"
    ),
}
FIX_ADD = {"command": "str_replace", "path": "calc/__init__.py", "old_str": "return a - b", "new_str": "return a + b"}
FIX_MUL = {
    "command": "str_replace",
    "path": "calc/__init__.py",
    "old_str": "def mul(a, b):\n    return a + b",
    "new_str": "def mul(a, b):\n    return a * b",
}
DONE = {"outcome": "done", "summary": "the operators were wrong"}


def edit(given: dict[str, Any]) -> dict[str, Any]:
    return {"tool": "str_replace_based_edit_tool", "input": given}


def finish(given: dict[str, Any]) -> dict[str, Any]:
    return {"tool": "finish", "input": given}


def git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *IDENTITY, *args], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make_repo(folder: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "init")
    return folder


def lean_environment(folder: Path, *more: str) -> Path:
    """A virtual environment that has pytest and nothing else: what a stranger's project may look like.

    Parameters
    ----------
    more
        Distributions it has all the same.
    """
    venv.create(folder, symlinks=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    for name in (*LEAN, *more):
        dist = importlib.metadata.distribution(name)
        for top in {Path(str(f)).parts[0] for f in dist.files or () if ".." not in str(f)} - {"__pycache__"}:
            # Copies: a child that is confined does not see where a link would lead.
            source = Path(str(dist.locate_file(top)))
            shutil.copytree(source, site / top) if source.is_dir() else shutil.copy2(source, site / top)
    return folder


@dataclass
class Answer:
    """How a process of the command ended."""

    code: int
    out: str
    err: str
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def result(self) -> dict[str, Any]:
        return self.events[-1]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["type"] == kind]


@dataclass
class Command:
    """``bitnet-tui`` as a child process, with an environment that holds no key."""

    python: Path
    folder: Path

    def environment(self, **extra: str) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "PYTEST", "COV", "CURRENT_FLOW"))}
        return env | {"VIRTUAL_ENV": str(self.python), "HOME": str(self.folder), "COVERAGE_PROCESS_START": ""} | extra

    def argv(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "tui.cli", *args]

    def __call__(self, *args: str, cwd: Path, timeout: float = 120, **env: str) -> Answer:
        done = subprocess.run(
            self.argv(*args),
            cwd=cwd,
            env=self.environment(**env),
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        events = [json.loads(line) for line in done.stdout.splitlines()] if "--json" in args else []
        return Answer(done.returncode, done.stdout, done.stderr, events)

    def steered(self, script: str, kill: str = "", *, cwd: Path) -> subprocess.CompletedProcess[str]:
        """A run whose person brings back the first piece that was taken away, then takes what is recommended.

        Parameters
        ----------
        kill
            The process kills itself at the first such event from then on.
        """
        argv = [sys.executable, str(Path(__file__).with_name("steered.py")), script, kill]
        return subprocess.run(
            argv, cwd=cwd, env=self.environment(), capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
        )

    def script(self, *attempts: Sequence[dict[str, Any]]) -> list[str]:
        """Options that make the scripted provider play these attempts."""
        path = self.folder / "script.json"
        path.write_text(json.dumps([list(a) for a in attempts]), encoding="utf-8")
        return ["--provider", "scripted", "--script", str(path)]


def start(command: Command, folder: Path, *args: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command.argv("--json", *args),
        cwd=folder,
        env=command.environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def stop_at(process: subprocess.Popen[str], kind: str, number: int) -> str:
    """Send a signal as soon as an event of this kind is seen; the run's id."""
    assert process.stdout is not None
    run = ""
    for line in process.stdout:
        event = json.loads(line)
        run = event.get("run", run) if event["type"] == "RunStarted" else run
        name = event.get("gate", {}).get("name", "")
        if kind in (event["type"], f"{event['type']} {name}", f"{event['type']} {event.get('purpose')}"):
            process.send_signal(number)
            break
    process.stdout.read()
    process.wait(30)
    return run


def fill(disk: Path) -> Path:
    """Leave no room on a disk; the file that takes it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


def leftovers(folder: Path, run: str = "") -> list[str]:
    """What a run must not leave: worktrees, scratch, processes."""
    found = [w for w in git(folder, "worktree", "list", "--porcelain").splitlines() if ".bitnet-tui" in w]
    scratch = folder / ".bitnet-tui" / "scratch"
    found += [str(p) for p in scratch.iterdir()] if scratch.is_dir() else []
    mark = b"BITNET_TUI_RUN=" + run.encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if run and mark in entry.read_bytes().split(b"\0"):
                found.append(f"process {entry.parent.name}")
        except OSError:
            continue
    return found
