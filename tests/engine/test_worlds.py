"""Versions of a file tried in forks of one child: each shows what it is, and what cannot be told is not told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support import make_repo

import engine.suites.worlds
from engine.cancel import CancelToken
from engine.config import Suite
from engine.suites.environment import scrubbed
from engine.suites.interpreter import probe
from engine.suites.runner import Place, SuiteRunner
from engine.suites.sandbox import Confinement
from engine.suites.worlds import World, tried

FAST = Suite(test_timeout_s=1, timeout_s=60)
TEST = "import m\n\n\ndef test_m():\n    assert m.f() == 2\n\n\ndef test_n():\n    pass\n"
Tell = Callable[..., list[str]]


@pytest.fixture
def tell(lean_python: Path, tmp_path: Path) -> Tell:
    """What each world shows of a test, in a word; ``more`` are files beside them."""

    def go(
        worlds: Sequence[World],
        *,
        name: str = "cpu",
        more: dict[str, str] | None = None,
        only: tuple[str, ...] = ("test_m.py::test_m",),
        seconds: float = 60,
    ) -> list[str]:
        worktree = tmp_path / "worktree"
        worktree.mkdir()
        make_repo(worktree, {"test_m.py": TEST, "m.py": "def f(): return 0\n"} | (more or {}))
        python = probe(str(lean_python / "bin" / "python"), tmp_path, scrubbed(os.environ))
        place = Place(worktree, tmp_path, "", tmp_path / "scratch", ("",), frozenset({"m.py"}))
        runner = SuiteRunner("r", python, Confinement("", (), ()), dict(os.environ), CancelToken())
        found = tried(runner, name, FAST, place, only, worlds, seconds)
        return ["unknown" if r is None else " ".join(str(t.outcome) for t in r) for r in found]

    return go


def of(*bodies: str) -> list[World]:
    return [{"m.py": body} for body in bodies]


def test_each_version_is_told_for_itself(tell: Tell) -> None:
    same_size = of("def f(): return 1\n", "def f(): return 2\n", "def f(): return 3\n", "def f(): return 2\n")
    assert tell([*same_size, {"m.py": None}]) == ["failed", "passed", "failed", "passed", "error"]


def test_a_version_that_ends_early_or_forges_its_word_is_not_told(tell: Tell) -> None:
    forged = (
        "import glob, json, os\ndef f():\n"
        "    for fd in range(3, 40):\n"
        '        line = json.dumps({"event": "ended", "nonce": "", "exit": 0, "foreign": [], "replaced": []})\n'
        "        try: os.write(fd, line.encode() + b'\\n')\n        except OSError: pass\n"
        "    os._exit(0)\n"
    )
    bodies = of("import os; os._exit(0)\n", "def f(): return 2\n", forged, "import time; time.sleep(600)\n")
    assert tell(bodies, seconds=8) == ["unknown", "passed", "unknown", "unknown"]


def test_only_what_was_asked_for_runs_and_the_first_red_test_ends_it(tell: Tell) -> None:
    bodies = of("def f(): return 1\n", "def f(): return 2\n")
    assert tell(bodies, only=("test_m.py::test_m", "test_m.py::test_n")) == ["failed", "passed passed"]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("gpu", {}),
        ("cpu", {"pytest.ini": "[pytest]\naddopts = -p early\n", "early.py": "import m\n"}),
    ],
    ids=["a device", "the project is a plug-in of its own"],
)
def test_where_forks_would_not_tell_nothing_is_told(tell: Tell, name: str, more: dict[str, str]) -> None:
    assert tell(of("def f(): return 1\n", "def f(): return 2\n"), name=name, more=more) == ["unknown", "unknown"]


def test_a_process_with_threads_or_with_the_project_in_it_is_not_forked(tmp_path: Path) -> None:
    lent = Path(engine.suites.worlds.__file__).parent / "child" / "bitnet_tui_worlds.py"
    (tmp_path / "early.py").write_text("")
    program = (
        "import importlib.util, sys, threading\n"
        f"spec = importlib.util.spec_from_file_location('worlds', {str(lent)!r})\n"
        "worlds = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(worlds)\n"
        f"print(worlds.why_not({str(tmp_path)!r}))\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\nimport early\nprint(worlds.why_not({str(tmp_path)!r}))\n"
        "threading.Thread(target=threading.Event().wait, args=(5,), daemon=True).start()\n"
        f"print(worlds.why_not({str(tmp_path)!r}))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "early has been imported", "there are 2 threads"]
