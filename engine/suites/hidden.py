"""What of this machine is not for tests: homes, keys, sockets. Looks at paths only; hides nothing itself."""

from __future__ import annotations

import functools
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

STATE = ".bitnet-tui"  # journals and other runs, in a repository that is shown
FOLDERS = ("/tmp", "/var/tmp", "/run", "/home", "/root")
KEYS = (
    *("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssl/private", "/etc/docker"),
    *("/etc/kubernetes", "/etc/krb5.keytab", "/etc/wireguard", "/etc/NetworkManager/system-connections"),
    *("/var/lib/docker", "/var/lib/kubelet", "/var/lib/containerd"),
)
HOME_KEYS = (
    *(".ssh", ".gnupg", ".aws", ".azure", ".config", ".docker", ".kube", ".netrc", ".npmrc", ".pypirc", ".pgpass"),
    *(".git-credentials", ".gitconfig", ".cargo/credentials.toml", ".password-store", ".local/share/keyrings", ".env"),
    *(".mozilla", ".thunderbird", ".bash_history", ".zsh_history", ".python_history"),
)
KERNEL = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr", "driver", "tty", "dynamic_debug")
GPUS = ("nvidia*", "dri", "kfd", "dxg", "nvhost*", "nvmap", "davinci*", "accel")


def homes() -> tuple[Path, ...]:
    """Where this user's own things are: by the password file, and by the environment."""
    found = [os.environ.get("HOME", "")]
    try:
        import pwd

        found.append(pwd.getpwuid(os.getuid()).pw_dir)
    except (ImportError, KeyError):
        pass
    real = (Path(os.path.realpath(p)) for p in found if p.startswith("/"))
    return tuple(dict.fromkeys(p for p in real if p.is_dir() and p != Path("/")))


def folders(shown: Iterable[Path]) -> tuple[Path, ...]:
    """Folders nothing in which is for tests but what is ``shown``: the outermost ones."""
    names = [*FOLDERS, tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", "/run")]
    real = {Path(os.path.realpath(p)) for p in names if os.path.isdir(p)} | set(homes())
    # What lies in a folder that has to be shown as a whole cannot be hidden that way: see `keys`.
    kept = {p for p in real if not any(p == s or s in p.parents for s in shown)} - {Path("/")}
    return tuple(sorted(p for p in kept if not kept.intersection(p.parents)))


def keys() -> tuple[Path, ...]:
    """Files and folders with secrets that this user could read, wherever their folder is shown."""
    named = [Path(p) for p in KEYS] + list(Path("/etc/ssh").glob("*_key"))
    named += [home / name for home in homes() for name in HOME_KEYS]
    return tuple(dict.fromkeys(Path(os.path.realpath(p)) for p in named if os.access(p, os.R_OK)))


def sockets() -> tuple[Path, ...]:
    """Sockets with a name that something listens on: a read-only mount does not keep anybody from connecting."""
    try:
        lines = Path("/proc/net/unix").read_text(encoding="utf-8", errors="surrogateescape").splitlines()[1:]
    except OSError:
        return ()
    rows = [words for line in lines if len(words := line.split(maxsplit=7)) == 8]
    named = {Path(row[7].strip()) for row in rows if row[7].startswith("/")}
    relative = {f"socket:[{row[6]}]": row[7].strip() for row in rows if row[7][:1] not in "/@"}
    return tuple(sorted(p for p in (*named, *_where(relative)) if _is_socket(p)))


def _where(relative: Mapping[str, str]) -> Iterator[Path]:
    """Where sockets lie that were bound by a relative name: in the folder their process is in, if it is there still."""
    if not relative:
        return
    for process in Path("/proc").glob("[0-9]*"):
        try:
            held = {os.readlink(fd) for fd in os.scandir(process / "fd")} & relative.keys()
            folder = Path(os.readlink(process / "cwd")) if held else process
        except OSError:  # it has gone, or is another's
            continue
        yield from (Path(os.path.realpath(folder / relative[name])) for name in held)


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def kernel() -> tuple[Path, ...]:
    """Where the kernel takes orders from root: the root of a namespace owns these files as the machine's does."""
    return () if os.geteuid() else tuple(p for name in KERNEL if (p := Path("/proc") / name).exists())


def gpus() -> tuple[Path, ...]:
    """Device files of accelerators."""
    return tuple(sorted(p for name in GPUS for p in Path("/dev").glob(name)))


def below(path: Path, tops: Iterable[Path]) -> bool:
    """Whether ``path`` lies inside one of ``tops``."""
    return any(top in path.parents for top in tops)


@functools.lru_cache(maxsize=16)  # a layout is looked at for every child and changes seldom
def shown(visible: tuple[Path, ...], hidden: tuple[Path, ...]) -> tuple[tuple[tuple[Path, str], ...], tuple[Path, ...]]:
    """What is visible although it lies in a hidden folder: links on the way there, and the outermost paths."""
    ways = [resolve(path) for path in visible]
    inside = {real for _, real in ways if below(real, hidden) and real.exists()}
    links = {link: to for found, _ in ways for link, to in found if below(link, hidden) and not below(link, inside)}
    return tuple(links.items()), tuple(sorted(path for path in inside if not below(path, inside)))


@functools.lru_cache(maxsize=16)
def parts(tops: tuple[Path, ...], closed: tuple[Path, ...]) -> tuple[Path, ...]:
    """What an allow-list has to name for ``tops`` without what is ``closed``; a top may lie in a closed folder."""
    return tuple(p for top in tops for p in whole(top, [c for c in closed if c == top or top in c.parents]))


def kernel_keys() -> bool:
    """Whether the kernel keeps keys for this user that a child would inherit."""
    try:
        lines = Path("/proc/keys").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(words[7:8] not in ([], ["keyring"]) for words in map(str.split, lines))


def whole(top: Path, apart: Sequence[Path]) -> list[Path]:
    """The largest parts of ``top`` that hold nothing of ``apart``: what an allow-list has to name."""
    if top in apart:
        return []
    if not any(top in p.parents for p in apart):
        return [top]
    try:
        inner = sorted(top.iterdir())
    except OSError:
        return []
    return [part for entry in inner if not entry.is_symlink() for part in whole(entry, apart)]


def resolve(path: Path) -> tuple[list[tuple[Path, str]], Path]:
    """Every link on the way to a path, with where it leads, and what the path really is."""
    links: list[tuple[Path, str]] = []
    here, left = Path("/"), list(path.parts[1:])
    while left and len(links) < 40:
        step = here / left[0]
        if left[0] == "..":
            here = here.parent
        elif step.is_symlink():
            target = os.readlink(step)
            links.append((step, target))
            here = Path("/") if target.startswith("/") else here
            left[1:1] = [part for part in target.split("/") if part not in ("", ".")]
        else:
            here = step
        del left[0]
    return links, here
