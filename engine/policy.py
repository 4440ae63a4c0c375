"""Decide what may happen next. Pure: no clock, no IO, no engine state but the argument."""

from __future__ import annotations

from engine.flow.routes import MEANT
from engine.model import GateStatus, Label, Noun, Option, Outcome, Proposal, Purpose, Route, RouteKind, Verdict
from engine.state import AttemptRow, RunState, stage
from engine.verify.contradiction import CODE as CONTRADICTION

FINALIZE = Route(RouteKind.FINALIZE, "code-reviewer")
RETRY = Route(RouteKind.NEXT, "self")
REVIEW = Route(RouteKind.NEXT, "code-reviewer")

# The outcomes of the specification that hand over to a specialist, in the order a person reads them.
SPECIALISTS: tuple[tuple[Outcome, str, str, bool], ...] = tuple(
    # outcome, target, what it stands for, needs gate impl to pass
    (outcome, MEANT[outcome], stands_for, needs_impl)
    for outcome, stands_for, needs_impl in (
        (Outcome.OPTIMISE, "needs specialist: optimisation", True),
        (Outcome.HARDEN, "needs specialist: robustness", True),
        (Outcome.ARCHITECTURE, "architectural issue", False),
        (Outcome.DEPENDENCY, "dependency issue", False),
        (Outcome.PERFORMANCE, "performance concern", True),
        (Outcome.SECURITY, "security finding", True),
        (Outcome.DOCS, "documentation gap", True),
        (Outcome.INTEGRATION, "integration concern", True),
    )
)


class Limits(Noun, frozen=True):
    """What policy must know of the settings."""

    retry_limit: int = 2


def impl_passes(state: RunState) -> bool:
    gate = state.gates.get("impl")
    return gate is not None and gate.status is GateStatus.PASS


def progressed(state: RunState, attempt: AttemptRow) -> bool:
    """Fewer failing target tests than before this attempt, and nothing newly broken.

    A file that could not be collected is one target however many tests it holds: that more of them pass counts, too.
    """
    if attempt.failing_after is None or attempt.progress.broken:
        return False
    if attempt.failing_after != attempt.failing_before:
        return attempt.failing_after < attempt.failing_before
    return _inside(state, attempt.number) > _inside(state, attempt.number - 1)


def _inside(state: RunState, number: int) -> int:
    """Tests that passed after an attempt, in files that could not be collected before there was one."""
    files = tuple(f"{t.key}::" for t in state.targets if t.label is Label.UNCOLLECTABLE)
    stages = (stage(Purpose.VERIFY, number), stage(Purpose.REACH, number))
    mine = [t for t in state.tests.values() if t.key.startswith(files)] if files else []
    return sum(any(s in t.outcomes and t.outcomes[s].passed for s in stages) for t in mine)


def why_no_retry(state: RunState, limits: Limits) -> str:
    """Why ``NEXT → self`` is off, or an empty string if it is allowed."""
    attempt = state.attempt
    if impl_passes(state):
        return "gate impl passes already"
    if state.retries.used >= min(limits.retry_limit, state.retries.limit):
        return "the retry budget is spent" if limits.retry_limit else "retries are set to 0"
    if attempt is None:
        return "nothing was attempted"
    if attempt.finished is not None and attempt.finished.transient:
        return ""
    if attempt.verdict is Verdict.TAMPERED:
        return "the evidence was interfered with: its numbers show no progress"
    if not progressed(state, attempt):
        return "no progress: a retry needs fewer failing tests and nothing newly broken, or a transient failure"
    return ""


def _options(state: RunState, limits: Limits) -> tuple[Option, ...]:
    passes = impl_passes(state)
    off = "gate impl is " + (str(state.gates["impl"].status) if "impl" in state.gates else "not set")
    no_retry = why_no_retry(state, limits)
    rows = [
        Option(FINALIZE, passes, "task fully done", "" if passes else off),
        Option(RETRY, not no_retry, "additional work required", no_retry),
    ]
    for _outcome, target, stands_for, needs_impl in SPECIALISTS:
        allowed = passes or not needs_impl
        rows.append(Option(Route(RouteKind.NEXT, target), allowed, stands_for, "" if allowed else off))
    if state.attempt is not None and state.attempt.doubted:
        rows.append(Option(REVIEW, True, "green, with places that only a person can judge", ""))
    return tuple(rows)


def _recommend(state: RunState, options: tuple[Option, ...]) -> tuple[int, str]:
    by_target = {o.route.target: i for i, o in enumerate(options)}
    attempt = state.attempt
    said = attempt.finished.outcome if attempt and attempt.finished else ""
    special = {str(outcome): target for outcome, target in MEANT.items()}
    if options[0].allowed:
        if said in special and options[by_target[special[said]]].allowed:
            return by_target[special[said]], f"gate impl passes; the provider asks for {special[said]}"
        reason = "gate impl passes: every target test is green in a fresh worktree and nothing was lost"
        look = attempt.look_first if attempt else ""
        return 0, f"{reason}; {look}" if look else reason
    if attempt is not None and attempt.doubted:
        return by_target["code-reviewer"], f"green, but not called verified: {attempt.reasons[0]}"
    if clash := next((a for a in state.advisories if a.code == CONTRADICTION), None):
        return by_target["spec-analyzer"], clash.text
    if options[1].allowed and attempt is not None:
        if attempt.finished is not None and attempt.finished.transient:
            return 1, f"transient: {attempt.finished.transient}"
        told = f"{attempt.failing_before} → {attempt.failing_after} failing, none newly broken"
        more = _inside(state, attempt.number) - _inside(state, attempt.number - 1)
        return 1, told + (f"; {more} more passing in files that could not be collected" if more > 0 else "")
    if said in special and options[by_target[special[said]]].allowed:
        summary = attempt.finished.summary if attempt and attempt.finished else ""
        return by_target[special[said]], f"the provider says {said}" + (f": {summary}" if summary else "")
    reason = why_short(attempt, options[1].why_not)
    return by_target["spec-analyzer"], reason


def why_short(attempt: AttemptRow | None, fallback: str) -> str:
    """Why the run routes forward, in a few words."""
    if attempt is None or attempt.failing_after is None:
        return fallback
    moved = f"{attempt.failing_before} → {attempt.failing_after} failing"
    broken = len(attempt.progress.broken)
    return f"{moved}, {broken} newly broken; {fallback}" if broken else f"{moved}; {fallback}"


def propose(state: RunState, limits: Limits) -> Proposal:
    """All routes, which are open, and the recommended one with its reason.

    Parameters
    ----------
    state
        With the gates of the current attempt set.
    limits
        From the settings.
    """
    options = _options(state, limits)
    recommended, reason = _recommend(state, options)
    return Proposal(proposal_id(state.attempt), options, recommended, reason)


def proposal_id(attempt: AttemptRow | None) -> str:
    """What a decision refers to. A change with pieces brought back is another one, to be decided anew."""
    again = attempt.again if attempt else 0
    return f"after-{attempt.number if attempt else 0}" + (f"-{again}" if again else "")


def forward(proposal: Proposal) -> Option:
    """The best route that is no retry: for a run that is to end here."""
    if not proposal.best.route.retry:
        return proposal.best
    return next(o for o in proposal.options if o.allowed and not o.route.retry)


def legal(proposal: Proposal, route: Route) -> bool:
    """Whether this proposal lets a person choose ``route``."""
    return any(o.allowed and o.route == route for o in proposal.options)
