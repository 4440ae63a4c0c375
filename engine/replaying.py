"""Make a recorded run again, offline: the same snapshot, engine, suites and gates, with the server's answers as kept.

What comes out is compared with what came out then. Nothing of the run that is replayed is changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from engine import events as ev
from engine.commands import Command, Decide, Pick, Restore, Revert
from engine.config import Budget
from engine.errors import EnvironmentFailure
from engine.feed import Feed
from engine.launch import Cut, Options, Past, prepare
from engine.model import Exit
from engine.providers.anthropic.recording import NAME
from engine.providers.anthropic.replaying import Replay, read
from engine.providers.anthropic.tape import Difference, alike
from engine.records import journal
from engine.records.redact import Redactor
from engine.run import Run
from engine.session import Session
from engine.state import AttemptRow, RunState, fold_all
from engine.workspace.home import REPLAYS, Home
from engine.workspace.repository import Repository, Snapshot

ENDLESS = Budget(usd=1e9, minutes=1e6, turns=10**9, tokens=10**12)  # what stopped the run then is in its recording
_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What making a run again showed."""

    run: str
    calls: int
    found: tuple[Difference, ...]
    folder: Path  # where the replay's own records are
    verdict: str
    ended: str  # how the recorded run ended, where that was not by itself

    @property
    def exit(self) -> Exit:
        return Exit.NOT_GREEN if self.found else Exit.OK


def replay(target: Path, name: str, environ: Mapping[str, str], *, watch: Callable[[Session], Any]) -> Replayed:
    """Make a run again.

    Parameters
    ----------
    name
        The run, or the end of its id.
    watch
        Enters while the session lives: lets signals stop it.

    Raises
    ------
    EnvironmentFailure
        It cannot be made again: nothing was recorded, or its snapshot is gone.
    """
    repository = Repository.open(target)
    home = Home(repository.root)
    run = home.find(name)
    records = journal.read(home.run(run) / "journal.jsonl")
    then = fold_all(RunState(), records)
    if then.started is None or then.snapshot is None:
        raise EnvironmentFailure(f"run {run} was interrupted before it began: there is nothing to replay")
    recorded = read(home.run(run) / NAME)
    snapshot = _snapshot(repository, run, then.snapshot)
    cuts = cuts_of(records)
    tape = Replay(recorded, Redactor.of(environ).data, frozenset(cuts))
    past = Past(snapshot, tape, providers_of(records), cuts)
    given = {k: v for k, v in environ.items() if k not in _KEYS} | {"ANTHROPIC_BASE_URL": recorded.server}
    plan = prepare(_options(repository, then.started), given)
    silent = dataclasses.replace(plan.config.github, publish="off")  # a replay says nothing to anybody
    config = dataclasses.replace(plan.config, budget=ENDLESS, github=silent)
    again = Run(dataclasses.replace(plan, home=Home(repository.root, REPLAYS), past=past, config=config, apply=False))
    try:
        now, code = _play(again, records, watch)
    finally:
        if repository.succeeds("show-ref", "--verify", "--quiet", f"refs/bitnet-tui/{again.id}/base"):
            repository.delete_ref(f"refs/bitnet-tui/{again.id}/base")
    whole = isinstance(then.ended, ev.RunFinished)
    over = isinstance(now.ended, ev.RunFailed) and "the recording ends" in now.ended.why
    if code is Exit.INTERRUPTED or (isinstance(now.ended, ev.RunFailed) and not over):
        why = getattr(now.ended, "why", "") or "it did not start"
        raise EnvironmentFailure(f"the replay of run {run} was cut short: {why}", hint=getattr(now.ended, "hint", ""))
    found = [*tape.found]
    if over and whole:
        found.append(Difference("calls", f"{recorded.calls} in all", now.ended.why))  # type: ignore[union-attr]
    elif tape.left:
        found.append(Difference("calls", str(recorded.calls), f"{tape.played}: the rest was not asked for"))
    found += compare(then, now, whole=whole and not over)
    attempt = now.attempt
    verdict = str(attempt.verdict) if attempt is not None and attempt.verdict is not None else "none"
    ended = "" if whole else getattr(then.ended, "why", "") or "it was killed"
    return Replayed(run, tape.played, tuple(found), again.folder, verdict, ended)


def _snapshot(repository: Repository, run: str, taken: ev.SnapshotTaken) -> Snapshot:
    if not repository.succeeds("cat-file", "-e", f"{taken.commit}^{{tree}}"):
        raise EnvironmentFailure(
            f"the snapshot of run {run} is gone from the repository: {taken.commit[:12]}",
            hint=f"it is kept by refs/bitnet-tui/{run}/base and below the run's branch, until they are deleted",
        )
    return Snapshot(**asdict(taken))


def cuts_of(records: Sequence[ev.Record]) -> dict[str, Cut]:
    """The parts that a person ended at a limit, as they were made the last time."""
    found: dict[str, Cut] = {}
    tools = 0
    for record in records:
        match record.event:
            case ev.AttemptStarted(number):
                tools = 0
                found.pop(f"attempt {number}", None)
            case ev.SpecialistStarted():
                tools = 0
            case ev.ToolCalled():
                tools += 1
            case ev.BudgetSettled(part=part) as settled if part != ev.RUN:
                found[part] = Cut(tools, settled)
    return found


def providers_of(records: Sequence[ev.Record]) -> dict[int, tuple[str, ...]]:
    """Who made each attempt, the last time it was made."""
    found: dict[int, tuple[str, ...]] = {}
    now: tuple[str, ...] = ()
    for record in records:
        match record.event:
            case ev.RunStarted(providers=providers) | ev.RunResumed(providers=providers):
                now = providers or now
            case ev.AttemptStarted(number):
                found[number] = now
    return found


def _options(repository: Repository, started: ev.RunStarted) -> Options:
    """What the run was asked for."""
    return Options(
        target=repository.root / started.prefix,
        config=Path(started.config) if Path(started.config).is_absolute() else None,
        providers=started.providers,
        agent=started.agent_source,
        suites=started.suites,
        tests=started.tests,
        script=Path(started.script) if started.script else None,
        max_retries=started.retry_limit,
    )


def _play(run: Run, records: Sequence[ev.Record], watch: Callable[[Session], Any]) -> tuple[RunState, Exit]:
    """Run to the end; questions are answered as they were."""
    answers = _answers(records)
    feed = Feed()
    session = Session(run, feed, ask=any(isinstance(a, dict) for a in answers.values()))
    with watch(session):
        session.start()
        while session.alive or not _empty(feed, session, answers):
            session.join(0.02)
            _empty(feed, session, answers)
    code = session.exit if session.exit is not None else Exit.DEFECT
    if run.error is not None:
        raise run.error
    return run.state, code


def _empty(feed: Feed, session: Session, answers: dict[str, Any]) -> bool:
    """Answer what was asked; whether there was nothing."""
    found, lines, _ = feed.drain(1000)
    for record in found:
        if isinstance(record.event, ev.ProposalMade):
            session.send(_answer(record.event, answers))
    return not found and not lines


def _answers(records: Sequence[ev.Record]) -> dict[str, Any]:
    """What a person said to each proposal: what the policy decided is decided again."""
    said: dict[str, Any] = {}
    asked = ""
    for record in records:
        match record.event:
            case ev.ProposalMade(proposal):
                asked = proposal.id
            case ev.PiecesRestored(_, pieces):
                said[asked] = {"pieces": pieces}
            case ev.PiecesReverted(_, pieces):
                said[asked] = {"reverted": pieces}
            case ev.RunnerUpTaken(_, index):
                said[asked] = {"runner_up": index}
            case ev.DecisionTaken(id, route, by, hint, dispatch) if by == "user":
                said[id] = {"route": route, "hint": hint, "dispatch": dispatch}
    return said


def _answer(event: ev.ProposalMade, answers: Mapping[str, Any]) -> Command:
    proposal = event.proposal
    said = answers.get(proposal.id, {})
    if "pieces" in said:
        return Restore(proposal.id, said["pieces"])
    if "reverted" in said:
        return Revert(proposal.id, said["reverted"])
    if "runner_up" in said and said["runner_up"] < event.runners_up:
        return Pick(proposal.id, said["runner_up"])
    route = said.get("route", proposal.best.route)
    legal = any(o.allowed and o.route == route for o in proposal.options)
    return Decide(
        proposal.id, route if legal else proposal.best.route, said.get("hint", ""), said.get("dispatch", False)
    )


def compare(then: RunState, now: RunState, *, whole: bool) -> list[Difference]:
    """What came out differently: attempts, tests, gates, the route.

    Parameters
    ----------
    whole
        Both runs came to their end; else only what both finished is compared.
    """
    found: list[Difference | None] = []
    later = {a.number: a for a in now.attempts}
    for old in then.attempts:
        new = later.get(old.number)
        if old.finished is None or old.verdict is None:
            continue
        if new is None or new.finished is None:
            found.append(Difference(f"attempt {old.number}", "finished", "not finished" if new else "not made"))
            continue
        found += _attempt(old, new)
        outcomes, again = then.outcomes(old.stage), now.outcomes(new.stage)
        for key in sorted(outcomes.keys() | again.keys()):
            found.append(_pair(f"attempt {old.number}, test {key}", outcomes.get(key, "-"), again.get(key, "-")))
    if whole:
        for name in dict.fromkeys([*then.gates, *now.gates]):
            gates = [s.gates[name].word if name in s.gates else "not set" for s in (then, now)]
            found.append(_pair(f"gate {name}", *gates))
        found.append(_pair("route", getattr(then.ended, "route", ""), getattr(now.ended, "route", "")))
        found.append(_pair("exit", getattr(then.ended, "exit", ""), getattr(now.ended, "exit", "")))
    return [d for d in found if d is not None]


def _attempt(old: AttemptRow, new: AttemptRow) -> list[Difference | None]:
    name = f"attempt {old.number}"
    outcomes = [a.finished.outcome if a.finished else "not finished" for a in (old, new)]
    return [
        _pair(f"{name}, outcome", *outcomes),
        _pair(f"{name}, verdict", str(old.verdict), str(new.verdict)),
        _pair(f"{name}, reasons", alike("; ".join(old.reasons)), alike("; ".join(new.reasons))),
        _pair(f"{name}, patch", f"{old.change} (tree {old.tree[:12]})", f"{new.change} (tree {new.tree[:12]})"),
    ]


def _pair(place: str, then: Any, now: Any) -> Difference | None:
    return None if str(then) == str(now) else Difference(place, str(then), str(now))
