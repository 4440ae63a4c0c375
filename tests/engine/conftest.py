"""Fixtures of the engine's tests: a lean interpreter, a repository, the command."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from support import CALC, Command, lean_environment, make_repo


@pytest.fixture(scope="session")
def lean_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lean_environment(tmp_path_factory.mktemp("lean"))


@pytest.fixture(scope="session")
def python_with_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with pytest-xdist."""
    pytest.importorskip("xdist", reason="missing-tool: pytest-xdist; `make test` installs it")
    return lean_environment(tmp_path_factory.mktemp("workers"), "pytest-xdist", "execnet")


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
