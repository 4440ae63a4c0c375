"""Runs the agents a route names, one after the other, as far as somebody asked for it; each writes its own gate.

A specialist's tools run with or without a model. What its model changed is kept only where it lies in the agent's own
bounds and nothing that was green is lost; otherwise it is undone, and that is said.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine import events as ev
from engine.commands import Decide
from engine.errors import BitnetError
from engine.flow import agents
from engine.flow.agents import Agent
from engine.flow.routes import canonical, runnable
from engine.github.comment import quiet
from engine.model import Gate, GateStatus, Hop, Noun, Option, Proposal, Route, Step
from engine.providers import Finish
from engine.records import receipt
from engine.specialists import routing, upstream
from engine.specialists.bounds import bounds
from engine.specialists.case import Case, Evidence
from engine.specialists.evidence import LOOKS
from engine.specialists.hands import Hands
from engine.specialists.keeping import losses
from engine.standing import SpecialistRow
from engine.suites.environment import scrubbed
from engine.suites.process import run_child
from engine.suites.runner import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.loop import Loop

ISSUES = "issue-creator"
FILLINGS = 2  # what a tool makes first, then the index of that
_COMMITS = {"impl": "refactor", "tests": "test", "docs": "docs", "fixtures": "test"}


class Left(Noun, frozen=True):
    """A tree a specialist's model left, and what became of it."""

    tree: str
    undone: str = ""  # why the change was taken back


@dataclass(slots=True)
class Dispatching:
    """The specialists of a loop's run."""

    loop: Loop
    _agents: dict[str, Agent] = field(default_factory=dict)

    def follow(self, route: Route) -> Route:
        """Run whom ``route`` names, then whom that one names, as long as somebody asks; the route that is left."""
        hop = 1
        while self.wanted(hop, route):
            route = self._hop(hop, canonical(route.target))
            hop += 1
        return route

    @property
    def failed(self) -> Gate | None:
        """The first gate of a specialist that does not hold."""
        gates = [row.finished.gate for row in self.loop.state.specialists if row.finished is not None]
        return next((gate for gate in gates if gate.status is GateStatus.FAIL), None)

    # -- whether ------------------------------------------------------------------------------------------------------

    def wanted(self, hop: int, route: Route) -> bool:
        """Whether the agent of ``route`` is to be run here, as the ``hop``-th of the run."""
        if route.retry or not runnable(route.target):
            return False
        if self.loop.state.specialist(hop) is not None:
            return True  # it was begun before the run was interrupted
        asked = self.loop.state.decision
        flow = self.loop.plan.config.flow
        return (asked is not None and asked.dispatch) or (flow.follow == "auto" and hop <= flow.max_hops)

    def _agent(self, name: str) -> Agent:
        if name not in self._agents:
            self._agents[name] = self.loop.plan.specialists.get(name) or agents.load(name)
        return self._agents[name]

    # -- one hop ------------------------------------------------------------------------------------------------------

    def _hop(self, hop: int, name: str) -> Route:
        loop = self.loop
        agent = self._agent(name)
        row = loop.state.specialist(hop)
        if row is None or row.finished is None:
            loop.checkpoint()
            row = self._run(hop, agent)
        done = row.finished
        assert done is not None
        self._advance(done.commit)
        if loop.state.gates.get(done.gate.name) != done.gate:
            loop.emit(ev.GateSet(done.gate))
        decided = next((d for d in loop.state.decisions if d.id == f"hop-{hop}"), None)
        route = decided.route if decided is not None else self._decide(hop, agent, done)
        if not row.hopped:
            loop.emit(ev.HopAdded(Hop(agent.name, _said(done), route), specialist=hop))
            loop.keeper.write_ledger(route)
        return route

    def _decide(self, hop: int, agent: Agent, done: ev.SpecialistFinished) -> Route:
        loop = self.loop
        taken: dict[str, int] = {}
        for past in loop.state.hops:
            taken[past.route.target] = taken.get(past.route.target, 0) + 1
        proposal = routing.propose(hop, agent, done.gate, done.outcome, taken)
        loop.emit(ev.ProposalMade(proposal))
        ended = loop.state.settled
        if not loop.steering.ask or (ended is not None and ended.forward and ended.part == f"hop {hop}"):
            loop.emit(ev.DecisionTaken(proposal.id, proposal.best.route, "policy"))
            return proposal.best.route
        while True:
            answer = loop.steering.answer(proposal)
            if isinstance(answer, Decide) and _legal(proposal, answer.route):
                loop.emit(ev.DecisionTaken(proposal.id, answer.route, "user", answer.hint, answer.dispatch))
                return answer.route
            loop.steering.refuse(proposal.id)

    def _run(self, hop: int, agent: Agent) -> SpecialistRow:
        loop = self.loop
        before = self._tree(hop)
        loop.emit(ev.SpecialistStarted(hop, agent.name, before))
        loop.emit(ev.StepStarted(Step.JUDGE, self._number, f"{agent.name}: its tools"))
        evidence = self._look(agent, before)
        finish, left, model = self._model(hop, agent, before, evidence)
        if left.tree != before:
            loop.emit(ev.StepStarted(Step.JUDGE, self._number, f"{agent.name}: its tools again"))
            evidence = self._look(agent, left.tree)
        evidence, left = self._filled(hop, agent, evidence, left)
        if canonical(agent.name) == ISSUES:
            upstream.bring(loop, finish, evidence)
        commit = self._commit(agent, before, left.tree, finish)
        stat = loop.plan.repository.numstat(before, left.tree) if left.tree != before else []
        loop.emit(
            ev.SpecialistFinished(
                hop=hop,
                agent=agent.name,
                gate=evidence.gate,
                tree=left.tree,
                outcome=str(finish.outcome) if finish else "",
                summary=finish.summary if finish else "",
                evidence=finish.evidence if finish else "",
                model=model,
                undone=left.undone,
                files=tuple(p for p, _, _ in stat),
                added=sum(a for _, a, _ in stat),
                removed=sum(r for _, _, r in stat),
                kept=self._keep(hop, agent, evidence, before, left.tree),
                commit=commit,
            )
        )
        row = loop.state.specialist(hop)
        assert row is not None
        return row

    def _tree(self, hop: int) -> str:
        """The tree a specialist begins with: the one the last left, or the attempt's."""
        earlier = self.loop.state.specialist(hop - 1)
        if earlier is not None and earlier.finished is not None:
            return earlier.finished.tree
        attempt = self.loop.state.attempt
        return (attempt.tree if attempt is not None else "") or self.loop.workshop.snapshot.tree

    @property
    def _number(self) -> int:
        """Of the last attempt."""
        return self.loop.state.attempt.number if self.loop.state.attempt is not None else 0

    def place(self, tree: str, name: str) -> Place:
        """A fresh worktree of ``tree``."""
        loop = self.loop
        commit = loop.plan.repository.scratch_commit(tree, loop.workshop.snapshot.commit)
        return loop.workshop.place(name, commit, fresh=True)

    def _look(self, agent: Agent, tree: str) -> Evidence:
        loop = self.loop
        place = self.place(tree, "verify")
        before = loop.workshop.snapshot.tree
        repository = loop.plan.repository

        def outside(argv: Sequence[str], seconds: float) -> tuple[int, list[str]]:
            lines: list[str] = []
            env = scrubbed(loop.plan.environ, loop.plan.config.sandbox.pass_env)
            try:
                exited = run_child(
                    argv,
                    cwd=place.scratch,
                    env=env,
                    cancel=loop.steering.cancel,
                    deadline_s=seconds,
                    on_line=lines.append,
                )
            except OSError as error:
                return 127, [str(error)]
            loop.steering.cancel.check()
            return (127 if exited.killed else exited.code), lines

        case = Case(
            place=place,
            repository=repository,
            before=before,
            after=tree,
            changed=tuple(p for p, _, _ in repository.numstat(before, tree)),
            prefix=loop.plan.prefix,
            interpreter=loop.plan.interpreter,
            confined=lambda argv, seconds: loop.runner.command(argv, place, seconds),
            outside=outside,
            state=loop.state,
            scratch=place.scratch,
            settings=loop.plan.config,
            files=tuple(e.path for e in repository.entries(tree) if e.mode != "120000"),
        )
        return self._looked(agent, case)

    def _looked(self, agent: Agent, case: Case) -> Evidence:
        """What its tools say; a defect of ours in them costs the gate, not the run."""
        loop = self.loop
        try:
            return LOOKS[canonical(agent.name)](case)
        except (BitnetError, OSError):
            raise
        except Exception as error:  # noqa: BLE001  # what they read is hostile
            file = loop.keeper.folder / f"crash-{canonical(agent.name)}.txt"
            file.write_text(loop.recorder.redact.text(traceback.format_exc()), encoding="utf-8")
            why = f"a defect of bitnet-tui ({type(error).__name__}): the traceback is in {file.name}"
            return Evidence(Gate(agent.gate, GateStatus.FAIL, "", why))

    def _model(self, hop: int, agent: Agent, before: str, evidence: Evidence) -> tuple[Finish | None, Left, str]:
        """What a model makes of it, where one is at hand; what it said, what it left, and who it was or why none."""
        if "anthropic" not in self.loop.plan.providers:
            return None, Left(before), "no model: its tools alone"
        hands = Hands(self.loop, hop, agent, bounds(agent.scope, self.loop.scope))
        finish, tree, why = hands.work(self.place(before, "work"), before, evidence)
        if finish is None:
            return None, Left(before), why
        if tree == before:
            return finish, Left(before), why
        undone = losses(self.loop, hop, agent, before, tree)
        return finish, Left(before, undone) if undone else Left(tree), why

    def _filled(self, hop: int, agent: Agent, evidence: Evidence, left: Left) -> tuple[Evidence, Left]:
        """With what its tool would have in the tree, where the agent may write and nothing is lost by it."""
        own = bounds(agent.scope, self.loop.scope)
        repository = self.loop.plan.repository
        for _ in range(FILLINGS):
            missing = {path: data for path, data in evidence.into.items() if not own.refusal(path)}
            if not missing:
                break
            tree = repository.tree_with(left.tree, missing, self.loop.plan.home.scratch(self.loop.run))
            if tree == left.tree or losses(self.loop, hop, agent, left.tree, tree, binary=True):
                break
            left = Left(tree, left.undone)
            evidence = self._look(agent, tree)
        return evidence, left

    # -- what it leaves -----------------------------------------------------------------------------------------------

    def _folder(self, hop: int, agent: Agent) -> Path:
        return self.loop.keeper.folder / "specialists" / f"{hop}-{canonical(agent.name)}"

    def _keep(self, hop: int, agent: Agent, evidence: Evidence, before: str, after: str) -> tuple[str, ...]:
        """Write its findings, its files and its patch into the run's folder; their paths below it."""
        loop, redact = self.loop, self.loop.recorder.redact
        folder = self._folder(hop, agent)
        files = dict(evidence.keep)
        if evidence.facts:
            text = "\n\n".join(f"## {fact.about}\n\n{fact.text}" for fact in evidence.facts)
            files.setdefault("findings.md", f"# {agent.name}: {evidence.gate.word}\n\n{text}\n".encode())
        if after != before:
            files["change.diff"] = loop.plan.repository.patch(before, after).encode("utf-8", "surrogateescape")
        for name, content in files.items():
            # A patch fits the files to the byte; all else is for reading.
            kept = content if name == "change.diff" else redact.text(content.decode("utf-8", "replace")).encode()
            receipt.write_atomically(folder / Path(name).name, kept)
        return tuple(str((folder / Path(name).name).relative_to(loop.keeper.folder)) for name in sorted(files))

    def _commit(self, agent: Agent, before: str, tree: str, finish: Finish | None) -> str:
        """A commit for the top of the run's branch, where it has one; the branch moves once the journal knows it."""
        loop = self.loop
        first = loop.state.commit
        if tree == before or first is None:
            return ""
        known = _COMMITS.get(agent.scope if isinstance(agent.scope, str) else "impl", "chore")
        subject = f"{known}: {agent.name} on top of the verified change"
        trailers = f"Bitnet-Tui-Run: {loop.run}\nBitnet-Tui-Agent: {agent.name}"
        summary = quiet(finish.summary.strip()[:600]) if finish else ""
        message = "\n\n".join(p for p in (subject, loop.recorder.redact.text(summary), trailers) if p) + "\n"
        return loop.plan.repository.commit(tree, self._tip or first.sha, message)

    @property
    def _tip(self) -> str:
        """The last commit a specialist made."""
        made = [r.finished.commit for r in self.loop.state.specialists if r.finished is not None and r.finished.commit]
        return made[-1] if made else ""

    def _advance(self, commit: str) -> None:
        """Let the branch point to a commit, unless somebody has gone on from there since."""
        first, repository = self.loop.state.commit, self.loop.plan.repository
        if not commit or first is None or repository.advance(first.branch, commit):
            return
        said = f"{first.branch} was moved meanwhile: {commit[:10]} is not on it"
        self.loop.emit(ev.ActivityReported("note", said))


def _legal(proposal: Proposal, route: Route) -> bool:
    return any(isinstance(o, Option) and o.allowed and o.route == route for o in proposal.options)


def _said(done: ev.SpecialistFinished) -> str:
    text = f"gate {done.gate.name}: {done.gate.word}"
    if done.gate.evidence:
        text += f", {done.gate.evidence}"
    if done.files:
        text += f"; +{done.added} −{done.removed} in {len(done.files)} {'file' if len(done.files) == 1 else 'files'}"
    return text + (f"; its change was undone: {done.undone}" if done.undone else "")
