"""What a change did to text files: both states, the lines it added, the functions it touched. Reads only."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.gates.tools import ToolBench
from engine.specialists.case import Case
from engine.suites.impact import Function, functions
from engine.suites.layout import witness_files
from engine.workspace.regular import content
from engine.workspace.scope import Scope

MOST = 400_000
"""Bytes of a file that is looked at; a longer one was hardly written by hand."""
ANSWER = 100_000_000
"""Bytes of a tool's answer that are read; one that is longer is no answer."""
PATIENCE = 300.0
"""Seconds one tool of a specialist may take."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A file of the change as text; None where there is no such file.

    Attributes
    ----------
    added : lines of the new text that the old one did not have, by number from 1.
    """

    path: str
    before: str | None
    after: str | None
    added: Mapping[int, str]

    @property
    def python(self) -> bool:
        return self.path.endswith(".py")

    @property
    def touched(self) -> tuple[Function, ...]:
        """The functions of the new text that are not word for word in the old one."""
        if not self.python or self.after is None:
            return ()
        known = bodies(self.before or "")
        mine = bodies(self.after)
        return tuple(f for f in functions(self.after) if mine[f.name] != known.get(f.name))


def bodies(text: str) -> dict[str, str]:
    """The source of each function of a module, decorators included, by its name with its classes."""
    lines = text.split("\n")
    return {f.name: "\n".join(lines[f.first - 1 : f.last]) for f in functions(text)}


def compared(path: str, before: str | None, after: str | None) -> Edited:
    """Both states of a file, line by line as compilers count them.

    Examples
    --------
    >>> compared("a.py", "x = 1\\n", "x = 1\\ny = 2\\n").added
    {2: 'y = 2'}
    """
    old, new = ((text or "").split("\n") for text in (before, after))
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    inner_old, inner_new = old[head : len(old) - tail], new[head : len(new) - tail]
    added: dict[int, str] = {}
    if after is not None:
        matcher = difflib.SequenceMatcher(None, inner_old, inner_new, autojunk=len(inner_new) > 2000)
        for tag, _, _, start, stop in matcher.get_opcodes():
            if tag in ("insert", "replace"):
                added |= {head + n + 1: inner_new[n] for n in range(start, stop)}
    return Edited(path, before, after, added)


def edited(case: Case) -> tuple[Edited, ...]:
    """The text files of the change, in the order of their names."""
    have = {e.path for e in case.repository.entries(case.before)}
    left = set(case.files)
    found = []
    for path in sorted(case.changed):
        before = _text(case, case.before, path) if path in have else None
        after = _text(case, case.after, path) if path in left else None
        if (before is not None or path not in have) and (after is not None or path not in left):
            found.append(compared(path, before, after))
    return tuple(found)


def _text(case: Case, tree: str, path: str) -> str | None:
    """A file of a tree; None where it is no text, or too long."""
    data = case.repository.blob(tree, path)
    if b"\0" in data or len(data) > MOST:
        return None
    return data.decode("utf-8", "replace")


def judging(case: Case) -> Callable[[str], bool]:
    """Tells the files that judge the work (tests, and what says how they run) from what is judged."""
    nodeids = [row.nodeid for row in case.state.tests.values()]
    scope = Scope(
        allow=("**/*.py",),
        protect=case.settings.scope.protect,
        prefix=case.prefix,
        witnesses=witness_files(nodeids, case.prefix),
    )
    return scope.judges


def bench(case: Case, changes: Iterable[Edited]) -> ToolBench:
    """Outside tools on these files, as the gates run them."""
    contents = {c.path: None if c.before is None else case.repository.blob(case.before, c.path) for c in changes}
    return ToolBench(
        case.place.cwd,
        case.place.worktree,
        contents,
        case.interpreter.executable,
        lambda argv: case.confined(argv, PATIENCE),
    )


def inside(case: Case, path: str) -> str:
    """A path of the repository as the project has it."""
    return path.removeprefix(f"{case.prefix}/") if case.prefix else path


def read(case: Case, path: str) -> str:
    """A text file of the worktree; empty if there is none, or it lies elsewhere: children may have planted links."""
    data = content(case.place.worktree, path, MOST) or b""
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def lies_in(root: Path, file: Path) -> bool:
    """Whether a file is there, is no link, and no link leads to it."""
    return file.is_file() and not file.is_symlink() and file.resolve().is_relative_to(root.resolve())


def answer(root: Path, path: str) -> Mapping[str, Any]:
    """What a tool wrote as JSON below a folder of ours; empty if it wrote nothing that can be read."""
    try:
        found = json.loads((content(root, path, ANSWER) or b"").decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def rows(value: object) -> list[Mapping[str, Any]]:
    """The mappings of a list; a tool may write anything in place of either."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def cut(text: str, most: int = 400) -> str:
    """One line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def installed(case: Case, module: str) -> bool:
    """Whether the target's interpreter finds a package of this name; asked of the disk, nothing is imported."""
    folders = [Path(p) for p in case.interpreter.path]
    return any((f / module / "__init__.py").is_file() or (f / f"{module}.py").is_file() for f in folders)
