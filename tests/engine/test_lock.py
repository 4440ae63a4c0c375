"""A lock goes with its owner; what its file says locks nobody out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Command, start

from engine.errors import EnvironmentFailure
from engine.lock import Lock

OWNER = (
    "import subprocess, sys, pathlib\nfrom engine.lock import Lock\n"
    "lock = Lock(pathlib.Path(sys.argv[1]), 'a-run')\n"
    "child = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL)\n"
    "print(child.pid, flush=True)\nsys.stdin.read()\n"
)


def owner(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_a_dead_owner_locks_nobody_out_though_its_children_live(tmp_path: Path) -> None:
    process = owner(tmp_path / "lock")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        with pytest.raises(EnvironmentFailure, match=rf"\(pid {process.pid}, run a-run\)"):
            Lock(tmp_path / "lock", "mine")
        process.kill()
        process.wait()
        os.kill(child, 0)  # it lives
        assert (tmp_path / "lock").read_text().split() == [str(process.pid), "a-run"]
        Lock(tmp_path / "lock", "mine").release()
    finally:
        os.kill(child, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("said", [b"", b"12", b"\0\0\0", b"\xff\xfe 1 2", f"{os.getppid()} old-run\n".encode()])
def test_what_a_lock_file_says_locks_nobody_out(tmp_path: Path, said: bytes) -> None:
    path = tmp_path / "lock"
    path.write_bytes(said)  # empty, torn, or with a pid that is another program's by now
    lock = Lock(path, "mine")
    assert path.read_text() == f"{os.getpid()} mine\n"
    lock.release()
    assert path.read_bytes() == b""


def test_a_lock_whose_file_was_deleted_is_held(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock", "first")
    (tmp_path / "lock").unlink()
    for _ in range(2):  # the second meets the file that the first had to make
        with pytest.raises(EnvironmentFailure, match="another run works in this repository"):
            Lock(tmp_path / "lock", "second")
    lock.release()
    Lock(tmp_path / "lock", "second").release()


@pytest.mark.parametrize("said", [b"", b"12", b"\0\xff"])
def test_a_lock_that_is_held_is_held_whatever_its_file_says(tmp_path: Path, said: bytes) -> None:
    lock = Lock(tmp_path / "lock", "first")
    (tmp_path / "lock").write_bytes(said)
    with pytest.raises(EnvironmentFailure, match="another run works in this repository"):
        Lock(tmp_path / "lock", "second")
    lock.release()
    Lock(tmp_path / "lock", "second").release()


def test_a_lock_that_is_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "lock").symlink_to("mine.txt")
    with pytest.raises(EnvironmentFailure, match="cannot be locked"):
        Lock(tmp_path / "lock", "mine")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_full_disk_leaves_the_lock_without_a_name_but_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    lock = Lock(tmp_path / "lock", "first")
    with pytest.raises(EnvironmentFailure, match="another process"):
        Lock(tmp_path / "lock", "second")
    lock.release()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything; run as another user")
def test_a_lock_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "lock").touch(0o444)
    with pytest.raises(EnvironmentFailure, match="cannot be locked: Permission denied"):
        Lock(tmp_path / "lock", "mine")


def test_a_lock_that_cannot_be_one_ends_run_and_clean_with_a_sentence(
    repo: Callable[..., Path], command: Command
) -> None:
    folder = repo()
    (folder / ".bitnet-tui" / "lock").mkdir(parents=True)
    for args in (["clean"], ["--no-tui", *command.script([])]):
        answer = command(*args, cwd=folder)
        assert answer.code == 5, answer.out + answer.err
        assert "lock cannot be locked: Is a directory" in answer.out + answer.err
        assert "defect" not in answer.out + answer.err
    assert not list((folder / ".bitnet-tui").glob("scratch/*"))


def test_a_killed_run_whose_pid_is_another_programs_is_resumed(repo: Callable[..., Path], command: Command) -> None:
    folder = repo({"test_slow.py": "def test_cpu_s():\n    assert 0\n"})
    args = command.script([])
    process = start(command, folder, "--max-retries", "0", *args)
    assert process.stdout is not None
    next(process.stdout)
    process.kill()
    process.communicate()
    lock = folder / ".bitnet-tui" / "lock"
    lock.write_text(lock.read_text().replace(str(process.pid), str(os.getpid())))
    assert command("resume", "--json", cwd=folder).code == 1
