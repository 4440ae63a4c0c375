"""What is said, without a screen: cleaning, cutting, names, history, reasons, diff, keys."""

from __future__ import annotations

import dataclasses
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine import events as ev
from engine.gates import results
from engine.model import (
    Advisory,
    Ended,
    Exit,
    Gate,
    GateStatus,
    Progress,
    Purpose,
    Step,
    TestOutcome,
    TestResult,
    Verdict,
)
from engine.state import RunState, TestRow, fold_all
from tests.tui.story import Story
from tui.format import decision, evidence, removed, status, tables, tests, text
from tui.format.reasons import why_off
from tui.glyphs import ASCII, UNICODE, choose, plain
from tui.keymap import Keymap
from tui.view import View


def state_of(*events: ev.Event) -> RunState:
    return fold_all(RunState(), [ev.Record(n, float(n), e) for n, e in enumerate(events, 1)])


STARTED = ev.RunStarted("r", "/r", "", "0", "impl-creator", ("repair",), ("cpu", "gpu"), 2)


def finished(name: str, outcome: TestOutcome, purpose: Purpose = Purpose.AUDIT, round_: int = 1) -> ev.TestFinished:
    return ev.TestFinished(purpose, round_, TestResult("cpu", name, outcome, seconds=0.5))


# -- text ------------------------------------------------------------------------------------------------------------


@given(st.text())
def test_clean_text_is_one_line_that_cannot_hide_or_turn(raw: str) -> None:
    out = text.clean(raw)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in out)
    assert not any(c in out for c in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200d\u2028\u2029")
    assert text.clean(out) == out
    out.encode("utf-8")


@given(st.text(alphabet=st.characters(codec="ascii", min_codepoint=32, max_codepoint=126)))
def test_plain_text_is_left_as_it_is(raw: str) -> None:
    assert text.clean(raw) == raw


@given(st.text(), st.integers(0, 60))
def test_fit_takes_exactly_its_cells(raw: str, width: int) -> None:
    assert cell_len(text.fit(text.clean(raw), width)) == width


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07x", "x"),
        ("a\tb\nc", "a    b c"),
        ("gnp\u202eexe", "gnp�exe"),
        ("\ud800", "�"),
    ],
)
def test_escapes_go_and_other_signs_are_marked(raw: str, said: str) -> None:
    assert text.clean(raw) == said


def test_a_carriage_return_overwrites_its_line() -> None:
    assert text.clean_lines("10%\r50%\r100%\nnext\r\n") == ["100%", "next", ""]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.00s"),
        (9.99, "9.99s"),
        (9.996, "10.0s"),
        (59.94, "59.9s"),
        (59.96, "1m00"),
        (3599.6, "1h00"),
        (90000, "25h00"),
    ],
)
def test_durations_never_take_more_than_six_cells(seconds: float, said: str) -> None:
    assert text.took(seconds) == said


@given(st.text())
def test_plain_is_ascii_cell_for_cell(raw: str) -> None:
    cleaned = text.clean(raw)
    out = plain(cleaned)
    assert out.isascii()
    assert cell_len(out) == cell_len(cleaned)


@pytest.mark.parametrize(
    ("name", "environ", "encoding", "glyphs"),
    [
        ("auto", {"TERM": "xterm"}, "UTF-8", UNICODE),
        ("auto", {"TERM": "linux"}, "UTF-8", ASCII),
        ("auto", {"TERM": "xterm"}, "ISO-8859-1", ASCII),
        ("auto", {}, "utf_8", UNICODE),
        ("ascii", {}, "UTF-8", ASCII),
        ("unicode", {"TERM": "linux"}, "ascii", UNICODE),
    ],
)
def test_glyphs_are_chosen_by_terminal_and_locale(
    name: str, environ: dict[str, str], encoding: str, glyphs: object
) -> None:
    assert choose(name, environ, encoding) is glyphs


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_glyph_is_one_cell(glyphs: object) -> None:
    signs = [getattr(glyphs, f.name) for f in dataclasses.fields(glyphs) if f.name != "plain"]  # type: ignore[arg-type]
    assert all(cell_len(sign) == 1 for sign in signs)


# -- tests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodeid", "said"),
    [
        ("tests/kernels/test_cpu_i2s.py::test_cpu_i2s_round_trip[width=33]", "i2s · round_trip[width=33]"),
        ("tests/test_x.py::TestA::test_b", "x · TestA.b"),
        ("tests/test_x.py::test_x", "x · x"),
        ("test_cpu.py::test_a[a::b]", "cpu · a[a::b]"),
        ("tests/test_x.py", "tests/test_x.py"),
        ("a.py::test_[[x]]", "a · test_[[x]]"),
        ("", ""),
    ],
)
def test_short_names(nodeid: str, said: str) -> None:
    assert tests.short_name("cpu", nodeid) == said


def test_in_a_narrow_row_the_file_gives_way_before_the_test() -> None:
    row = TestRow("cpu", "tests/test_quantization_activations.py::test_round_half_to_even")
    assert tests.name_in(row, 60) == "quantization_activations · round_half_to_even"
    assert tests.name_in(row, 34) == "quantization… · round_half_to_even"
    assert tests.name_in(row, 20) == "quant… · round_half…"
    row = TestRow("cpu", "tests/test_cpu_gemv.py::test_cpu_gemv_of_a_wide_row_does_not_wrap[170-1]")
    assert tests.name_in(row, 30) == "gemv · of_a_wide_row_d…[170-1]"


@given(st.text(max_size=40), st.sampled_from(list(TestOutcome)), st.integers(20, 140))
def test_a_row_never_exceeds_its_width(name: str, outcome: TestOutcome, width: int) -> None:
    state = state_of(STARTED, finished(name, outcome))
    for item in tests.items(state):
        line = tests.draw(item, state, UNICODE, width)
        if item.kind == "test" and width >= 40:
            assert line.cell_length <= width


def test_rows_stay_in_the_order_they_were_met_and_red_ones_come_first() -> None:
    red, green = TestOutcome.FAILED, TestOutcome.PASSED
    names = [("b", red), ("a", green), ("d", red), ("c", TestOutcome.SKIPPED)]
    state = state_of(STARTED, *(finished(n, o) for n, o in names))
    shown = [i.row.nodeid for i in tests.items(state, expanded={"passing"}) if i.row is not None]
    assert shown == ["b", "d", "c", "a"]
    again = fold_all(state, [ev.Record(9, 9.0, finished("d", red, Purpose.AUDIT, 2))])
    assert [i.row.nodeid for i in tests.items(again, expanded={"passing"}) if i.row is not None] == shown


def test_history_has_a_dot_where_a_test_did_not_run() -> None:
    run = Story(until="")
    state = played(run)
    row = next(iter(state.tests.values()))
    columns = tests.stages(state)
    assert tests.history(row, columns, UNICODE) == "✗✗✓"
    late = msgspec.structs.replace(row, outcomes={"verify2": TestOutcome.PASSED})
    assert tests.history(late, columns, UNICODE) == "··✓"


def test_empty_states_are_sentences() -> None:
    for state in (RunState(), state_of(STARTED), state_of(STARTED, ev.RunFinished(0, "nothing red"))):
        assert tests.empty(state).endswith(".")
    assert "suites cpu and gpu" in tests.empty(state_of(STARTED))
    assert tables.hops_empty(View()).endswith(".")
    assert tables.attempts_empty(View()).endswith(".")


def test_every_known_gate_has_a_row_and_impl_is_last() -> None:
    state = state_of(STARTED, ev.GateSet(Gate("docs", GateStatus.SKIPPED, "n/a-surface")))
    names = tables.gate_names(state)
    assert names[-2:] == ["docs", "impl"]
    assert "no receipt yet" in tables.gate_row("tests", state, UNICODE).plain
    assert tables.gate_row("docs", state, UNICODE).plain.startswith("– skipped")


# -- where a run stands ----------------------------------------------------------------------------------------------


def test_long_work_moves_in_words_and_numbers() -> None:
    state = state_of(STARTED, ev.StepStarted(Step.ANALYZE, 0, "red audit"), ev.SuiteStarted("cpu", Purpose.AUDIT, 1))
    assert "cpu collecting…" in status.under_way(View(state))
    later = [
        ev.SuiteCollected("cpu", Purpose.AUDIT, 1, 340),
        *(finished(f"t{n}", TestOutcome.PASSED) for n in range(120)),
    ]
    state = fold_all(state, [ev.Record(10 + n, 10.0, e) for n, e in enumerate(later)])
    assert status.under_way(View(state)).startswith("audit 1 · cpu 120/340")


@pytest.mark.parametrize("code", list(Exit))
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_ending_has_a_word_in_header_and_bar(code: Exit, width: int) -> None:
    view = View(state_of(STARTED, ev.RunFinished(int(code), "because", "NEXT → x")))
    _, word, _ = status.ending(view)
    assert word in status.header(view, width).plain
    assert word in status.bar(view, width).plain
    assert status.header(view, width).cell_length == width
    assert status.bar(view, width).cell_length == width


def test_what_is_asked_for_here_shows_at_once() -> None:
    view = View(state_of(STARTED), stopping=True)
    assert "stopping…" in status.header(view, 80).plain
    assert why_off("run.pause", view) == "the run is stopping"


def test_a_gone_thread_without_a_word_is_not_called_running() -> None:
    view = View(state_of(STARTED), exit=int(Exit.DEFECT))
    assert "our defect" in status.bar(view, 80).plain


def test_off_keys_give_the_reason_of_the_proposal() -> None:
    state = played(Story(), until_proposal=True)
    view = View(state)
    assert why_off("run.finalize", view) == "gate impl is fail"
    assert why_off("run.retry", view) == ""
    assert why_off("run.pause", view)
    assert why_off("decide.accept", View(state_of(STARTED))).startswith("nothing to decide yet")
    assert why_off("run.stop", View(state_of(STARTED, ev.RunFinished(0, "done")))) == "the run has ended"


def test_every_option_has_exactly_one_key() -> None:
    proposal = played(Story(), until_proposal=True).proposal
    assert proposal is not None
    found = decision.choices(proposal)
    assert sorted(str(c.option.route) for c in found) == sorted(str(o.route) for o in proposal.options)
    assert len({c.key for c in found}) == len(found)
    assert found[0].key == "a"
    assert found[0].option is proposal.best
    for choice in found:
        row = decision.choice_row(choice, Keymap(), 70).plain
        assert cell_len(row) <= 70
        assert choice.option.allowed or "off: " in row


def played(run: Story, *, until_proposal: bool = False) -> RunState:
    """The state a story leaves, played here without a thread."""
    from engine.cancel import CancelToken
    from engine.errors import Stopped
    from engine.feed import Feed
    from engine.session import Steering

    class Asked(Steering):
        def answer(self, proposal: object) -> object:  # type: ignore[override]
            raise Stopped("enough")

    cancel = CancelToken()
    feed = Feed()
    run(feed, Asked(cancel, ask=True) if until_proposal else Steering(cancel, ask=False))
    state = RunState()
    while records := feed.drain()[0]:
        for record in records:
            if until_proposal and isinstance(record.event, ev.StopRequested):
                return state
            state = fold_all(state, [record])
    return state


# -- the diet, and verifications of a part --------------------------------------------------------------------------


def probed() -> RunState:
    """A first attempt of which only some tests ran again, a second one that was verified whole."""
    red, green = TestOutcome.FAILED, TestOutcome.PASSED
    first = ev.VerificationFinished(1, "t", Verdict.REJECTED, ("1 target test is red",), Progress(), whole=False)
    return state_of(
        STARTED,
        finished("a", red),
        finished("b", green),
        ev.AuditFinished(("cpu a",)),
        ev.AttemptStarted(1, "repair"),
        ev.AttemptFinished(1, "repair", "more-work", "half", "t", ("m.py",), 340, 12, False),
        ev.TestsSelected(1, {"cpu": 1}, {"cpu": 2}, ("suite cpu: the targets",)),
        ev.SuiteStarted("cpu", Purpose.REACH, 1),
        finished("a", red, Purpose.REACH, 1),
        ev.SuiteFinished("cpu", Purpose.REACH, 1, 1, Ended.FINISHED, 0.1, 1),
        first,
        ev.AttemptStarted(2, "repair"),
        ev.AttemptFinished(2, "repair", "done", "all", "t", ("m.py", "n.py"), 340, 12, True),
        ev.DietFinished(2, "s", 3, 1, True, dropped=9, runs=12, files=("m.py",), pinned=2),
        finished("a", green, Purpose.VERIFY, 2),
        finished("b", green, Purpose.VERIFY, 2),
        ev.VerificationFinished(2, "s", Verdict.VERIFIED, (), Progress(fixed=("cpu a",))),
    )


def test_history_shows_attempts_of_which_only_a_part_ran_again() -> None:
    state = probed()
    columns = tests.stages(state)
    assert columns == ["audit1", "reach1", "verify2"]
    assert [tests.history(row, columns, UNICODE) for row in state.tests.values()] == ["✗✗✓", "✓·✓"]
    told = "\n".join(part.plain for part in evidence.test(state.tests["cpu a"], View(state), 80))
    assert "audit ✗   #1 ✗   #2 ✓" in told


def test_an_attempt_says_what_ran_first_and_that_the_rest_did_not() -> None:
    state = probed()
    told = "\n".join(part.plain for part in evidence.attempt(state.attempts[0], View(state), 80))
    assert "first 1 of 2 tests of cpu: suite cpu: the targets" in told
    assert "the rest of the suites did not run" in told
    assert status.round_words("reach1") == "reach 1"
    gate = results.tests_gate(state, state.attempts[0].stage, state.attempts[0])
    assert gate.evidence == "pytest: 0/1 pass; CPU: 0/1; fixed 0; the rest of the suites did not run"


def test_advisories_are_counted_where_there_is_room() -> None:
    a, b = (Advisory("EMPTY-ASSERT", text, "m.py", 3) for text in "ab")
    begun = (STARTED, ev.AttemptStarted(1, "repair"), ev.AdvisoryRaised(a), ev.AdvisoryRaised(b))
    state = state_of(*begun)
    assert tables.attempts_foot(View(state)).plain.startswith("▲ 0 of 2 followed   retries")
    assert "2 so far" in "\n".join(part.plain for part in evidence.attempt(state.attempts[0], View(state), 80))
    ended = ev.AttemptFinished(1, "repair", "done", "", "t", ("m.py",), 3, 1, False)
    state = state_of(*begun, ended, ev.AdvisoriesSettled(1, (a,), (b,)))
    (row,), view = state.attempts, View(state)
    assert tables.attempt_row(row, view, 80).plain.endswith("  ▲ 1/2")
    assert "▲" not in tables.attempt_row(row, view, 50).plain
    assert tables.attempts_foot(view).plain.startswith("▲ 1 of 2 followed   retries")
    assert "advisories    1 of 2 followed" in "\n".join(part.plain for part in evidence.attempt(row, view, 80))
    assert "▲" not in tables.attempts_foot(View(state_of(STARTED))).plain


def test_what_the_diet_did_is_told_in_the_same_words_where_there_is_room() -> None:
    first, second = probed().attempts
    assert (first.slimmed, first.change) == ("+340 −12", "+340 −12")
    assert second.change == "+340 −12 → +3 −1, minimal but for 2 pieces that [diet] pin keeps"
    view = View(probed())
    assert "  +340 −12 " in tables.attempt_row(first, view, 50).plain
    assert "+340 −12 → +3 −1 " in tables.attempt_row(second, view, 50).plain
    assert tables.attempt_row(second, view, 50).cell_length <= 50
    assert "minimal but for 2 pieces" in tables.attempt_row(second, view, 120).plain
    told = "\n".join(part.plain for part in evidence.attempt(second, view, 80))
    assert "+340 −12 → +3 −1 in m.py\n" in told


@given(st.lists(st.text(), max_size=8), st.text(), st.integers(40, 140))
def test_no_text_breaks_the_list_of_removed_pieces(texts: list[str], path: str, width: int) -> None:
    piece = ev.Piece(3, path, 7, 12, 0, tuple(f"+{t}" for t in texts))
    for key, content in removed.rows((piece, piece), {3}, width):
        assert key == "3"
        assert content.cell_length <= width
        assert "\n" not in content.plain
