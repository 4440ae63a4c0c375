"""A repository: snapshots, trees, commits and branches, without touching the user's index or files."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import git

from engine.errors import EnvironmentFailure
from engine.workspace.git_calls import FSCK, IDENTITY
from engine.workspace.worktrees import Worktrees

_UNBORN = re.compile(r"'(.+?)/?' does not have a commit checked out")
_IGNORED = "ignored by one of your .gitignore files"
STATE = ".bitnet-tui"
EMPTY_SHA = "0" * 40


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The user's tree as it is: committed, changed and untracked files in one tree object."""

    head: str
    branch: str
    commit: str
    tree: str
    dirty: int
    untracked: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tree."""

    mode: str
    sha: str
    path: str


class Repository(Worktrees):
    """A git repository with at least one commit.

    Parameters
    ----------
    root
        Top of the working tree.
    """

    @classmethod
    def open(cls, target: Path) -> Repository:
        """The repository that holds ``target``.

        Raises
        ------
        EnvironmentFailure
            No such folder, no repository, a bare one, one without a commit, or git refuses it.
        """
        if not target.exists():
            raise EnvironmentFailure(f"{target}: no such file or directory", hint="name a folder of a git repository")
        folder = target if target.is_dir() else target.parent
        if shutil.which("git") is None:
            raise EnvironmentFailure("git is not installed", hint="install git 2.30 or newer")
        here = git.Git(str(folder))
        try:
            inside = here.execute(["git", "rev-parse", "--is-bare-repository", "--is-inside-work-tree"])
        except git.GitCommandError as error:
            text = str(error.stderr)
            if "dubious ownership" in text:
                raise EnvironmentFailure(
                    f"{folder}: git refuses a repository that belongs to somebody else",
                    hint=f"git config --global --add safe.directory {shlex.quote(str(folder.resolve()))}",
                ) from error
            if "not a git repository: " in text:  # a .git file, and where it points is nothing
                where = text.rpartition("not a git repository: ")[2].strip().strip("'")
                raise EnvironmentFailure(
                    f"{folder} belongs to a repository that is gone: {where}",
                    hint="move it back, or run `git worktree repair` where it is now",
                ) from error
            raise EnvironmentFailure(
                f"{folder} is not inside a git repository", hint="run `git init` and commit, or name another folder"
            ) from error
        bare, work_tree = str(inside).split()
        if bare == "true":
            raise EnvironmentFailure(f"{folder} is a bare repository: it has no files to test", hint="clone it first")
        if work_tree != "true":
            raise EnvironmentFailure(f"{folder} lies inside .git, not in a working tree", hint="name the folder above")
        root = Path(str(here.execute(["git", "rev-parse", "--show-toplevel"])))
        repository = cls(root)
        if not repository.succeeds("rev-parse", "--verify", "--quiet", "HEAD^{commit}"):
            if repository.succeeds("rev-parse", "--verify", "--quiet", "HEAD"):
                raise EnvironmentFailure(f"{root} lacks the commit of its HEAD", hint=FSCK)
            raise EnvironmentFailure(f"{root} has no commit yet", hint="commit once: git add -A && git commit")
        return repository

    @classmethod
    def create(cls, root: Path, message: str) -> Repository:
        """Make a repository of a folder and commit everything in it."""
        here = cls(root)
        here.run("init", "--quiet", "--initial-branch", "main")
        here.run("add", "-A")
        here.run("commit", "--quiet", "--no-gpg-sign", "-m", message, env=IDENTITY)
        return here

    # -- reading ------------------------------------------------------------------------------------------------------

    def entries(self, tree: str) -> list[Entry]:
        """Every file of a tree; submodules are left out."""
        return [entry for kind, entry in self._listed(tree) if kind == "blob"]

    def submodules(self, tree: str) -> tuple[str, ...]:
        """Folders of a tree that are repositories of their own."""
        return tuple(entry.path for kind, entry in self._listed(tree) if kind == "commit")

    def _listed(self, tree: str) -> Iterator[tuple[str, Entry]]:
        for line in self.once("ls-tree", "-r", "-z", "--full-tree", tree, of=[tree]).split(b"\0"):
            if line:
                head, path = line.split(b"\t", 1)
                mode, kind, sha = head.decode().split()
                yield kind, Entry(mode, sha, path.decode("utf-8", "surrogateescape"))

    def blob(self, tree: str, path: str) -> bytes:
        return self.once("cat-file", "blob", f"{tree}:{path}", of=[tree])

    def patch(self, before: str, after: str) -> str:
        """Unified diff of two trees, as `git apply` takes it."""
        # A person may have configured another look (diff.noprefix, diff.context); `git apply` wants this one.
        look = ("--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "-U3")
        args = ("diff", *look, "--no-renames", "--submodule=short", "--binary", "--full-index", before, after)
        return self.run_bytes(*args).decode("utf-8", "surrogateescape")

    def numstat(self, before: str, after: str) -> list[tuple[str, int, int]]:
        """Changed files with their added and removed lines."""
        rows = []
        said = self.once("diff", "--numstat", "--no-renames", "-z", before, after, of=[before, after])
        for line in said.decode("utf-8", "surrogateescape").split("\0"):
            if line:
                added, removed, path = line.split("\t", 2)
                rows.append((path, int(added) if added != "-" else 0, int(removed) if removed != "-" else 0))
        return rows

    def folders(self) -> list[Path]:
        """Where its files lie and what git reads: not all of it has to be in one place."""
        found = [self.root, self.common_dir()]
        borrowed = found[-1] / "objects" / "info" / "alternates"
        with contextlib.suppress(OSError):
            lines = borrowed.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
            found += [(borrowed.parents[1] / line).resolve() for line in lines if line and line[0] not in '#"']
        return found

    # -- snapshot -----------------------------------------------------------------------------------------------------

    def snapshot(self, scratch: Path, ref: str = "") -> Snapshot:
        """Commit the user's tree as it is, without touching their index or files.

        Parameters
        ----------
        scratch
            Holds the temporary index.
        ref
            Kept pointing at the commit, so that it is not collected; empty: not kept.
        """
        head = self.run("rev-parse", "HEAD")
        branch = (
            self.run("symbolic-ref", "--short", "--quiet", "HEAD")
            if self.succeeds("symbolic-ref", "-q", "HEAD")
            else ""
        )
        if ref:  # a lock that would keep it from being let go of is better found now
            self.run("update-ref", "-d", ref)
        tree = self._tree_of_files(scratch)
        commit, dirty, untracked = head, 0, 0
        if tree != self.run("rev-parse", "HEAD^{tree}"):
            commit = self._commit(tree, [head], "bitnet-tui: the working tree as it was", IDENTITY)
            for line in self.run("diff-tree", "-r", "--name-status", "--no-renames", head, commit).splitlines():
                dirty += not line.startswith("A")
                untracked += line.startswith("A")
        if ref:
            self.run("update-ref", ref, commit)
        return Snapshot(head, branch, commit, tree, dirty, untracked)

    def _tree_of_files(self, scratch: Path) -> str:
        scratch.mkdir(parents=True, exist_ok=True)
        index = scratch / "index"
        real = self.root / self.run("rev-parse", "--git-path", "index")
        env = {"GIT_INDEX_FILE": str(index)}
        if real.is_file():
            shutil.copy2(real, index)  # with its time: git looks again at files that are not older than their index
            # "Assume unchanged" and "skip worktree" would hide a file's true content from the snapshot.
            marked = [(e[:1], e[2:]) for e in self.run("ls-files", "-v", "-z", env=env).split("\0") if e]
            assumed = [path for mark, path in marked if mark.islower()]
            skipped = [path for mark, path in marked if mark in "sS" and os.path.lexists(self.root / path)]
            for flag, paths in (("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)):
                if paths:
                    names = "\0".join(paths).encode("utf-8", "surrogateescape")
                    self.run("update-index", flag, "-z", "--stdin", env=env, data=names)
        else:
            self.run("read-tree", "HEAD", env=env)
        self._add_all(env)
        tree = self.run("write-tree", env=env)
        index.unlink()
        return tree

    def _add_all(self, env: Mapping[str, str]) -> None:
        """Index every file but ours, and repositories inside that have no commit: git has no form for those."""
        ours = f":(exclude){STATE}"
        left_out = [ours]
        while True:
            try:
                self.run("add", "-A", "--", ".", *left_out, env=env)
                return
            except EnvironmentFailure as failure:
                if ours in left_out and _IGNORED in failure.message:  # git objects to naming it at all
                    left_out.remove(ours)
                    continue
                unborn = _UNBORN.search(failure.message)
                more = f":(exclude,top,literal){unborn[1]}" if unborn else ""
                if not more or more in left_out:
                    raise
                left_out.append(more)

    # -- trees and commits --------------------------------------------------------------------------------------------

    def tree_with(self, base: str, changes: Mapping[str, bytes | None], scratch: Path) -> str:
        """The tree ``base`` with some files changed, added or (None) removed; nothing is checked out."""
        scratch.mkdir(parents=True, exist_ok=True)
        index = scratch / "tree-index"
        env = {"GIT_INDEX_FILE": str(index)}
        modes = {e.path: e.mode for e in self.entries(base)}
        self.run("read-tree", base, env=env)
        lines = []
        for path, content in changes.items():
            if content is None:
                lines.append(f"0 {EMPTY_SHA}\t{path}")
            else:
                # The path lets line-ending and other filters do what `git add` would do.
                sha = self.run("hash-object", "-w", "--stdin", "--path", path, data=content)
                lines.append(f"{modes.get(path, '100644')} {sha}\t{path}")
        if lines:
            data = "".join(line + "\0" for line in lines).encode("utf-8", "surrogateescape")
            self.run("update-index", "-z", "--index-info", env=env, data=data)
        tree = self.run("write-tree", env=env)
        index.unlink(missing_ok=True)
        return tree

    def tree_with_patch(self, base: str, patch: Path, scratch: Path) -> str:
        """The tree ``base`` with a patch applied; nothing is checked out.

        Raises
        ------
        EnvironmentFailure
            It does not fit.
        """
        scratch.mkdir(parents=True, exist_ok=True)
        index = scratch / "patch-index"
        env = {"GIT_INDEX_FILE": str(index)}
        try:
            self.run("read-tree", base, env=env)
            self.run("apply", "--cached", "--whitespace=nowarn", str(patch), env=env)
            return self.run("write-tree", env=env)
        finally:
            index.unlink(missing_ok=True)

    def commit(self, tree: str, parent: str, message: str) -> str:
        """A commit under the user's identity, or ours where git knows none."""
        known = self.succeeds("config", "user.name") and self.succeeds("config", "user.email")
        return self._commit(tree, [parent], message, {} if known else IDENTITY)

    def _commit(self, tree: str, parents: list[str], message: str, env: Mapping[str, str]) -> str:
        args = [a for p in parents for a in ("-p", p)]
        return self.run("commit-tree", tree, *args, "-F", "-", env=env, data=message.encode())

    def scratch_commit(self, tree: str, parent: str) -> str:
        """A commit to check a tree out from; no ref points at it."""
        return self._commit(tree, [parent], "bitnet-tui: under verification", IDENTITY)

    def first_commit(self, branch: str, base: str, tree: str) -> str:
        """The commit with this tree that a branch has on top of ``base``; empty: there is none yet.

        A run killed right after it finds it so; a person may have gone on from there since.
        """
        ref = f"refs/heads/{branch}"
        if not self.succeeds("rev-parse", "--verify", "--quiet", ref):
            return ""
        made = self.run("rev-list", "--reverse", "--first-parent", f"{base}..{ref}").splitlines()
        return made[0] if made and self.run("rev-parse", f"{made[0]}^{{tree}}") == tree else ""

    def set_branch(self, name: str, commit: str) -> None:
        self.run("update-ref", f"refs/heads/{name}", commit)

    def advance(self, name: str, commit: str) -> bool:
        """Move a branch on to a commit made on top of it; False if it is elsewhere by now."""
        ref = f"refs/heads/{name}"
        if self.succeeds("merge-base", "--is-ancestor", commit, ref):
            return True
        return self.succeeds("update-ref", ref, commit, f"{commit}^")

    def delete_ref(self, ref: str) -> None:
        if self.succeeds("rev-parse", "--verify", "--quiet", ref):
            self.run("update-ref", "-d", ref)

    def apply(self, *patches: Path) -> bool:
        """Apply patches to the user's files, each on the one before; where they changed, merge, or change nothing.

        Returns
        -------
        bool
            Whether anything had to be written: False if the files hold all of it already.

        Raises
        ------
        EnvironmentFailure
            It does not fit the files as they are now; nothing was written.
        """
        plain = ("apply", "--whitespace=nowarn")
        if len(patches) == 1 and self.succeeds(*plain, "--check", str(patches[0])):
            self.run(*plain, str(patches[0]))
            return True
        with tempfile.TemporaryDirectory() as scratch:
            now = self._tree_of_files(Path(scratch))
            env = {"GIT_INDEX_FILE": str(Path(scratch) / "merge-index")}
            self.run("read-tree", now, env=env)
            for patch in patches:
                try:
                    self.run(*plain, "--3way", "--cached", str(patch), env=env)
                except EnvironmentFailure as failure:
                    raise EnvironmentFailure(
                        f"the patch does not fit your files as they are now ({failure.message}); nothing was changed",
                        hint=f"look at {patch}, or start a new run on the files as they are",
                    ) from failure
            merged = self.patch(now, self.run("write-tree", env=env))
            if merged:
                self.run(*plain, "-", data=merged.encode("utf-8", "surrogateescape"))
            return bool(merged)
