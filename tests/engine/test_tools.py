"""Tools see the changed files as they were before, and nothing else is touched for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.gates.tools import ToolBench


def bench(root: Path, before: Mapping[str, bytes | None]) -> ToolBench:
    return ToolBench(root, root, before, "python", lambda argv: (127, []))


def test_files_are_as_before_inside_and_as_now_after_it(tmp_path: Path) -> None:
    (tmp_path / "changed.py").write_text("new")
    (tmp_path / "added.py").write_text("new")
    before = {"changed.py": b"old", "added.py": None, "gone/away.py": b"old"}
    with bench(tmp_path, before).as_before():
        assert (tmp_path / "changed.py").read_text() == (tmp_path / "gone" / "away.py").read_text() == "old"
        assert not (tmp_path / "added.py").exists()
    assert (tmp_path / "changed.py").read_text() == (tmp_path / "added.py").read_text() == "new"
    assert not (tmp_path / "gone" / "away.py").exists()


def test_nothing_is_written_through_a_link_that_a_child_put_there(tmp_path: Path) -> None:
    worktree, home = tmp_path / "worktree", tmp_path / "home"
    for folder in (worktree, home):
        folder.mkdir()
    for name in ("profile", "key", "late"):
        (home / name).write_text("mine")
    (worktree / "a.py").symlink_to(home / "profile")
    (worktree / "folder").symlink_to(home)
    (worktree / "b.py").write_text("new")
    with bench(worktree, {"a.py": b"old", "folder/key": b"old", "b.py": b"old"}).as_before():
        (worktree / "b.py").unlink()
        (worktree / "b.py").symlink_to(home / "late")
    assert {(home / name).read_text() for name in ("profile", "key", "late")} == {"mine"}
    assert (worktree / "b.py").read_text() == "new"
