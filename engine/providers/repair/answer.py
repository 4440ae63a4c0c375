"""Put the outcome of a search into words and a result. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.providers.repair.budget import Budget
from engine.providers.repair.choose import Outlook
from engine.providers.repair.confirm import Confirmed
from engine.providers.repair.locate import Spot
from engine.providers.repair.rounds import Round
from engine.providers.repair.task import RepairResult, RepairTask
from engine.providers.repair.vote import LOW, confidence

_SHOWN = 20


def answer(
    task: RepairTask,
    failing: Mapping[str, str],
    confirmed: Confirmed | None,
    budget: Budget,
    located: Sequence[Spot],
    outlook: Outlook,
    notes: Sequence[str],
) -> RepairResult:
    """The result of a search.

    Parameters
    ----------
    failing : key of each failing node id that points at a file.
    confirmed : what a plain run has proved, if anything.
    outlook : what the choices left open.
    notes : sentences gathered on the way.
    """
    mended: frozenset[str] = frozenset()
    said = [f"No edit was found and proved; {budget.tried} were tried.", *notes]
    if confirmed is not None:
        mended = frozenset(node for node, key in failing.items() if key in confirmed.fixed)
        broken = [key for key in failing.values() if "::" not in key]
        mended |= {key for key in confirmed.found if key.split("::")[0] in broken}
    remaining = frozenset(task.failing) - mended
    if confirmed is not None:
        said[0] = f"{len(confirmed.steps)} edit(s) mend {len(mended)} test(s); {len(remaining)} still fail."
        if confirmed.note:
            said.append(confirmed.note[0].upper() + confirmed.note[1:] + ".")
    doubt = outlook.doubt if mended else ""
    if doubt:
        said.append(f"Open, as no test tells: {doubt}. Which is right? One more test decides.")
    ranked = sorted(located, key=lambda spot: -spot.score)[:_SHOWN]
    return RepairResult(
        files=dict(confirmed.sources) if confirmed is not None else {},
        edits=tuple(step.shown for step in confirmed.steps) if confirmed is not None else (),
        fixed=mended,
        remaining=remaining,
        tried=budget.tried,
        seconds=budget.spent,
        located=tuple((spot.path, spot.first, round(spot.score, 3)) for spot in ranked),
        alternatives=outlook.alternatives if confirmed is not None else 0,
        note=" ".join(said),
        agreement=outlook.agreement,
        confidence=trusted(mended, outlook, left=bool(remaining)),
        doubt=doubt,
        runners_up=outlook.runners_up if not remaining else (),
    )


def trusted(mended: frozenset[str], outlook: Outlook, *, left: bool) -> str:
    """How far to trust what a search ends with; empty where it mended nothing. ``left``: other tests still fail."""
    if not mended:
        return ""
    if left and outlook.partial:  # tests that run what was edited still fail: it may only have moved the fault
        return LOW
    witnesses = outlook.witnesses or len(mended)
    return confidence(
        witnesses, outlook.alternatives, outlook.agreement, lost=outlook.lost, unsure=left or outlook.unsure
    )


def empty_handed(turn: Round) -> str:
    """Why a round found nothing, for a person and for whoever tries next."""
    if not turn.located:
        said = "No failing test runs a line of an editable file, so there was nothing to edit."
        names = ", ".join(f"`{name}`" for name in turn.wanted[:5])
        return f"{said} The tests ask for {names}, which is not there: it is still to be written." if names else said
    best = turn.located[0]
    if turn.refused is not None:
        found, broke = turn.refused
        edit = found.candidates[0]
        return (
            f"The edit at {edit.path}:{edit.line} ({'; '.join(c.note for c in found.candidates)}) mends"
            f" {len(found.mended)} test(s), but then {turn.situation.keys[broke]} fails, and no other edit near"
            f" {best.path}:{best.first} does better."
        )
    said = f"No single edit near {best.path}:{best.first} (or {len(turn.located) - 1} other places) mends a test."
    return " ".join(part for part in (said, nearest_miss(turn), at_failure(turn)) if part)


def at_failure(turn: Round) -> str:
    """The values where a red test was interrupted in the code; empty where each got to its own assertion."""
    for at in turn.situation.red:
        view = turn.situation.seen.get(at)
        if view is not None and view.frames and view.values:
            path, line = view.frames[-1]
            values = ", ".join(f"{name} = {value}" for name, value in view.values)
            return f"At {path}:{line}, where {turn.situation.keys[at]} broke off, {values}."
    return ""


def nearest_miss(turn: Round) -> str:
    """The edit that got the most tests further without mending one; empty where none did."""
    if not turn.partners:
        return ""
    candidate = min(turn.partners, key=lambda row: row[:3])[3]
    return f"The nearest miss, at {candidate.path}:{candidate.line}: {candidate.note}; it gets a test further."


def last_lines(text: str, most: int = 6) -> str:
    """The end of what a process printed, in one line."""
    return " | ".join(line.strip() for line in text.strip().splitlines()[-most:]) or "pytest ended without a word"
