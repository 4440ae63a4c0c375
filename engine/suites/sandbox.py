"""What keeps a child in its place: bubblewrap where it works, else Landlock. What is in force is said, never assumed.

Every child is started by ``child/warden.py``, which sets its limits and watches it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.errors import EnvironmentFailure
from engine.suites import hidden
from engine.suites.limits import Limits

ALWAYS = ("scrubbed environment", "own process group", "deadlines", "private home and temp")
OLDEST_LANDLOCK = 2  # before, no file could be moved to another folder
SCOPES = 6  # the version of Landlock that keeps signals and abstract sockets inside
TEMP = "/tmp"
TEMP_BYTES = 1 << 30  # room in /tmp; TMPDIR lies elsewhere, on disk
_DEVICES = ("null", "zero", "full", "random", "urandom", "shm")  # for Landlock; bubblewrap makes its own
_WARDEN = (Path(__file__).parent / "child" / "warden.py").read_text(encoding="utf-8")
_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36


@dataclass(frozen=True, slots=True)
class Confinement:
    """How children are confined. Without ``bwrap`` and ``landlock``: by the rest of ``protections`` only."""

    bwrap: str
    visible: tuple[Path, ...]  # read-only, also where they lie in a hidden folder
    protections: tuple[str, ...]
    hidden: tuple[Path, ...] = ()  # folders that show nothing but what is visible or writable
    masked: tuple[Path, ...] = ()  # keys elsewhere
    apart: tuple[str, ...] = ()  # bubblewrap's options for namespaces and capabilities
    room: tuple[str, ...] = ()  # and for the size of a file system in memory
    landlock: int = 0  # version; 0: not used
    python: str = ""  # runs the warden; empty: there is none
    limits: Limits = field(default_factory=Limits)

    @property
    def seals(self) -> bool:
        """Whether it keeps a child from writing where it may not."""
        return bool(self.bwrap or self.landlock)

    def wrap(
        self,
        argv: Sequence[str],
        *,
        writable: Sequence[Path],
        cwd: Path,
        devices: bool = False,
        readable: Sequence[Path] = (),
    ) -> list[str]:
        """The command line that runs ``argv`` confined and watched.

        Parameters
        ----------
        writable
            Folders the child may write: its worktree and its scratch.
        devices
            Show the machine's accelerators (a GPU suite needs them).
        readable
            Folders the child may read and not write, also where they lie in a hidden one.
        """
        gpus = hidden.gpus() if devices else ()
        line = self._watched(argv, writable, gpus, readable) if self.python else list(argv)
        if not self.bwrap:
            return line
        seen = (word for path in readable for word in ("--ro-bind", str(path), str(path)))
        mounts = [*self._mounts(gpus), *seen, *(word for path in writable for word in ("--bind", str(path), str(path)))]
        sealed = [word for path in self.hidden if str(path) != TEMP for word in ("--remount-ro", str(path))]
        return [
            *(self.bwrap, "--die-with-parent", *self.apart, "--ro-bind", "/", "/"),
            *(*mounts, *sealed, "--chdir", str(cwd), *line),
        ]

    def _mounts(self, gpus: Sequence[Path]) -> Iterator[str]:
        """Folders and files that are not as they are outside, in the order in which they cover each other."""
        for path in self.hidden:
            yield from (*(self.room if str(path) == TEMP else ()), "--tmpfs", str(path))
        yield from ("--proc", "/proc", "--dev", "/dev")
        for path in hidden.kernel():
            yield from ("--ro-bind", str(path), str(path))
        if self.room and self.limits.memory_mb:
            yield from ("--size", str(self.limits.memory_mb << 19), "--tmpfs", "/dev/shm")
        for path in gpus:
            yield from ("--dev-bind", str(path), str(path))
        links, shown = hidden.shown(self.visible, self.hidden)
        for path in shown:
            yield from ("--ro-bind-try", str(path), str(path))
        for link, target in links:
            yield from ("--symlink", target, str(link))
        for path in (*self._private(), *self._masked(shown)):
            yield from ("--tmpfs", str(path)) if path.is_dir() else ("--ro-bind", "/dev/null", str(path))

    def _private(self) -> list[Path]:
        """Records of runs in repositories that are shown."""
        states = {Path(os.path.realpath(path)) / hidden.STATE for path in self.visible}
        return sorted(path for path in states if path.is_dir())

    def _masked(self, shown: Sequence[Path]) -> list[Path]:
        """Keys, and sockets that something listens on now: what has gone cannot be covered."""
        private = self._private()
        there = [p for p in (*self.masked, *hidden.sockets()) if p.exists() and not hidden.below(p, private)]
        return [p for p in there if hidden.below(p, shown) or not hidden.below(p, self.hidden)]

    def _watched(
        self, argv: Sequence[str], writable: Sequence[Path], gpus: Sequence[Path], readable: Sequence[Path]
    ) -> list[str]:
        limits = self.limits
        given = {
            "memory_mb": limits.memory_mb,
            "processes": limits.processes,
            "disk_mb": limits.disk_mb,
            "file_mb": limits.file_mb,
            "cpu_s": limits.cpu_s,
            "folders": [str(p) for p in writable],
            "alone": bool(self.bwrap),
            "engine": os.getpid(),
            "keys": hidden.kernel_keys(),
            "landlock": self.landlock,
            **(self._rules(writable, gpus, readable) if self.landlock else {}),
        }
        return [self.python, "-I", "-S", "-c", f"{_WARDEN}\nmain({given!r}, sys.argv[1:])", *argv]

    def _rules(self, writable: Sequence[Path], gpus: Sequence[Path], readable: Sequence[Path]) -> dict[str, list[str]]:
        """What Landlock has to name: it allows whole trees, and what it does not allow is refused."""
        closed = (*self.hidden, *self.masked, *self._private(), Path("/dev"))
        tops = (Path("/"), *hidden.shown(self.visible, self.hidden)[1])
        devices = [Path("/dev") / name for name in _DEVICES]
        return {
            "readable": [str(p) for p in (*hidden.parts(tops, closed), *readable)],
            "writable": [str(p) for p in (*writable, *devices, *(gpus or hidden.gpus()))],
        }


def close_memory() -> bool:
    """Close this process's memory and environment (with the API key in it) to its children; whether that holds.

    Linux only, and not for root: its children may read everything. Survives no ``exec``, so children are as ever.
    """
    return _prctl(_PR_SET_DUMPABLE, 0) and os.geteuid() != 0


def keep_orphans() -> bool:
    """Make orphans of this process's children its own (Linux), so that none is out of reach; whether that holds."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(what: int, value: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        return not ctypes.CDLL(None, use_errno=True).prctl(what, value, 0, 0, 0)
    except (OSError, AttributeError):
        return False


def landlock_version() -> int:
    """The version of Landlock this kernel has; 0: none, or one that is too old."""
    if not sys.platform.startswith("linux") or platform.machine() not in ("x86_64", "aarch64", "riscv64"):
        return 0
    try:
        version = int(ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1))
    except (OSError, AttributeError):
        return 0
    return version if version >= OLDEST_LANDLOCK else 0


def confine(
    mode: str,
    visible: Sequence[Path],
    python: str,
    env: Mapping[str, str],
    *,
    limits: Limits,
    required: str = "",
) -> Confinement:
    """Choose what is possible here, by trying it: the strongest under which ``python`` still finds its pytest.

    Parameters
    ----------
    mode
        ``auto`` or ``on``: where it works; ``off``: not at all.
    visible
        The repository, the interpreter and what they need; shown read-only where they lie in a hidden folder.
    python, env
        The interpreter, which has a pytest, and the environment it runs in.
    required
        The setting that refuses to go without a sandbox that cuts the network; empty: none does.

    Raises
    ------
    EnvironmentFailure
        It is required, and bubblewrap is missing or may not be used here; or pytest cannot be imported at all.
    """
    keep_orphans()
    if not sys.platform.startswith("linux"):
        limits = replace(limits, memory_mb=0, processes=0, disk_mb=0)  # nobody watches there
    bwrap = shutil.which("bwrap") or ""
    plain = Confinement("", tuple(dict.fromkeys(visible)), (), python=python, limits=limits)
    failed = ""
    for candidate in _candidates(plain, bwrap, mode):
        if required and not candidate.bwrap:
            break
        failed = _failure(candidate, python, env)
        if not failed:
            return replace(candidate, protections=_words(candidate))
    if required:
        why = f"bubblewrap cannot run the project's python here ({failed})" if bwrap else _NO_BWRAP
        rest = "; Landlock would confine files here, but not the network" if landlock_version() else ""
        raise EnvironmentFailure(
            f"{required}, but {why}{rest}", hint="install it where it may be used, or change the setting"
        )
    bare = replace(plain, python="", limits=Limits())
    if broken := _failure(bare, python, env):
        raise EnvironmentFailure(
            f"{python} cannot import its pytest: {broken}",
            hint=f"{python} -m pip install --force-reinstall pytest, or set [python] interpreter",
        )
    return replace(bare, protections=(*_words(bare), f"limits are not in force: {failed}"))


_NO_BWRAP = "bubblewrap (bwrap) is not installed"


def _candidates(plain: Confinement, bwrap: str, mode: str) -> Iterator[Confinement]:
    """Ways to confine, the strongest first; the last one is none."""
    if mode != "off":
        masked = hidden.keys()
        strict = replace(plain, hidden=hidden.folders(plain.visible), masked=masked)
        if bwrap:
            known = _options(bwrap)
            sealed = replace(
                strict, bwrap=bwrap, room=("--perms", "1777", "--size", str(TEMP_BYTES)) if "--size" in known else ()
            )
            # Packages may be links into a hidden folder that nobody named.
            for shape in (sealed, replace(sealed, hidden=tuple(p for p in sealed.hidden if str(p) == "/run"))):
                yield from (replace(shape, apart=apart) for apart in _apart(known))
        if version := landlock_version():
            yield replace(strict, landlock=version)
    yield plain


def _options(bwrap: str) -> frozenset[str]:
    """The options this version of bubblewrap knows."""
    try:
        said = subprocess.run([bwrap, "--help"], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    return frozenset(re.findall(r"--[a-z0-9-]+", said.stdout + said.stderr))


def _apart(known: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Options that set a child apart, the strictest first. The session is new already: `start_new_session`."""
    base = ["--unshare-net", "--unshare-ipc", "--unshare-pid", "--as-pid-1", "--unshare-uts", "--unshare-cgroup-try"]
    base += ["--cap-drop", "ALL"] if os.geteuid() == 0 else []  # anybody else has none in there
    if "--disable-userns" in known:
        yield ("--unshare-user", "--disable-userns", *base)
    yield ("--unshare-user", *base)
    yield tuple(base)
    if os.geteuid() == 0:
        yield (*base, "--cap-add", "CAP_DAC_OVERRIDE")  # root, and the project is another user's


def _failure(confinement: Confinement, python: str, env: Mapping[str, str]) -> str:
    """Why the interpreter does not run confined (containers often forbid user namespaces); empty if it does."""
    argv = confinement.wrap([python, "-c", "import pytest"], writable=(), cwd=Path("/"))
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            env={**env, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return (lines or [f"exit {done.returncode}"])[-1][:200] if done.returncode else ""


def _words(chosen: Confinement) -> tuple[str, ...]:
    """The protections in force, and what is not."""
    limits = chosen.limits
    words = [*ALWAYS, "bounded files, no core dumps" if limits.file_mb else "no core dumps", limits.words]
    if close_memory() or chosen.bwrap or chosen.landlock:
        words.append("memory of the engine closed to children")
    if chosen.bwrap:
        words.append("bubblewrap: no network, read-only outside worktree and temp")
        everything = any(str(p) == TEMP for p in chosen.hidden)
        words.append("home, keys and sockets hidden" if everything else "keys and sockets hidden")
        if not everything:
            words.append(f"the interpreter needs files of home or {TEMP}: shown")
        if "--disable-userns" not in chosen.apart:
            words.append("user namespaces are open in there")
        if "CAP_DAC_OVERRIDE" in chosen.apart:
            words.append("root in there reads what only others may")
    elif chosen.landlock:
        words.append(f"Landlock {chosen.landlock}: writes only in worktree and temp; home, keys and {TEMP} unreadable")
        open_ = ["network", "named sockets", "command lines of other processes"]
        open_ += ["System V memory and queues", "user namespaces"]
        open_ += [] if chosen.landlock >= SCOPES else ["signals", "abstract sockets"]
        open_ += [] if chosen.landlock >= 3 else ["emptying files"]
        words.append(f"NOT cut without bubblewrap: {', '.join(open_)}")
    else:
        words.append("not confined: tests see the network and this machine's files")
    return tuple(words)
