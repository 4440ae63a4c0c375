"""The fixture-builder's evidence: an index with every digest, and generators that give the same twice."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from engine.model import Gate, GateStatus
from engine.specialists.case import Case, Evidence, Fact
from engine.specialists.change import answer, cut, lies_in
from engine.workspace.area import Area, Refused
from engine.workspace.regular import Irregular, content, digest, listed

INDEX = "index.json"
MOST = 2000
"""Fixtures that are looked at."""
MOST_FACTS = 40
MOST_BYTES = 1_000_000
"""Of a file that a generator adds."""
MOST_COPIED = 500_000_000
"""Bytes of fixtures that are compared."""
GENERATING_S = 60.0
_FOLDER = re.compile(r"(^|/)(tests?|testing)/(?:.+/)?fixtures/")
_GENERATOR = re.compile(r"(^|/)(generate|make|build|gen|create)\w*\.py$")
# The child stands where the project would be, with a copy of the fixtures below it.
_BOOT = (
    "import os, runpy, sys; os.chdir(sys.argv[1]); sys.argv = sys.argv[2:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def look(case: Case) -> Evidence:
    """Compare index and files, and run the generators twice; the gate holds when all of it agrees."""
    paths = [p for p in case.files if _FOLDER.search(p) and _ours(case, p)][:MOST]
    fixtures = [p for p in paths if _is_fixture(p)]
    generators = [p for p in paths if _GENERATOR.search(p)]
    if not fixtures and not generators:
        return Evidence(Gate("fixtures", GateStatus.SKIPPED, "n/a-surface", "no file below tests/fixtures"))
    root = top(fixtures or generators)
    generators = [p for p in generators if p.startswith(f"{root}/")]
    digests = {p: _digest(case.place.worktree / p) for p in fixtures}
    makers = {p: _maker(p, generators) for p in fixtures}
    wanted = index(case.place.worktree, root, digests, makers)
    there = _read(case.place.worktree, f"{root}/{INDEX}")
    faults = _differences(there, wanted)
    into: dict[str, bytes] = {}
    runs = [fault for g in generators for fault in _twice(case, root, g, digests, makers, into)]
    text = json.dumps(_merged(there, wanted), indent=2, sort_keys=True) + "\n"
    keep = {INDEX: text.encode("utf-8", "surrogateescape")}
    into |= {f"{root}/{INDEX}": keep[INDEX]} if faults else {}
    facts = [Fact("index", cut(f)) for f in faults] + [Fact("generator", cut(f)) for f in runs]
    many = f"{len(fixtures)} {'fixture' if len(fixtures) == 1 else 'fixtures'}"
    made = f"{len(generators)} {'generator' if len(generators) == 1 else 'generators'} run twice"
    said = [f"fixtures: {many}", f"{root}/{INDEX}" + (f": {cut(faults[0], 160)}" if faults else " agrees")]
    said += [f"{made}: {cut(runs[0], 160) if runs else 'same bytes'}"] if generators else []
    status = GateStatus.FAIL if faults or runs else GateStatus.PASS
    return Evidence(Gate("fixtures", status, "", "; ".join(said)), tuple(facts[:MOST_FACTS]), keep, into)


def _ours(case: Case, path: str) -> bool:
    inside = not case.prefix or path.startswith(f"{case.prefix}/")
    return inside and lies_in(case.place.worktree, case.place.worktree / path)


def _is_fixture(path: str) -> bool:
    name = PurePosixPath(path).name
    return name != INDEX and name != "__init__.py" and not _GENERATOR.search(path) and not name.startswith(".")


def top(fixtures: Sequence[str]) -> str:
    """The folder of the first fixtures there are: where their index lies.

    Examples
    --------
    >>> top(["tests/fixtures/a/b.bin"])
    'tests/fixtures'
    """
    first = _FOLDER.search(fixtures[0])
    assert first is not None
    return fixtures[0][: fixtures[0].index("fixtures/", first.start()) + len("fixtures")]


def index(worktree: Path, root: str, digests: Mapping[str, str], makers: Mapping[str, str]) -> dict[str, Any]:
    """What the index should say: each fixture with its digest, its size and how it was made."""
    rows = {
        _inside(path, root): {
            "sha256": digest,
            "bytes": (worktree / path).stat().st_size,
            "made": f"by {_inside(makers[path], root)}" if makers[path] else "by hand",
        }
        for path, digest in sorted(digests.items())
    }
    return {"fixtures": rows}


def _merged(there: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What the index should say, and beside it what people have written there of each fixture."""
    said = there or {}
    return {"fixtures": {name: _row(said.get(name), row) for name, row in wanted["fixtures"].items()}}


def _row(told: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    return {**(told if isinstance(told, Mapping) else {}), **row}


def _inside(path: str, root: str) -> str:
    return path.removeprefix(f"{root}/")


def _maker(path: str, generators: Sequence[str]) -> str:
    """The generator beside a fixture or the nearest above it; empty: there is none."""
    folder = PurePosixPath(path).parent
    near = [g for g in generators if folder.is_relative_to(PurePosixPath(g).parent)]
    return max(near, key=lambda g: len(PurePosixPath(g).parent.parts), default="")


def _digest(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _read(worktree: Path, path: str) -> Mapping[str, Any] | None:
    """The rows of an index; None if there is none that can be read."""
    rows = answer(worktree, path).get("fixtures")
    return rows if isinstance(rows, Mapping) else None


def _differences(rows: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> list[str]:
    """What an index gets wrong, by name; how a fixture was made is for people to say."""
    known: Mapping[str, Any] = wanted["fixtures"]
    if rows is None:
        return [f"there is no index of {len(known)} files"]
    faults = [f"{name} is not in it" for name in known if name not in rows]
    faults += [f"{name} is in it and not there" for name in rows if name not in known]
    for name, row in known.items():
        told = rows.get(name)
        if told is not None and not (isinstance(told, Mapping) and told.get("sha256") == row["sha256"]):
            faults.append(f"{name} has another digest")
    return faults


def _twice(
    case: Case,
    root: str,
    generator: str,
    digests: Mapping[str, str],
    makers: Mapping[str, str],
    into: dict[str, bytes],
) -> list[str]:
    """Run a generator in two copies, with another order of sets in each; what differs, or from what is committed.

    What it makes that is not there yet is added to ``into``, where both runs agree.
    """
    made = []
    folder = ""
    for number in (1, 2):
        try:
            folder = _copied(case, root)
            project = case.scratch / folder / case.prefix
            argv = ["env", f"PYTHONHASHSEED={number}", case.interpreter.executable, "-c", _BOOT, str(project)]
            code, lines = case.confined([*argv, str(case.scratch / folder / generator)], GENERATING_S)
            if code:
                return [f"{generator} failed: {lines[-1] if lines else f'exit {code}'}"]
            made.append(_made(case, folder, root))
        except (Irregular, Refused) as error:
            return [f"{generator}: {error}".replace(f"{folder}/", "")]
    first, second = made
    faults = [
        f"{p} differs from one run to the next"
        for p in sorted(first.keys() | second.keys())
        if first.get(p) != second.get(p)
    ]
    if not faults:
        mine = sorted(p for p in first if makers.get(p, generator) == generator)
        for path in mine:
            data = content(case.scratch, f"{folder}/{path}", MOST_BYTES) if path not in digests else None
            if data is not None and hashlib.sha256(data).hexdigest() == first[path]:
                into[path] = data
        faults = [f"{p} is not what {generator} makes" for p in mine if digests.get(p) != first[p]]
    return faults


def _copied(case: Case, root: str) -> str:
    """A copy of the project's files below ``root``; the name of its folder in the scratch.

    It is made for one run and under a name nobody could know: what ran before may write to the scratch.
    """
    folder = Path(tempfile.mkdtemp(prefix="fixtures-", dir=case.scratch))
    area, worktree = Area(folder), case.place.worktree
    for path in case.files:
        if path.startswith(f"{root}/") and (data := content(worktree, path, MOST_COPIED)) is not None:
            area.write(path, data)
            if (worktree / path).lstat().st_mode & stat.S_IXUSR:
                (folder / path).chmod(0o755)
    return folder.name


def _made(case: Case, folder: str, root: str) -> dict[str, str]:
    """Digests of what a generator left in its copy.

    Raises
    ------
    Irregular
        It left a link, a pipe, or more than is looked at.
    """
    found: dict[str, str] = {}
    left = MOST_COPIED
    for path in listed(case.scratch, f"{folder}/{root}", MOST):
        name = path.removeprefix(f"{folder}/")
        if not _is_fixture(name):
            continue
        seen = digest(case.scratch, path, left)
        if seen is None:
            raise Irregular(f"{name} cannot be read, or there are more than {MOST_COPIED // 1_000_000} MB")
        found[name], left = seen[0], left - seen[1]
    return found
