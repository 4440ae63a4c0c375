"""Worktrees of ours, linked to the user's repository; theirs are left alone."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from engine.errors import EnvironmentFailure
from engine.workspace.git_calls import Git


class Worktrees(Git):
    """What git knows of folders that commits are checked out in."""

    def add_worktree(self, path: Path, commit: str) -> None:
        """Check a commit out into a new linked worktree at ``path``."""
        self.remove_worktree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.run("worktree", "add", "--detach", "--force", "--quiet", str(path), commit)
        except EnvironmentFailure:
            self.forget_worktree(path)  # git cleans up after itself, but for the folder of its records
            raise

    def remove_worktree(self, path: Path) -> None:
        """Remove a worktree of ours with its record; one that is not there is fine."""
        known = f"worktree {path}" in self.run("worktree", "list", "--porcelain").splitlines()
        removed = known and self.succeeds("worktree", "remove", "--force", "--force", str(path))
        if path.exists():
            remove_tree(path)
        if known and not removed:
            self.forget_worktree(path)

    def forget_worktree(self, path: Path) -> None:
        """Delete git's record of one worktree. Never `git worktree prune`: it forgets the user's, too.

        Theirs may be on a disk that is not mounted just now.
        """
        records = self.common_dir() / "worktrees"
        for record in records.iterdir() if records.is_dir() else ():
            try:
                link = (record / "gitdir").read_text(encoding="utf-8", errors="surrogateescape").strip()
            except OSError:
                link = ""
            # Without a link git was ended before it wrote one; git itself no longer lists such a record.
            unfinished = not link and record.name.rstrip("0123456789") == path.name
            if unfinished or os.path.normpath(record / link) == str(path / ".git"):  # git may write it relative
                remove_tree(record)
        with contextlib.suppress(OSError):
            records.rmdir()  # as git does with the last one

    def unlock(self, refs: Iterable[str]) -> None:
        """Remove the lock files of refs of ours that nobody writes any more."""
        for ref in refs:
            (self.common_dir() / f"{ref}.lock").unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Delete a folder of ours, read-only parts too; children may have changed modes."""
    if path.is_symlink():  # a child put it there: where it leads is not ours
        path.unlink()
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder, _, _ in os.walk(path):
            with contextlib.suppress(OSError):  # a child that still ends takes its own away
                Path(folder).chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
