"""Where a run goes after a specialist."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from engine.flow import agents
from engine.flow.routes import CONTRACTS
from engine.model import Gate, GateStatus, Proposal
from engine.specialists.routing import propose


def ask(
    name: str,
    status: GateStatus,
    said: str = "",
    concerns: Mapping[str, str] | None = None,
    taken: Mapping[str, int] | None = None,
) -> Proposal:
    agent = agents.load(name)
    reason = "missing-tool" if status is GateStatus.SKIPPED else ""
    return propose(1, agent, Gate(agent.gate, status, reason, "what it saw"), said, concerns or {}, taken or {})


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


def test_what_the_model_says_goes_before_what_the_tools_found() -> None:
    concerns = {"security-scanner": "a secret"}
    assert ask("code-reviewer", GateStatus.PASS, "optimise", concerns).best.route.target == "code-refiner"
    found = ask("code-reviewer", GateStatus.PASS, "", concerns)
    assert (found.best.route.target, found.reason) == ("security-scanner", "a secret")


def test_a_concern_for_an_agent_that_is_no_route_of_its_own_changes_nothing() -> None:
    assert ask("test-hardener", GateStatus.PASS, "", {"doc-updater": "x"}).best.route.kind == "FINALIZE"


def test_a_gate_that_fails_goes_to_the_first_of_its_next_routes() -> None:
    assert str(ask("code-reviewer", GateStatus.FAIL).best.route) == "NEXT → code-refiner"
    assert str(ask("issue-creator", GateStatus.FAIL).best.route) == "NEXT → spec-analyzer"


def test_a_route_with_a_bound_is_off_when_it_was_taken_that_often() -> None:
    proposal = ask("doc-updater", GateStatus.FAIL, taken={"impl-creator": 1})
    bounded = next(o for o in proposal.options if o.route.target == "impl-creator")
    assert not bounded.allowed
    assert "taken 1 times" in bounded.why_not
