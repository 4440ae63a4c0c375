"""The worktrees of one run and what children see of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pathspec

from engine.suites.layout import import_roots
from engine.suites.runner import Place
from engine.workspace.home import Home
from engine.workspace.repository import Repository, Snapshot
from engine.workspace.scope import Scope
from engine.workspace.worktrees import remove_tree

MADE = ("_version.py", "*.so", "*.pyd", "*_pb2.py", "*_pb2_grpc.py")
"""Ignored files that builds leave beside the code: a version, extensions, generated messages."""


@dataclass(slots=True)
class Workshop:
    """Makes places to run suites in, and takes all of them away again.

    Parameters
    ----------
    files
        The snapshot's files.
    extra_roots
        Import roots from the settings and from editable installs, relative to the repository.
    carry
        Patterns of ignored files that the tests need, beside those of `MADE` that lie in a folder with code.
    """

    repository: Repository
    home: Home
    run: str
    prefix: str
    snapshot: Snapshot
    files: tuple[str, ...]
    scope: Scope
    extra_roots: Sequence[str] = ()
    carry: Sequence[str] = ()
    _open: dict[str, Place] = field(default_factory=dict)

    @property
    def roots(self) -> tuple[str, ...]:
        """Folders imports begin at, relative to a worktree."""
        return import_roots(self.files, self.prefix, self.extra_roots)

    def place(self, name: str, commit: str, *, fresh: bool) -> Place:
        """A worktree of ``commit``: the open one of that name, or a new one.

        A ``fresh`` one has a scratch of its own too: nothing an earlier child wrote is in it.
        """
        if not fresh and name in self._open:
            return self._open[name]
        worktree = self.home.scratch(self.run) / name
        scratch = self.home.temp(self.run) / name
        remove_tree(scratch)
        scratch.mkdir(parents=True, mode=0o700)
        self.repository.add_worktree(worktree, commit)
        self._fill_submodules(worktree)
        self._carry(worktree)
        editable = frozenset(p for p in self.scope.editable(self.files) if p.endswith(".py"))
        place = Place(worktree, self.repository.root, self.prefix, scratch, self.roots, editable)
        self._open[name] = place
        return place

    def drop(self, name: str) -> None:
        """Take one worktree away."""
        self._open.pop(name, None)
        self.repository.remove_worktree(self.home.scratch(self.run) / name)
        remove_tree(self.home.temp(self.run) / name)

    def close(self) -> None:
        """Take everything away."""
        for name in ("work", "verify"):
            self.drop(name)
        self.home.clear(self.run)

    def _fill_submodules(self, worktree: Path) -> None:
        """Git leaves their folders empty in a worktree; the tests need what is checked out."""
        for path in self.scope.submodules:
            source = self.repository.root / path
            if (source / ".git").exists():
                ignored = shutil.ignore_patterns(".git", "__pycache__")
                shutil.copytree(
                    source, worktree / path, symlinks=True, ignore=ignored, copy_function=_copy, dirs_exist_ok=True
                )

    def _carry(self, worktree: Path) -> None:
        for path in [*self._made(), *self._asked_for()]:
            source = self.repository.root / path
            if source.is_file() and not path.startswith(".bitnet-tui/"):
                (worktree / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, worktree / path)

    def _made(self) -> Iterator[str]:
        """Ignored files that a build has put beside the code, without which nothing of it can be imported."""
        wanted = pathspec.PathSpec.from_lines("gitignore", MADE)
        folders = {path.rpartition("/")[0] for path in self.files if path.endswith(".py")}
        # Folders that are ignored as a whole, environments among them, are one line each, and nothing in them is taken.
        for path in self._ignored("--directory"):
            if path.rpartition("/")[0] in folders and wanted.match_file(path):
                yield path

    def _asked_for(self) -> Iterator[str]:
        if self.carry:
            wanted = pathspec.PathSpec.from_lines("gitignore", self.carry)
            yield from filter(wanted.match_file, self._ignored())

    def _ignored(self, *more: str) -> list[str]:
        options = ("--others", "--ignored", "--exclude-standard", *more, "-z")
        return [path for path in self.repository.run("ls-files", *options).split("\0") if path]


def _copy(source: str, target: str) -> None:
    if Path(source).is_file():  # a pipe would never end
        shutil.copy2(source, target)
