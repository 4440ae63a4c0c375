"""Trip-wires at work: planted in a fresh worktree of what is green, run once a suite, read for their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.model import TestResult
from engine.verify.tripwire import COPIES, Wire, canary, copy
from engine.workspace.area import Area, Refused

if TYPE_CHECKING:
    from engine.loop import Loop


TRIED = 8
"""Functions among which those to copy are looked for: each costs a look into git."""


@dataclass(frozen=True, slots=True)
class Tripped:
    """Reasons: why results are ``made_up``, and which targets check nothing, so that green is ``empty``."""

    made_up: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()


@dataclass(slots=True)
class Tripwires:
    """Of a tree that the acceptance rule has let pass."""

    loop: Loop
    tree: str

    def run(self) -> Tripped:
        """One short child a suite, and one more where its canary does not fail."""
        made_up: list[str] = []
        empty: list[str] = []
        targets: dict[str, list[str]] = {}
        for row in self.loop.state.targets:
            if "::" in row.nodeid:
                targets.setdefault(row.suite, []).append(row.nodeid)
        repository, snapshot = self.loop.plan.repository, self.loop.workshop.snapshot
        commit = repository.scratch_commit(self.tree, snapshot.commit)
        for suite, nodeids in targets.items():
            if self.loop.left_out(suite) is not None:
                continue
            bird, copies = self._wires(nodeids)
            if bird is None:
                continue
            said = self._planted(suite, commit, [bird, *copies.values()])
            # Where the project's own configuration does not let it fail, it says nothing.
            if not said[0] and self._planted(suite, snapshot.commit, [bird])[0]:
                made_up.append(f"suite {suite}: a planted test that must fail did not: its results say nothing")
            spoke = [nodeid for nodeid, word in zip(copies, said[1:], strict=True) if word]
            empty += [
                f"{nodeid} passes whatever it compares with: what it checks equals everything, or is read from the test"
                for nodeid in spoke
            ]
        return Tripped(tuple(made_up), tuple(empty))

    def _wires(self, nodeids: Sequence[str]) -> tuple[Wire | None, dict[str, Wire]]:
        """A canary beside the first target, and copies of a few, by target."""
        prefix = self.loop.plan.prefix
        base = prefix + "/" if prefix else ""
        taken = [path.removeprefix(base) for path in self.loop.files]  # as node ids have them
        known, copies = set(self.loop.files), dict[str, Wire]()
        functions = list({nodeid.split("[", 1)[0]: nodeid for nodeid in nodeids}.values())
        for nodeid in dict.fromkeys((functions[0], functions[-1], *functions[1:TRIED])):
            path = nodeid.split("::", 1)[0]
            if len(copies) == COPIES:
                break
            if base + path not in known:
                continue
            source = self.loop.plan.repository.blob(self.loop.workshop.snapshot.tree, base + path)
            wire = copy(nodeid, source.decode("utf-8", "replace"), taken)
            if wire is not None:
                copies[nodeid] = wire
                taken.append(wire.path)
        return canary(nodeids[0], taken), copies

    def _planted(self, suite: str, commit: str, wires: Sequence[Wire]) -> list[bool]:
        """Whether each said its word; where none can stand, none does."""
        loop = self.loop
        loop.checkpoint()
        place = loop.workshop.place("verify", commit, fresh=True)
        area = Area(place.cwd)
        try:
            for wire in wires:
                area.write(wire.path, wire.text.encode())
        except (Refused, OSError):
            return [False] * len(wires)  # tests that are links, or may not be written: nothing can be planted
        settings = loop.plan.config.suites[suite]
        report = loop.runner.report(suite, settings, place, only=[wire.nodeid for wire in wires])
        loop.plan.home.end_processes(loop.run)
        found = {result.nodeid: result for result in report.results}
        return [_said(found.get(wire.nodeid), wire.word) for wire in wires]


def _said(result: TestResult | None, word: str) -> bool:
    return result is not None and result.outcome.red and word in f"{result.message} {result.detail}"
