"""What keeps a child in its place: bubblewrap where it works. What is in force is said, never assumed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EnvironmentFailure

ALWAYS = (
    "scrubbed environment",
    "bounded files, no core dumps",
    "own process group",
    "deadlines",
    "private home and temp",
)
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True, slots=True)
class Confinement:
    """How children are confined. An empty ``bwrap`` means: by the rest of ``protections`` only."""

    bwrap: str
    visible: tuple[Path, ...]  # read-only even where it lies in a hidden folder
    protections: tuple[str, ...]
    hidden: str = "/tmp"  # a folder that shows nothing but what is visible or writable

    def wrap(
        self, argv: Sequence[str], *, writable: Sequence[Path], cwd: Path, devices: bool = False, pids: bool = True
    ) -> list[str]:
        """The command line that runs ``argv`` confined.

        Parameters
        ----------
        writable
            Folders the child may write: its worktree and its scratch.
        devices
            Show the machine's devices (a GPU suite needs them).
        pids
            Hide other processes; not for a child whose process numbers the engine must understand.
        """
        if not self.bwrap:
            return list(argv)
        line = [self.bwrap, "--die-with-parent", "--unshare-net", "--unshare-ipc"]
        line += ["--unshare-pid"] if pids else []
        line += ["--ro-bind", "/", "/", *(["--tmpfs", self.hidden] if self.hidden else []), "--proc", "/proc"]
        line += ["--dev-bind", "/dev", "/dev"] if devices else ["--dev", "/dev"]
        for path in self.visible:
            line += ["--ro-bind", str(path), str(path)]
        for path in writable:
            line += ["--bind", str(path), str(path)]
        return [*line, "--chdir", str(cwd), *argv]


def close_memory() -> bool:
    """Close this process's memory and environment (with the API key in it) to its children; whether that holds.

    Linux only, and not for root: its children may read everything. Survives no ``exec``, so children are as ever.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        refused = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (OSError, AttributeError):
        return False
    return not refused and os.geteuid() != 0


def confine(
    mode: str, visible: Sequence[Path], python: str, env: Mapping[str, str], *, required: str = ""
) -> Confinement:
    """Choose what is possible here, by trying it: the strongest under which ``python`` still finds its pytest.

    Parameters
    ----------
    mode
        ``auto`` or ``on``: where it works; ``off``: not at all.
    visible
        The repository and the interpreter; shown read-only where they lie in ``/tmp``.
    python, env
        The interpreter, known to have pytest, and the environment it runs in.
    required
        The setting that refuses to go without; empty: none does.

    Raises
    ------
    EnvironmentFailure
        It is required, and bubblewrap is missing or may not be used here.
    """
    always = (*ALWAYS, *(["memory of the engine closed to children"] if close_memory() else []))
    bwrap = shutil.which("bwrap") or ""
    if bwrap and mode != "off":
        shown = tuple(p for p in dict.fromkeys(visible) if str(p).startswith("/tmp/") and p.exists())
        rules = "bubblewrap: no network, read-only outside worktree and temp"
        strict = Confinement(bwrap, shown, (*always, rules))
        # Packages may be links into a folder of /tmp that nobody named.
        shared = Confinement(bwrap, (), (*always, f"{rules} (the interpreter needs /tmp: shown)"), hidden="")
        for candidate in (strict, shared):
            if _works(candidate, python, env):
                return candidate
    if required:
        why = "bubblewrap cannot run the project's python here" if bwrap else "bubblewrap (bwrap) is not installed"
        raise EnvironmentFailure(
            f"{required}, but {why}", hint="install it where it may be used, or change the setting"
        )
    return Confinement("", (), (*always, "not confined: tests see the network and this machine's files"))


def _works(confinement: Confinement, python: str, env: Mapping[str, str]) -> bool:
    """Whether the interpreter runs confined: containers often forbid user namespaces."""
    argv = confinement.wrap([python, "-c", "import pytest"], writable=(), cwd=Path("/"))
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            env={**env, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
