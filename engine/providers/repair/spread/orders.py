"""What goes to a worker: nouns that can be pickled, without a clock, a socket or a secret in them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.providers.repair.task import RepairTask
from engine.providers.repair.zygote import Message

if TYPE_CHECKING:
    from engine.suites.sandbox import Confinement


@dataclass(frozen=True, slots=True)
class Order:
    """The part of a task that a worker needs.

    Attributes
    ----------
    machine : which one asks.
    run : what everything of this search is known by.
    root : where the project lies on the machine that asks; paths below it mean something else on a worker.
    cwd : where pytest runs, relative to the root.
    sealed : candidates are confined on the machine that asks, so they have to be on a worker too.
    scratch : the search's own folder for copies, on the machine that asks; empty: it has none.
    """

    machine: str
    run: str
    root: str
    cwd: str
    python: str
    env: Mapping[str, str]
    import_roots: tuple[str, ...]
    pytest_args: tuple[str, ...]
    editable: tuple[str, ...]
    test_timeout_s: float
    patience: float
    confinement: Confinement | None
    scratch: str = ""

    @property
    def sealed(self) -> bool:
        return self.confinement is not None and self.confinement.seals

    @property
    def here(self) -> Path | None:
        """Where copies go, so that who cleans up after the search finds them; None: the system's temporary folder."""
        near = self.machine == this_machine() and self.scratch and Path(self.scratch).is_dir()
        return Path(self.scratch) if near else None


@dataclass(frozen=True, slots=True)
class Standing:
    """What every trial starts from.

    Attributes
    ----------
    number : grows with every change.
    epoch : grows where processes have to import the project anew.
    sources : texts of the files that differ from the parcel.
    """

    number: int
    epoch: int
    sources: Mapping[str, str]
    keys: tuple[str, ...]
    whole: tuple[str, ...]
    preload: tuple[str, ...]
    knowledge: Message | None
    sentinels: tuple[int, ...]


def this_machine() -> str:
    """A name no other machine, and no other container, has while this one runs."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()} {boot}"


def order_of(task: RepairTask, run: str, patience: float) -> Order:
    """What a worker has to know of a task."""
    root = task.root.resolve()
    return Order(
        this_machine(),
        run,
        str(root),
        task.cwd.resolve().relative_to(root).as_posix(),
        task.python,
        dict(task.env),
        task.import_roots,
        task.pytest_args,
        task.editable,
        task.test_timeout_s,
        patience,
        task.confinement,
        str(task.scratch or ""),
    )


def task_of(order: Order, root: Path, scratch: Path) -> RepairTask:
    """The task as a worker has it: its own copy, its own scratch."""
    here = str(root)
    env = dict(order.env)
    for name, value in env.items():
        env[name] = value.replace(order.root, here)
    return RepairTask(
        root=root,
        cwd=root / order.cwd,
        python=order.python,
        env=env,
        import_roots=order.import_roots,
        pytest_args=order.pytest_args,
        failing=(),
        passing=(),
        editable=order.editable,
        workers=1,
        test_timeout_s=order.test_timeout_s,
        scratch=scratch,
        confine=_confine(order, env),
    )


def _confine(order: Order, env: Mapping[str, str]) -> Callable[[Sequence[str], Path, Path], list[str]] | None:
    """How this machine confines candidates: chosen anew where it is not the one that asks."""
    asked = order.confinement
    if asked is None:
        return None
    if order.machine == this_machine():
        return lambda argv, writable, cwd: asked.wrap(argv, writable=(writable,), cwd=cwd)
    from engine.errors import EnvironmentFailure
    from engine.suites.sandbox import confine

    visible = [path for path in asked.visible if path.exists()]
    found = confine("auto" if order.sealed else "off", visible, order.python, env, limits=asked.limits)
    if order.sealed and not found.seals:
        raise EnvironmentFailure(
            "a Dask worker cannot confine candidates, as this machine does",
            hint="install bubblewrap there, or clear [repair] scheduler",
        )

    def line(argv: Sequence[str], writable: Path, cwd: Path) -> list[str]:
        return found.wrap(argv, writable=(writable,), cwd=cwd)

    return line
