"""Files that could not be collected: how they stand once they can be, and what of them is progress. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from engine import events as ev
from engine import policy
from engine.features import by_feature
from engine.model import Ended, Label, Progress, Purpose, TestOutcome, TestResult, Verdict
from engine.state import RunState, fold_all
from tui.format import tests

FILE = "test_ring.py"
BROKEN = {FILE: TestOutcome.ERROR}
PASSED, FAILED = TestOutcome.PASSED, TestOutcome.FAILED


def ran(purpose: Purpose, number: int, found: Mapping[str, TestOutcome]) -> list[ev.Event]:
    """One round of a suite."""
    events: list[ev.Event] = [ev.SuiteStarted("cpu", purpose, number)]
    for nodeid, outcome in found.items():
        phase = "collect" if outcome is TestOutcome.ERROR else "call"
        message = f"{nodeid} is {outcome}" if outcome.red else ""
        events.append(ev.TestFinished(purpose, number, TestResult("cpu", nodeid, outcome, phase, message=message)))
    return [*events, ev.SuiteFinished("cpu", purpose, number, 1, Ended.FINISHED, 0.1, len(found))]


def audited(found: Mapping[str, TestOutcome], target: str) -> list[ev.Event]:
    start: ev.Event = ev.RunStarted("r", "/", "", "0", "a", ("repair",), ("cpu",), 2)
    return [start, *ran(Purpose.AUDIT, 1, found), ev.AuditFinished((f"cpu {target}",))]


def judged(number: int, found: Mapping[str, TestOutcome]) -> list[ev.Event]:
    """An attempt that left this behind."""
    still = tuple(f"cpu {n}" for n in (FILE,) if any(o.red for o in found.values()))
    verdict = ev.VerificationFinished(number, "t", Verdict.REJECTED, ("red",), Progress(still=still))
    return [ev.AttemptStarted(number, "p"), *ran(Purpose.VERIFY, number, found), verdict]


def state(*events: ev.Event) -> RunState:
    return fold_all(RunState(), [ev.Record(n, 0.0, e) for n, e in enumerate(events, 1)])


def test_a_file_that_broke_on_the_way_leaves_no_red_test_behind() -> None:
    good = {"test_a.py::test_x": PASSED, "test_a.py::test_y": PASSED}
    events = audited({**good, "test_a.py::test_y": FAILED}, "test_a.py::test_y")
    on_the_way = state(*events, *ran(Purpose.ATTEMPT, 1, {"test_a.py": TestOutcome.ERROR}))
    assert "cpu test_a.py" in on_the_way.tests
    after = state(*events, *ran(Purpose.ATTEMPT, 1, {"test_a.py": TestOutcome.ERROR}), *judged(1, good))
    assert list(after.tests) == [f"cpu {n}" for n in good]
    assert after.failing == ()
    folder = state(*events, *ran(Purpose.ATTEMPT, 1, {"tests": TestOutcome.ERROR}), *judged(1, good))
    assert list(folder.tests) == [f"cpu {n}" for n in good]


def test_a_file_that_can_be_collected_is_as_its_tests_are() -> None:
    events = audited(BROKEN, FILE)
    green = state(*events, *judged(1, {f"{FILE}::test_cpu_a": PASSED, f"{FILE}::test_cpu_b": PASSED}))
    (row,) = green.targets
    assert (row.label, row.outcome, row.opened) == (Label.UNCOLLECTABLE, PASSED, True)
    assert green.failing == ()
    assert tests.tally(green.tests.values()) == (0, 2, 0)
    found = by_feature(green.tests.values())
    assert {n: (t.held, t.red) for n, t in found.items() if t.total} == {"cpu": (2, 0)}
    part = state(*events, *judged(1, {f"{FILE}::test_cpu_a": PASSED, f"{FILE}::test_cpu_b": FAILED}))
    assert part.targets[0].latest is not None
    assert (part.targets[0].outcome, part.targets[0].latest.message) == (FAILED, f"{FILE}::test_cpu_b is failed")
    assert [t.nodeid for t in part.failing] == [f"{FILE}::test_cpu_b"]
    again = state(*events, *judged(1, {f"{FILE}::test_cpu_a": PASSED}), *judged(2, BROKEN))
    assert [t.nodeid for t in again.failing] == [FILE]


def test_more_tests_that_pass_in_such_a_file_are_progress() -> None:
    events = audited(BROKEN, FILE)
    one = judged(1, {f"{FILE}::test_a": PASSED, f"{FILE}::test_b": FAILED})
    first = state(*events, *one)
    assert policy.propose(first, policy.Limits()).best.route == policy.RETRY
    same = state(*events, *one, *judged(2, {f"{FILE}::test_a": PASSED, f"{FILE}::test_b": FAILED}))
    assert policy.propose(same, policy.Limits()).best.route != policy.RETRY
    none = state(*events, *judged(1, {f"{FILE}::test_a": FAILED, f"{FILE}::test_b": FAILED}))
    assert policy.propose(none, policy.Limits()).best.route != policy.RETRY
