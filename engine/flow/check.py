"""The static check of a flow: routes that lead nowhere, agents nobody reaches, loops without a bound. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.flow.agents import Agent
from engine.flow.routes import CONTRACTS, HANDOVER, IMPL, SELF, canonical


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an agent's routes, and where it stands."""

    source: str
    text: str
    error: bool = True

    def __str__(self) -> str:
        return f"{self.source}: {'error' if self.error else 'warning'}: {self.text}"


def check(flow: Mapping[str, Agent], start: str = IMPL) -> list[Finding]:
    """Everything wrong with the routes between some agents.

    Parameters
    ----------
    flow
        The agents by the file they come from.
    start
        The agent a run begins with.

    Returns
    -------
    Findings, in the order of the files. Errors: two files for one agent, a route to nobody, a loop nothing bounds,
    a FINALIZE without the gate it needs. Warnings: an agent no route reaches, or one without a way on.
    """
    by_name: dict[str, tuple[str, Agent]] = {}
    found: list[Finding] = []
    for source, agent in flow.items():
        name = canonical(agent.name)
        if name in by_name:
            found.append(Finding(source, f"agent {name} is in {by_name[name][0]} too; keep one"))
        else:
            by_name[name] = (source, agent)
    known = {n: a for n, (_, a) in by_name.items()}
    for name, (source, agent) in by_name.items():
        found += [Finding(source, text) for text in (*_nowhere(name, agent, known), *_without_gate(name, agent))]
        if not agent.routes.targets:
            found.append(Finding(source, f"{name} has no routes: a run ends with it", error=False))
    found += [Finding(by_name[loop[0]][0], _loop_text(loop)) for loop in unbounded(known)]
    reached = _reached(known, canonical(start))
    for name, (source, _) in by_name.items():
        if name not in reached and canonical(start) in known:
            found.append(Finding(source, f"no route from {canonical(start)} reaches {name}", error=False))
    order = {source: number for number, source in enumerate(flow)}
    return sorted(found, key=lambda f: order[f.source])


def _nowhere(name: str, agent: Agent, known: Mapping[str, Agent]) -> Iterator[str]:
    for target in agent.routes.targets:
        if target == SELF or target in known or target in HANDOVER:
            continue
        near = difflib.get_close_matches(target, [*known, *HANDOVER], 1, 0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"{name} routes to {target}, and there is no such agent{hint}"
    if agent.routes.finalize == SELF:
        yield f"{name} finalizes to itself: nothing would ever end"


def _without_gate(name: str, agent: Agent) -> Iterator[str]:
    """A FINALIZE needs a gate that holds, and where the flow knows the agent, that gate."""
    if not agent.routes.finalize:
        return
    owed = CONTRACTS[name][0] if name in CONTRACTS else ""
    if not agent.gate:
        yield f"{name} finalizes to {agent.routes.finalize} without a gate; add `gate: {owed or 'its gate'}`"
    elif owed and agent.gate != owed:
        yield f"{name} finalizes by gate {agent.gate}, past the one it owes: {owed}"


def unbounded(known: Mapping[str, Agent]) -> list[tuple[str, ...]]:
    """Loops in which no route says how often it may be taken, each once, from its first agent in order."""
    free = {
        name: [e.to for e in agent.routes.next if not e.at_most] + [agent.routes.finalize]
        for name, agent in known.items()
    }
    loops: dict[frozenset[str], tuple[str, ...]] = {}

    def walk(path: tuple[str, ...]) -> None:
        for target in free.get(path[-1], ()):
            after = path[-1] if target == SELF else target
            if after == path[0]:
                loops.setdefault(frozenset(path), path)
            elif after in known and after not in path and after > path[0]:  # each loop from its least name
                walk((*path, after))

    for name in sorted(known):
        walk((name,))
    return list(loops.values())


def _loop_text(loop: tuple[str, ...]) -> str:
    way = " → ".join((*loop, loop[0]))
    return f"{way} can go round for ever; bound one route, as in {{to: {loop[0]}, at-most: 1}}"


def _reached(known: Mapping[str, Agent], start: str) -> set[str]:
    reached, left = set[str](), [start]
    while left:
        name = left.pop()
        if name in known and name not in reached:
            reached.add(name)
            left += known[name].routes.targets
    return reached
