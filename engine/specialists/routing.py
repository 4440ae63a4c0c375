"""Where a run goes after a specialist: its own routes, by its gate and by what it says. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from engine.flow.agents import Agent
from engine.flow.routes import IMPL, MEANT
from engine.model import Gate, GateStatus, Option, Outcome, Proposal, Route, RouteKind
from engine.policy import SPECIALISTS


def propose(hop: int, agent: Agent, gate: Gate, said: str, taken: Mapping[str, int]) -> Proposal:
    """The routes of a specialist that has ended, which are open, and the recommended one with its reason.

    Parameters
    ----------
    hop
        Which specialist of the run it was, counted from 1.
    gate
        Its own gate.
    said
        The outcome its model named; empty where there was none.
    taken
        How often each route of the agent was taken in this run.
    """
    failed = gate.status is GateStatus.FAIL
    options = []
    if agent.routes.finalize:
        why_not = f"gate {gate.name} is {gate.word}" if failed else ""
        options.append(Option(Route(RouteKind.FINALIZE, agent.routes.finalize), not failed, _stands_for(gate), why_not))
    for edge in agent.routes.next:
        spent = bool(edge.at_most) and taken.get(edge.to, 0) >= edge.at_most
        why_not = f"taken {edge.at_most} times, as often as it may be" if spent else ""
        options.append(Option(Route(RouteKind.NEXT, edge.to), not spent, _meaning(edge.to), why_not))
    if not any(o.allowed for o in options):
        # Somebody has to know: the run never ends without a route.
        options.append(Option(Route(RouteKind.NEXT, "spec-analyzer"), True, "no route of its own is open"))
    best, reason = _recommend(options, gate, said)
    return Proposal(f"hop-{hop}", tuple(options), best, reason)


def _stands_for(gate: Gate) -> str:
    return f"gate {gate.name}: {gate.word}"


def _meaning(target: str) -> str:
    return next((stands_for for _, agent, stands_for, _ in SPECIALISTS if agent == target), "handed over")


# Who goes on where an agent says that what it needs has to be made first.
_MORE_WORK = IMPL


def _recommend(options: list[Option], gate: Gate, said: str) -> tuple[int, str]:
    open_ = {o.route.target: i for i, o in enumerate(options) if o.allowed}
    meant = {**MEANT, Outcome.MORE_WORK: _MORE_WORK}
    wanted = meant.get(Outcome(said)) if said and said in set(Outcome) else None
    if wanted in open_:
        return open_[wanted], f"it says {said}"
    failed = gate.status is GateStatus.FAIL
    after = [i for i, o in enumerate(options) if o.allowed and o.route.kind is RouteKind.NEXT]
    if after and (failed or said not in ("", Outcome.DONE)):
        return after[0], f"gate {gate.name}: {gate.evidence or gate.word}" if failed else f"it says {said}"
    first = next(i for i, o in enumerate(options) if o.allowed)
    return first, f"gate {gate.name} is {gate.word}" + (f": {gate.evidence}" if gate.evidence else "")
