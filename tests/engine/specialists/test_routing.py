"""Where a run goes after a specialist."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from engine.flow import agents
from engine.flow.routes import CONTRACTS
from engine.model import Gate, GateStatus, Outcome, Proposal
from engine.specialists.routing import propose


def ask(
    name: str,
    status: GateStatus,
    said: str = "",
    taken: Mapping[str, int] | None = None,
) -> Proposal:
    agent = agents.load(name)
    reason = "missing-tool" if status is GateStatus.SKIPPED else ""
    return propose(1, agent, Gate(agent.gate, status, reason, "what it saw"), said, taken or {})


@pytest.mark.parametrize("name", sorted(set(CONTRACTS) - {"impl-creator"}))
@pytest.mark.parametrize("status", list(GateStatus))
@pytest.mark.parametrize("said", ["", "done", "more-work", "architecture", "optimise", "nonsense"])
def test_there_is_always_a_legal_way_on_and_finalize_needs_the_gate(name: str, status: GateStatus, said: str) -> None:
    proposal = ask(name, status, said)
    assert proposal.best.allowed
    assert proposal.reason
    for option in proposal.options:
        if option.route.kind == "FINALIZE":
            assert option.allowed == (status is not GateStatus.FAIL)
            assert option.allowed or "gate" in option.why_not


def test_a_gate_that_holds_finalizes() -> None:
    assert str(ask("test-hardener", GateStatus.PASS).best.route) == "FINALIZE → quality-finalizer"
    assert "missing-tool" in ask("security-scanner", GateStatus.SKIPPED).reason


@pytest.mark.parametrize(
    ("name", "said", "target"),
    [
        ("code-reviewer", "optimise", "code-refiner"),
        ("code-reviewer", "architecture", "spec-analyzer"),
        ("code-reviewer", "performance", "generative-benchmark-runner"),
        ("code-reviewer", "security", "security-scanner"),
        ("code-reviewer", "docs", "doc-updater"),
        ("code-refiner", "architecture", "spec-analyzer"),
        ("code-refiner", "dependency", "issue-creator"),
        ("code-refiner", "docs", "doc-updater"),
        ("test-hardener", "more-work", "fuzz-tester"),
        ("spec-analyzer", "more-work", "spec-creator"),
        ("issue-creator", "architecture", "spec-analyzer"),
        ("generative-benchmark-runner", "optimise", "code-refiner"),
        ("generative-benchmark-runner", "architecture", "spec-analyzer"),
        ("security-scanner", "security", "impl-finalizer"),
        ("doc-updater", "architecture", "spec-analyzer"),
        ("doc-updater", "more-work", "impl-creator"),
        ("generative-fixture-builder", "architecture", "spec-analyzer"),
        ("generative-fixture-builder", "more-work", "impl-creator"),
    ],
)
def test_an_outcome_an_agent_file_names_leads_where_it_says(name: str, said: str, target: str) -> None:
    assert f"`{said}`" in agents.load(name).body
    assert ask(name, GateStatus.PASS, said).best.route.target == target


def test_agent_files_name_no_other_outcomes() -> None:
    for name in set(CONTRACTS) - {"impl-creator"}:
        end = agents.load(name).body.partition("## How it ends")[2]
        named = set(re.findall(r"`([a-z-]+)`", end)) & set(Outcome)
        for said in named - {"done"}:
            assert ask(name, GateStatus.PASS, said).best.route.kind == "NEXT" or name == "issue-creator"


def test_a_gate_that_fails_goes_to_the_first_of_its_next_routes() -> None:
    assert str(ask("code-reviewer", GateStatus.FAIL).best.route) == "NEXT → code-refiner"
    assert str(ask("issue-creator", GateStatus.FAIL).best.route) == "NEXT → spec-analyzer"


def test_a_route_with_a_bound_is_off_when_it_was_taken_that_often() -> None:
    proposal = ask("doc-updater", GateStatus.FAIL, taken={"impl-creator": 1})
    bounded = next(o for o in proposal.options if o.route.target == "impl-creator")
    assert not bounded.allowed
    assert "taken 1 times" in bounded.why_not
