"""The baseline a run is judged against, read out of the folded audit. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from engine.errors import ConfigError, EnvironmentFailure
from engine.model import Ended, Label
from engine.state import RunState, label_of
from engine.verify.acceptance import Baseline


def from_state(state: RunState, optional: Iterable[str] = ()) -> Baseline:
    """The baseline of a run whose audit has finished; ``optional`` suites may turn out to have no tests."""
    outcomes = state.outcomes("audit1")
    flaky = frozenset(state.audit.flaky) if state.audit else frozenset()
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
        matching = [k for k in found if _matches(k.split(" ", 1)[1], name)]
        if not matching:
            ids = [k.split(" ", 1)[1] for k in found]
            near = difflib.get_close_matches(name, ids, 1, 0.4)
            raise ConfigError(f"--test {name}: no such test", hint=f"did you mean {near[0]}?" if near else "")
        chosen += [k for k in matching if k in red]
    return tuple(dict.fromkeys(chosen))


def _matches(nodeid: str, name: str) -> bool:
    return nodeid == name or nodeid.startswith((name + "::", name + "[", name.rstrip("/") + "/"))


def require_runnable(state: RunState, suites: Iterable[str]) -> None:
    """Refuse to go on where the audit could not see.

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
                raise EnvironmentFailure(
                    f"suite {name}: {error.nodeid or 'a file'} cannot be collected: {error.message}",
                    hint="mend the environment or the test file; a production change cannot",
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
        raise EnvironmentFailure(
            f"no tests were found (suites: {', '.join(suites)})", hint="a green run needs at least one test"
        )


def failing_now(state: RunState, stage: str) -> tuple[int, int]:
    """Red and all tests of a round."""
    outcomes = state.outcomes(stage)
    return sum(o.red for o in outcomes.values()), len(outcomes)


__all__ = ["choose_targets", "failing_now", "from_state", "labels", "require_runnable"]
