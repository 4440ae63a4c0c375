"""The model's part of a specialist: a brief, the four tools inside its bounds, and the tree it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine import events as ev
from engine import policy
from engine.attempt import Attempting
from engine.errors import AttemptEnded, BudgetSpent, ProviderError
from engine.flow.agents import Agent
from engine.model import Outcome, Purpose, Step, TestReport
from engine.providers import Brief, Finish, SuiteBrief
from engine.specialists.case import Evidence, Fact
from engine.specialists.keeping import forbidden, problems
from engine.suites.runner import Place
from engine.toolbox import Toolbox, summarise
from engine.workspace.area import Area
from engine.workspace.scope import Writable

if TYPE_CHECKING:
    from engine.loop import Loop

PATCH_CHARS = 30_000


@dataclass(slots=True)
class Hands:
    """Lets a model work as specialist number ``hop`` of a loop's run."""

    loop: Loop
    hop: int
    agent: Agent
    bounds: Writable

    def work(self, place: Place, before: str, evidence: Evidence) -> tuple[Finish | None, str, str]:
        """What the model said, the tree it left, and who it was; no Finish: why it did not come to one.

        Raises
        ------
        Stopped
            The run was stopped meanwhile.
        """
        loop = self.loop
        area = Area(place.worktree)
        number = loop.state.attempt.number if loop.state.attempt is not None else 0
        loop.allowance.part = f"hop {self.hop}"
        loop.emit(ev.StepStarted(Step.EDIT, number, f"{self.agent.name}: the model works on it"))
        try:
            finish = (
                Attempting(loop, number)
                .provider("anthropic", f"hop {self.hop}")
                .attempt(
                    self._brief(place, before, evidence),
                    self._toolbox(place, area, before),
                    loop.emit,
                    loop.steering.cancel,
                )
            )
        except AttemptEnded as ended:
            finish = Finish(Outcome.MORE_WORK, f"ended at a limit: {ended.message}")
        except (ProviderError, BudgetSpent) as error:
            # The verified change is worth no less for it: the tools speak alone.
            loop.emit(ev.ActivityReported("note", f"{self.agent.name} goes on without a model: {error.message}"))
            return None, before, f"no model: {error.message}"
        return finish, self._tree(area, before), loop.state.model or "a model"

    def _tree(self, area: Area, before: str) -> str:
        """What it has left by now."""
        changes = {p: c for p, c in area.changes().items() if not self.bounds.refusal(p)}
        scratch = self.loop.plan.home.scratch(self.loop.run)
        return self.loop.plan.repository.tree_with(before, changes, scratch) if changes else before

    def _toolbox(self, place: Place, area: Area, before: str) -> Toolbox:
        loop = self.loop

        def run(suite: str | None, tests: Sequence[str] | None) -> list[TestReport]:
            names = [suite] if suite else list(loop.plan.suites)
            reports = []
            for name in names:
                skipped = loop.left_out(name)
                reports.append(loop.rounds.run(name, place, Purpose.REVIEW, self.hop, only=tests, skipped=skipped))
            return reports

        def claim() -> tuple[bool, str]:
            if not area.touched:
                return True, ""
            # Told now, while it can be mended: after the end all of the change would be undone.
            if said := forbidden(loop, self.agent, before, self._tree(area, before)):
                return False, f"this would be undone: {said}"
            reports = run(None, None)
            lost = problems(loop, self.agent, reports)
            return not lost, "; ".join(lost) + "\n" + summarise(reports)

        return Toolbox(
            repository=loop.plan.repository,
            area=area,
            scope=self.bounds,
            run_tests=run,
            claim=claim,
            suites=loop.plan.suites,
            report=loop.emit,
            cancel=loop.steering.cancel,
            tools=self.agent.tools,
            before=loop.check_time,
            told=Attempting(loop, self.hop).told,
        )

    @property
    def _handed(self) -> str:
        attempt = self.loop.state.attempt
        if attempt is None:
            return "No change was made: nothing that is red can be mended by one"
        if policy.impl_passes(self.loop.state):
            return "A verified change is handed to you"
        left = f"{attempt.failing_after} of {len(self.loop.baseline.targets)} target tests fail"
        return f"A change that did not get to green is handed to you ({left})"

    def _brief(self, place: Place, before: str, evidence: Evidence) -> Brief:
        loop = self.loop
        config = loop.plan.config
        patch = loop.plan.repository.patch(loop.workshop.snapshot.tree, before)
        cut = f"\n… {len(patch) - PATCH_CHARS} characters more" if len(patch) > PATCH_CHARS else ""
        change = Fact(about="the change", text=patch[:PATCH_CHARS] + cut or "nothing was changed")
        gate = Fact(about=f"gate {evidence.gate.name}", text=f"{evidence.gate.word}\n{evidence.gate.evidence}")
        facts = (change, gate, *evidence.facts)
        redact, told = loop.recorder.redact.text, Attempting(loop, self.hop).told
        return Brief(
            run=loop.run,
            attempt=1,
            attempts=1,
            agent=self.agent.name,
            prompt=self.agent.body,
            model=config.anthropic.model or self.agent.model,
            worktree=place.worktree,
            targets=(),
            green=tuple(loop.runner.names.real(k.split(" ", 1)[1]) for k in sorted(loop.baseline.green)),
            suites=tuple(
                SuiteBrief(n, Attempting(loop, 1).command(n), config.suites[n].args) for n in loop.plan.suites
            ),
            scope=self.bounds.editable(loop.files_of(before)),
            scope_rules=self.bounds.words,
            advisories=(),
            hint=loop.state.decision.hint if loop.state.decision else "",
            tools=self.agent.tools,
            task=f"You are {self.agent.name}. {self._handed}; do what your role says of it.",
            verified=policy.impl_passes(loop.state),
            facts=tuple((fact.about, told(redact(fact.text))) for fact in facts),
        )
