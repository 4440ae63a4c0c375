"""Small projects in temporary folders, and one call to run the repairer on them."""

import os
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from engine.providers.repair.locate import statements
from engine.providers.repair.search import search
from engine.providers.repair.source import Source
from engine.providers.repair.task import RepairTask
from engine.providers.repair.templates import TEMPLATES
from engine.providers.repair.view import View
from engine.providers.repair.words import Words


class Project:
    """A folder with sources and tests, and what pytest says about it."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.scratch = scratch
        self.events = []

    def file(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
        path.write_bytes(data)
        return self

    def task(self, failing, passing=(), **more):
        editable = [
            path.relative_to(self.root).as_posix()
            for path in sorted(self.root.rglob("*.py"))
            if "tests" not in path.parts and not path.name.startswith(("test_", "conftest"))
        ]
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
        # Our own environment is full of plug-ins these small projects do not need.
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        words = {
            "root": self.root,
            "cwd": self.root,
            "python": sys.executable,
            "env": env,
            "import_roots": (".",),
            "pytest_args": (),
            "failing": tuple(failing),
            "passing": tuple(passing),
            "editable": tuple(editable),
            "budget_s": 30.0,
            # Where pytest clears up, whatever becomes of this process.
            "scratch": self.scratch,
        }
        return RepairTask(**{**words, **more})

    def repair(self, failing, passing=(), *, cancelled=lambda: False, **more):
        before = self.picture()
        result = search(self.task(failing, passing, **more), progress=self.events.append, cancelled=cancelled)
        assert self.picture() == before, "the project itself must not change"
        return result

    def picture(self):
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }

    def apply(self, result):
        for name, text in result.files.items():
            (self.root / name).write_bytes(text.encode())

    def pytest(self, *args):
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def project(tmp_path, tmp_path_factory):
    return Project(tmp_path, tmp_path_factory.mktemp("scratch"))


@pytest.fixture
def proposals():
    """The whole text after each edit that the templates propose for its statements; no process is started."""

    def texts(text, *, first=0, **hints):
        source = Source("mod.py", text)
        words = Words(source, **hints)
        found = set()
        for node in statements(source):
            for template in TEMPLATES if node.lineno > first else ():
                for swap in template.propose(View(words, node)):
                    found.add(text[: swap.span[0]] + swap.text + text[swap.span[1] :])
        return found

    return texts


@pytest.fixture(scope="session")
def seeded():
    """Every seeded defect: name, right source, test, wrong source."""
    folder = Path(__file__).parent / "seeded"
    return {kind: runpy.run_path(str(folder / f"{kind}.py"))["CASES"] for kind in ("plain", "arrays", "fresh", "slips")}
