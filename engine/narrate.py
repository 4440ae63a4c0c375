"""One plain line per event, with stable wording: the linear twin of the dashboard. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import events as ev
from engine import spending
from engine.model import Ended, Purpose, TestOutcome, Verdict
from engine.plain import safe
from engine.state import RunState, selected

UNFIT = 20
"""Red tests that are no targets and are named one by one."""


def narrate(event: ev.Event, state: RunState) -> str:
    """What to print for an event (``state`` is the one after it); empty for those a reader need not see."""
    tell = _LINES.get(type(event))
    return safe(tell(event, state)) if tell else ""


def _started(e: ev.RunStarted, s: RunState) -> str:
    where = f"{e.root}/{e.prefix}".rstrip("/")
    return f"run {e.run} on {where}\nprovider {', '.join(e.providers)}: {e.why_provider}\nsettings from {e.config}; suites {', '.join(e.suites)}; agent {e.agent}"  # noqa: E501


def _environment(e: ev.EnvironmentProbed, s: RunState) -> str:
    return (
        f"python {e.python_version} at {e.python}, pytest {e.pytest_version}\nprotections: {'; '.join(e.protections)}"
    )


def _snapshot(e: ev.SnapshotTaken, s: RunState) -> str:
    where = f"branch {e.branch}" if e.branch else "HEAD is detached; the result goes to a branch of its own"
    extra = f", {e.dirty} changed and {e.untracked} untracked files included" if e.dirty or e.untracked else ""
    return f"snapshot {e.commit[:10]} ({where}{extra})"


def _suite(e: ev.SuiteFinished, s: RunState) -> str:
    name = f"{e.purpose} {e.round} · suite {e.suite}"
    if e.purpose is Purpose.ALONE:
        name = f"the red tests by themselves · suite {e.suite}"
    if e.ended is Ended.SKIPPED:
        left = f", {e.left_out} tests left out" if e.left_out else ""
        return "" if e.reason == "n/a-surface" else f"{name}: skipped ({e.reason}){left}"
    outcomes = s.outcomes(f"{e.purpose}{e.round}", e.suite).values()
    red, passed = sum(o.red for o in outcomes), sum(o.passed for o in outcomes)
    rest = len(outcomes) - red - passed
    line = f"{name}: {red} failing, {passed} passing" + (f", {rest} other" if rest else "") + f"  {e.seconds:.1f}s"
    return line + (f"\n  {e.problem}" if e.problem else "")


def _test(e: ev.TestFinished, s: RunState) -> str:
    if e.purpose is not Purpose.AUDIT or e.round != 1 or not e.result.outcome.red:
        return ""
    word = "" if e.result.outcome is TestOutcome.FAILED else f" ({e.result.outcome})"
    return f"  failing{word}  {e.result.nodeid}  {e.result.message}"


def _audit(e: ev.AuditFinished, s: RunState) -> str:
    counts = ", ".join(f"{n} {label}" for label, n in (e.counts or {}).items())
    unfit = [f"\n  {u.label}  {u.nodeid} {u.why}\n    {u.advice}" for u in e.unfit[:UNFIT]]
    more = f"\n  and {len(e.unfit) - UNFIT} more" if len(e.unfit) > UNFIT else ""
    return f"audit: {counts or 'no tests'}; {len(e.targets)} to mend" + "".join(unfit) + more


def _attempt(e: ev.AttemptStarted, s: RunState) -> str:
    limit = s.retries.limit + 1
    return f"attempt {e.number}/{limit} · {e.provider}" + (f" · hint: {e.hint}" if e.hint else "")


def _tool(e: ev.ToolCalled, s: RunState) -> str:
    word = "" if e.ok else " refused:"
    return f"  {e.tool} {e.summary}{word}  {e.answer}"


def _attempted(e: ev.AttemptFinished, s: RunState) -> str:
    files = f"{len(e.files)} files, +{e.added} -{e.removed}" if e.files else "nothing changed"
    line = f"attempt {e.number} ended: {e.outcome}; {files}"
    row = s.attempt
    return (
        line
        + (f"; {row.plausible}" if row is not None and row.plausible else "")
        + ("\n  " + e.summary.replace("\n", "\n  ") if e.summary else "")
        + (f"\n  {e.doubt}" if e.doubt else "")
        + "".join(f"\n  or: {r.note}" + (f" ({r.differs})" if r.differs else "") for r in e.runners_up)
        + (f"\n  transient: {e.transient}" if e.transient else "")
    )


def _verified(e: ev.VerificationFinished, s: RunState) -> str:
    moved = e.progress
    line = f"verification {e.attempt}: {e.verdict}; {len(moved.fixed)} fixed, {len(moved.still) + len(moved.gone)} still failing, {len(moved.broken)} broken"  # noqa: E501
    return line if e.verdict is Verdict.VERIFIED else "\n  ".join([line, *e.reasons])


def _diet(e: ev.DietFinished, s: RunState) -> str:
    word = "minimal" if e.minimal else "not shown to be minimal"
    taken = f", {e.dropped} pieces taken away" if e.dropped else ""
    return f"diet: +{e.added} -{e.removed}, {word}{taken}" + (f"; {e.note}" if e.note else "")


def _restored(e: ev.PiecesRestored, s: RunState) -> str:
    if not e.pieces:
        return "what was brought back is taken away again"
    return f"brought back {_pieces(e.pieces)} that had been taken away"


def _reverted(e: ev.PiecesReverted, s: RunState) -> str:
    return f"took away {_pieces(e.pieces)} of the change, by hand"


def _taken(e: ev.RunnerUpTaken, s: RunState) -> str:
    if e.index < 0:
        return "the change that was proposed first is taken again, by hand"
    row = s.attempt
    note = row.finished.summary if row is not None and row.finished is not None else ""
    return f"runner-up {e.index + 1} is taken in its place, by hand: {note}"


def _pieces(indices: tuple[int, ...]) -> str:
    return "1 piece" if len(indices) == 1 else f"{len(indices)} pieces"


def _weighed(e: ev.AdvisoriesSettled, s: RunState) -> str:
    raised = len(e.followed) + len(e.open)
    return f"advisories: {len(e.followed)} of {raised} followed" if raised else ""


def _gate(e: ev.GateSet, s: RunState) -> str:
    return f"gate {e.gate.name}: {e.gate.word}" + (f"  {e.gate.evidence}" if e.gate.evidence else "")


def _proposal(e: ev.ProposalMade, s: RunState) -> str:
    return f"recommended: {e.proposal.best.route}: {e.proposal.reason}"


def _specialist(e: ev.SpecialistFinished, s: RunState) -> str:
    lines = [f"{e.agent} ended{f': {e.outcome}' if e.outcome else ''} ({e.model})"]
    lines += [e.summary.replace("\n", "\n  ")] if e.summary else []
    lines += [f"changed {', '.join(e.files)}: +{e.added} -{e.removed}"] if e.files else []
    lines += [f"its change was undone: {e.undone}"] if e.undone else []
    return "\n  ".join([*lines, *(f"kept {path}" for path in e.kept)])


def _published(e: ev.Published, s: RunState) -> str:
    # Why there is no check run has a line of its own, at the end.
    return f"{e.kind}: {e.url}" if e.url else "" if e.kind == "check run" else f"no {e.kind}: {e.words}"


def _limit(e: ev.BudgetReached, s: RunState) -> str:
    return f"limit {e.limit}: {e.why}"


def _raised(e: ev.BudgetRaised, s: RunState) -> str:
    return f"limit {e.limit} raised to " + (spending.usd(e.to) if e.limit == "usd" else f"{e.to:,g}")


def _settled(e: ev.BudgetSettled, s: RunState) -> str:
    if e.part == ev.RUN:
        return "the run ends here, by a person; it can be resumed"
    return f"{e.part} ends here, by a person: " + ("judged, then handed over" if e.forward else "judged")


def _ended(e: Any, s: RunState) -> str:
    word = "interrupted" if isinstance(e, ev.RunInterrupted) else "failed"
    return f"{word}: {e.why}" + (f"\n  {e.hint}" if e.hint else "")


_LINES: dict[type, Callable[[Any, RunState], str]] = {
    ev.RunStarted: _started,
    ev.RunResumed: lambda e, s: "resumed",
    ev.EnvironmentProbed: _environment,
    ev.SnapshotTaken: _snapshot,
    ev.SuiteFinished: _suite,
    ev.TestFinished: _test,
    ev.AuditFinished: _audit,
    ev.AttemptStarted: _attempt,
    ev.ActivityReported: lambda e, s: "" if e.kind == "progress" else f"  {e.text}",
    ev.ToolCalled: _tool,
    ev.EditApplied: lambda e, s: f"  edited {e.path} +{e.added} -{e.removed}",
    ev.BudgetReached: _limit,
    ev.BudgetRaised: _raised,
    ev.BudgetSettled: _settled,
    ev.TestsSelected: lambda e, s: f"  {selected(e)}",
    ev.AttemptFinished: _attempted,
    ev.VerificationFinished: _verified,
    ev.DietFinished: _diet,
    ev.PiecesRestored: _restored,
    ev.PiecesReverted: _reverted,
    ev.RunnerUpTaken: _taken,
    ev.RunnerUpRefused: lambda e, s: f"runner-up {e.index + 1} did not verify: {e.why}; the earlier proposal stays",
    ev.ChangeExamined: lambda e, s: "\n".join(
        f"[ADVISORY] {a.code}: {a.text} ({a.path}:{a.line})" for a in e.advisories
    ),
    ev.GateSet: _gate,
    ev.ProposalMade: _proposal,
    ev.DecisionTaken: lambda e, s: f"decided by {e.by}: {e.route}",
    ev.HopAdded: lambda e, s: f"hop: [{e.hop.agent}] {e.hop.text}; {e.hop.route}",
    ev.SpecialistStarted: lambda e, s: f"agent {e.hop} · {e.agent}",
    ev.SpecialistFinished: _specialist,
    ev.AdvisoryRaised: lambda e, s: f"[ADVISORY] {e.advisory.code}: {e.advisory.text}",
    ev.AdvisoriesSettled: _weighed,
    ev.Paused: lambda e, s: "paused",
    ev.Continued: lambda e, s: "going on",
    ev.CheckoutCompared: lambda e, s: "" if e.untouched else f"note: {e.note}",
    ev.CommitCreated: lambda e, s: f"commit {e.sha[:10]} on {e.branch}: {e.subject}",
    ev.Published: _published,
    ev.ReceiptWritten: lambda e, s: e.check,
    ev.RunInterrupted: _ended,
    ev.RunFailed: _ended,
}


def counter(state: RunState) -> str:
    """The live line on a terminal: what runs now, and how far it is."""
    running = next((r for r in state.suites.values() if r.running), None)
    if running is not None:
        of = f"/{running.expected}" if running.expected else ""
        return f"{running.running} · {running.name} {running.done}{of}"
    if state.ended is None and state.step is not None:
        last = state.activity[-1] if state.activity and state.step == "edit" else state.step_note
        return safe(" · ".join([str(state.step), *(spending.live(state) if state.step == "edit" else []), last]))
    return ""
