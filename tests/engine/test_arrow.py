"""The arrow between the packages, as a fresh interpreter sees it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"textual", "anthropic", "numpy", "cupy", "kernels"}


def loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["engine.run", "engine.headless", "engine.attempt", "engine.providers.scripted", "engine.providers.anthropic"],
)
def test_the_engine_loads_no_front_end_no_kernels_no_sdk(module: str) -> None:
    assert not loaded(f"import {module}") & (HEAVY | {"tui"})


def test_help_loads_next_to_nothing() -> None:
    code = (
        "import tui.cli, contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): tui.cli.main(['--help'])"
    )
    assert not loaded(code) & (HEAVY | {"git", "engine.loop", "msgspec", "pathspec", "yaml"})


def test_the_kernels_load_neither_engine_nor_front_end() -> None:
    assert not loaded("import kernels") & {"engine", "tui", "textual", "anthropic"}
