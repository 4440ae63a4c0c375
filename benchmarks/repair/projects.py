"""One slip in a public project, beside its own suite: what a person's red tests look like.

A clone is given, whose suite is green with the interpreter given; functions and slips are chosen by the seed alone. A
slip that the suite does not see is not planted.
"""

from __future__ import annotations

import ast
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from benchmarks.repair.sets import Program
from benchmarks.repair.slips import slips

KIND = "projects"
_TRIES = 40
_SUITE_S = 300


def planted(clone: Path, each: int, seed: int, python: str) -> Iterator[Program]:
    """As many slips as asked for, each in a copy of its own.

    Raises
    ------
    SystemExit
        The suite is not green without a slip.
    """
    chance = Random(f"{clone.name} {seed}")
    whole = replace(_project(clone), python=python)
    with tempfile.TemporaryDirectory(prefix="bitnet-tui-plant-") as folder:
        root = Path(folder) / "project"
        whole.write(root)
        if _suite(root, whole) != 0:
            raise SystemExit(f"{clone}: its suite is not green with {python}, so nothing is planted")
        files = [path for path in whole.editable if _functions(clone / path)]
        found = 0
        for nth in range(_TRIES * each):
            if found == each or not files:
                return
            module = chance.choice(files)
            right = (clone / module).read_text(encoding="utf-8")
            function = chance.choice(_functions(clone / module))
            possible = list(slips(function))
            kind = chance.choice(sorted({slip.kind for slip in possible})) if possible else ""
            slip = chance.choice([slip for slip in possible if slip.kind == kind] or [None])
            wrong = slip.made(right) if slip is not None else ""
            if not wrong:
                continue
            (root / module).write_text(wrong, encoding="utf-8")
            if _suite(root, whole) == 1:
                found += 1
                name = f"{clone.name} {kind}_{nth} {module}:{function.name}"
                yield replace(whole, name=name, module=module, reference=right, files=((module, wrong),))
            (root / module).write_text(right, encoding="utf-8")


def alike(program: Program, candidate: str, root: Path) -> bool:
    """Whether every file is the reference's again, but for its form; another way to be right does not count."""
    assert program.base is not None
    for path in program.editable:
        own = path == program.module
        text = candidate if own else (root / path).read_text(encoding="utf-8")
        right = program.reference if own else (program.base / path).read_text(encoding="utf-8")
        if ast.dump(ast.parse(text)) != ast.dump(ast.parse(right)):
            return False
    return True


def _project(clone: Path) -> Program:
    said = subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=clone, capture_output=True, text=True, check=True)
    names = [name for name in said.stdout.split("\0") if name and "test" not in name and not name.startswith("docs")]
    roots = ("src", ".") if (clone / "src").is_dir() else (".",)
    home = [name for name in names if "/" in name and name.split("/")[0] in ("src", clone.name, clone.name.lower())]
    return Program(KIND, clone.name, "", "", "", (), base=clone, editable=tuple(home or names), roots=roots)


def _functions(file: Path) -> list[ast.FunctionDef]:
    """Those that no other function holds."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return []
    places = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    return [node for place in places for node in place.body if isinstance(node, ast.FunctionDef)]


def _suite(root: Path, project: Program) -> int:
    """How pytest ends, at the first red test: 0 for green, 1 for red; -1 if it never ends."""
    argv = [project.python, "-m", "pytest", "-xq", "--tb=no", "-p", "no:cacheprovider", "-o", "addopts="]
    paths = ":".join(str(root / name) for name in project.roots)
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.run(argv, cwd=root, env=env, capture_output=True, timeout=_SUITE_S, check=False).returncode
    except subprocess.TimeoutExpired:
        return -1
