"""The user's checkout is the same, byte by byte, after a run: a good one, a failed one, a killed one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from crashes import differing, walk
from often import every
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, leftovers, start, stop_at

GOOD = [edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]


@pytest.fixture
def lived_in(repo: Callable[..., Path]) -> Path:
    """A checkout as people have them: changed, staged, untracked, ignored, linked, with modes of its own."""
    more = {
        "gone.txt": "x\n",
        "old name.txt": "a\nb\nc\n",
        "both.txt": "1\n",
        "assumed.txt": "a\n",
        "run.sh": "#!/bin/sh\n",
    }
    folder = repo(CALC | more | {".gitignore": "*.log\nbuild/\n"})
    (folder / "both.txt").write_text("2\n")
    git(folder, "add", "both.txt")
    (folder / "both.txt").write_text("3\n")
    (folder / "gone.txt").unlink()
    git(folder, "mv", "old name.txt", "new name.txt")
    git(folder, "update-index", "--assume-unchanged", "assumed.txt")
    (folder / "assumed.txt").write_text("b\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "notes.txt").write_text("untracked\n")
    (folder / "notes.txt").chmod(0o600)
    (folder / "meant.txt").write_text("meant to be added\n")
    git(folder, "add", "-N", "meant.txt")
    (folder / "a.log").write_text("ignored\n")
    (folder / "build" / "deep").mkdir(parents=True)
    (folder / "build" / "deep" / "x.o").write_bytes(bytes(range(256)))
    (folder / "empty").mkdir(mode=0o711)
    (folder / "locked.txt").write_text("read only\n")
    (folder / "locked.txt").chmod(0o444)
    (folder / "link").symlink_to("both.txt")
    (folder / "folder link").symlink_to("build")
    (folder / "nowhere").symlink_to("/no/such/place")
    os.link(folder / "run.sh", folder / "hard.sh")
    git(folder, "tag", "v1")
    git(folder, "branch", "other")
    git(folder, "worktree", "add", "-q", str(folder.parent / "theirs"), "other")
    return folder


def test_after_a_run_that_went_well(lived_in: Path, command: Command) -> None:
    before = walk(lived_in)
    assert {"link", ".git/index", ".git/refs/heads/main", "empty", "build/deep/x.o"} <= before.keys()
    assert command("--json", *command.script(GOOD), cwd=lived_in).code == 0
    assert differing(before, walk(lived_in)) == []


def test_after_a_run_that_did_not(lived_in: Path, command: Command) -> None:
    before = walk(lived_in)
    script = command.script([edit(FIX_ADD), finish(DONE)])
    assert command("--json", "--max-retries", "0", *script, cwd=lived_in).code in (1, 3)
    assert differing(before, walk(lived_in)) == []
    (lived_in / "tests" / "test_calc.py").write_text("import no_such_package\n")
    before = walk(lived_in)
    assert command("--json", *script, cwd=lived_in).code == 5
    assert differing(before, walk(lived_in)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", every(2, ["SuiteCollected", "EnvironmentProbed", "GateSet impl", "EditApplied", "LedgerWritten"])
)
def test_after_a_run_that_was_killed_and_the_next_start(lived_in: Path, command: Command, kind: str) -> None:
    before = walk(lived_in)
    run = stop_at(start(command, lived_in, *command.script(GOOD)), kind, signal.SIGKILL)
    while_killed = differing(before, walk(lived_in))
    assert all(path.startswith((".git/worktrees", ".git/logs")) for path in while_killed), while_killed
    assert command("clean", cwd=lived_in).code == 0
    assert differing(before, walk(lived_in)) == []
    assert not leftovers(lived_in, run)
    assert command("resume", "--json", cwd=lived_in).code == 0
    assert differing(before, walk(lived_in)) == []
