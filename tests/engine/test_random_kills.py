"""Killed at any instant, the command leaves the checkout as it was, and the next start leaves nothing of the run.

The instants are seeded and fall between events as well as on them: some time after one that was seen. A few are tried
here; `BITNET_TUI_KILLS=200 pytest -n auto tests/engine/test_random_kills.py` tries many.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from crashes import differing, walk
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, leftovers, make_repo

from engine import events as ev
from engine.records import journal
from engine.state import RunState, fold_all
from engine.workspace.home import Home

KILLS = int(os.environ.get("BITNET_TUI_KILLS", "2"))
SCRIPT = [edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]
# A green test before the red ones, so that these run by themselves, too.
FILES = CALC | {"tests/test_a.py": "def test_cpu_first():\n    pass\n", ".gitignore": "build/\n"}


@dataclass(frozen=True)
class Whole:
    """A repository as people have them, what a run on it leaves, and how many events it takes."""

    folder: Path
    patch: bytes
    events: int


def command_in(place: Path, python: Path) -> Command:
    for name in ("home", "temp"):
        (place / name).mkdir(exist_ok=True)
    return Command(python, place / "home")


@pytest.fixture(scope="module")
def whole(lean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    place = tmp_path_factory.mktemp("whole")
    (place / "repo").mkdir()
    folder = make_repo(place / "repo", FILES)
    (folder / "staged.txt").write_text("staged\n")
    git(folder, "add", "staged.txt")
    (folder / "staged.txt").write_text("and changed\n")
    (folder / "notes.txt").write_text("untracked\n")
    (folder / "notes.txt").chmod(0o600)
    (folder / "build").mkdir(mode=0o711)
    (folder / "build" / "x.o").write_bytes(bytes(range(256)))
    (folder / "link").symlink_to("notes.txt")
    git(folder, "tag", "v1")
    git(folder, "pack-refs", "--all")
    git(folder, "branch", "other")
    kept = place / "kept"
    shutil.copytree(folder, kept, symlinks=True)
    command = command_in(place, lean_python)
    answer = command("--json", *command.script(SCRIPT), cwd=folder)
    assert answer.code == 0, answer.result
    return Whole(kept, Path(answer.result["patch"]).read_bytes(), len(answer.events) - 1)


def picture(folder: Path) -> dict[str, object]:
    """Kind, mode, content and time of everything that is the user's, folders too; and their refs."""
    found: dict[str, object] = dict(walk(folder))
    for path in folder.rglob("*"):
        inner = path.relative_to(folder)
        if path.is_dir() and not path.is_symlink() and inner.parts[0] not in (".git", ".bitnet-tui"):
            found[f"time of {inner}"] = path.stat().st_mtime_ns
    refs = git(folder, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return found | {"refs": [r for r in refs if "refs/heads/bitnet-tui" not in r and "refs/bitnet-tui" not in r]}


def killed(command: Command, folder: Path, temp: Path, after: int, delay: float) -> None:
    """Start a run, and some time after so many events kill its whole process group."""
    process = subprocess.Popen(
        command.argv("--json", *command.script(SCRIPT)),
        cwd=folder,
        env=command.environment(TMPDIR=str(temp)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    for _ in range(after):
        if not process.stdout.readline():
            break
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.read()  # until the last process that holds it is gone
    process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(KILLS))
def test_a_run_killed_at_any_instant(whole: Whole, lean_python: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    folder = tmp_path / "repo"
    shutil.copytree(whole.folder, folder, symlinks=True)
    command = command_in(tmp_path, lean_python)
    temp = tmp_path / "temp"
    before = picture(folder)
    # Every sixth: while it starts.
    after = 0 if seed % 6 == 0 else chance.randrange(1, whole.events)
    case = f"{after} events and a while"
    killed(command, folder, temp, after, chance.uniform(0, 1.5 if not after else 0.5))

    now = picture(folder)
    assert all(p.startswith((".git/worktrees", ".git/logs/refs")) for p in differing(before, now)), case
    known = Home(folder).known()
    run = known[-1] if known else ""
    state = fold_all(RunState(), journal.read(Home(folder).run(run) / "journal.jsonl")) if run else RunState()
    ended = isinstance(state.ended, ev.RunFinished)
    if state.started is None or ended:  # it never began, or had ended: a new start is the next one
        answer = command("--json", *command.script(SCRIPT), cwd=folder, TMPDIR=str(temp))
    else:
        answer = command("resume", run, "--json", cwd=folder, TMPDIR=str(temp))
    assert answer.code == 0, (case, answer.err, answer.result)
    assert Path(answer.result["patch"]).read_bytes() == whole.patch, case
    for name in {run, answer.result["run"]}:
        assert not leftovers(folder, name), case
    assert differing(before, picture(folder)) == [], case
    assert list(temp.iterdir()) == [], case
    assert not list((folder / ".git").rglob("*.lock")), case
    assert json.loads(Path(answer.result["receipt"]).read_bytes())["checkout"]["untouched"] is True
