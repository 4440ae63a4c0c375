"""The red audit: every suite twice before any edit, and what is always red once more by itself."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine import events as ev
from engine.model import Advisory, Label, Purpose, Step, Unfit
from engine.suites.layout import witness_files
from engine.suites.runner import Manner, Place
from engine.verify import baseline
from engine.verify.contradiction import contradictions
from engine.verify.environment import Surroundings, missing

if TYPE_CHECKING:
    from engine.loop import Loop

READ = 200
"""Test files that are read for contradictions."""


@dataclass(frozen=True, slots=True)
class Auditing:
    """Finds out, for a loop, which tests a change is to mend and what the others are to stay."""

    loop: Loop

    def make(self) -> None:
        """Every suite at least twice before any edit, what is always red once more without the rest."""
        loop = self.loop
        rounds = loop.plan.config.audit.rounds
        if loop.state.audit is None:
            place = loop.workshop.place("work", loop.workshop.snapshot.commit, fresh=True)
            for number in range(1, rounds + 1):
                loop.emit(ev.StepStarted(Step.ANALYZE, 0, f"red audit, round {number} of {rounds}"))
                self._round(place, number)
                baseline.require_runnable(loop.state, loop.plan.suites, self._links_away())
            found = self._audited(place)
            for advisory in self._contradictions(found.targets):
                if advisory not in loop.state.advisories:
                    loop.emit(ev.AdvisoryRaised(advisory))
            loop.emit(found)  # last: what comes after it is not done again
            loop.emit(ev.StepFinished(Step.ANALYZE))
        nodeids = [row.nodeid for row in loop.state.tests.values()]
        self._meet(nodeids)
        loop.protect(nodeids)
        optional = [n for n in loop.plan.suites if loop.plan.config.suites[n].optional]
        loop.baseline = baseline.from_state(loop.state, optional)

    def _audited(self, place: Place) -> ev.AuditFinished:
        """Every test with its label; the reds that are no targets, with the reason."""
        loop = self.loop
        found = baseline.labels(loop.state)
        red = baseline.choose_targets(found, self._asked())
        unfit = self._environment_broken([k for k, label in found.items() if label is Label.RED], place)
        red = tuple(k for k in red if k not in {u.key for u in unfit})
        self._alone(red)
        unfit += baseline.order_dependent(loop.state, red)
        found |= {u.key: u.label for u in unfit}
        targets = tuple(k for k in red if found[k] is not Label.ORDER)
        flaky = tuple(k for k, label in found.items() if label is Label.FLAKY)
        counts = {str(label): sum(x is label for x in found.values()) for label in Label}
        return ev.AuditFinished(targets, flaky, {k: n for k, n in counts.items() if n}, tuple(unfit))

    def _asked(self) -> list[str]:
        loop = self.loop
        return [loop.runner.names.shown(t) for t in loop.plan.tests]

    def _environment_broken(self, red: Sequence[str], place: Place) -> list[Unfit]:
        """Tests that are red for want of something no production change can bring."""
        loop = self.loop
        plan, tests = loop.plan, loop.state.tests
        judging = dataclasses.replace(
            loop.scope, witnesses=witness_files((r.nodeid for r in tests.values()), plan.prefix)
        )
        names = {part.split(".", 1)[0] for path in loop.files for part in path.split("/")} | self._own_names()
        # Where modules lie side by side at the top, one that tests ask for may be yet to be written.
        roots = ["" if r == "." else f"{r}/" for r in loop.workshop.roots]
        top = {p.removeprefix(r) for p in place.editable for r in roots if p.startswith(r)}
        flat = any("/" not in p and p not in ("setup.py", "noxfile.py") for p in top)
        around = Surroundings(
            worktree=str(place.worktree),
            cwd=str(place.cwd),
            own=(str(place.scratch), str(plan.repository.root)),
            judges=judging.judges,
            holds=lambda top: top in names or (flat and not self._declared(top)),
            brings_fixtures=any(map(loop.rounds.mentions, ("pytest11", "pytest_plugins"))),
            python=plan.interpreter.executable,
            confined=bool(plan.confinement.bwrap),
        )
        unfit = []
        for key in red:
            row = tests[key]
            if row.latest is not None and (lacks := missing(row.latest, around)) is not None:
                unfit.append(Unfit(row.suite, row.nodeid, Label.ENVIRONMENT, *lacks))
        return unfit

    def _links_away(self) -> list[str]:
        """Links of the snapshot that lead out of the repository."""
        loop = self.loop
        root = os.path.realpath(loop.plan.repository.root)
        links = [e.path for e in loop.plan.repository.entries(loop.workshop.snapshot.tree) if e.mode == "120000"]
        real = {path: os.path.realpath(os.path.join(root, path)) for path in links}
        return [path for path, leads in real.items() if not f"{leads}/".startswith(f"{root}/")]

    def _declared(self, top: str) -> bool:
        """Whether there is a package of this name already, or the project says somewhere that it needs one."""
        loop = self.loop
        if top == "pytest" or top in sys.stdlib_module_names:
            return True
        where = ("*.toml", "*.cfg", "*.txt", "*.in", "*.lock", "*.yml", "*.yaml", "*.md", "*.rst")
        words = [word for name in {top, top.replace("_", "-")} for word in ("-e", name)]
        args = ("grep", "-l", "-i", "-w", "-F", "-I", *words, loop.workshop.snapshot.tree, "--", *where)
        return loop.plan.repository.succeeds(*args)

    def _own_names(self) -> set[str]:
        """What the project says it is called: a module of that name may be yet to be written."""
        loop = self.loop
        path = f"{loop.plan.prefix}/pyproject.toml".lstrip("/")
        if path not in loop.files:
            return set()
        text = loop.plan.repository.blob(loop.workshop.snapshot.tree, path).decode("utf-8", "replace")
        return {n.replace("-", "_") for n in re.findall(r"""^name\s*=\s*["']([\w.-]+)""", text, re.MULTILINE)}

    def _alone(self, red: Sequence[str]) -> None:
        """The red tests of each suite without its others, where that can show anything."""
        loop = self.loop
        for name in loop.plan.suites:
            mine = [k.split(" ", 1)[1] for k in red if k.startswith(f"{name} ")]
            done = baseline.ALONE in loop.state.suites[name].finished
            if not mine or done or not baseline.worth_running_alone(loop.state, name, [f"{name} {n}" for n in mine]):
                continue
            loop.checkpoint()
            loop.emit(ev.StepStarted(Step.ANALYZE, 0, "red audit, the red tests by themselves"))
            self._meet(mine)
            place = loop.workshop.place("work", loop.workshop.snapshot.commit, fresh=True)
            loop.suite(name, place, Purpose.ALONE, 1, None, only=mine)

    def _meet(self, nodeids: Iterable[str]) -> None:
        """A resumed run learns again which tests the ids of its journal stand for."""
        loop = self.loop
        if loop.runner.names.unknown(nodeids):
            place = loop.workshop.place("work", loop.workshop.snapshot.commit, fresh=True)
            for name in loop.plan.suites:
                if loop.left_out(name) is None:
                    loop.runner.collect(name, loop.plan.config.suites[name], place)

    def _contradictions(self, targets: Sequence[str]) -> list[Advisory]:
        """Targets that no change can make pass, as far as their text shows it."""
        loop = self.loop
        prefix = f"{loop.plan.prefix}/" if loop.plan.prefix else ""
        have = set(loop.files)
        paths = dict.fromkeys(row.nodeid.split("::", 1)[0] for row in loop.state.tests.values())
        repository, tree = loop.plan.repository, loop.workshop.snapshot.tree
        texts = {
            p: repository.blob(tree, prefix + p).decode("utf-8", "replace")
            for p in list(paths)[:READ]
            if p.endswith(".py") and prefix + p in have
        }
        return list(contradictions(texts, (key.split(" ", 1)[1] for key in targets)))[:READ]

    def _round(self, place: Place, number: int) -> None:
        """Every suite once; what this round finished before an interruption is not run again."""
        loop = self.loop
        for name in loop.plan.suites:
            loop.checkpoint()
            if f"{Purpose.AUDIT}{number}" not in loop.state.suites[name].finished:
                watched = number == loop.plan.config.audit.rounds and loop.selecting.recordable(name)
                manner = Manner(record=watched)
                keep = loop.selecting.learn
                loop.suite(name, place, Purpose.AUDIT, number, loop.left_out(name), manner=manner, keep=keep)

    def left_red(self) -> list[Unfit]:
        """Red tests a person asked for, or nobody chose among, that no change is to mend."""
        loop = self.loop
        unfit = loop.state.audit.unfit if loop.state.audit is not None else ()
        asked = set(baseline.named((u.key for u in unfit), self._asked()))
        return [u for u in unfit if u.key in asked]
