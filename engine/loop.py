"""One run, top to bottom: guard, snapshot, red audit, attempts, verification, diet, gates, decision, records.

Every step first asks the state whether it was done already: that is all there is to resuming.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from engine import __version__, policy
from engine import events as ev
from engine.attempt import Attempting
from engine.commands import Restore
from engine.errors import EnvironmentFailure, Stopped
from engine.flow.guard import guard
from engine.gates import results, tools
from engine.launch import Plan
from engine.model import (
    Advisory,
    Ended,
    Exit,
    Gate,
    GateStatus,
    Hop,
    Label,
    Purpose,
    Route,
    RouteKind,
    Step,
    TestReport,
    Unfit,
    Verdict,
)
from engine.recorder import Recorder
from engine.records.keep import Keeper
from engine.selecting import Selecting
from engine.session import Steering
from engine.state import AttemptRow, RunState
from engine.suites.layout import import_roots, witness_files
from engine.suites.names import Names
from engine.suites.rounds import Rounds
from engine.suites.runner import PLAIN, Manner, Place, SuiteRunner
from engine.verify import baseline
from engine.verify.acceptance import Baseline
from engine.verify.contradiction import contradictions
from engine.verify.environment import Surroundings, missing
from engine.verifying import Verifying
from engine.workspace.repository import Snapshot
from engine.workspace.scope import Scope
from engine.workspace.workshop import Workshop

READ = 200
"""Test files that are read for contradictions."""


@dataclass
class Loop:
    """The journey of one run. Holds the plan and the open parts; what happened is in the recorder's state."""

    run: str
    plan: Plan
    recorder: Recorder
    steering: Steering
    files: tuple[str, ...] = field(init=False)  # of the snapshot
    scope: Scope = field(init=False)
    workshop: Workshop = field(init=False)
    runner: SuiteRunner = field(init=False)
    rounds: Rounds = field(init=False)
    keeper: Keeper = field(init=False)
    baseline: Baseline = field(init=False)
    selecting: Selecting = field(init=False)

    @property
    def state(self) -> RunState:
        return self.recorder.state

    def emit(self, event: ev.Event) -> None:
        self.recorder.emit(event)

    # -- the journey --------------------------------------------------------------------------------------------------

    def go(self) -> Exit:
        """Run to the end; the exit code of a run that ended by itself."""
        try:
            if self.state.started is None:
                self.emit(self._started())
            self._guard()
            self.prepare()
            if not self.state.targets:
                return self._none_to_mend() if self._left_red() else self._nothing_red()
            number = 1
            while True:
                self._attempt(number)
                route = None
                while route is None:
                    Verifying(self, number).go()
                    self._gates(number)
                    route = self._decide(number)
                self._hop(number, route)
                if not route.retry:
                    break
                number += 1
            return self._conclude(route)
        finally:
            self.close()

    def prepare(self) -> None:
        """Everything before the first attempt: the snapshot, the open parts, the red audit."""
        if self.state.started is None:
            self.emit(self._started())
        self._open(self._snapshot())
        self._audit()

    def close(self) -> None:
        """Leave no process, no worktree and no scratch file."""
        self.plan.home.end_processes(self.run)
        if hasattr(self, "workshop"):
            with contextlib.suppress(EnvironmentFailure):  # how the run ended is what is said
                self.workshop.close()
        else:
            self.plan.home.clear(self.run)
        if self.plan.home.scratch(self.run).exists():
            self.recorder.line("some scratch files could not be removed; the next start tries again")

    def _started(self) -> ev.RunStarted:
        plan = self.plan
        return ev.RunStarted(
            run=self.run,
            root=str(plan.repository.root),
            prefix=plan.prefix,
            version=__version__,
            agent=plan.agent.name,
            providers=plan.providers,
            suites=plan.suites,
            retry_limit=plan.config.retries.limit,
            config=plan.config_source,
            why_provider=plan.why_provider,
            tests=tuple(map(Names(self.recorder.redact).shown, plan.tests)),
            agent_source=plan.config.flow.agent,
            script=plan.config.scripted.file,
            apply=plan.apply,
        )

    def _guard(self) -> None:
        """The front end has let only our flow come this far; here it becomes evidence."""
        flow, allowed = guard(self.plan.environ)
        if self.state.guard is None:
            self.emit(ev.GuardChecked(flow, allowed))
        self._set(Gate("guard", GateStatus.PASS, "", f"flow {flow}"))

    def _snapshot(self) -> Snapshot:
        taken = self.state.snapshot
        plan = self.plan
        if taken is None:
            self.emit(self._environment())
            snapshot = plan.repository.snapshot(plan.home.scratch(self.run), f"refs/bitnet-tui/{self.run}/base")
            self.emit(
                ev.SnapshotTaken(
                    snapshot.head, snapshot.branch, snapshot.commit, snapshot.tree, snapshot.dirty, snapshot.untracked
                )
            )
            for path in plan.repository.submodules(snapshot.tree):
                filled = (plan.repository.root / path / ".git").exists()
                said = "its files are lent to the tests and never changed" if filled else "it is not checked out"
                self.emit(ev.ActivityReported("note", f"submodule {path}: {said}"))
            return snapshot
        return Snapshot(taken.head, taken.branch, taken.commit, taken.tree, taken.dirty, taken.untracked)

    def _environment(self) -> ev.EnvironmentProbed:
        python = self.plan.interpreter
        return ev.EnvironmentProbed(
            python=python.executable,
            python_version=python.version,
            pytest_version=python.pytest,
            platform=python.platform,
            protections=self.plan.confinement.protections,
            packages_sha256=python.packages_sha256,
        )

    def _open(self, snapshot: Snapshot) -> None:
        """The parts that live as long as the run's process."""
        plan = self.plan
        self.files = tuple(e.path for e in plan.repository.entries(snapshot.tree) if e.mode != "120000")
        settings = plan.config.scope
        inner = plan.repository.submodules(snapshot.tree)
        extra_roots = (*plan.config.python.import_roots, *self._editable_roots())
        self.scope = Scope(
            settings.allow,
            settings.deny,
            settings.protect,
            plan.prefix,
            submodules=inner,
            roots=import_roots(self.files, plan.prefix, extra_roots),
            present=frozenset(self.files),
        )
        self.workshop = Workshop(
            repository=plan.repository,
            home=plan.home,
            run=self.run,
            prefix=plan.prefix,
            snapshot=snapshot,
            files=self.files,
            scope=self.scope,
            extra_roots=extra_roots,
            carry=plan.config.workspace.carry,
        )
        mentions = self._mentions(snapshot.tree)
        # Our own interpreter, lent to a project without one, brings a plug-in that warns where it is not wanted.
        ours = plan.interpreter.executable == sys.executable
        self.runner = SuiteRunner(
            run=self.run,
            interpreter=plan.interpreter,
            confinement=plan.confinement,
            environ=plan.environ,
            cancel=self.steering.cancel,
            pass_env=plan.config.sandbox.pass_env,
            memory_mb=plan.config.sandbox.memory_mb,
            file_mb=plan.config.sandbox.file_mb,
            without=("asyncio",) if ours and not mentions("asyncio") else (),
            names=Names(self.recorder.redact),
        )
        self.rounds = Rounds(self.runner, dict(plan.config.suites), self.emit, self.recorder.line, mentions)
        self.keeper = Keeper(self.run, plan, self.recorder)
        self.selecting = Selecting(self)

    def _editable_roots(self) -> list[str]:
        root = self.plan.repository.root.resolve()
        return [r.removeprefix(f"{root}/") for r in self.plan.interpreter.editable if r != str(root)]

    def _mentions(self, tree: str) -> Callable[[str], bool]:
        def holds(word: str) -> bool:
            args = ("grep", "-l", "-w", "-F", "-I", "-e", word, tree, "--", "*.py", "*.toml", "*.ini", "*.cfg")
            return word != "not" and self.plan.repository.succeeds(*args)

        return holds

    # -- red audit ----------------------------------------------------------------------------------------------------

    def _audit(self) -> None:
        """Every suite at least twice before any edit, what is always red once more without the rest."""
        rounds = self.plan.config.audit.rounds
        if self.state.audit is None:
            place = self.workshop.place("work", self.workshop.snapshot.commit, fresh=True)
            for number in range(1, rounds + 1):
                self.emit(ev.StepStarted(Step.ANALYZE, 0, f"red audit, round {number} of {rounds}"))
                self._audit_round(place, number)
                baseline.require_runnable(self.state, self.plan.suites, self._links_away())
            self.emit(self._audited(place))
            for advisory in self._contradictions():
                self.emit(ev.AdvisoryRaised(advisory))
            self.emit(ev.StepFinished(Step.ANALYZE))
        nodeids = [row.nodeid for row in self.state.tests.values()]
        self._meet(nodeids)
        self.scope = dataclasses.replace(self.scope, witnesses=witness_files(nodeids, self.plan.prefix))
        self.workshop.scope = self.scope
        optional = [n for n in self.plan.suites if self.plan.config.suites[n].optional]
        self.baseline = baseline.from_state(self.state, optional)

    def _audited(self, place: Place) -> ev.AuditFinished:
        """Every test with its label; the reds that are no targets, with the reason."""
        found = baseline.labels(self.state)
        red = baseline.choose_targets(found, self._asked())
        unfit = self._environment_broken([k for k, label in found.items() if label is Label.RED], place)
        red = tuple(k for k in red if k not in {u.key for u in unfit})
        self._audit_alone(red)
        unfit += baseline.order_dependent(self.state, red)
        found |= {u.key: u.label for u in unfit}
        targets = tuple(k for k in red if found[k] is not Label.ORDER)
        flaky = tuple(k for k, label in found.items() if label is Label.FLAKY)
        counts = {str(label): sum(x is label for x in found.values()) for label in Label}
        return ev.AuditFinished(targets, flaky, {k: n for k, n in counts.items() if n}, tuple(unfit))

    def _asked(self) -> list[str]:
        return [self.runner.names.shown(t) for t in self.plan.tests]

    def _environment_broken(self, red: Sequence[str], place: Place) -> list[Unfit]:
        """Tests that are red for want of something no production change can bring."""
        plan, tests = self.plan, self.state.tests
        judging = dataclasses.replace(
            self.scope, witnesses=witness_files((r.nodeid for r in tests.values()), plan.prefix)
        )
        names = {part.split(".", 1)[0] for path in self.files for part in path.split("/")} | self._own_names()
        around = Surroundings(
            worktree=str(place.worktree),
            cwd=str(place.cwd),
            own=(str(place.scratch), str(plan.repository.root)),
            judges=judging.judges,
            holds=lambda top: top in names,
            brings_fixtures=any(map(self.rounds.mentions, ("pytest11", "pytest_plugins"))),
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
        root = os.path.realpath(self.plan.repository.root)
        links = [e.path for e in self.plan.repository.entries(self.workshop.snapshot.tree) if e.mode == "120000"]
        real = {path: os.path.realpath(os.path.join(root, path)) for path in links}
        return [path for path, leads in real.items() if not f"{leads}/".startswith(f"{root}/")]

    def _own_names(self) -> set[str]:
        """What the project says it is called: a module of that name may be yet to be written."""
        path = f"{self.plan.prefix}/pyproject.toml".lstrip("/")
        if path not in self.files:
            return set()
        text = self.plan.repository.blob(self.workshop.snapshot.tree, path).decode("utf-8", "replace")
        return {n.replace("-", "_") for n in re.findall(r"""^name\s*=\s*["']([\w.-]+)""", text, re.MULTILINE)}

    def _audit_alone(self, red: Sequence[str]) -> None:
        """The red tests of each suite without its others, where that can show anything."""
        for name in self.plan.suites:
            mine = [k.split(" ", 1)[1] for k in red if k.startswith(f"{name} ")]
            done = baseline.ALONE in self.state.suites[name].finished
            if not mine or done or not baseline.worth_running_alone(self.state, name, [f"{name} {n}" for n in mine]):
                continue
            self.checkpoint()
            self.emit(ev.StepStarted(Step.ANALYZE, 0, "red audit, the red tests by themselves"))
            self._meet(mine)
            place = self.workshop.place("work", self.workshop.snapshot.commit, fresh=True)
            self.suite(name, place, Purpose.ALONE, 1, None, only=mine)

    def _meet(self, nodeids: Iterable[str]) -> None:
        """A resumed run learns again which tests the ids of its journal stand for."""
        if self.runner.names.unknown(nodeids):
            place = self.workshop.place("work", self.workshop.snapshot.commit, fresh=True)
            for name in self.plan.suites:
                if self.left_out(name) is None:
                    self.runner.collect(name, self.plan.config.suites[name], place)

    def _contradictions(self) -> list[Advisory]:
        """Targets that no change can make pass, as far as their text shows it."""
        prefix = f"{self.plan.prefix}/" if self.plan.prefix else ""
        have = set(self.files)
        paths = dict.fromkeys(row.nodeid.split("::", 1)[0] for row in self.state.tests.values())
        repository, tree = self.plan.repository, self.workshop.snapshot.tree
        texts = {
            p: repository.blob(tree, prefix + p).decode("utf-8", "replace")
            for p in list(paths)[:READ]
            if p.endswith(".py") and prefix + p in have
        }
        return list(contradictions(texts, (t.nodeid for t in self.state.targets)))[:READ]

    def _audit_round(self, place: Place, number: int) -> None:
        """Every suite once; what this round finished before an interruption is not run again."""
        for name in self.plan.suites:
            self.checkpoint()
            if f"{Purpose.AUDIT}{number}" not in self.state.suites[name].finished:
                watched = number == self.plan.config.audit.rounds and self.selecting.recordable(name)
                manner = Manner(record=watched)
                report = self.suite(name, place, Purpose.AUDIT, number, self.left_out(name), manner=manner)
                self.selecting.learn(report)

    def left_out(self, name: str) -> ev.SuiteFinished | None:
        """How the audit left a suite out, if it did."""
        first = self.state.suites[name].finished.get("audit1")
        return first if first is not None and first.ended is Ended.SKIPPED else None

    def suite(
        self,
        name: str,
        place: Place,
        purpose: Purpose,
        number: int,
        skipped: ev.SuiteFinished | None,
        *,
        only: Iterable[str] | None = None,
        manner: Manner = PLAIN,
    ) -> TestReport:
        """One suite, or some of its tests, with a look at the files that judge the work."""
        watch = self.keeper.watch(place.worktree, self.scope, self.files)

        def changed() -> tuple[str, ...]:
            self.plan.home.end_processes(self.run)  # one that tests left behind could change things after the check
            return watch()

        looks = tuple if skipped else changed
        return self.rounds.run(name, place, purpose, number, only=only, skipped=skipped, changed=looks, manner=manner)

    def _left_red(self) -> list[Unfit]:
        """Red tests a person asked for, or nobody chose among, that no change is to mend."""
        unfit = self.state.audit.unfit if self.state.audit is not None else ()
        asked = set(baseline.named((u.key for u in unfit), self._asked()))
        return [u for u in unfit if u.key in asked]

    def _none_to_mend(self) -> Exit:
        """Something is red, and there is nothing a change could be shown to mend: said, and handed over."""
        unfit = self._left_red()
        lacking = all(u.label is Label.ENVIRONMENT for u in unfit)
        why = baseline.ends_without_targets(unfit)
        route = Route(RouteKind.NEXT, "issue-creator" if lacking else "spec-analyzer")
        self._set(results.tests_gate(self.state, "audit1", None))
        self._set(results.build_gate(self.state, "audit1"))
        status, reason = (GateStatus.SKIPPED, "missing-tool") if lacking else (GateStatus.FAIL, "")
        self._set(Gate("impl", status, reason, why))
        self.keeper.compare(self.workshop.snapshot)
        if not self.state.hops:
            self.emit(ev.HopAdded(Hop(self.plan.agent.name, why, route)))
        self.keeper.write(route)
        self.plan.repository.delete_ref(f"refs/bitnet-tui/{self.run}/base")
        return self._finish(Exit.ENVIRONMENT if lacking else Exit.NOT_GREEN, why, route)

    def _nothing_red(self) -> Exit:
        stage = "audit1"
        flaky = len(self.baseline.flaky)
        self._set(results.tests_gate(self.state, stage, None))
        self._set(results.build_gate(self.state, stage))
        evidence = "nothing to do: no test is always red" + (f"; {flaky} are flaky" if flaky else "")
        self._set(Gate("impl", GateStatus.SKIPPED, "n/a-surface", evidence))
        self.keeper.compare(self.workshop.snapshot)
        self.keeper.write(None)
        self.plan.repository.delete_ref(f"refs/bitnet-tui/{self.run}/base")
        return self._finish(Exit.OK, evidence)

    # -- attempt ------------------------------------------------------------------------------------------------------

    def _attempt(self, number: int) -> None:
        row = self.find_row(number)
        if row is not None and row.finished is not None:
            return
        self.checkpoint()
        Attempting(self, number).make()

    def find_row(self, number: int) -> AttemptRow | None:
        return next((a for a in self.state.attempts if a.number == number), None)

    def row(self, number: int) -> AttemptRow:
        found = self.find_row(number)
        if found is None:
            raise LookupError(f"attempt {number} has not started")
        return found

    def earlier_tree(self, number: int) -> str:
        earlier = self.find_row(number - 1)
        return earlier.tree if earlier is not None and earlier.tree else self.workshop.snapshot.tree

    # -- gates --------------------------------------------------------------------------------------------------------

    def _gates(self, number: int) -> None:
        row = self.row(number)
        if row.judged:
            return
        self.checkpoint()
        self.emit(ev.StepStarted(Step.JUDGE, number, "gates"))
        # An attempt that changed nothing was not verified again: the numbers are those of the one before.
        stages = [a.stage for a in reversed(self.state.attempts) if a.number <= number]
        ran = {stage for suite in self.state.suites.values() for stage in suite.finished}
        stage = next((s for s in stages if s in ran), "audit1")
        self._set(results.tests_gate(self.state, stage, row))
        self._set(results.build_gate(self.state, stage))
        tree = row.tree or self.workshop.snapshot.tree
        commit = self.plan.repository.scratch_commit(tree, self.workshop.snapshot.commit)
        place = self.workshop.place("verify", commit, fresh=True)
        self._set(results.features_gate(self.state, stage, self._bare(place)))
        bench = self.keeper.bench(place, self.runner, self.workshop.snapshot.tree, tree)
        gates = self.plan.config.gates
        self._set(tools.format_gate(gates.format, bench))
        self._set(tools.clippy_gate(gates.clippy, bench))
        self._set(tools.crossval_gate(gates.crossval, bench))
        if (baseline := tools.benchmarks_gate(gates.benchmarks, bench)) is not None:
            self._set(baseline)
        self._set(results.impl_gate(self.state.gates, row))
        self.emit(ev.StepFinished(Step.JUDGE, number))

    def _bare(self, place: Place) -> str | None:
        """Whether the code can be collected without its optional packages; None: it names none."""
        optional = self.plan.config.features.optional
        if not optional:
            return None
        name = self.plan.suites[0]
        count, report = self.runner.collect(name, self.plan.config.suites[name], place, block=optional)
        if report.collect_errors:
            return report.collect_errors[0].message
        return "" if count else "no test is collected"

    def _set(self, gate: Gate) -> None:
        if self.state.gates.get(gate.name) != gate:
            self.emit(ev.GateSet(gate))

    # -- decision -----------------------------------------------------------------------------------------------------

    def _decided(self, number: int) -> ev.DecisionTaken | None:
        return next((d for d in self.state.decisions if d.id.split("-")[1] == str(number)), None)

    def _decide(self, number: int) -> Route | None:
        """Propose, and wait for the person or take the recommendation; None: the change is another one now."""
        taken = self._decided(number)
        if taken is not None:
            return taken.route
        proposal = policy.propose(self.state, policy.Limits(self.plan.config.retries.limit))
        self.keeper.write_patch(self.workshop.snapshot.tree, self.row(number))
        self.checkpoint()
        self.emit(ev.ProposalMade(proposal))
        route, by, hint = proposal.best.route, "policy", ""
        if self.steering.ask:
            while True:
                answer = self.steering.answer(proposal)
                if isinstance(answer, Restore):
                    if pieces := self._removed(number) & set(answer.pieces):
                        self.emit(ev.PiecesRestored(number, tuple(sorted(pieces))))
                        return None
                elif policy.legal(proposal, answer.route):
                    route, by, hint = answer.route, "user", answer.hint
                    break
        self.emit(ev.DecisionTaken(proposal.id, route, by, hint))
        return route

    def _removed(self, number: int) -> set[int]:
        """Pieces of an attempt that the diet took away."""
        slim = self.row(number).diet
        return {piece.index for piece in slim.removed_pieces} if slim is not None else set()

    def _hop(self, number: int, route: Route) -> None:
        if len(self.state.hops) >= number:
            return
        row = self.row(number)
        if row.verdict is Verdict.VERIFIED:
            text = f"{len(row.progress.fixed)} of {len(self.baseline.targets)} red tests green, verified, {row.change}"
        else:
            text = f"{row.failing_before} → {row.failing_after} failing, {row.verdict}"
            if row.reasons:
                text += f": {row.reasons[0]}"
            if row.finished is not None and row.finished.transient:
                text += f"; transient: {row.finished.transient}"
        target = f"self (attempt {number + 1}/{self.plan.config.retries.limit + 1})" if route.retry else route.target
        self.emit(ev.HopAdded(Hop(self.plan.agent.name, text, Route(route.kind, target))))
        self.keeper.write_ledger(route)

    # -- end ----------------------------------------------------------------------------------------------------------

    def _conclude(self, route: Route) -> Exit:
        row = self.state.attempts[-1]
        passes = policy.impl_passes(self.state)
        self.keeper.compare(self.workshop.snapshot)
        if row.tree in ("", self.workshop.snapshot.tree):  # no patch will ever need what it was made from
            self.plan.repository.delete_ref(f"refs/bitnet-tui/{self.run}/base")
        if route.kind is RouteKind.FINALIZE and self.state.commit is None:
            self.emit(self.keeper.commit(self.workshop.snapshot, row))
        self.keeper.write(route)
        if passes:
            if self.plan.apply:
                self.keeper.apply()
            if self.state.commit is not None:
                self.plan.repository.delete_ref(f"refs/bitnet-tui/{self.run}/base")
            return self._finish(Exit.OK, "gate impl passed and verified", route)
        if row.verdict in (Verdict.CLAIMED, Verdict.TAMPERED):
            return self._finish(Exit.INTEGRITY, f"green was claimed, not verified: {row.reasons[0]}", route)
        if row.finished is not None and row.finished.transient:
            return self._finish(Exit.PROVIDER, f"the provider failed: {row.finished.transient}", route)
        if row.finished is not None and row.finished.refusal:
            return self._finish(Exit.PROVIDER, f"the model refused: {row.finished.refusal}", route)
        failing = [
            f"gate {g.name}: {g.evidence}"
            for g in self.state.gates.values()
            if g.status is GateStatus.FAIL and g.name != "impl"
        ]
        why = "; ".join(failing[:2] if row.verdict is Verdict.VERIFIED else row.reasons[:2])
        return self._finish(Exit.NOT_GREEN, f"not green: {why}", route)

    def _finish(self, code: Exit, why: str, route: Route | None = None) -> Exit:
        self.close()  # nobody starts a run again that has ended, so nothing may be left of it
        seconds = round(self.recorder.journal.now() - self.state.started_at, 3)
        self.emit(ev.RunFinished(int(code), why, str(route) if route else "", seconds))
        return code

    def checkpoint(self) -> None:
        """A safe point: a pause or a stop takes effect here."""
        if self.steering.pause_requested.is_set():
            self.emit(ev.Paused())
            self.steering.wait_while_paused()
            self.emit(ev.Continued())
        if self.steering.stop_after_step.is_set():
            raise Stopped("stopped after the step, on request")
        self.steering.cancel.check()
