"""Trip-wires at work: two short children a suite over what the acceptance rule has let pass.

Both run every target once more: first in another order beside a canary and twins, then in order, with nothing in the
environment that names the test, beside armed copies.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.model import Advisory, TestReport, TestResult
from engine.suites.runner import PLAIN, Manner
from engine.verify.armed import copy
from engine.verify.tripwire import SORTED, Wire, canary, twin
from engine.workspace.area import Area, Refused

if TYPE_CHECKING:
    from engine.loop import Loop


ONCE, ORDER = "ONCE", "ORDER"
"""Advisories: a target passes once in a process; a target passes in one order."""

TRIED = 12
"""Functions among which those to copy are looked for: each costs a look into git."""

COPIES = 4
"""Targets of a suite that are copied."""

SHARE = 0.25
"""Copies may cost so much of what the targets cost, beside the first of them."""


@dataclass(slots=True)
class Tripped:
    """What the wires say.

    Attributes
    ----------
    made_up : why results say nothing.
    empty : targets that check nothing, or pass only because they are known.
    flaky : targets that passed once and then did not.
    notes : what a reviewer should know; it decides nothing.
    """

    made_up: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    flaky: list[str] = field(default_factory=list)
    notes: list[Advisory] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Planted:
    """Wires of a suite, copies and twins by the target they were made from."""

    canary: Wire | None
    copies: dict[str, Wire]
    twins: dict[str, Wire]


@dataclass(slots=True)
class Tripwires:
    """Of a tree that the acceptance rule has let pass; ``changed`` are the files of the change."""

    loop: Loop
    tree: str
    changed: Sequence[str]
    _said: Tripped = field(default_factory=Tripped)

    def run(self) -> Tripped:
        """Two short children a suite; more only where something does not hold."""
        targets: dict[str, list[str]] = {}
        for row in self.loop.state.targets:
            targets.setdefault(row.suite, []).append(row.nodeid)
        for suite, nodeids in targets.items():
            if self.loop.left_out(suite) is None:
                planted = self._wires([n for n in nodeids if "::" in n])
                self._mixed(suite, nodeids, planted)
                self._armed(suite, nodeids, planted)
        return self._said

    # -- the two children ---------------------------------------------------------------------------------------------

    def _mixed(self, suite: str, nodeids: Sequence[str], planted: _Planted) -> None:
        """Another order, a canary that must fail, twins that must pass."""
        seed = secrets.randbelow(2**31) + 1
        wires = [*([planted.canary] if planted.canary else []), *planted.twins.values()]
        report = self._child(suite, self.tree, wires, nodeids, Manner(seed=seed))
        if report is None:
            return
        if planted.canary is not None and not _spoke(report, planted.canary):
            # Where the project's own configuration does not let it fail, it says nothing.
            base = self._child(suite, self.loop.workshop.snapshot.tree, [planted.canary], ())
            if base is not None and _spoke(base, planted.canary):
                self._said.made_up.append(
                    f"suite {suite}: a planted test that must fail did not: its results say nothing"
                )
        fallen = [t for t, wire in planted.twins.items() if _ran(report, wire.nodeid) and not _passes(report, wire)]
        if fallen:
            self._fallen(suite, fallen, planted)
        red = _red(report, nodeids)
        if not red:
            return
        path = red[0].split("::", 1)[0]
        alone = self._child(suite, self.tree, (), nodeids, Manner(seed=seed))
        if alone is None or _red(alone, nodeids):
            self._note(ORDER, f"{red[0]} passes in the order of its file and fails in another", path)
        else:
            self._note(ONCE, f"{red[0]} fails where a copy of it has run before", path)

    def _fallen(self, suite: str, fallen: Sequence[str], planted: _Planted) -> None:
        """Twins that did not pass: by themselves once more, since a test may honestly run once in a process only."""
        wires = [planted.twins[t] for t in fallen]
        report = self._child(suite, self.tree, wires, ())
        alone = self._child(suite, self.tree, (), fallen)
        leaning = set(_red(alone, fallen)) if alone is not None else set(fallen)
        for target, wire in zip(fallen, wires, strict=True):
            if target in leaning:
                self._note(ORDER, f"{target} passes only after others of its file", target.split("::", 1)[0])
            elif report is not None and _ran(report, wire.nodeid) and not _passes(report, wire):
                self._said.empty.append(f"{target} passes under its own name and fails under another")
            else:
                self._note(ONCE, f"{target} passes once in a process and not a second time", target.split("::", 1)[0])

    def _armed(self, suite: str, nodeids: Sequence[str], planted: _Planted) -> None:
        """In order, unnamed, beside copies that compare with something else first."""
        report = self._child(suite, self.tree, list(planted.copies.values()), nodeids, Manner(unnamed=True))
        if report is None:
            return
        for target, wire in planted.copies.items():
            if _spoke(report, wire):
                why = "what it checks equals everything, or is read from the test"
                self._said.empty.append(f"{target} passes whatever it compares with: {why}")
        red = _red(report, nodeids)
        if not red:
            return
        again = self._child(suite, self.tree, (), nodeids)
        if again is None or _red(again, nodeids):
            self._said.flaky += [f"{n} passed once and then did not: it is flaky" for n in red]
            return
        third = self._child(suite, self.tree, (), nodeids, Manner(unnamed=True))
        if third is not None and _red(third, nodeids):
            self._said.empty.append(f"{red[0]} passes only while the environment names the test")
        else:
            self._note(ONCE, f"{red[0]} fails beside a copy of itself", red[0].split("::", 1)[0])

    def _note(self, code: str, text: str, path: str) -> None:
        self._said.notes.append(Advisory(code, text, path))

    # -- wires --------------------------------------------------------------------------------------------------------

    def _wires(self, nodeids: Sequence[str]) -> _Planted:
        """A canary beside the first target, and copies and twins of a few."""
        if not nodeids:
            return _Planted(None, {}, {})
        prefix = self.loop.plan.prefix
        base = prefix + "/" if prefix else ""
        taken = [path.removeprefix(base) for path in self.loop.files]  # as node ids have them
        known, copies, twins = set(self.loop.files), dict[str, Wire](), dict[str, Wire]()
        named = self._named()
        for nodeid in self._chosen(nodeids):
            path = nodeid.split("::", 1)[0]
            if base + path not in known:
                continue
            blob = self.loop.plan.repository.blob(self.loop.workshop.snapshot.tree, base + path)
            source = blob.decode("utf-8", "replace")
            for made, by in ((copy(nodeid, source, taken, self.changed), copies), (twin(nodeid, source, taken), twins)):
                if made is not None and len(by) < COPIES and not (by is twins and named):
                    by[nodeid] = made
                    taken.append(made.path)
        return _Planted(canary(nodeids[0], taken), copies, twins)

    def _named(self) -> bool:
        """Whether a conftest treats tests by their names: then a twin is another test."""
        repository, tree = self.loop.plan.repository, self.loop.workshop.snapshot.tree
        texts = (repository.blob(tree, p) for p in self.loop.files if p.rsplit("/", 1)[-1] == "conftest.py")
        return any(SORTED.search(text.decode("utf-8", "replace")) for text in texts)

    def _chosen(self, nodeids: Sequence[str]) -> list[str]:
        """One of each function, first and last before the rest, as long as they cost little."""
        seconds = {row.nodeid: row.latest.seconds for row in self.loop.state.targets if row.latest is not None}
        functions = list({nodeid.split("[", 1)[0]: nodeid for nodeid in nodeids}.values())
        left = SHARE * sum(seconds.get(n, 0.0) for n in nodeids) + 0.5
        chosen: list[str] = []
        for nodeid in dict.fromkeys((functions[0], functions[-1], *functions[1:TRIED])):
            left -= seconds.get(nodeid, 0.0)
            if left > 0 or not chosen:
                chosen.append(nodeid)
        return chosen

    def _child(
        self, suite: str, tree: str, wires: Sequence[Wire], nodeids: Sequence[str], manner: Manner | None = None
    ) -> TestReport | None:
        """A fresh worktree with the wires in it, and what they and the targets do; None where none can stand."""
        loop = self.loop
        loop.checkpoint()
        commit = loop.plan.repository.scratch_commit(tree, loop.workshop.snapshot.commit)
        place = loop.workshop.place("verify", commit, fresh=True)
        area = Area(place.cwd)
        try:
            for wire in wires:
                area.write(wire.path, wire.text.encode("utf-8", "surrogateescape"))
        except (Refused, OSError):  # tests that are links, or may not be written: nothing can be planted
            wires = ()
        only = [*nodeids, *(wire.nodeid for wire in wires)]
        if not only:
            return None
        settings = loop.plan.config.suites[suite]
        report = loop.runner.report(suite, settings, place, only=only, manner=manner or PLAIN)
        loop.plan.home.end_processes(loop.run)
        return report


def _result(report: TestReport, nodeid: str) -> TestResult | None:
    return next((r for r in report.results if r.nodeid == nodeid), None)


def _ran(report: TestReport, nodeid: str) -> bool:
    return _result(report, nodeid) is not None


def _passes(report: TestReport, wire: Wire) -> bool:
    result = _result(report, wire.nodeid)
    return result is not None and not result.outcome.red


def _spoke(report: TestReport, wire: Wire) -> bool:
    """Whether a wire said its word."""
    result = _result(report, wire.nodeid)
    return result is not None and result.outcome.red and wire.word in f"{result.message} {result.detail}"


def _red(report: TestReport, nodeids: Sequence[str]) -> list[str]:
    """Targets that ran and did not pass; of a file that could not be collected, what is in it."""
    wanted = set(nodeids)
    inside = {n for n in wanted if "::" not in n}
    return [
        r.nodeid
        for r in report.results
        if r.outcome.red and (r.nodeid in wanted or r.nodeid.split("::", 1)[0] in inside)
    ]
