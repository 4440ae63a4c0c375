"""What keeps a child in its place: bubblewrap where it works. What is in force is said, never assumed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EnvironmentFailure

ALWAYS = ("scrubbed environment", "own process group", "deadlines", "private home and temp")


@dataclass(frozen=True, slots=True)
class Confinement:
    """How children are confined. An empty ``bwrap`` means: by the rest of ``protections`` only."""

    bwrap: str
    visible: tuple[Path, ...]  # read-only even where it lies in a hidden folder
    protections: tuple[str, ...]

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
        line += ["--ro-bind", "/", "/", "--tmpfs", "/tmp", "--proc", "/proc"]
        line += ["--dev-bind", "/dev", "/dev"] if devices else ["--dev", "/dev"]
        for path in self.visible:
            line += ["--ro-bind", str(path), str(path)]
        for path in writable:
            line += ["--bind", str(path), str(path)]
        return [*line, "--chdir", str(cwd), *argv]


def confine(mode: str, visible: Sequence[Path]) -> Confinement:
    """Choose what is possible here.

    Parameters
    ----------
    mode
        ``auto``, ``on`` (refuse to go without) or ``off``.
    visible
        The repository and the interpreter; shown read-only where they lie in ``/tmp``.

    Raises
    ------
    EnvironmentFailure
        ``on``, and bubblewrap is missing or may not be used here.
    """
    shown = tuple(p for p in dict.fromkeys(visible) if str(p).startswith("/tmp/") and p.exists())
    bwrap = shutil.which("bwrap") or ""
    works = bool(bwrap) and mode != "off" and _works(bwrap)
    if works:
        return Confinement(bwrap, shown, (*ALWAYS, "bubblewrap: no network, read-only outside worktree and temp"))
    if mode == "on":
        why = "bubblewrap may not create namespaces here" if bwrap else "bubblewrap (bwrap) is not installed"
        raise EnvironmentFailure(f'[sandbox] mode = "on", but {why}', hint='install it, or set mode = "auto"')
    return Confinement("", (), ALWAYS)


def _works(bwrap: str) -> bool:
    """Whether a trivial child can be confined: containers often forbid user namespaces."""
    argv = [bwrap, "--unshare-net", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"]
    try:
        return subprocess.run(argv, capture_output=True, timeout=5, env={"PATH": os.environ["PATH"]}).returncode == 0
    except (OSError, subprocess.TimeoutExpired, KeyError):
        return False
