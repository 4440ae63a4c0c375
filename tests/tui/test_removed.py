"""What the diet took away is shown, and comes back by a key: told by a canned run, and by a real one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from often import everything
from support import CALC, DONE, FIX_ADD, FIX_MUL, edit, finish, make_repo
from textual.pilot import Pilot

from engine import events as ev
from engine.launch import Options, prepare
from engine.model import Exit
from engine.records import journal
from engine.run import Run
from tests.tui.stage import SIZES, deciding, ended, golden, main, make, screen, settled, until
from tests.tui.story import Fat, Story
from tui.app import BitnetApp
from tui.screens.removed import RemovedScreen

NAMES = [f"{w}x{h}" for w, h in SIZES]


def said(app: Any) -> str:
    return " | ".join(n.message for n in app._notifications)


async def parked(pilot: Pilot[Any], proposal: str) -> None:
    """A real run takes its time; one that ended meanwhile is not waited for."""
    app = pilot.app
    assert isinstance(app, BitnetApp)

    def holds() -> bool:
        state = app.bridge.state
        assert state.ended is None, state.ended
        return state.proposal is not None and state.proposal.id == proposal

    await until(pilot, holds, proposal, seconds=240)
    await settled(pilot)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
async def test_what_was_taken_away_is_asked_for_and_listed(size: tuple[int, int]) -> None:
    app = make(Fat())
    async with app.run_test(size=size) as pilot:
        await deciding(pilot)
        golden(f"dieted-{size[0]}x{size[1]}", screen(app))
        await pilot.press("u", "j", "space")
        await settled(pilot)
        golden(f"removed-{size[0]}x{size[1]}", screen(app))
        await pilot.press("escape")
        await settled(pilot)
        golden(f"dieted-{size[0]}x{size[1]}", screen(app))


async def test_marked_pieces_come_back_and_the_question_is_asked_again() -> None:
    run = Fat()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("u", "space", "space", "space", "G", "space", "enter")
        await until(pilot, lambda: run.restored)
        assert run.restored == [(1, 4)]
        assert "brought back 2 pieces: verified again" in said(app)
        await until(pilot, lambda: app.bridge.state.proposal and app.bridge.state.proposal.id == "after-1-1")
        await settled(pilot)
        assert app.screen is main(app)
        assert "+22 −17 → +13 −8" in screen(app)
        await pilot.press("2", "g", "enter")
        await settled(pilot)
        assert "brought back  kernels/i2s.py:12  +2 −0" in screen(app)
        await pilot.press("u", "asterisk", "enter")
        await until(pilot, lambda: len(run.restored) == 2)
        assert run.restored[1] == (3,)
        await until(pilot, lambda: app.bridge.state.proposal and app.bridge.state.proposal.id == "after-1-2")
        await settled(pilot)
        await pilot.press("u")
        await settled(pilot)
        assert "3 pieces came back; x takes them away again" in screen(app)
        await pilot.press("x")
        await until(pilot, lambda: app.bridge.state.proposal and app.bridge.state.proposal.id == "after-1-3")
        assert run.restored[2] == ()
        assert "taken away again" in said(app)
        await settled(pilot)
        await pilot.press("u")
        await settled(pilot)
        await pilot.press("x")
        assert "nothing was brought back" in said(app)
        await pilot.press("escape", "f")
        await ended(pilot)


async def test_a_click_marks_a_piece_anywhere_in_it() -> None:
    app = make(Fat())
    async with app.run_test(size=(80, 24)) as pilot:
        await deciding(pilot)
        await pilot.press("u")
        await settled(pilot)
        open_ = app.screen
        assert isinstance(open_, RemovedScreen)
        await pilot.click("#pieces", offset=(9, 6))
        await settled(pilot)
        assert open_._list.marked == {3}
        assert "1 of 3 pieces marked" in screen(app)
        await pilot.click("#pieces", offset=(9, 4))
        await settled(pilot)
        assert open_._list.marked == set()
        await pilot.press("enter")
        assert "mark a piece first" in said(app)
        assert app.screen is open_


async def test_a_question_that_was_answered_closes_the_list_and_a_late_wish_is_refused() -> None:
    run = Fat()
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("u")
        proposal = app.bridge.state.proposal
        assert proposal is not None
        app._decide(proposal.best)
        await until(pilot, lambda: app.screen is main(app))
        app._restore(proposal.id, (1,))
        await pilot.pause()
        assert "too late" in said(app)
        assert run.restored == []


async def test_without_removed_pieces_or_a_question_the_key_says_why_it_is_off() -> None:
    app = make(Story())
    async with app.run_test(size=(80, 24)) as pilot:
        await deciding(pilot)
        await pilot.press("u")
        assert "u is off: the diet took nothing away" in said(app)
        assert "bring back" not in screen(app).splitlines()[-2]
        await pilot.press("a")
    app = make(Fat(), ask=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await ended(pilot)
        await pilot.press("u")
        assert "u is off: the run has ended" in said(app)
        assert app.screen is main(app)


async def test_the_decision_screen_leads_to_the_list() -> None:
    app = make(Fat())
    async with app.run_test(size=(80, 24)) as pilot:
        await deciding(pilot)
        await pilot.press("o")
        await settled(pilot)
        assert "The diet took 3 pieces away: +22 −17 → +10 −7." in screen(app)
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, RemovedScreen))


async def test_a_thousand_pieces_are_listed_and_marked_at_once() -> None:
    many = tuple(ev.Piece(n, f"k/{n}.py", n + 1, 1, 0, (f"+x = '\x1b[31m{n}'",)) for n in range(1000))
    run = Fat(many)
    app = make(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await deciding(pilot)
        await pilot.press("u", "asterisk", "G")
        await settled(pilot)
        assert "1000 of 1000 pieces marked" in screen(app)
        assert "k/999.py:1000" in screen(app)
        assert "+ x = '999'" in screen(app)  # the whole of the last piece, and nothing that moves the cursor
        assert {s.cell_length for s in app.screen._compositor.render_strips()} == {80}
        await pilot.press("enter")
        await until(pilot, lambda: run.restored)
        assert len(run.restored[0]) == 1000


@everything
async def test_a_real_run_makes_the_change_anew_with_what_was_brought_back(tmp_path: Path) -> None:
    files = CALC | {"other.py": "def g():\n    return 1\n", "more.py": "X = 1\n"}
    folder = make_repo(tmp_path / "repo", files)
    fat = {"command": "str_replace", "path": "other.py", "old_str": "return 1", "new_str": "return 2"}
    more = {"command": "str_replace", "path": "more.py", "old_str": "X = 1", "new_str": "X = 3"}
    script = tmp_path / "script.json"
    script.write_text(json.dumps([[edit(fat), edit(more), edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]]))
    given = Options(folder, providers=("scripted",), suites=("cpu",), script=script)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "PYTEST", "CURRENT_FLOW"))}
    run = Run(prepare(given, environ))
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await parked(pilot, "after-1")
        attempt = app.bridge.state.attempt
        assert attempt is not None
        assert [p.path for p in attempt.removed] == ["more.py", "other.py"]
        assert attempt.change == "+4 −4 → +2 −2, minimal"
        assert "other.py" not in (run.folder / "patch.diff").read_text()
        assert "more.py" in (run.folder / "removed.diff").read_text()
        await pilot.press("u")
        await settled(pilot)
        assert "+ X = 3" in screen(app)
        await pilot.press("j", "space", "enter")
        await parked(pilot, "after-1-1")
        patch = (run.folder / "patch.diff").read_text()
        assert "+    return 2" in patch
        assert "more.py" not in patch
        assert "other.py" not in (run.folder / "removed.diff").read_text()
        assert "+4 −4 → +3 −3" in app.bridge.state.gates["impl"].evidence
        await pilot.press("u")
        await settled(pilot)
        await pilot.press("x")
        await parked(pilot, "after-1-2")
        assert "other.py" not in (run.folder / "patch.diff").read_text()
        assert "+4 −4 → +2 −2, minimal" in app.bridge.state.gates["impl"].evidence
        await pilot.press("u", "j", "space", "enter")
        await parked(pilot, "after-1-3")
        await pilot.press("f")
        await until(pilot, lambda: app.bridge.gone is not None, "the end", seconds=120)
    assert app.bridge.gone is Exit.OK
    events = [r.event for r in journal.read(run.folder / "journal.jsonl")]
    again = events[next(n for n, e in enumerate(events) if isinstance(e, ev.PiecesRestored)) :]
    assert any(isinstance(e, ev.VerificationFinished) and e.verdict == "verified" for e in again)
    assert any(isinstance(e, ev.GateSet) and e.gate.name == "impl" for e in again)
    assert [e.proposal.id for e in events if isinstance(e, ev.ProposalMade)] == [
        "after-1",
        "after-1-1",
        "after-1-2",
        "after-1-3",
    ]
