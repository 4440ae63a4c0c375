"""Find the target's interpreter and ask it, once a run, what it is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EnvironmentFailure
from engine.suites.process import signal_group

PATIENCE = 30.0
"""Seconds an interpreter may take to say what it is; a cold one on a slow disk takes a few."""

_PROBE = Path(__file__).parent / "child" / "probe.py"
_BIN = ("bin/python", "Scripts/python.exe")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The target's Python as its own answers describe it."""

    executable: str
    version: str
    pytest: str
    prefixes: tuple[str, ...]
    userbase: str
    platform: str
    packages_sha256: str
    editable: tuple[str, ...]  # folders of the checkout it would import from
    compiled: bool  # its installed packages have their byte code
    path: tuple[str, ...] = ()  # files and folders it imports from


def find(project: Path, root: Path, named: str, environ: Mapping[str, str]) -> str:
    """Path of the interpreter: the named one, a ``.venv`` or ``venv`` of the project, the active one, ours.

    Raises
    ------
    EnvironmentFailure
        The named one does not exist.
    """
    if named:
        path = Path(named).expanduser()
        path = path if path.is_absolute() else project / path
        if not path.is_file():
            raise EnvironmentFailure(
                f"no interpreter at {path}", hint="set [python] interpreter to the project's python"
            )
        return str(path)
    folders = [base / name for base in (project, root) for name in (".venv", "venv")]
    if environ.get("VIRTUAL_ENV"):
        folders.append(Path(environ["VIRTUAL_ENV"]))
    for folder in folders:
        for tail in _BIN:
            if (folder / tail).is_file():
                return str(folder / tail)
    return sys.executable


def probe(executable: str, checkout: Path, env: Mapping[str, str]) -> Interpreter:
    """Start the interpreter and read its answers.

    Raises
    ------
    EnvironmentFailure
        It does not start, or has no pytest.
    """
    try:
        code, said, complaint = _ask([executable, str(_PROBE), str(checkout)], env)
        answer = json.loads(said.strip().splitlines()[-1]) if code == 0 else None
    except (OSError, ValueError, IndexError) as error:
        raise EnvironmentFailure(
            f"{executable} does not answer as a Python interpreter: {error}",
            hint="set [python] interpreter to the project's python",
        ) from error
    if answer is None:
        last = (complaint.strip().splitlines() or ["no output"])[-1]
        raise EnvironmentFailure(f"{executable} failed: {last}", hint="set [python] interpreter")
    if not answer["pytest"]:
        raise EnvironmentFailure(
            f"{executable} (Python {answer['version']}) has no pytest",
            hint=f"{executable} -m pip install pytest, or set [python] interpreter to the project's python",
        )
    return Interpreter(
        executable=executable,
        version=answer["version"],
        pytest=answer["pytest"],
        prefixes=tuple(sorted({answer["prefix"], answer["base_prefix"]})),
        userbase=answer["userbase"] or "",
        platform=answer["platform"],
        packages_sha256=answer["packages_sha256"],
        editable=tuple(answer["editable"]),
        compiled=answer["compiled"],
        path=tuple(answer["path"]),
    )


def _ask(argv: list[str], env: Mapping[str, str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a short child; where it does not answer, it and all it started are gone."""
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**env, "PYTHONDONTWRITEBYTECODE": "1"},  # the environment may lie in the user's checkout
        cwd=_PROBE.parent,
        start_new_session=True,
    )
    try:
        said, complaint = child.communicate(timeout=PATIENCE)
    except BaseException as error:
        signal_group(child.pid, signal.SIGKILL)
        child.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError(f"no answer in {PATIENCE:g} s") from error
        raise
    return child.returncode, said, complaint
