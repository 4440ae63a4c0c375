"""What killed runs left is taken away by the next start, and nothing else is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support import CALC, git, make_repo

from engine.workspace.home import Home
from engine.workspace.repository import Repository
from engine.workspace.worktrees import remove_tree

GIT = "#!/bin/sh\ntrap 'rm -f base.lock; exit' TERM\ntouch base.lock\necho there\nwhile :; do sleep 0.1; done\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "repo").mkdir()
    made = Home(make_repo(tmp_path / "repo", CALC))
    made.make()
    return made


def sweep(home: Home) -> list[str]:
    return home.sweep(Repository(home.root))


def test_what_git_still_does_for_a_killed_run_ends_with_its_lock_files(home: Home, tmp_path: Path) -> None:
    (tmp_path / "git").write_text(GIT)
    (tmp_path / "git").chmod(0o755)
    home.scratch("a-run").mkdir(parents=True)
    env = {"BITNET_TUI_RUN": "a-run", "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen([tmp_path / "git"], cwd=tmp_path, env=env, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert (tmp_path / "base.lock").exists()
    sweep(home)
    assert process.wait(10) >= 0  # it was asked, not killed
    assert not (tmp_path / "base.lock").exists()
    process.stdout.close()


def test_git_works_in_the_name_of_its_run(home: Home) -> None:
    repository = Repository(home.root)
    repository.run_id = "a-run"
    assert repository.run("-c", "alias.x=!echo $BITNET_TUI_RUN", "x") == "a-run"


def test_half_written_files_and_runs_that_never_began_go(home: Home) -> None:
    for name, journal in {"1-empty": b"", "2-torn": b'{"v":1', "4-crashed": b""}.items():
        home.run(name).mkdir(parents=True)
        (home.run(name) / "journal.jsonl").write_bytes(journal)
    (home.run("3-no-journal")).mkdir()
    (home.run("4-crashed") / "crash.txt").write_text("a traceback")
    kept = home.run("5-run")
    (kept / "receipts").mkdir(parents=True)
    (kept / "journal.jsonl").write_bytes(b'{"v":1}\n')
    (kept / ".ledger.md.new").write_bytes(b"half")
    (kept / "receipts" / ".impl.json.new").write_bytes(b"half")
    sweep(home)
    assert sorted(p.name for p in home.runs.iterdir()) == ["4-crashed", "5-run"]
    assert sorted(p.name for p in kept.rglob("*")) == ["journal.jsonl", "receipts"]
    assert sweep(home) == []


def test_records_of_worktrees_that_git_did_not_finish_go_and_the_users_stay(home: Home, tmp_path: Path) -> None:
    git(home.root, "worktree", "add", "-q", "--detach", str(tmp_path / "verify"))  # theirs has our name
    home.scratch("a-run").mkdir(parents=True)
    record = home.root / ".git" / "worktrees" / "verify1"
    record.mkdir()
    (record / "locked").write_text("initializing")
    sweep(home)
    assert [p.name for p in (home.root / ".git" / "worktrees").iterdir()] == ["verify"]
    assert str(tmp_path / "verify") in git(home.root, "worktree", "list")


def test_a_link_in_place_of_our_folder_is_not_followed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o711)
    (theirs / "inner").mkdir(mode=0o750)
    (tmp_path / "ours").symlink_to(theirs)
    remove_tree(tmp_path / "ours")
    assert not (tmp_path / "ours").is_symlink()
    assert [p.stat().st_mode & 0o777 for p in (theirs, theirs / "inner")] == [0o711, 0o750]


def test_a_folder_whose_making_was_killed_still_ignores_itself(home: Home) -> None:
    (home.folder / ".gitignore").write_bytes(b"")
    home.make()
    assert git(home.root, "status", "--porcelain") == ""


def test_the_snapshot_sees_a_change_as_young_as_the_index(home: Home) -> None:
    """Git knows a file by size and times, and looks into it where the index is no younger: a copy must keep its age."""
    source, index = home.root / "calc" / "__init__.py", home.root / ".git" / "index"
    git(home.root, "config", "core.trustctime", "false")
    git(home.root, "config", "core.checkStat", "minimal")
    then = source.stat().st_mtime_ns // 10**9 * 10**9 - 5 * 10**9
    os.utime(source, ns=(then, then))
    git(home.root, "update-index", "--refresh")
    os.utime(index, ns=(then, then))
    source.write_text(CALC["calc/__init__.py"].replace("a - b", "a + b"))
    os.utime(source, ns=(then, then))
    assert Repository(home.root).snapshot(home.scratch("a-run")).dirty == 1
