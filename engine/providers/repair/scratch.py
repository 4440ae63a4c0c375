"""Copies of the project to try things in, and the command line of a pytest that runs there. Never writes the original.

Node ids are turned into keys here: the test file relative to the root, then the rest of the id, so that a key means
the same wherever pytest puts its own root directory.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from engine.providers.repair.task import RepairTask
from engine.workspace.area import Area
from engine.workspace.encoding import encoded
from engine.workspace.regular import content

MOST_SAID = 200_000_000
"""Bytes of what a child wrote that are read."""

_SKIP = {".git", "__pycache__", ".bitnet-tui", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", "node_modules"}
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Scratch:
    """One temporary folder: a copy of the project, and the plug-in beside it."""

    def __init__(self, task: RepairTask) -> None:
        self._task = task
        # Resolved, because keys and coverage compare real paths.
        self.home = Path(tempfile.mkdtemp(prefix="bitnet-tui-repair-", dir=task.scratch)).resolve()
        self.root = self.home / "project"
        shutil.copytree(task.root, self.root, symlinks=True, ignore=unwanted, ignore_dangling_symlinks=True)
        lent = self.home / "lent" / "bitnet_tui_repair"
        lent.mkdir(parents=True)
        for source in sorted((Path(__file__).parent / "child").glob("*.py")):
            shutil.copyfile(source, lent / source.name)
        (self.home / "tmp").mkdir()
        (self.home / "home").mkdir()

    def write(self, sources: dict[str, str]) -> None:
        """Put full texts into the copy; what tests have put in their way, a link or a pipe, is taken away."""
        area = Area(self.root)
        for name, text in sources.items():
            for path in (*reversed(PurePosixPath(name).parents[:-1]), PurePosixPath(name)):
                self._clear(self.root / path, folder=str(path) != name)
            area.write(name, encoded(text))

    def _clear(self, path: Path, *, folder: bool) -> None:
        try:
            found = path.lstat()
        except OSError:
            return
        plain = stat.S_ISDIR(found.st_mode) if folder else stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if not plain:
            shutil.rmtree(path, ignore_errors=True) if stat.S_ISDIR(found.st_mode) else path.unlink()

    def new(self, name: str, text: str = "") -> Path:
        """A file beside the copy, for a child that starts, under a name that none before it could have taken."""
        stem, _, ending = name.partition(".")
        handle, path = tempfile.mkstemp(prefix=f"{stem}-", suffix=f".{ending}", dir=self.home)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return Path(path)

    def said(self, file: Path) -> str:
        """What is in a file of :meth:`new`; empty where a child has put something else there."""
        return (content(self.home, file.name, MOST_SAID) or b"").decode("utf-8", "replace")

    def remove(self) -> None:
        """Delete the folder; what a test has locked away is left to the system's own cleaning."""
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def cwd(self) -> Path:
        return self.root / self._task.cwd.resolve().relative_to(self._task.root.resolve())

    def env(self, **more: str) -> dict[str, str]:
        """The task's environment with the copy first on the path."""
        env = {**self._task.env, **dict.fromkeys(_ONE_THREAD, "1")}
        here, there = str(self.root), str(self._task.root.resolve())
        old = [
            part.replace(there, here, 1) if part == there or part.startswith(there + os.sep) else part
            for part in env.get("PYTHONPATH", "").split(os.pathsep)
            if part
        ]
        roots = [str((self.root / name).resolve()) for name in self._task.import_roots]
        env["PYTHONPATH"] = os.pathsep.join([*roots, str(self.home / "lent"), *old])
        env.update(HOME=str(self.home / "home"), TMPDIR=str(self.home / "tmp"))
        env.update(PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1", **more)
        env.pop("PYTEST_ADDOPTS", None)
        return env

    def command(self, plugin: str, files: Iterable[str]) -> list[str]:
        """A pytest over whole test files, with one of our plug-ins and nothing that costs time or keeps state."""
        # An empty cache each time, not none: a project's own options may need one.
        cache = tempfile.mkdtemp(prefix="cache-", dir=self.home / "tmp")
        line = [
            self._task.python,
            *("-m", "pytest", "-p", f"bitnet_tui_repair.{plugin}", "-p", "no:randomly", "-o", f"cache_dir={cache}"),
            *self._task.pytest_args,
            *("--continue-on-collection-errors", "--maxfail=0", f"--basetemp={self.home / 'tmp' / 'pytest'}"),
            *(str(self.root / name) for name in files),
        ]
        confine = self._task.confine
        return confine(line, self.home, self.cwd) if confine is not None else line


def keys_of(task: RepairTask, ids: Iterable[str]) -> dict[str, str]:
    """Key of each node id that points at an existing file, in the order given."""
    root, cwd = task.root.resolve(), task.cwd.resolve()
    bases = [cwd]
    while bases[-1] != root and root in bases[-1].parents:
        bases.append(bases[-1].parent)
    places: dict[str, str | None] = {}
    found: dict[str, str] = {}
    for node in ids:
        name, *rest = node.split("::")
        if name not in places:
            files = [base / name for base in bases if (base / name).is_file()]
            places[name] = files[0].resolve().relative_to(root).as_posix() if files else None
        place = places[name]
        if place is not None:
            found[node] = "::".join([place, *rest])
    return found


def unwanted(folder: str, names: list[str]) -> set[str]:
    """What of a folder is left out of copies: state of other programs, and environments."""
    inside = Path(folder)
    return {name for name in names if name in _SKIP or (inside / name / "pyvenv.cfg").exists()}
