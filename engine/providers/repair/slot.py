"""One worker: a scratch copy and the warm processes in it. It knows how to start them, not what to ask them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.providers.repair.scratch import Scratch
from engine.providers.repair.task import RepairTask
from engine.providers.repair.zygote import Gone, Message, Zygote

START_AGAIN = 3


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a warm process says of itself once it has collected."""

    tests: tuple[str, ...]
    found: frozenset[int]
    errors: tuple[Message, ...]
    threads: int
    imported: Mapping[str, frozenset[int]]
    outside: tuple[str, ...]
    fork: bool


@dataclass(slots=True)
class Slot:
    """A scratch copy with up to two processes: one after collection, one before it.

    Attributes
    ----------
    tests, whole : what the processes collect; changed only together with a new start.
    """

    task: RepairTask
    scratch: Scratch
    tests: list[str]
    whole: list[str]
    late: Zygote | None = None
    early: Zygote | None = None
    preload: list[str] = field(default_factory=list)
    knowledge: Message | None = None
    restarts: int = 0

    @property
    def busy(self) -> Zygote | None:
        return next((z for z in (self.late, self.early) if z is not None and z.busy), None)

    def start(self, *, early: bool, trace_imports: bool = False) -> Zygote:
        """Start a process without waiting for it."""
        zygote = Zygote(
            self.scratch,
            tests=self.tests,
            whole=self.whole,
            editable=self.task.editable,
            early=early,
            trace_imports=trace_imports,
            preload=self.preload,
        )
        if early:
            self.early = zygote
        else:
            self.late = zygote
        return zygote

    def ready(self, *, early: bool, check: Callable[[], None]) -> Zygote:
        """The process of this kind, started and greeted if it is not there yet."""
        zygote = self.early if early else self.late
        if zygote is None:
            zygote = self.start(early=early)
            greet(zygote, check)
            if self.knowledge is not None:
                zygote.send(self.knowledge)
        return zygote

    def tell(self, knowledge: Message) -> None:
        """Pass on how tests usually end; a process started later learns it too."""
        self.knowledge = knowledge
        for zygote in (self.late, self.early):
            if zygote is not None:
                zygote.send(knowledge)

    def load(self, sources: Mapping[str, str], check: Callable[[], None]) -> None:
        """Make new sources the starting point: on disk, and in the memory of the process that has imported them."""
        self.scratch.write(dict(sources))
        if self.late is not None:
            self.late.send({"op": "load", "sources": dict(sources)})
            self.late.wait("done", check)

    def drop(self, *, late: bool = True, early: bool = True) -> None:
        """End processes; the next `ready` starts fresh ones."""
        if late and self.late is not None:
            self.late.close()
            self.late = None
        if early and self.early is not None:
            self.early.close()
            self.early = None

    def lost(self, zygote: Zygote) -> None:
        """A process died under a trial: forget it, and give up when that goes on."""
        self.restarts += 1
        said = zygote.said()
        self.drop(late=zygote is self.late, early=zygote is self.early)
        if self.restarts > START_AGAIN:
            raise Gone(said)


def greet(zygote: Zygote, check: Callable[[], None]) -> Greeting:
    """Wait for a process to be ready."""
    message: dict[str, Any] = next(m for m in zygote.wait("hello", check) if "hello" in m)
    return Greeting(
        tests=tuple(message["tests"]),
        found=frozenset(message["found"]),
        errors=tuple(message["errors"]),
        threads=message["threads"],
        imported=lines_of(message["imported"]),
        outside=tuple(message["outside"]),
        fork=message["fork"],
    )


def lines_of(raw: Mapping[str, Sequence[int]]) -> dict[str, frozenset[int]]:
    """Line coverage as it came over the wire."""
    return {name: frozenset(lines) for name, lines in raw.items()}
