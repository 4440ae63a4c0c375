"""Another change in place of the proposed one: taken, turned down, taken back, as the fold and the words tell it."""

from __future__ import annotations

from msgspec.structs import replace

from engine import events as ev
from engine.commands import Pick
from engine.gates.results import impl_gate
from engine.headless import closing
from engine.model import (
    Exit,
    Gate,
    GateStatus,
    Option,
    Progress,
    Proposal,
    Purpose,
    Step,
    TestOutcome,
    TestResult,
    Verdict,
)
from engine.narrate import narrate
from engine.policy import proposal_id
from engine.replaying import _answer, _answers
from engine.result import result
from engine.state import RunState
from tests.engine.test_by_hand import ROUTE, row, told

OTHERS = (
    ev.RunnerUp("`0` became `1`", "u" * 40, ("calc.py",), 1, 1, ("-a[0]", "+a[1]"), "f([]) → no end in place of 0"),
    ev.RunnerUp("`a` became `b`", "v" * 40, ("calc.py", "more.py"), 3, 2),
)
DONE = ev.AttemptFinished(
    1,
    "repair",
    "done",
    "`0` became `-1`",
    "t" * 40,
    ("calc.py",),
    1,
    1,
    claimed=True,
    alternatives=2,
    confidence="medium",
    doubt="f([3]) → 3 or 0: which is right? One more test decides.",
    runners_up=OTHERS,
)


def verified(red: bool = False) -> tuple[ev.Event, ...]:
    """What a verification of attempt 1 leaves."""
    result = TestResult("cpu", "a", TestOutcome.FAILED if red else TestOutcome.PASSED)
    moved = Progress(still=("cpu a",)) if red else Progress(fixed=("cpu a",))
    verdict, reasons = (Verdict.REJECTED, ("1 target test is red: a",)) if red else (Verdict.VERIFIED, ())
    return (
        ev.DietFinished(1, "d" * 40, 1, 1, minimal=True),
        ev.SuiteStarted("cpu", Purpose.VERIFY, 1),
        ev.TestFinished(Purpose.VERIFY, 1, result),
        ev.VerificationFinished(1, "d" * 40, verdict, reasons, moved),
    )


def judged() -> tuple[ev.Event, ...]:
    gate, options = Gate("impl", GateStatus.PASS, "", "as it was"), (Option(ROUTE, True, "", ""),)
    looked = (ev.ChangeExamined(1), ev.GateSet(gate), ev.StepFinished(Step.JUDGE, 1))
    return (*looked, ev.ProposalMade(Proposal("after-1", options, 0, ""), (), 2))


def deciding() -> RunState:
    return told(ev.AttemptStarted(1, "repair"), DONE, *verified(), *judged())


def test_a_runner_up_takes_the_place_of_the_change_and_everything_is_open_again() -> None:
    state = told(ev.RunnerUpTaken(1, 1), state=deciding())
    assert state.proposal is None
    taken = row(state)
    assert (taken.tree, taken.files, taken.verdict, taken.judged) == ("v" * 40, ("calc.py", "more.py"), None, False)
    assert taken.finished is not None
    assert (taken.finished.summary, taken.finished.claimed) == ("`a` became `b`", False)
    assert not taken.by_hand
    assert proposal_id(taken) == "after-1-1"
    # The diet is made of it as of any change.
    assert row(told(*verified(), state=state)).slim is not None
    assert row(told(*verified(), state=state)).change == "+1 −1, runner-up 2 by hand, minimal"


def test_the_first_proposal_can_be_taken_again() -> None:
    state = told(ev.RunnerUpTaken(1, 0), *verified(), *judged(), ev.RunnerUpTaken(1, -1), state=deciding())
    assert row(state).finished == DONE
    assert row(state).taken == -1
    assert proposal_id(row(state)) == "after-1-2"


def test_one_that_is_turned_down_leaves_everything_as_it_was_and_is_marked() -> None:
    before = deciding()
    state = told(ev.RunnerUpTaken(1, 0), *verified(red=True), state=before)
    assert state.tests["cpu a"].outcome is TestOutcome.FAILED
    state = told(ev.RunnerUpRefused(1, 0, "1 target test is red: a"), state=state)
    assert state.tests == before.tests
    assert state.gates == before.gates
    assert state.proposal is None
    assert row(state) == replace(row(before), again=2, turned_down={0: "1 target test is red: a"})
    # It is remembered when the next one is tried.
    state = told(ev.RunnerUpTaken(1, 1), *verified(red=True), ev.RunnerUpRefused(1, 1, "why"), state=state)
    assert row(state).turned_down == {0: "1 target test is red: a", 1: "why"}
    assert proposal_id(row(state)) == "after-1-4"


def test_a_piece_taken_away_from_a_runner_up_is_a_change_by_hand_as_ever() -> None:
    state = told(ev.RunnerUpTaken(1, 1), *verified(), *judged(), ev.PiecesReverted(1, (0,)), state=deciding())
    assert (row(state).taken, row(state).reverted, row(state).touched) == (1, (0,), 1)


def test_a_runner_up_that_does_not_exist_changes_nothing() -> None:
    before = deciding()
    assert row(told(ev.RunnerUpTaken(1, 7), state=before)) == row(before)
    assert row(told(ev.RunnerUpRefused(1, 7, "x"), state=before)) == row(before)


def test_a_journal_of_an_earlier_version_has_no_runners_up() -> None:
    data = ev.to_record(ev.Record(1, 1.0, DONE))
    for name in ("confidence", "doubt", "runners_up"):
        del data[name]
    event = ev.from_record(data).event
    assert isinstance(event, ev.AttemptFinished)
    assert (event.runners_up, event.confidence) == ((), "")
    assert row(told(ev.AttemptStarted(1, "repair"), event)).plausible == ""
    assert ev.from_record(ev.to_record(ev.Record(1, 1.0, DONE))).event == DONE


def test_a_replay_answers_as_the_person_did_where_the_runner_up_is_there_again() -> None:
    asked = ev.ProposalMade(Proposal("after-1", (Option(ROUTE, True, "", ""),), 0, ""), (), 2)
    events = (asked, ev.RunnerUpTaken(1, 1))
    answers = _answers([ev.Record(n, float(n), e) for n, e in enumerate(events)])
    assert _answer(asked, answers) == Pick("after-1", 1)
    assert _answer(replace(asked, runners_up=1), answers) != Pick("after-1", 1)


def test_the_result_and_the_closing_page_say_it_too() -> None:
    state = deciding()
    assert result(state, Exit.OK, None)["trust"] == {"confidence": "medium", "alternatives": 2, "doubt": DONE.doubt}
    assert f"open: {DONE.doubt}" in closing(state, Exit.OK, None)
    assert "trust" not in result(RunState(), Exit.OK, None)


def test_the_words_say_how_far_to_trust_it_what_else_would_pass_and_what_became_of_it() -> None:
    state = deciding()
    assert narrate(DONE, state) == (
        "attempt 1 ended: done; 1 files, +1 -1; plausible, 2 alternatives, confidence medium\n"
        "  `0` became `-1`\n"
        "  f([3]) → 3 or 0: which is right? One more test decides.\n"
        "  or: `0` became `1` (f([]) → no end in place of 0)\n"
        "  or: `a` became `b`"
    )
    assert "; plausible, 2 alternatives, confidence medium" in impl_gate({}, row(state)).evidence
    taken = ev.RunnerUpTaken(1, 1)
    assert narrate(taken, told(taken, state=state)) == "runner-up 2 is taken in its place, by hand: `a` became `b`"
    assert narrate(ev.RunnerUpTaken(1, -1), state).startswith("the change that was proposed first is taken again")
    refused = ev.RunnerUpRefused(1, 0, "1 target test is red: a")
    assert narrate(refused, state) == (
        "runner-up 1 did not verify: 1 target test is red: a; the earlier proposal stays"
    )
