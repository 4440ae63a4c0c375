"""A change in a real repository as a specialist finds it: two commits, a worktree, real child processes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace
from support import git, make_repo

from engine import events as ev
from engine.cancel import CancelToken
from engine.config import Config, Gates
from engine.model import TestOutcome, TestResult
from engine.specialists.case import Case
from engine.state import RunState, TestRow
from engine.suites.environment import scrubbed
from engine.suites.interpreter import Interpreter, probe
from engine.suites.layout import import_roots
from engine.suites.runner import Place, SuiteRunner
from engine.suites.sandbox import Confinement
from engine.workspace.repository import Repository

NOTHING = RunState()
DEFAULT = Gates()
PLAIN = Confinement("", (), ())
MOD = "def add(a, b):\n    return a - b\n"
FIXED = "def add(a, b):\n    return a + b\n"
TESTS = "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"


def ours(folder: Path, executable: str = sys.executable) -> Interpreter:
    """An interpreter; this one has every tool there is."""
    return probe(executable, folder, scrubbed(os.environ))


def results(outcomes: Mapping[str, str], messages: Mapping[str, str] = {}, places: Mapping[str, int] = {}) -> RunState:
    """What a run knows of these tests; the red ones are its targets."""
    rows = {}
    for nodeid, word in outcomes.items():
        outcome = TestOutcome(word)
        message = messages.get(nodeid, "")
        path = "calc.py" if nodeid in places else ""
        result = TestResult("cpu", nodeid, outcome, message=message, path=path, line=places.get(nodeid, 0))
        rows[f"cpu {nodeid}"] = TestRow("cpu", nodeid, latest=result, target=outcome.red)
    targets = tuple(key for key, row in rows.items() if row.target)
    return replace(RunState(), tests=rows, audit=ev.AuditFinished(targets))


def make_case(
    tmp_path: Path,
    python: Interpreter,
    before: Mapping[str, str],
    after: Mapping[str, str | None],
    *,
    state: RunState = NOTHING,
    prefix: str = "",
    confinement: Confinement = PLAIN,
    gates: Gates = DEFAULT,
) -> Case:
    """The case of a repository with the files ``before``, some of which ``after`` changes or (None) takes away."""
    root = tmp_path / "repo"
    root.mkdir()
    make_repo(root, before)
    old = git(root, "rev-parse", "HEAD^{tree}")
    for path, text in after.items():
        if text is None:
            (root / path).unlink()
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "the change")
    worktree, scratch = root / ".bitnet-tui" / "scratch" / "special", tmp_path / "scratch"
    git(root, "worktree", "add", "-q", "--detach", str(worktree))
    scratch.mkdir()
    repository = Repository.open(root)
    new = git(root, "rev-parse", "HEAD^{tree}")
    files = tuple(e.path for e in repository.entries(new))
    roots = import_roots(files, prefix)
    place = Place(worktree, root, prefix, scratch, roots, frozenset(f for f in files if f.endswith(".py")))
    runner = SuiteRunner("a-run", python, confinement, dict(os.environ), CancelToken())
    own = scratch / "own"
    own.mkdir()

    def outside(argv: Sequence[str], seconds: float) -> tuple[int, list[str]]:
        done = subprocess.run(
            argv,
            cwd=own,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=scrubbed(os.environ) | {"HOME": str(own)},
        )
        return done.returncode, (done.stdout + done.stderr).splitlines()

    return Case(
        place=place,
        repository=repository,
        before=old,
        after=new,
        changed=tuple(path for path, _, _ in repository.numstat(old, new)),
        prefix=prefix,
        interpreter=python,
        confined=lambda argv, seconds: runner.command(argv, place, seconds),
        outside=outside,
        state=state,
        scratch=own,
        settings=dataclasses.replace(Config(), gates=gates),
        files=files,
    )
