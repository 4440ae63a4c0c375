"""fold(state, event): the only place state changes. Pure: no clock, no IO."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

from msgspec.structs import replace

from engine import events as ev
from engine.model import Label, Purpose, RetryBudget, Step, TestOutcome, Usage, Verdict
from engine.standing import AttemptRow, RunState, SpecialistRow, SuiteRow, TestRow, stage

ACTIVITY_LINES = 200
ABOUT_HOOKS = "HOOK"
"""The code of advisories on hooks: whoever makes an attempt cannot follow them."""


def selected(e: ev.TestsSelected) -> str:
    """What runs before the whole suite, in a line."""
    counts = ", ".join(f"{n} of {e.of.get(suite, n)} tests of {suite}" for suite, n in e.chosen.items())
    return f"first {counts}: {'; '.join(e.why)}"


def _run_started(s: RunState, e: ev.RunStarted, at: float) -> RunState:
    suites = {name: SuiteRow(name) for name in e.suites}
    return replace(s, started=e, started_at=at, suites=suites, retries=RetryBudget(e.retry_limit, 0))


def _run_resumed(s: RunState, e: ev.RunResumed, at: float) -> RunState:
    # What was under way when the run stopped has no witness any more: it is done again from its step's start.
    suites = {n: replace(r, running="", done=0) for n, r in s.suites.items()}
    attempts = tuple(a for a in s.attempts if a.finished is not None)
    followed = tuple(r for r in s.specialists if r.finished is not None)
    s = replace(s, ended=None, stopping=False, paused=False, suites=suites, attempts=attempts, proposal=None)
    limits = e.limits or {}
    if s.started is not None:  # what was typed last holds
        started = {"providers": e.providers or s.started.providers, "limits": {**(s.started.limits or {}), **limits}}
        raised = {name: to for name, to in s.raised.items() if name not in limits}
        s = replace(s, started=replace(s.started, **started), raised=raised)
    return replace(s, pieces=(), specialists=followed, step_since=0.0, limit=None)


def _suite_started(s: RunState, e: ev.SuiteStarted, at: float) -> RunState:
    name = stage(e.purpose, e.round)
    # A stage is replaced as a whole when it runs again, so a resumed run counts nothing twice.
    tests = {
        k: replace(t, outcomes={n: o for n, o in t.outcomes.items() if n != name})
        if t.suite == e.suite and name in t.outcomes
        else t
        for k, t in s.tests.items()
    }
    row = s.suites.get(e.suite, SuiteRow(e.suite))
    return replace(s, tests=tests, suites={**s.suites, e.suite: replace(row, running=name, done=0, expected=0)})


def _suite_collected(s: RunState, e: ev.SuiteCollected, at: float) -> RunState:
    row = s.suites.get(e.suite, SuiteRow(e.suite))
    return replace(s, suites={**s.suites, e.suite: replace(row, expected=e.total)})


def _suite_finished(s: RunState, e: ev.SuiteFinished, at: float) -> RunState:
    row = s.suites.get(e.suite, SuiteRow(e.suite))
    finished = {**row.finished, stage(e.purpose, e.round): e}
    # Only a full round says how the suite stands; an agent's own run may be of three tests.
    last = e if e.purpose in (Purpose.AUDIT, Purpose.VERIFY) else row.last
    suites = {**s.suites, e.suite: replace(row, running="", last=last, finished=finished)}
    if s.audit is None or e.purpose in (Purpose.ALONE, Purpose.REVIEW):
        return replace(s, suites=suites)
    return replace(s, suites=suites, tests=_with_opened(s.tests, e.suite, stage(e.purpose, e.round)))


def _with_opened(tests: Mapping[str, TestRow], suite: str, stage_: str) -> Mapping[str, TestRow]:
    """A file that a round could collect is as its tests are, or goes where the audit did not know it as one."""
    broken = [t for t in tests.values() if t.suite == suite and t.latest is not None and t.latest.phase == "collect"]
    found = tests
    for row in broken:
        inside = [t for k, t in tests.items() if k.startswith(f"{row.key}::") and stage_ in t.outcomes]
        gone = inside or (row.label is None and stage_.startswith(Purpose.VERIFY))  # a folder has no tests of its name
        if stage_ in row.outcomes or not gone or row.latest is None:
            continue
        red = next((t.latest for t in inside if t.latest is not None and t.outcomes[stage_].red), None)
        if row.label is None:
            found = {k: t for k, t in found.items() if k != row.key}
        elif red is not None:
            change = {"outcome": TestOutcome.FAILED, "message": red.message, "detail": red.detail}
            latest = replace(row.latest, **change, path=red.path, line=red.line)
            found = {**found, row.key: replace(row, latest=latest)}
        else:
            latest = replace(row.latest, outcome=TestOutcome.PASSED, message="", detail="")
            found = {**found, row.key: replace(row, latest=latest)}
    return found


def _tests_finished(s: RunState, batch: list[ev.TestFinished]) -> RunState:
    tests = dict(s.tests)
    done: dict[str, int] = {}
    for e in batch:
        result, purpose = e.result, e.purpose
        key, now = result.key, stage(purpose, e.round)
        row = tests.get(key)
        if row is None:
            if purpose is Purpose.REVIEW:
                continue  # a test a specialist adds is not one this run began with
            row = TestRow(result.suite, result.nodeid)
        outcomes = row.outcomes
        if outcomes.get(now) is not result.outcome:
            outcomes = {**outcomes, now: result.outcome}
        if purpose is not Purpose.ALONE and purpose is not Purpose.REVIEW:
            tests[key] = replace(row, outcomes=outcomes, latest=result)
        elif row.latest is not None:  # how it stands is what the whole suite shows
            tests[key] = replace(row, outcomes=outcomes)
        done[result.suite] = done.get(result.suite, 0) + 1
    suites = dict(s.suites)
    for name, more in done.items():
        if name in suites:
            suites[name] = replace(suites[name], done=suites[name].done + more)
    return replace(s, tests=tests, suites=suites)


def label_of(row: TestRow) -> Label | None:
    """What the audit's rounds say of a test; None if it was not in the audit."""
    seen = [o for name, o in row.outcomes.items() if name.startswith(Purpose.AUDIT)]
    if not seen:
        return None
    if row.latest is not None and row.latest.phase == "collect" and all(o.red for o in seen):
        return Label.UNCOLLECTABLE
    if all(o.red for o in seen):
        return Label.RED
    if any(o.red or o is TestOutcome.RERUN for o in seen) or len(set(seen)) > 1:
        return Label.FLAKY
    return Label.GREEN if seen[0] in (TestOutcome.PASSED, TestOutcome.XPASSED) else Label.SKIPPED


def _audit_finished(s: RunState, e: ev.AuditFinished, at: float) -> RunState:
    targets = set(e.targets)
    tests = {k: replace(t, label=label_of(t), target=k in targets) for k, t in s.tests.items()}
    for u in e.unfit:
        if u.key in tests:
            tests[u.key] = replace(tests[u.key], label=u.label, why=f"{u.why}; {u.advice}")
    return replace(s, audit=e, tests=tests)


def _change_attempt(s: RunState, number: int, **change: Any) -> RunState:
    return replace(s, attempts=tuple(replace(a, **change) if a.number == number else a for a in s.attempts))


def _attempt_started(s: RunState, e: ev.AttemptStarted, at: float) -> RunState:
    kept = tuple(a for a in s.attempts if a.number != e.number)
    before = len(s.audit.targets) if s.audit else 0
    for earlier in kept:
        before = before if earlier.failing_after is None else earlier.failing_after
    row = AttemptRow(e.number, e.provider, e.hint, started_at=at, failing_before=before)
    # One that was cut short is made again from its beginning: what was said of it names nothing any more.
    stale = {a.key for row in s.attempts if row.number == e.number for a in row.advisories}
    advisories = tuple(a for a in s.advisories if a.key not in stale)
    return replace(s, attempts=(*kept, row), activity=(), advisories=advisories, settled=None)


def _attempt_finished(s: RunState, e: ev.AttemptFinished, at: float) -> RunState:
    return _change_attempt(s, e.number, finished=e, finished_at=at, provider=e.provider)


def _verification_finished(s: RunState, e: ev.VerificationFinished, at: float) -> RunState:
    change = {
        "verdict": e.verdict,
        "reasons": e.reasons,
        "progress": e.progress,
        "notes": e.notes,
        "whole": e.whole,
        "failing_after": len(e.progress.still) + len(e.progress.gone),
        "finished_at": at,
    }
    return _change_attempt(s, e.attempt, **change)


def _diet_finished(s: RunState, e: ev.DietFinished, at: float) -> RunState:
    row = next((a for a in s.attempts if a.number == e.attempt), None)
    touched = row is not None and row.touched > 0
    return _change_attempt(s, e.attempt, diet=e, **({} if touched else {"slim": e}))


def _pieces_restored(s: RunState, e: ev.PiecesRestored, at: float) -> RunState:
    """What the diet or a person had taken away is there again; no pieces: what was brought back is gone again."""
    row = next((a for a in s.attempts if a.number == e.attempt), AttemptRow(e.attempt))
    kept, back = {*row.restored}, {*e.pieces}
    restored = kept | (back - {*row.reverted}) if back else set()
    return _changed_by_hand(s, row, restored, {*row.reverted} - back)


def _pieces_reverted(s: RunState, e: ev.PiecesReverted, at: float) -> RunState:
    """What the diet had taken away and a person brought back is only taken away again."""
    row = next((a for a in s.attempts if a.number == e.attempt), AttemptRow(e.attempt))
    back, gone = {*row.restored}, {*e.pieces}
    return _changed_by_hand(s, row, back - gone, {*row.reverted} | (gone - back))


def _changed_by_hand(s: RunState, row: AttemptRow, restored: set[int], reverted: set[int]) -> RunState:
    """The change without some of its pieces, or with some more, is another one."""
    change = {"restored": tuple(sorted(restored)), "reverted": tuple(sorted(reverted)), "touched": row.touched + 1}
    return _opened(s, row, **change)


def _opened(s: RunState, row: AttemptRow, **change: Any) -> RunState:
    """Everything that was found out about a change is open again: it is another one."""
    change |= {"verdict": None, "reasons": (), "diet": None, "suspicions": None, "judged": False}
    advisories = tuple(a for a in s.advisories if a not in (row.suspicions or ()))  # of places that may be gone
    s = _change_attempt(s, row.number, again=row.again + 1, **change)
    return replace(s, proposal=None, pieces=(), advisories=advisories)


def _runner_up_taken(s: RunState, e: ev.RunnerUpTaken, at: float) -> RunState:
    """It is verified as if the attempt had ended with it; nobody claimed that it is green."""
    row = next((a for a in s.attempts if a.number == e.attempt), AttemptRow(e.attempt))
    first = row.first or row.finished
    if first is None or not -1 <= e.index < len(first.runners_up):
        return s
    finished = first
    if e.index >= 0:
        chosen = first.runners_up[e.index]
        change = {n: getattr(chosen, n) for n in ("tree", "files", "added", "removed")}
        finished = replace(first, summary=chosen.note, claimed=False, **change)
    hand: dict[str, Any] = {"restored": (), "reverted": (), "touched": 0, "slim": None}
    after = _opened(s, row, finished=finished, first=first, taken=e.index, **hand)
    return replace(after, before=replace(s, before=None))


def _runner_up_refused(s: RunState, e: ev.RunnerUpRefused, at: float) -> RunState:
    """What was known of the change before it is known again, and so is what its tests showed."""
    row, before = next((a for a in s.attempts if a.number == e.attempt), None), s.before
    if row is None or before is None:
        return s
    s = replace(s, attempts=before.attempts, tests=before.tests, suites=before.suites, gates=before.gates)
    s = replace(s, advisories=before.advisories, proposal=None, pieces=(), before=None)
    return _change_attempt(s, e.attempt, again=row.again + 1, turned_down={**row.turned_down, e.index: e.why})


def _spent(s: RunState, at: float) -> Mapping[str, float]:
    """Seconds by step, those of the step under way included."""
    if not s.step_since or s.step is None:
        return s.step_seconds
    return {**s.step_seconds, s.step: s.step_seconds.get(s.step, 0.0) + max(0.0, at - s.step_since)}


def _step_started(s: RunState, e: ev.StepStarted, at: float) -> RunState:
    return replace(s, step=e.step, step_note=e.note, step_seconds=_spent(s, at), step_since=at)


def _step_finished(s: RunState, e: ev.StepFinished, at: float) -> RunState:
    s = replace(s, step_note="", step_seconds=_spent(s, at), step_since=0.0)
    return _change_attempt(s, e.attempt, judged=True) if e.step is Step.JUDGE else s


def _usage_counted(s: RunState, e: ev.UsageCounted, at: float) -> RunState:
    attempts = s.attempts
    if attempts:
        attempts = (*attempts[:-1], replace(attempts[-1], usage=attempts[-1].usage + e.usage))
    models = {**s.models, e.model: s.models.get(e.model, Usage()) + e.usage} if e.model else s.models
    first = s.first_call or (e.usage if e.usage.calls else None)
    return replace(
        s, usage=s.usage + e.usage, models=models, model=e.model or s.model, attempts=attempts, first_call=first
    )


def _budget_raised(s: RunState, e: ev.BudgetRaised, at: float) -> RunState:
    return replace(s, limit=None, raised={**s.raised, e.limit: e.to})


def _activity(s: RunState, text: str, *, live: bool = False) -> RunState:
    """One more line; a live one takes the place of a live one before it."""
    kept = s.activity[:-1] if live and s.activity_live else s.activity
    return replace(s, activity=(*kept[-ACTIVITY_LINES + 1 :], text), activity_live=live)


def _tool_called(s: RunState, e: ev.ToolCalled, at: float) -> RunState:
    return _activity(s, f"{'✓' if e.ok else '✗'} {e.tool} {e.summary}" + (f"  {e.answer}" if e.answer else ""))


def _decision_taken(s: RunState, e: ev.DecisionTaken, at: float) -> RunState:
    used = s.retries.used + (1 if e.route.retry else 0)
    return replace(
        s, proposal=None, pieces=(), decision=e, decisions=(*s.decisions, e), retries=replace(s.retries, used=used)
    )


def _change_specialist(s: RunState, hop: int, **change: Any) -> RunState:
    return replace(s, specialists=tuple(replace(r, **change) if r.hop == hop else r for r in s.specialists))


def _specialist_started(s: RunState, e: ev.SpecialistStarted, at: float) -> RunState:
    kept = tuple(r for r in s.specialists if r.hop != e.hop)
    return replace(s, specialists=(*kept, SpecialistRow(e.hop, e.agent, e)), activity=())


def _hop_added(s: RunState, e: ev.HopAdded, at: float) -> RunState:
    s = replace(s, hops=(*s.hops, e.hop), hop_times=(*s.hop_times, at))
    return _change_specialist(s, e.specialist, hopped=True)


def _advisory_raised(s: RunState, e: ev.AdvisoryRaised, at: float) -> RunState:
    """One that is open already only moves to the end, with the line it has now."""
    new = e.advisory
    others = tuple(a for a in s.advisories if a.key != new.key)
    row = s.attempt
    if row is not None and row.finished is None and new.code != ABOUT_HOOKS and len(others) == len(s.advisories):
        s = _change_attempt(s, row.number, advisories=(*row.advisories, new))
    return replace(s, advisories=(*others, new))


def _advisories_settled(s: RunState, e: ev.AdvisoriesSettled, at: float) -> RunState:
    gone = {a.key for a in e.followed}
    s = _change_attempt(s, e.attempt, followed=e.followed, ignored=e.open)
    return replace(s, advisories=tuple(a for a in s.advisories if a.key not in gone))


def _ended(s: RunState, e: ev.RunFinished | ev.RunInterrupted | ev.RunFailed, at: float) -> RunState:
    suites = {n: replace(r, running="") for n, r in s.suites.items()}
    return replace(s, ended=e, suites=suites, stopping=False, limit=None)


def _change_examined(s: RunState, e: ev.ChangeExamined, at: float) -> RunState:
    new = tuple(a for a in e.advisories if a not in s.advisories)
    change: dict[str, Any] = {"suspicions": e.advisories}
    if e.doubts:
        change |= {"verdict": Verdict.CLAIMED, "reasons": e.doubts}
    return replace(_change_attempt(s, e.attempt, **change), advisories=(*s.advisories, *new))


_FOLDS: dict[type, Callable[[RunState, Any, float], RunState]] = {
    ev.RunStarted: _run_started,
    ev.RunResumed: _run_resumed,
    ev.GuardChecked: lambda s, e, at: replace(s, guard=e),
    ev.EnvironmentProbed: lambda s, e, at: replace(s, environment=e),
    ev.SnapshotTaken: lambda s, e, at: replace(s, snapshot=e),
    ev.StepStarted: _step_started,
    ev.StepFinished: _step_finished,
    ev.SuiteStarted: _suite_started,
    ev.SuiteCollected: _suite_collected,
    ev.SuiteFinished: _suite_finished,
    ev.TestFinished: lambda s, e, at: _tests_finished(s, [e]),
    ev.AuditFinished: _audit_finished,
    ev.AttemptStarted: _attempt_started,
    ev.ActivityReported: lambda s, e, at: _activity(s, e.text, live=e.kind == "progress"),
    ev.ToolCalled: _tool_called,
    ev.EditApplied: lambda s, e, at: _activity(s, f"edited {e.path} +{e.added} −{e.removed}"),
    ev.UsageCounted: _usage_counted,
    ev.CallEstimated: lambda s, e, at: replace(s, forecast=e),
    ev.BudgetReached: lambda s, e, at: replace(s, limit=e) if e.asked else s,
    ev.BudgetRaised: _budget_raised,
    ev.BudgetSettled: lambda s, e, at: replace(s, limit=None, settled=e),
    ev.AttemptFinished: _attempt_finished,
    ev.VerificationFinished: _verification_finished,
    ev.DietFinished: _diet_finished,
    ev.PiecesRestored: _pieces_restored,
    ev.PiecesReverted: _pieces_reverted,
    ev.RunnerUpTaken: _runner_up_taken,
    ev.RunnerUpRefused: _runner_up_refused,
    ev.TestsSelected: lambda s, e, at: _change_attempt(_activity(s, selected(e)), e.attempt, first_ran=selected(e)),
    ev.ChangeExamined: _change_examined,
    ev.GateSet: lambda s, e, at: replace(s, gates={**s.gates, e.gate.name: e.gate}),
    ev.ProposalMade: lambda s, e, at: replace(s, proposal=e.proposal, pieces=e.pieces),
    ev.DecisionTaken: _decision_taken,
    ev.HopAdded: _hop_added,
    ev.SpecialistStarted: _specialist_started,
    ev.SpecialistFinished: lambda s, e, at: _change_specialist(s, e.hop, finished=e),
    ev.AdvisoryRaised: _advisory_raised,
    ev.AdvisoriesSettled: _advisories_settled,
    ev.Paused: lambda s, e, at: replace(s, paused=True),
    ev.Continued: lambda s, e, at: replace(s, paused=False),
    ev.StopRequested: lambda s, e, at: replace(s, stopping=True),
    ev.CheckoutCompared: lambda s, e, at: replace(s, checkout=e),
    ev.CommitCreated: lambda s, e, at: replace(s, commit=e),
    ev.ReceiptWritten: lambda s, e, at: replace(s, receipt=e),
    ev.LedgerWritten: lambda s, e, at: replace(s, ledger=e),
    ev.Published: lambda s, e, at: replace(s, published=(*s.published, e)),
    ev.RunFinished: _ended,
    ev.RunInterrupted: _ended,
    ev.RunFailed: _ended,
}


def fold(state: RunState, record: ev.Record) -> RunState:
    """The state after one more event."""
    change = _FOLDS[type(record.event)]
    return replace(change(state, record.event, record.at), seq=record.seq, updated_at=record.at)


def fold_all(state: RunState, records: Iterable[ev.Record]) -> RunState:
    """Fold many; equal to folding one by one, but a run of test results copies the table once."""
    for kind, group in groupby(records, key=lambda r: type(r.event)):
        batch = list(group)
        if kind is ev.TestFinished:
            state = _tests_finished(state, [r.event for r in batch if isinstance(r.event, ev.TestFinished)])
            state = replace(state, seq=batch[-1].seq, updated_at=batch[-1].at)
        else:
            for record in batch:
                state = fold(state, record)
    return state


__all__ = [
    "AttemptRow",
    "RunState",
    "SuiteRow",
    "TestRow",
    "fold",
    "fold_all",
    "label_of",
    "stage",
]
