"""One run, top to bottom: guard, snapshot, red audit, attempts, verification, diet, gates, decision, records.

Every step first asks the state whether it was done already: that is all there is to resuming.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from engine import __version__, policy
from engine import events as ev
from engine.allowance import Allowance
from engine.attempt import Attempting
from engine.auditing import Auditing
from engine.commands import Pick, Restore, Revert
from engine.dieting import Dieting
from engine.errors import EnvironmentFailure, Stopped
from engine.flow.guard import guard
from engine.gates import results, tools
from engine.launch import Plan
from engine.model import (
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
from engine.specialists.dispatch import Dispatching
from engine.state import AttemptRow, RunState
from engine.suites.layout import import_roots, witness_files
from engine.suites.names import Names
from engine.suites.rounds import Rounds
from engine.suites.runner import PLAIN, Manner, Place, SuiteRunner
from engine.verify import baseline
from engine.verify.acceptance import Baseline
from engine.verifying import Verifying
from engine.workspace.repository import Snapshot
from engine.workspace.scope import Scope
from engine.workspace.workshop import Workshop

_LENT = {
    "asyncio": ("asyncio", "asyncio_mode", "pytest_asyncio"),
    "benchmark": ("benchmark", "pytest_benchmark"),
    "hypothesispytest": ("hypothesis",),
    "anyio": ("anyio",),
}
"""Plug-ins our own interpreter brings, and the words of projects that want them. Some warn, one takes seconds."""


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
    allowance: Allowance = field(init=False)

    def __post_init__(self) -> None:
        self.allowance = Allowance.of(self.plan.config.budget, self.state.raised, self.plan.fixed)
        self.allowance.emit, self.allowance.reopen = self.emit, self.steering.refuse
        self.allowance.ask = self.steering.reply if self.steering.ask else None

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
                return self._none_to_mend(unfit) if (unfit := Auditing(self).left_red()) else self._nothing_red()
            number = 1
            while True:
                self._attempt(number)
                route = None
                while route is None:
                    Verifying(self, number).go()
                    self._turn_down(number)
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
        self.open(self._snapshot())
        Auditing(self).make()

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
            publish=plan.publish,
            limits=plan.typed,
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
            ref = f"refs/bitnet-tui/{self.run}/base"
            if plan.past is not None:
                snapshot = plan.past.snapshot
                plan.repository.run("update-ref", ref, snapshot.commit)
            else:
                snapshot = plan.repository.snapshot(plan.home.scratch(self.run), ref)
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

    def open(self, snapshot: Snapshot) -> None:
        """The parts that live as long as the run's process."""
        plan = self.plan
        self.files = self.files_of(snapshot.tree)
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
        # Our own interpreter, lent to a project without one, brings plug-ins that are not wanted there.
        ours = plan.interpreter.executable == sys.executable
        self.runner = SuiteRunner(
            run=self.run,
            interpreter=plan.interpreter,
            confinement=plan.confinement,
            environ=plan.environ,
            cancel=self.steering.cancel,
            pass_env=plan.config.sandbox.pass_env,
            without=tuple(p for p, words in _LENT.items() if ours and not any(map(mentions, words))),
            names=Names(self.recorder.redact),
        )
        self.rounds = Rounds(self.runner, dict(plan.config.suites), self.emit, self.recorder.line, mentions)
        self.keeper = Keeper(self.run, plan, self.recorder, self.steering.cancel, self.runner)
        self.selecting = Selecting(self)
        self.keeper.seen = self.selecting.seen

    def protect(self, nodeids: Iterable[str]) -> None:
        """Let nothing write the files these tests are collected from, whatever they are called."""
        self.scope = replace(self.scope, witnesses=witness_files(nodeids, self.plan.prefix))
        self.workshop.scope = self.scope

    def _editable_roots(self) -> list[str]:
        root = self.plan.repository.root.resolve()
        return [r.removeprefix(f"{root}/") for r in self.plan.interpreter.editable if r != str(root)]

    def _mentions(self, tree: str) -> Callable[[str], bool]:
        def holds(word: str) -> bool:
            args = ("grep", "-l", "-w", "-F", "-I", "-e", word, tree, "--", "*.py", "*.toml", "*.ini", "*.cfg")
            return word != "not" and self.plan.repository.succeeds(*args)

        return holds

    # -- suites -------------------------------------------------------------------------------------------------------

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
        keep: Callable[[TestReport], None] = lambda _report: None,
    ) -> TestReport:
        """One suite, or some of its tests, with a look at the files that judge the work."""
        watch = self.keeper.watch(place.worktree, self.scope, self.files)

        def changed() -> tuple[str, ...]:
            self.plan.home.end_processes(self.run)  # one that tests left behind could change things after the check
            return watch()

        looks = tuple if skipped else changed
        return self.rounds.run(
            name, place, purpose, number, only=only, skipped=skipped, changed=looks, manner=manner, keep=keep
        )

    def _none_to_mend(self, unfit: Sequence[Unfit]) -> Exit:
        """Something is red, and there is nothing a change could be shown to mend: said, and handed over."""
        lacking = all(u.label is Label.ENVIRONMENT for u in unfit)
        why = baseline.ends_without_targets(unfit)
        route = Route(RouteKind.NEXT, "issue-creator" if lacking else "spec-analyzer")
        self._set(results.tests_gate(self.state, "audit1", None))
        self._set(results.build_gate(self.state, "audit1"))
        status, reason = (GateStatus.SKIPPED, "missing-tool") if lacking else (GateStatus.FAIL, "")
        self._set(Gate("impl", status, reason, why))
        if not self.state.hops:
            self.emit(ev.HopAdded(Hop(self.plan.agent.name, why, route)))
        route = Dispatching(self).follow(route)
        self.keeper.compare(self.workshop.snapshot)
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

    def files_of(self, tree: str) -> tuple[str, ...]:
        """What a tree holds, links left out."""
        return tuple(e.path for e in self.plan.repository.entries(tree) if e.mode != "120000")

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
            return f"without {', '.join(optional)}: {report.collect_errors[0].message}"
        return "" if count else "no test is collected"

    def _set(self, gate: Gate) -> None:
        if self.state.gates.get(gate.name) != gate:
            self.emit(ev.GateSet(gate))

    # -- decision -----------------------------------------------------------------------------------------------------

    def _decided(self, number: int) -> ev.DecisionTaken | None:
        return next((d for d in self.state.decisions if d.id.split("-")[:2] == ["after", str(number)]), None)

    def _decide(self, number: int) -> Route | None:
        """Propose, and wait for the person or take the recommendation; None: the change is another one now."""
        taken = self._decided(number)
        if taken is not None:
            return taken.route
        proposal = policy.propose(self.state, policy.Limits(self.plan.config.retries.limit))
        self.keeper.write_patch(self.workshop.snapshot.tree, self.row(number))
        self.checkpoint()
        settled = self.state.settled
        forward = settled is not None and settled.forward
        pieces = Dieting(self, number).left() if self.steering.ask and not forward else ()
        others = self._others(number) if self.steering.ask and not forward else 0
        self.emit(ev.ProposalMade(proposal, pieces, others))
        route, by, hint, dispatch = proposal.best.route, "policy", "", False
        if forward:  # said at the limit already
            route, by = policy.forward(proposal).route, "user"
        elif self.steering.ask:
            while True:
                answer = self.steering.answer(proposal)
                if isinstance(answer, Restore | Revert | Pick):
                    if (changed := self._changed(number, pieces, answer)) is not None:
                        self.emit(changed)
                        return None
                elif policy.legal(proposal, answer.route):
                    route, by, hint, dispatch = answer.route, "user", answer.hint, answer.dispatch
                    break
                self.steering.refuse(proposal.id)
        self.emit(ev.DecisionTaken(proposal.id, route, by, hint, dispatch))
        return route

    def _others(self, number: int) -> int:
        """Runners-up of the change a person is asked about."""
        finished = self.row(number).finished
        return len(finished.runners_up) if finished is not None else 0

    def _turn_down(self, number: int) -> None:
        """A runner-up that does not verify leaves the change it was taken for as it was."""
        row = self.row(number)
        if self.state.before is None or row.taken < 0 or row.touched or row.verdict in (None, Verdict.VERIFIED):
            return
        if not row.doubted:  # that is for a person to judge
            why = row.reasons[0] if row.reasons else str(row.verdict)
            self.emit(ev.RunnerUpRefused(number, row.taken, why))

    def _changed(
        self, number: int, pieces: Sequence[ev.Piece], answer: Restore | Revert | Pick
    ) -> ev.PiecesRestored | ev.PiecesReverted | ev.RunnerUpTaken | None:
        """What a person makes of the change by hand; None where the answer means nothing."""
        row = self.row(number)
        if isinstance(answer, Pick):
            there = -1 <= answer.index < self._others(number) and answer.index != row.taken
            return ev.RunnerUpTaken(number, answer.index) if there else None
        wanted = {*answer.pieces}
        if isinstance(answer, Revert):
            left = tuple(sorted(wanted & {p.index for p in pieces}))
            return ev.PiecesReverted(number, left) if left else None
        gone = tuple(sorted(wanted & {p.index for p in row.diet.removed_pieces})) if row.diet is not None else ()
        return ev.PiecesRestored(number, gone) if gone or (not wanted and row.restored) else None

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
        if row.tree in ("", self.workshop.snapshot.tree):  # no patch will ever need what it was made from
            self.plan.repository.delete_ref(f"refs/bitnet-tui/{self.run}/base")
        specialists = Dispatching(self)
        finalized = route.kind is RouteKind.FINALIZE or (passes and specialists.wanted(1, route))
        if finalized and self.state.commit is None and self.plan.past is None:
            self.emit(self.keeper.commit(self.workshop.snapshot, row))
        route = specialists.follow(route)
        self.keeper.compare(self.workshop.snapshot)
        self.keeper.write(route)
        if passes:
            if self.plan.apply:
                self.keeper.apply()
            if self.state.commit is not None:
                self.plan.repository.delete_ref(f"refs/bitnet-tui/{self.run}/base")
            if (gate := specialists.failed) is not None:
                why = f"gate impl passed and verified; gate {gate.name} does not hold: {gate.evidence}"
                return self._finish(Exit.NOT_GREEN, why, route)
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

    def check_time(self) -> None:
        """Ask for more minutes when they are used up."""
        self.allowance.check_time(self.steering.minutes)

    def checkpoint(self) -> None:
        """A safe point: a pause, a stop or the end of the time takes effect here."""
        if self.steering.pause_requested.is_set():
            self.emit(ev.Paused())
            self.steering.wait_while_paused()
            self.emit(ev.Continued())
        if self.steering.stop_after_step.is_set():
            raise Stopped("stopped after the step, on request")
        settled = self.state.settled
        if settled is None or settled.part == ev.RUN:  # else a person wants what there is judged, in the time it takes
            self.allowance.check_time(self.steering.minutes, between=True)
        self.steering.cancel.check()
