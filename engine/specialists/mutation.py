"""The test-hardener's evidence: how many mutants of the touched functions the tests notice, by mutmut, in a copy."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from engine.model import Gate, GateStatus
from engine.specialists.case import Case, Evidence, Fact
from engine.specialists.change import MOST, answer, cut, edited, inside, installed, judging, read
from engine.suites.impact import Imports
from engine.workspace.regular import content

WANTED = 80
"""Percent of the mutants that tests have to notice."""
MUTANTS = 60
SECONDS = 240
"""What one look may cost: mutants, and time for all of them; of more mutants every n-th is tried."""
SPARE = 60.0
"""Seconds the child gets beyond that, to write down what it has."""
OLDEST = (3, 8)
WORKERS = 4
MOST_FACTS = 20
_CHILD = Path(__file__).parents[1] / "suites" / "child" / "mutate.py"
_KILLED = frozenset({"killed", "timeout", "segfault", "caught by type check"})
_ALIVE = frozenset({"survived", "no tests"})
_SKIPPED = (".git", ".venv", "venv", ".bitnet-tui", "node_modules", "__pycache__", ".tox", ".nox", "mutants")
_TEST = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")
_IMPORT = re.compile(r"^[ \t\f]*(?:from|import)[ \t].*$", re.MULTILINE)
_OWN = re.compile(r"^\[tool\.mutmut[\].][^\n]*\n(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Score:
    """What became of the mutants that were tried."""

    killed: int
    alive: int
    all: int
    functions: tuple[str, ...]

    @property
    def tried(self) -> int:
        return self.killed + self.alive

    @property
    def percent(self) -> int:
        """Rounded down: 79.9 is not 80."""
        return 100 * self.killed // self.tried if self.tried else 0

    def __str__(self) -> str:
        part = f" ({self.tried} of {self.all} tried)" if self.tried < self.all else ""
        named = cut(", ".join(self.functions), 120)
        return f"mutation: {self.percent} %, {self.killed}/{self.tried} killed{part}; {named}"


def look(case: Case) -> Evidence:
    """Mutate the touched functions; the gate holds from 80 % noticed on."""
    judges = judging(case)
    touched = {
        inside(case, c.path): tuple(f.name for f in c.touched)
        for c in edited(case)
        if c.touched and not judges(c.path) and (not case.prefix or c.path.startswith(f"{case.prefix}/"))
    }
    if not touched:
        return _skipped("n/a-surface", "no function of the code was touched")
    if not mutmut(case):
        wanted = f"mutmut {'.'.join(map(str, OLDEST))} or newer"
        return _skipped(
            "missing-tool", f"{wanted} is not installed for {case.interpreter.executable}: pip install mutmut"
        )
    files = tests_of(case, touched)
    if not files:
        return _skipped("n/a-surface", f"no test file that passes reaches {cut(', '.join(touched), 160)}")
    copy = case.scratch / "mutation" / "project"
    problem = prepare(case, copy, touched, files)
    if problem:
        return _skipped("n/a-surface", problem)
    return judged(*_run(case, copy, touched), touched)


def _skipped(reason: str, why: str) -> Evidence:
    return Evidence(Gate("mutation", GateStatus.SKIPPED, reason, why))


def mutmut(case: Case) -> bool:
    """Whether the target's interpreter has a mutmut that is new enough; asked of the disk."""
    if not installed(case, "mutmut"):
        return False
    for folder in case.interpreter.path:
        for info in Path(folder).glob("mutmut-*.dist-info"):
            numbers = re.findall(r"\d+", info.name)[:2]
            return tuple(map(int, numbers)) >= OLDEST
    return False


def tests_of(case: Case, touched: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Files of tests that import what was touched, as the project has them; those of the targets first.

    They passed in this run, or the change brought them.
    """
    known = {row.nodeid.split("::", 1)[0] for row in _passing(case)}
    known |= {inside(case, p) for p in case.changed if p in case.files and _TEST.search(p)}
    texts = {path: read(case, path) for path in case.files if path.endswith(".py")}
    lines = [(path, line) for path, text in texts.items() for line in _IMPORT.findall(text)]
    imports = Imports(frozenset(texts), lines, case.place.import_roots)
    whole = f"{case.prefix}/" if case.prefix else ""
    reached = imports.reached(f"{whole}{path}" for path in touched)
    targets = {row.nodeid.split("::", 1)[0] for row in case.state.targets}
    chosen = {path for path in known if f"{whole}{path}" in reached} | (targets & known)
    return tuple(sorted(chosen, key=lambda p: (p not in targets, p)))


def _passing(case: Case) -> list[Any]:
    rows = case.state.tests.values()
    return [row for row in rows if row.outcome is not None and row.outcome.passed and not row.opened]


def prepare(case: Case, copy: Path, touched: Mapping[str, Sequence[str]], files: Sequence[str]) -> str:
    """Copy the project and tell mutmut there what to do; why that cannot be, or an empty text."""
    shutil.rmtree(copy.parent, ignore_errors=True)
    try:
        shutil.copytree(case.place.cwd, copy, symlinks=True, ignore=shutil.ignore_patterns(*_SKIPPED))
    except OSError as error:  # a pipe, a file without rights
        return f"the project cannot be copied: {cut(str(error), 160)}"
    tops = sorted({path.split("/", 1)[0] for path in touched})
    others = sorted(p.name for p in copy.iterdir() if p.name not in tops and p.name != "pyproject.toml")
    settings = {
        "source_paths": tops,
        "only_mutate": sorted(touched),
        "also_copy": others,
        "pytest_add_cli_args": _options(case, files),
        "pytest_add_cli_args_test_selection": list(files),
        "use_setproctitle": False,
        "use_git_change_detection": False,
    }
    rows = "".join(f"{key} = {_toml(value)}\n" for key, value in settings.items())
    file = copy / "pyproject.toml"
    there = content(copy, file.name, MOST)
    if there is None and (file.is_symlink() or file.exists()):
        return "pyproject.toml is a link, or too long: mutmut cannot be given settings there"
    text = f"{_OWN.sub('', (there or b'').decode('utf-8', 'replace'))}\n[tool.mutmut]\n{rows}"
    try:
        read = tomli.loads(text)["tool"]["mutmut"]
    except (ValueError, KeyError, TypeError, RecursionError):
        read = None
    if read != settings:
        return "pyproject.toml cannot be given settings for mutmut"
    file.unlink(missing_ok=True)
    file.write_text(text, encoding="utf-8")
    return ""


def _options(case: Case, files: Sequence[str]) -> list[str]:
    """What pytest is told: no tests but those known to pass."""
    options = ["-p", "no:cacheprovider"]
    if installed(case, "xdist"):
        options += ["-n", "0"]  # mutmut sees what runs in its own process
    passing = _passing(case)
    markers = {s.marker for row in passing if (s := case.settings.suites.get(row.suite)) is not None}
    if markers and all(markers):
        options += ["-m", " or ".join(f"({marker})" for marker in sorted(markers))]
    good = {row.nodeid for row in passing}
    others = {row.nodeid for row in case.state.tests.values() if not row.opened} - good
    return [*options, *(w for n in sorted(others) if n.split("::", 1)[0] in files for w in ("--deselect", n))]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # A text of JSON is one of TOML, too, but for characters beyond the first plane in its escaped form.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _run(case: Case, copy: Path, touched: Mapping[str, Sequence[str]]) -> tuple[Mapping[str, Any], str]:
    """The child's answer, and the last thing it said."""
    folder = copy.parent
    script, asked, written = folder / "mutate.py", folder / "asked.json", folder / "answer.json"
    shutil.copy2(_CHILD, script)
    wanted = {
        "copy": str(copy),
        "functions": touched,
        "most": MUTANTS,
        "seconds": SECONDS,
        "workers": min(WORKERS, os.cpu_count() or 1),
        "answer": str(written),
    }
    asked.write_text(json.dumps(wanted), encoding="utf-8")
    _, lines = case.confined([case.interpreter.executable, str(script), str(asked)], SECONDS + SPARE)
    said = cut(next((line for line in reversed(lines) if _SAYS.search(line)), lines[-1] if lines else ""), 200)
    return answer(case.scratch, str(written.relative_to(case.scratch))), said


_SAYS = re.compile(r"^(Stopping early|failed to|Failed to|FAILED|ERROR|E  )|Error\b")
_COUNTLESS = 1_000_000
_UNTESTED = "could not find any test case"


def judged(found: Mapping[str, Any], said: str, touched: Mapping[str, Sequence[str]]) -> Evidence:
    """The gate and the survivors, from what the child wrote down. Tests ran in it: it may have written anything."""
    functions = tuple(f"{path}: {', '.join(names)}" for path, names in touched.items())
    named, why = cut("; ".join(functions), 160), str(found.get("why", ""))
    if not found:
        return _skipped("missing-tool", f"mutmut gave no answer: {said or 'it was ended'}")
    if not found.get("chosen") and not why:
        return _skipped("n/a-surface", f"nothing to mutate in {named}")
    status = {name: str(word) for name, word in _mapping(found.get("status")).items()}
    killed, alive = (sum(word in words for word in status.values()) for words in (_KILLED, _ALIVE))
    total = found.get("all")
    if not isinstance(total, int) or not len(status) <= total < _COUNTLESS:
        total = len(status)
    score = Score(killed, alive, total, functions)
    if score.tried:
        facts = [
            Fact("survives" if status.get(name) == "survived" else "no test runs it", str(diff)[:1200])
            for name, diff in _mapping(found.get("shown")).items()
        ]
        holds = score.percent >= WANTED
        gate = Gate("mutation", GateStatus.PASS if holds else GateStatus.FAIL, "", str(score))
        return Evidence(gate, tuple(facts[:MOST_FACTS]))
    if _UNTESTED in said:
        gate = Gate("mutation", GateStatus.FAIL, "", f"mutation: 0 %, no test runs {named}")
        return Evidence(gate, (Fact("no test runs it", named),))
    if why == "time":
        return _skipped("bounded-by-policy", f"mutmut had tried nothing after {SECONDS} s")
    return _skipped("missing-tool", f"mutmut tried nothing: {said or cut(why, 160)}")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
