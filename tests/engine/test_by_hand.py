"""What a person makes of a change at a decision: brought back, taken away, and both again, as the fold tells it."""

from __future__ import annotations

from engine import events as ev
from engine.commands import Restore, Revert
from engine.model import Advisory, Gate, GateStatus, Option, Progress, Proposal, Route, RouteKind, Step, Verdict
from engine.narrate import narrate
from engine.policy import proposal_id
from engine.replaying import _answer, _answers
from engine.state import AttemptRow, RunState, fold

ROUTE = Route(RouteKind.FINALIZE, "code-reviewer")
PIECES = tuple(ev.Piece(n, "calc.py", n + 1, 1, 1) for n in range(4))
BY_DIET = PIECES[2:]


def told(*events: ev.Event, state: RunState | None = None) -> RunState:
    state = state or RunState()
    for number, event in enumerate(events, state.seq + 1):
        state = fold(state, ev.Record(number, float(number), event))
    return state


def row(state: RunState) -> AttemptRow:
    assert state.attempt is not None
    return state.attempt


def diet(gone: tuple[ev.Piece, ...], *, minimal: bool = False) -> ev.DietFinished:
    return ev.DietFinished(1, "s" * 40, 4 - len(gone), 4 - len(gone), minimal, len(gone), removed_pieces=gone)


def deciding() -> RunState:
    """Of four pieces the diet took the last two away; the other two are offered."""
    done = ev.AttemptFinished(1, "scripted", "done", "", "t" * 40, ("calc.py",), 4, 4, claimed=True)
    verified = ev.VerificationFinished(1, "s" * 40, Verdict.VERIFIED, (), Progress(fixed=("cpu a",)))
    return told(
        ev.AttemptStarted(1, "scripted"),
        done,
        diet(BY_DIET, minimal=True),
        verified,
        ev.ChangeExamined(1),
        ev.GateSet(Gate("impl", GateStatus.PASS)),
        ev.StepFinished(Step.JUDGE, 1),
        ev.ProposalMade(Proposal("after-1", (Option(ROUTE, True, "", ""),), 0, ""), PIECES[:2]),
    )


def test_a_change_with_a_piece_taken_away_is_open_again_and_no_longer_minimal() -> None:
    before = deciding()
    assert before.pieces == PIECES[:2]
    assert row(before).change == "+4 −4 → +2 −2, minimal"
    state = told(ev.PiecesReverted(1, (1,)), state=before)
    assert (state.proposal, state.pieces) == (None, ())
    now = row(state)
    assert (now.verdict, now.diet, now.suspicions, now.judged) == (None, None, None, False)
    assert (now.reverted, now.restored, now.by_hand) == ((1,), (), True)
    assert proposal_id(now) == "after-1-1"
    state = told(diet((PIECES[1], *BY_DIET)), state=state)
    assert row(state).change == "+4 −4 → +1 −1, 1 piece taken away by hand"
    assert row(state).removed == BY_DIET  # what the diet itself came to stays known


def test_bringing_it_back_makes_the_change_the_diets_own_again() -> None:
    state = told(ev.PiecesReverted(1, (0, 1)), ev.PiecesRestored(1, (0, 1)), state=deciding())
    assert (row(state).reverted, row(state).restored, row(state).by_hand) == ((), (), False)
    assert proposal_id(row(state)) == "after-1-2"


def test_both_hands_at_once_keep_apart_what_the_diet_took_and_what_the_person_took() -> None:
    state = told(ev.PiecesReverted(1, (0,)), ev.PiecesRestored(1, (3,)), state=deciding())
    assert (row(state).reverted, row(state).restored) == ((0,), (3,))
    assert row(told(diet(PIECES[:1]), state=state)).change.endswith(
        "with 1 piece brought back, 1 piece taken away by hand"
    )
    again = told(ev.PiecesReverted(1, (3,)), state=state)
    assert (row(again).reverted, row(again).restored) == ((0,), ())  # as the diet had left it
    none = told(ev.PiecesRestored(1, ()), state=state)
    assert (row(none).reverted, row(none).restored) == ((0,), ())
    back = told(ev.PiecesRestored(1, (0, 2)), state=state)
    assert (row(back).reverted, row(back).restored) == ((), (2, 3))


def test_a_decision_and_a_resumption_offer_no_pieces() -> None:
    state = deciding()
    assert told(ev.DecisionTaken("after-1", ROUTE, "user"), state=state).pieces == ()
    assert told(ev.RunResumed(1), state=state).pieces == ()


def test_what_a_reviewer_was_to_see_is_looked_for_again() -> None:
    grave = Advisory("FRAMES", "looks at its callers", "calc.py", 2, grave=True)
    state = told(ev.ChangeExamined(1, (grave,)), state=deciding())
    assert (state.advisories, row(state).verdict) == ((grave,), Verdict.CLAIMED)
    state = told(ev.PiecesReverted(1, (1,)), state=state)
    assert (state.advisories, row(state).verdict) == ((), None)


def test_a_replay_answers_as_the_person_did() -> None:
    asked = [
        ev.ProposalMade(Proposal(name, (Option(ROUTE, True, "", ""),), 0, "")) for name in ("after-1", "after-1-1")
    ]
    events = (asked[0], ev.PiecesReverted(1, (1, 2)), asked[1], ev.PiecesRestored(1, (2,)))
    answers = _answers([ev.Record(n, 0.0, e) for n, e in enumerate(events)])
    assert _answer(asked[0], answers) == Revert("after-1", (1, 2))
    assert _answer(asked[1], answers) == Restore("after-1-1", (2,))


def test_it_is_told_in_a_line() -> None:
    state = deciding()
    assert narrate(ev.PiecesReverted(1, (1,)), state) == "took away 1 piece of the change, by hand"
    assert narrate(ev.PiecesReverted(1, (0, 1)), state) == "took away 2 pieces of the change, by hand"
    assert narrate(ev.PiecesRestored(1, (1,)), state) == "brought back 1 piece that had been taken away"


def test_a_journal_from_before_pieces_were_offered_still_loads() -> None:
    line = ev.to_record(ev.Record(1, 0.0, ev.ProposalMade(Proposal("after-1", (), 0, ""))))
    del line["pieces"]
    record = ev.from_record(line)
    assert isinstance(record.event, ev.ProposalMade)
    assert record.event.pieces == ()
