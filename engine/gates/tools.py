"""Gates of outside tools on the changed files: formatter, linter, parity with a reference.

All of them run confined: what starts in a worktree may obey files in it, and settings name what is run.

A file that did not satisfy the tool before the change is not held against it.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.model import Gate, GateStatus
from engine.workspace.regular import content

PATIENCE = 600.0
"""Seconds a tool may take; a comparison or a benchmark may need some."""

NOTHING_AT_HAND = 77
"""The exit code of a comparison that had nothing to compare with, as test programs use it."""


MISTAKES = "E4,E7,E9,F"
"""What ruff is asked for where a project has chosen no rules: mistakes. The rest is taste."""

_SETTINGS = 1_000_000
"""Bytes of a file of settings that is looked into."""
_CHOSEN = ("--select", "--extend-select", "--config", "--isolated", "--ignore")


@dataclass(frozen=True, slots=True)
class ToolBench:
    """Runs a tool in a worktree on the changed Python files.

    Parameters
    ----------
    before
        Content of the changed files before the change; None for a new one.
    """

    cwd: Path
    root: Path
    before: Mapping[str, bytes | None]
    beside: str  # the target's interpreter: its tools come first
    confined: Callable[[Sequence[str]], tuple[int, list[str]]]  # exit code and lines; 127: it did not start or end

    def find(self, name: str) -> str:
        """The tool beside the target's interpreter, on the path, or beside ours."""
        for folder in (Path(self.beside).parent, None, Path(sys.executable).parent):
            found = shutil.which(name) if folder is None else shutil.which(name, path=str(folder))
            if found:
                return found
        return ""

    @property
    def files(self) -> list[str]:
        return [str(self.root / p) for p in self.before if p.endswith(".py") and (self.root / p).is_file()]

    @contextlib.contextmanager
    def as_before(self) -> Iterator[None]:
        """The changed files as they were, while inside."""
        # Where a link or a pipe lies now, or a link leads there, something ran and put it there: hands off.
        plain = [p for p in self.before if self._lies_inside(p) and _is_plain(self.root / p)]
        now = {p: (self.root / p).read_bytes() if (self.root / p).is_file() else None for p in plain}
        try:
            for path in plain:
                self._put(path, self.before[path])
            yield
        finally:
            for path, content in now.items():
                self._put(path, content)

    def _put(self, path: str, content: bytes | None) -> None:
        file = self.root / path
        if not self._lies_inside(path) or (file.is_dir() and not file.is_symlink()):
            return
        if content is None or not _is_plain(file):
            file.unlink(missing_ok=True)
        if content is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def _lies_inside(self, path: str) -> bool:
        return (self.root / path).parent.resolve().is_relative_to(self.root.resolve())


def format_gate(command: Sequence[str], bench: ToolBench) -> Gate:
    """Formatter clean on the changed files, where they were clean before."""
    argv, gate = _start("format", command, bench)
    if gate is not None:
        return gate
    tool = command[0]
    code, _ = bench.confined([*argv, *bench.files])
    if code == 0:
        return Gate("format", GateStatus.PASS, "", f"{tool}: all files formatted")
    with bench.as_before():
        before, _ = bench.confined([*argv, *bench.files]) if bench.files else (0, [])
    if before != 0:
        return Gate("format", GateStatus.SKIPPED, "n/a-surface", f"the files did not follow {tool} before")
    return Gate("format", GateStatus.FAIL, "", f"{tool}: a changed file is not formatted any more")


def linter(command: Sequence[str], bench: ToolBench) -> tuple[list[str], Gate | None]:
    """The command line of the linter, or the gate that says why it does not run."""
    argv, gate = _start("clippy", command, bench)
    if gate is None and Path(command[0]).stem == "ruff":
        argv = [*argv, "--output-format", "concise", "--no-cache"]
        if "check" in command and not _configured(bench) and not any(a.startswith(_CHOSEN) for a in command):
            argv = [*argv, "--select", MISTAKES]
    return argv, gate


def clippy_gate(command: Sequence[str], bench: ToolBench) -> Gate:
    """Linter without new warnings on the changed files."""
    argv, gate = linter(command, bench)
    if gate is not None:
        return gate
    tool = command[0]
    code, lines = bench.confined([*argv, *bench.files])
    if code == 0:
        return Gate("clippy", GateStatus.PASS, "", f"{tool}: 0 warnings")
    with bench.as_before():
        before_code, before = bench.confined([*argv, *bench.files]) if bench.files else (0, [])
    now, then = _warnings(lines), _warnings(before) if before_code else 0
    if now <= then:
        return Gate("clippy", GateStatus.PASS, "", f"{tool}: 0 new warnings ({then} before)")
    return Gate("clippy", GateStatus.FAIL, "", f"{tool}: {now - then} new warnings: {lines[0][:200]}")


def crossval_gate(command: Sequence[str], bench: ToolBench) -> Gate:
    """Parity with a C++ reference, where the settings name a command for it."""
    if not command:
        return Gate("crossval", GateStatus.SKIPPED, "no-cpp-reference", "")
    tool = bench.find(command[0])
    if not tool:
        return Gate("crossval", GateStatus.SKIPPED, "missing-tool", f"{command[0]} is not installed")
    code, last = _last_line([tool, *command[1:]], bench)
    last = last.removeprefix("crossval: ")
    if code == NOTHING_AT_HAND:
        return Gate("crossval", GateStatus.SKIPPED, "no-cpp-reference", f"crossval: {last}")
    return Gate("crossval", GateStatus.PASS if code == 0 else GateStatus.FAIL, "", f"crossval: {last}")


def benchmarks_gate(command: Sequence[str], bench: ToolBench) -> Gate | None:
    """A baseline on record, where the settings name a command that takes one; no verdict on its figures."""
    if not command:
        return None
    tool = bench.find(command[0])
    if not tool:
        return Gate("benchmarks", GateStatus.SKIPPED, "missing-tool", f"{command[0]} is not installed")
    code, last = _last_line([tool, *command[1:]], bench)
    return Gate("benchmarks", GateStatus.PASS if code == 0 else GateStatus.FAIL, "", f"baseline: {last}")


def _last_line(argv: Sequence[str], bench: ToolBench) -> tuple[int, str]:
    """How a command ended, and what it said last; with its exit code, where that says more than yes or no."""
    code, lines = bench.confined(argv)
    ended = [] if lines and code in (0, 1, NOTHING_AT_HAND) else [f"exit {code}"]
    return code, ": ".join([*ended, *(line[:200] for line in lines[-1:])])


def tidy(command: Sequence[str], bench: ToolBench) -> bool:
    """Format the changed files where they were formatted before; True if that changed something."""
    argv, gate = _start("format", command, bench)
    if gate is not None or "--check" not in argv or bench.confined([*argv, *bench.files])[0] == 0:
        return False
    with bench.as_before():
        clean = bool(bench.files) and bench.confined([*argv, *bench.files])[0] == 0
    return clean and bench.confined([*(a for a in argv if a != "--check"), *bench.files])[0] == 0


def _start(name: str, command: Sequence[str], bench: ToolBench) -> tuple[list[str], Gate | None]:
    if not command or not bench.files:
        return [], Gate(name, GateStatus.SKIPPED, "n/a-surface", "no changed Python file")
    tool = bench.find(command[0])
    if not tool:
        return [], Gate(name, GateStatus.SKIPPED, "missing-tool", f"{command[0]} is not installed")
    return [tool, *command[1:]], None


def _configured(bench: ToolBench) -> bool:
    """Whether the project has settings for ruff."""
    for folder in (bench.cwd, *bench.cwd.parents):
        if any((folder / name).is_file() for name in ("ruff.toml", ".ruff.toml")):
            return True
        if b"[tool.ruff" in (content(folder, "pyproject.toml", _SETTINGS) or b""):
            return True
        if folder == bench.root:
            break
    return False


def _is_plain(file: Path) -> bool:
    """Whether a file may be read and written without a wait: it is one, or there is nothing."""
    return not file.is_symlink() and (file.is_file() or not file.exists())


def _warnings(lines: Sequence[str]) -> int:
    """Lines that name a place: ``path:line:…``."""
    return sum(1 for line in lines if line.count(":") >= 2 and not line.startswith(("Found", "warning:")))
