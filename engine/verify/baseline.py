"""The baseline a run is judged against, read out of the folded audit. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from engine.errors import ConfigError, EnvironmentFailure
from engine.model import Ended, Label, Purpose, Unfit
from engine.state import RunState, label_of, stage
from engine.verify.acceptance import Baseline

ALONE = stage(Purpose.ALONE, 1)
_FILES = 4
"""Files that are named as those that ran before."""
_ADVICE = "let the tests before it leave nothing behind, or show what is wrong in a test that is red by itself"
_ABSENT = re.compile(r"^(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)")


def from_state(state: RunState, optional: Iterable[str] = ()) -> Baseline:
    """The baseline of a run whose audit has finished; ``optional`` suites may turn out to have no tests."""
    outcomes = state.outcomes("audit1")
    flaky = frozenset(state.audit.flaky) if state.audit else frozenset()
    flaky |= {u.key for u in state.audit.unfit if u.label is Label.ORDER} if state.audit else frozenset()
    skipped = frozenset(
        n for n, s in state.suites.items() if "audit1" in s.finished and s.finished["audit1"].ended is Ended.SKIPPED
    )
    targets = state.audit.targets if state.audit else ()
    unseen = frozenset(n for n in optional if all("::" not in k for k in state.outcomes("audit1", n)))
    return Baseline(outcomes, flaky, targets, skipped, unseen - skipped)


def labels(state: RunState) -> dict[str, Label]:
    """What the rounds of the audit say of each test."""
    found = {key: label_of(row) for key, row in state.tests.items()}
    return {key: label for key, label in found.items() if label is not None}


def choose_targets(found: dict[str, Label], asked: Sequence[str]) -> tuple[str, ...]:
    """The red tests a run is to mend: all, or those a person named.

    Parameters
    ----------
    asked
        Node ids, or the start of some: a file, a class.

    Raises
    ------
    ConfigError
        A name matches no test; says the nearest.
    """
    red = [k for k, label in found.items() if label in (Label.RED, Label.UNCOLLECTABLE)]
    if not asked:
        return tuple(red)
    chosen: list[str] = []
    for name in asked:
        matching = named(found, [name])
        if not matching:
            ids = [k.split(" ", 1)[1] for k in found]
            near = difflib.get_close_matches(name, ids, 1, 0.4)
            raise ConfigError(f"--test {name}: no such test", hint=f"did you mean {near[0]}?" if near else "")
        chosen += [k for k in matching if k in red]
    return tuple(dict.fromkeys(chosen))


def named(keys: Iterable[str], asked: Sequence[str]) -> list[str]:
    """Keys of the tests a person named; all where nobody did."""
    return [k for k in keys if not asked or any(_matches(k.split(" ", 1)[1], name) for name in asked)]


def _matches(nodeid: str, name: str) -> bool:
    return nodeid == name or nodeid.startswith((name + "::", name + "[", name.rstrip("/") + "/"))


def worth_running_alone(state: RunState, suite: str, red: Iterable[str]) -> bool:
    """Whether a run of these red tests alone would differ from the suite's: other files, or others before one of them.

    Parameters
    ----------
    red
        Keys of red tests of that suite.
    """
    wanted = set(red)
    ran = list(state.outcomes("audit1", suite))
    if {_file(k) for k in ran} - {_file(k) for k in wanted}:
        return True
    first = next((n for n, k in enumerate(ran) if k not in wanted), len(ran))
    return any(k in wanted for k in ran[first:])


def order_dependent(state: RunState, red: Iterable[str]) -> list[Unfit]:
    """Those of the red tests that hold when the others of their suite do not run."""
    found = []
    for key in red:
        suite, nodeid = key.split(" ", 1)
        finished = state.suites[suite].finished.get(ALONE)
        # A child that was cut short, or whose word does not count, says nothing.
        if finished is None or finished.problem or finished.ended is not Ended.FINISHED:
            continue
        outcome = state.tests[key].outcomes.get(ALONE)
        if "::" not in nodeid:
            holds = finished.total > 0 and nodeid not in {e.nodeid for e in finished.collect_errors}
        else:
            holds = outcome is not None and not outcome.red
        if holds:
            found.append(Unfit(suite, nodeid, Label.ORDER, _order(state, key), _ADVICE))
    return found


def _order(state: RunState, key: str) -> str:
    """Which order shows that a test is red."""
    suite, nodeid = key.split(" ", 1)
    ran = [k.split(" ", 1)[1] for k in state.outcomes("audit1", suite)]
    before = ran[: ran.index(nodeid)] if "::" in nodeid else [n for n in ran if n != nodeid]
    own = nodeid.split("::", 1)[0]
    files = [f for f in dict.fromkeys(n.split("::", 1)[0] for n in before) if f != own]
    if not files:
        return "is red after the other tests of its file and green by itself"
    more = f" and {len(files) - _FILES} more files" if len(files) > _FILES else ""
    words = "collected with" if "::" not in nodeid else "run after"
    return f"is red when {words} {', '.join(files[-_FILES:])}{more}, and green by itself"


def ends_without_targets(unfit: Sequence[Unfit]) -> str:
    """Why nothing can be mended although something is red, where to look, and what to do."""
    first = unfit[0]
    count = "1 red test" if len(unfit) == 1 else f"{len(unfit)} red tests"
    if all(u.label is Label.ENVIRONMENT for u in unfit):
        what = f"{count}, and no change to production code can mend {'it' if len(unfit) == 1 else 'them'}"
    elif all(u.label is Label.ORDER for u in unfit):
        what = f"{count}, red only after other tests ran: order-dependent, so nothing would show that a change mends it"
    else:
        lacking = sum(u.label is Label.ENVIRONMENT for u in unfit)
        what = f"{count}, {lacking} for want of something here and {len(unfit) - lacking} only after other tests ran"
    more = f"; and {len(unfit) - 1} more" if len(unfit) > 1 else ""
    return f"{what}: {first.nodeid} {first.why}; {first.advice}{more}"


def require_runnable(state: RunState, suites: Iterable[str], away: Sequence[str] = ()) -> None:
    """Refuse to go on where the audit could not see.

    Parameters
    ----------
    away
        Links that lead out of the repository, where tests may have been looked for.

    Raises
    ------
    EnvironmentFailure
        A suite did not run to its end, a file cannot be collected for reasons no production change mends,
        the wrong files were tested, or there are no tests at all.
    """
    total = 0
    for name in suites:
        last = state.suites[name].finished.get("audit1")
        if last is None:
            continue
        for error in last.collect_errors:
            if not error.ours:
                absent = _ABSENT.match(error.message)
                install = f" (install {absent[1].split('.', 1)[0]})" if absent else ""
                raise EnvironmentFailure(
                    f"suite {name}: {error.nodeid or 'a file'} cannot be collected: {error.message}",
                    hint=f"mend the environment{install} or the test file; a production change cannot",
                )
        for used, wanted in last.foreign:
            raise EnvironmentFailure(
                f"suite {name} tested {used}, not {wanted}",
                hint="name the folder to import from: [python] import_roots",
            )
        if last.problem:
            raise EnvironmentFailure(f"suite {name}: {last.problem}", hint="run pytest there by hand to see more")
        total += last.total + last.left_out
    if total == 0:
        hint = "a green run needs at least one test"
        if away:
            hint += f"; {away[0]} is a link that leads out of the repository: what is there is no part of it"
        raise EnvironmentFailure(f"no tests were found (suites: {', '.join(suites)})", hint=hint)


def _file(key: str) -> str:
    return key.split("::", 1)[0]


def failing_now(state: RunState, stage: str) -> tuple[int, int]:
    """Red and all tests of a round."""
    outcomes = state.outcomes(stage)
    return sum(o.red for o in outcomes.values()), len(outcomes)


__all__ = [
    "choose_targets",
    "ends_without_targets",
    "failing_now",
    "from_state",
    "labels",
    "named",
    "order_dependent",
    "require_runnable",
    "worth_running_alone",
]
