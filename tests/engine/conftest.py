"""Fixtures of the engine's tests: a lean interpreter, a repository, the command."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from support import CALC, Command, make_repo

LEAN = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


@pytest.fixture(scope="session")
def lean_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that has pytest and nothing else: what a stranger's project may look like."""
    folder = tmp_path_factory.mktemp("lean")
    venv.create(folder, symlinks=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    for name in LEAN:
        dist = importlib.metadata.distribution(name)
        for top in {Path(str(f)).parts[0] for f in dist.files or () if ".." not in str(f)} - {"__pycache__"}:
            # Copies: a child that is confined does not see where a link would lead.
            source = Path(str(dist.locate_file(top)))
            shutil.copytree(source, site / top) if source.is_dir() else shutil.copy2(source, site / top)
    return folder


@pytest.fixture
def repo(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    def make(files: Mapping[str, str] = CALC) -> Path:
        folder = tmp_path / "repo"
        folder.mkdir()
        return make_repo(folder, files)

    return make


@pytest.fixture
def command(lean_python: Path, tmp_path: Path) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    return Command(lean_python, home)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1.2 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("missing-tool: mounting a small file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
