"""The routes an agent file names, and what each agent of the flow owes: its gate and its write scope. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.model import Outcome

# Names that mean the same agent in the wild.
ALIASES: Mapping[str, str] = {
    "safety-scanner": "security-scanner",
    "generative-code-reviewer": "code-reviewer",
    "generative-code-refiner": "code-refiner",
    "generative-spec-analyzer": "spec-analyzer",
    "generative-doc-updater": "doc-updater",
    "fixture-builder": "generative-fixture-builder",
    "benchmark-runner": "generative-benchmark-runner",
}

SELF = "self"
IMPL = "impl-creator"

# Agents of the flow that are not run here: a route to one is recorded, and the run is handed over.
HANDOVER = frozenset(
    {
        "impl-finalizer",
        "quality-finalizer",
        "spec-finalizer",
        "docs-finalizer",
        "tests-finalizer",
        "spec-creator",
        "test-creator",
        "fuzz-tester",
    }
)

# agent → the gate it owns and what it may write, as the specification has it
CONTRACTS: Mapping[str, tuple[str, str]] = {
    IMPL: ("impl", "impl"),
    "code-reviewer": ("clippy", "impl"),
    "code-refiner": ("clippy", "impl"),
    "test-hardener": ("mutation", "tests"),
    "spec-analyzer": ("spec", "docs"),
    "issue-creator": ("spec", "nothing"),
    "generative-benchmark-runner": ("benchmarks", "nothing"),
    "security-scanner": ("security", "nothing"),
    "doc-updater": ("docs", "docs"),
    "generative-fixture-builder": ("fixtures", "fixtures"),
}

SCOPES = ("impl", "tests", "docs", "fixtures", "nothing")

# Who goes on where an agent says how it ended; the same words for every agent.
MEANT: Mapping[Outcome, str] = {
    Outcome.OPTIMISE: "code-refiner",
    Outcome.HARDEN: "test-hardener",
    Outcome.ARCHITECTURE: "spec-analyzer",
    Outcome.DEPENDENCY: "issue-creator",
    Outcome.PERFORMANCE: "generative-benchmark-runner",
    Outcome.SECURITY: "security-scanner",
    Outcome.DOCS: "doc-updater",
    Outcome.INTEGRATION: "generative-fixture-builder",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """A way on: to whom, and how often in one run."""

    to: str
    at_most: int = 0  # 0: as often as the run allows


@dataclass(frozen=True, slots=True)
class Routes:
    finalize: str = ""
    next: tuple[Edge, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """Everybody a route leads to, the finalizer first."""
        return (*((self.finalize,) if self.finalize else ()), *(e.to for e in self.next))


def canonical(name: str) -> str:
    """The one name of an agent that has several.

    Examples
    --------
    >>> canonical("benchmark-runner"), canonical("my-agent")
    ('generative-benchmark-runner', 'my-agent')
    """
    return ALIASES.get(name, name)


def runnable(target: str) -> bool:
    """Whether a route's target is an agent that can be run where the route is taken.

    Examples
    --------
    >>> runnable("safety-scanner"), runnable("quality-finalizer"), runnable("impl-creator")
    (True, False, False)
    """
    return canonical(target) in CONTRACTS and canonical(target) != IMPL


def read(data: Any) -> Routes:
    """Routes as an agent file has them: ``{finalize: name, next: [name, {to: name, at-most: 1}]}``.

    Raises
    ------
    ValueError
        They have another form; says what is wanted.
    """
    if not isinstance(data, Mapping):
        raise ValueError("want `finalize: agent` and `next: [agent, …]`")
    if unknown := sorted(set(map(str, data)) - {"finalize", "next"}):
        raise ValueError(f"unknown key {unknown[0]!r}; want finalize and next")
    finalize, after = data.get("finalize") or "", data.get("next") or []
    if not isinstance(finalize, str) or not isinstance(after, list):
        raise ValueError("want one agent as finalize and a list of agents as next")
    return Routes(canonical(finalize), tuple(map(_edge, after)))


def _edge(given: Any) -> Edge:
    if isinstance(given, str) and given.strip():
        return Edge(canonical(given.strip()))
    if isinstance(given, Mapping) and isinstance(to := given.get("to"), str) and to.strip():
        most = given.get("at-most", 0)
        if set(given) <= {"to", "at-most"} and isinstance(most, int) and not isinstance(most, bool) and most >= 0:
            return Edge(canonical(to.strip()), most)
    raise ValueError(f"{given!r} is no route; want an agent's name, or {{to: name, at-most: 1}}")
