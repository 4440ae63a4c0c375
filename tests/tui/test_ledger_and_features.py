"""The ledger as a page, renewed while one looks at it, and pass and fail by feature."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model import Gate, GateStatus, Hop, Route, RouteKind
from engine.records.ledger import Decision, Ledger, Trace, render
from engine.state import RunState
from tests.tui.stage import SIZES, deciding, golden, main, make, screen, settled
from tests.tui.story import Story, gates
from tui.format import features, ledger
from tui.glyphs import ASCII, UNICODE

NAMES = [f"{w}x{h}" for w, h in SIZES]
HOP = Hop("impl-creator", "9 → 3", Route(RouteKind.NEXT, "self (attempt 2/3)"))
TRACE = Trace("#12 tails", "i2_s", "test_cpu_i2s_round_trip[width=33]", "kernels/i2s.py")
DECISION = Decision("in-progress", "3 target tests are red", HOP.route)
PAGE = Ledger(tuple(gates(passes=False)), (TRACE,), (HOP,), DECISION)
TEXT = "# Story 12\n\nWhat people wrote stays.\n\n" + render(PAGE)


def plain(text: str, width: int = 100) -> list[str]:
    return [line.plain for line in ledger.lines(text, UNICODE, width)]


def test_a_ledger_reads_as_a_page() -> None:
    lines = plain(TEXT)
    assert lines[0] == "Story 12"
    assert not any("<!--" in line or "---" in line for line in lines)
    assert any(line.split() == ["features", "–", "skipped", "(n/a-surface)"] for line in lines)
    assert "impl-creator  NEXT → self (attempt 2/3)  9 → 3" in lines
    assert "State: in-progress" in lines
    assert any("test_cpu_i2s_round_trip[width=33]" in line for line in lines)


@pytest.mark.parametrize("width", [20, 34, 62, 100])
def test_no_line_of_it_is_wider_than_the_page(width: int) -> None:
    evidence = "a | long `cell` " * 12
    page = Ledger((Gate("tests", GateStatus.FAIL, "", evidence),), (TRACE,), (HOP,), DECISION)
    lines = ledger.lines(render(page), UNICODE, width)
    assert max(line.cell_length for line in lines) <= width
    assert "`cell`" in " ".join(line.plain for line in lines)


def test_what_a_ledger_says_is_data() -> None:
    odd = "[red]x[/red] <!-- gates:end --> \x1b[31m\u202e"
    page = Ledger((Gate("tests", GateStatus.FAIL, "", odd),), (), (Hop(odd, odd, HOP.route),), DECISION)
    text = "\n".join(plain(render(page)))
    assert "[red]x[/red] <!-- gates:end -->" in text
    assert not {"\x1b", "\u202e"} & set(text)


@settings(max_examples=40)
@given(st.text(), st.integers(20, 100))
def test_no_text_breaks_the_page(raw: str, width: int) -> None:
    for text in (raw, f"| {raw} |\n|--|\n{raw}", f"- [a] {raw}; NEXT→{raw}"):
        ledger.lines(text, ASCII, width)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
async def test_the_ledger_is_shown_renewed_and_copied(size: tuple[int, int], tmp_path: Path) -> None:
    app = make(Story(), folder=lambda: tmp_path)
    async with app.run_test(size=size) as pilot:
        await deciding(pilot)
        await pilot.press("L")
        await settled(pilot)
        assert "No ledger yet." in screen(app)
        path = tmp_path / "ledger.md"
        path.write_text(TEXT, encoding="utf-8")
        await settled(pilot)
        golden(f"ledger-{size[0]}x{size[1]}", screen(app))
        path.write_text(TEXT.replace("in-progress", "ready"), encoding="utf-8")
        await settled(pilot)
        await pilot.press("y")
        assert app.clipboard == path.read_text(encoding="utf-8")
        await pilot.press("G")
        await settled(pilot)
        assert "State: ready" in screen(app)
        await pilot.press("escape")
        assert main(app).detail.face == "detail"


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
async def test_features_are_shown_against_the_audit(size: tuple[int, int]) -> None:
    app = make(Story(folder=None))
    async with app.run_test(size=size) as pilot:
        await deciding(pilot)
        await pilot.press("F")
        await settled(pilot)
        golden(f"features-{size[0]}x{size[1]}", screen(app))


def test_without_tests_the_features_are_a_sentence() -> None:
    assert features.lines(RunState(), UNICODE, 60)[0].plain.startswith("No tests yet.")
