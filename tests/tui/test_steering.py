"""What keys do to a run: accept, route, retry with a hint, finalize, pause, stop, leave."""

from __future__ import annotations

import threading

import pytest

from engine.events import Record, RunInterrupted
from engine.feed import Feed
from engine.model import Exit, RouteKind
from engine.session import Steering
from tests.tui.stage import deciding, ended, main, make, screen, settled, until
from tests.tui.story import START, Story, opening


def said(app: object) -> str:
    return " | ".join(n.message for n in app._notifications)  # type: ignore[attr-defined]


async def test_a_takes_the_recommended_route() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("a")
        await until(pilot, lambda: run.answers)
        assert run.answers[0].retry


async def test_r_asks_for_a_hint_and_hands_it_over() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("r")
        await pilot.pause()
        await pilot.press(*"tail [33]".replace(" ", "_"), "enter")
        await until(pilot, lambda: run.hints)
        assert run.hints[0] == "tail_[33]"
        assert run.answers[0].retry


async def test_esc_in_the_hint_sends_nothing() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("r")
        await pilot.press("x", "escape")
        await settled(pilot)
        assert app.screen is main(app)
        assert not run.answers
        assert app.bridge.state.deciding


async def test_w_runs_the_agent_of_the_marked_route_here_and_says_where_it_cannot() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await deciding(pilot)
        await pilot.press("o", "w")
        assert "self is not run here" in said(app)
        await pilot.press("j", "j", "j", "j", "w")
        await until(pilot, lambda: run.answers)
        assert str(run.answers[0]) == "NEXT → spec-analyzer"
        assert run.dispatched == [True]
        assert "NEXT → spec-analyzer, which runs here" in said(app)


async def test_f_says_why_it_is_off_and_finalizes_when_it_is_not() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("f")
        assert "f is off: gate impl is fail" in said(app)
        await pilot.press("a")
        await until(pilot, lambda: len(app.bridge.state.decisions) == 1)
        await deciding(pilot)
        await pilot.press("r")
        assert "r is off: gate impl passes already" in said(app)
        await pilot.press("f")
        await ended(pilot)
        assert run.answers[-1].kind is RouteKind.FINALIZE
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value is Exit.OK


async def test_keys_without_a_question_say_so_and_do_nothing() -> None:
    run = Story(until="edit")
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, run.reached.is_set)
        await settled(pilot)
        await pilot.press("a", "o", "r", "f")
        assert app.screen is main(app)
        for key in "aorf":
            assert f"{key} is off: nothing to decide yet, the run is at step edit" in said(app)
        assert not run.answers


async def test_a_route_by_its_number() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("o", "1")
        assert "is off: gate impl is fail" in said(app)
        await pilot.press("3")
        await ended(pilot)
        assert str(run.answers[0]) == "NEXT → spec-analyzer"
        assert "not green" in screen(app)


async def test_enter_takes_only_a_route_that_was_moved_to() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await deciding(pilot)
        await pilot.press("enter", "escape", "o", "enter")
        assert not run.answers
        await pilot.press("j", "enter")
        await until(pilot, lambda: run.answers)
        assert run.answers[0].retry


async def test_esc_leaves_the_engine_parked_and_a_late_answer_is_refused() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("o", "escape")
        await settled(pilot)
        assert app.bridge.state.deciding
        proposal = app.bridge.state.proposal
        assert proposal is not None
        app._decide(proposal.best)
        app._decide(proposal.best)
        await pilot.pause()
        assert "too late" in said(app)


async def test_a_question_that_is_gone_closes_its_screen() -> None:
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("o")
        proposal = app.bridge.state.proposal
        assert proposal is not None
        app._decide(proposal.best)
        await until(pilot, lambda: app.screen is main(app))


async def test_pause_and_going_on() -> None:
    run = Story(pace=0.002, until="end")
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.bridge.state.tests)
        await pilot.press("p")
        await until(pilot, lambda: app.bridge.state.paused)
        await settled(pilot)
        assert "‖ paused" in screen(app)
        assert "p Continue" in screen(app)
        await pilot.press("p")
        await until(pilot, lambda: not app.bridge.state.paused and app.bridge.state.audit)


async def test_stopping_shows_before_the_engine_confirms() -> None:
    run = Deaf()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.bridge.state.started)
        await pilot.press("x", "x")
        app.paint()
        await pilot.pause()
        assert not app.bridge.state.stopping
        assert "stopping…" in screen(app)
        run.heard.set()
        await ended(pilot)


class Deaf:
    """Does not hear a stop until it is told to."""

    def __init__(self) -> None:
        self.heard = threading.Event()

    def __call__(self, feed: Feed, steering: Steering) -> Exit:
        for number, event in enumerate(opening(), 1):
            feed.publish(Record(number, START, event))
        self.heard.wait(30)
        feed.publish(Record(99, START, RunInterrupted(int(Exit.INTERRUPTED), "stopped")))
        return Exit.INTERRUPTED


async def test_q_while_running_asks_and_x_leaves_now() -> None:
    run = Story(until="edit")
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, run.reached.is_set)
        await pilot.press("q", "escape")
        await settled(pilot)
        assert app.screen is main(app)
        assert app.bridge.gone is None
        await pilot.press("q", "x")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value is Exit.INTERRUPTED


async def test_a_run_that_ends_while_it_is_asked_how_to_stop_is_left_to_be_read() -> None:
    run = Deaf()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.bridge.state.started)
        await pilot.press("q")
        assert app.screen is not main(app)
        run.heard.set()
        await until(pilot, lambda: app.screen is main(app), "the question is gone")
        await until(pilot, lambda: "the run has ended meanwhile" in said(app), "a word of it")
        assert app.return_value is None


async def test_s_leaves_after_the_step() -> None:
    run = Story(pace=0.001, until="end")
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.bridge.state.tests)
        await pilot.press("ctrl+q", "s")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value is Exit.INTERRUPTED
    assert run.state.audit is not None


async def test_s_while_parked_does_not_wait_for_an_answer() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("q", "s")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value is Exit.INTERRUPTED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_an_engine_that_falls_over_is_a_defect_not_a_hang() -> None:
    def falls(feed: object, steering: object) -> Exit:
        raise RuntimeError("no event was written")

    app = make(falls)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.bridge.started and app.bridge.gone is Exit.DEFECT)
        await settled(pilot)
        assert "our defect" in screen(app)
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value is Exit.DEFECT
