"""The ledger: read back as it was written, edited in place, and what is wrong with one that people wrote."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model import Gate, GateStatus, Hop, Route, RouteKind
from engine.records import ledger
from engine.records.ledger import REASONS, Decision, Ledger, LedgerError, Trace
from engine.records.lint import KNOWN, lint
from tui.records import lint_ledger

text = st.text(max_size=40)
name = st.text(min_size=1, max_size=20)
routes = st.builds(Route, st.sampled_from(RouteKind), name)
gates = st.one_of(
    st.builds(Gate, name, st.sampled_from([GateStatus.PASS, GateStatus.FAIL]), st.just(""), text),
    st.builds(Gate, name, st.just(GateStatus.SKIPPED), text, text),
)
traces = st.lists(st.builds(Trace, text, text, text, text), max_size=3).map(tuple)
ledgers = st.builds(
    Ledger,
    st.lists(gates, max_size=4, unique_by=lambda g: g.name).map(tuple),
    traces,
    st.lists(st.builds(Hop, text, text, routes), max_size=4).map(tuple),
    st.builds(Decision, st.sampled_from(ledger.STATES), text, st.none() | routes),
)

# What a run writes: any text, but the flow's words.
known = st.builds(Route, st.just(RouteKind.NEXT), st.sampled_from(sorted(KNOWN)) | st.just("self (attempt 2/3)"))
usual_gates = st.one_of(
    st.builds(Gate, name, st.sampled_from([GateStatus.PASS, GateStatus.FAIL]), st.just(""), text),
    st.builds(Gate, name, st.just(GateStatus.SKIPPED), st.sampled_from(REASONS), text),
)
final = Decision("ready", "all green", Route(RouteKind.FINALIZE, "code-reviewer"))
usual = st.builds(
    Ledger,
    st.lists(usual_gates.filter(lambda g: g.name != "impl"), max_size=4, unique_by=lambda g: g.name).map(
        lambda found: (*found, Gate("impl", GateStatus.PASS, "", "verified"))
    ),
    traces,
    st.lists(st.builds(Hop, name, text, known), max_size=4).map(tuple),
    st.builds(Decision, st.sampled_from(ledger.STATES), name, st.none() | known) | st.just(final),
)


@given(ledgers)
@settings(max_examples=100, deadline=None)
def test_a_ledger_is_read_back_as_it_was(one: Ledger) -> None:
    assert ledger.parse(ledger.render(one)) == one


@given(usual)
@settings(max_examples=100, deadline=None)
def test_what_a_run_writes_has_no_finding(one: Ledger) -> None:
    assert lint(ledger.render(one)) == []


@given(usual, st.data())
@settings(max_examples=100, deadline=None)
def test_what_has_no_error_can_be_read_and_what_cannot_be_read_has_one(one: Ledger, data: st.DataObject) -> None:
    """Lines of a good ledger lost, doubled, changed places, edited: linter and parser agree on what is broken."""
    lines = ledger.render(one).split("\n")
    for _ in range(data.draw(st.integers(1, 3))):
        n = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["lose", "double", "swap", "type", "indent"])):
            case "lose":
                lines[n] = ""
            case "double":
                lines.insert(n, lines[n])
            case "swap":
                lines[0], lines[n] = lines[n], lines[0]
            case "type":
                at = data.draw(st.integers(0, len(lines[n])))
                lines[n] = lines[n][:at] + data.draw(st.sampled_from(list("|-;→:* \t[]`\r<>"))) + lines[n][at:]
            case "indent":
                lines[n] = "  " + lines[n]
    broken = "\n".join(lines)
    found = lint(broken)
    if not any(f.error for f in found):
        ledger.parse(broken)
    assert all(1 <= f.line <= len(lines) for f in found)


@given(ledgers, ledgers, st.text(max_size=50).filter(lambda t: "<!--" not in t))
@settings(deadline=None)
def test_an_update_keeps_what_people_wrote_and_every_hop(one: Ledger, two: Ledger, around: str) -> None:
    document = around + "\n" + ledger.render(one) + around
    after = ledger.update(document, two)
    assert after.startswith(around + "\n<!-- gates:start -->")
    assert after.endswith("<!-- decision:end -->\n" + around)
    assert ledger.parse(after).hops[: len(one.hops)] == one.hops
    assert ledger.parse(after).decision == two.decision


def test_a_hop_that_a_person_added_stays_and_no_other_is_doubled() -> None:
    first, mine, second = (Hop(n, "text", Route(RouteKind.NEXT, "self")) for n in ("impl-creator", "me", "again"))
    document = ledger.render(Ledger(hops=(first, mine)))
    assert ledger.parse(ledger.update(document, Ledger(hops=(first, second)))).hops == (first, mine, second)


@pytest.mark.parametrize("broken", ["double", "half"])
def test_a_ledger_with_two_gate_tables_is_not_edited(broken: str) -> None:
    good = ledger.render(Ledger((Gate("impl", GateStatus.PASS),)))
    document = good + good if broken == "double" else good.replace("<!-- hoplog:end -->\n", "")
    with pytest.raises(LedgerError, match="want exactly one"):
        ledger.update(document, Ledger())


# -- by hand ----------------------------------------------------------------------------------------------------------

GOOD = """# Issue 12

<!-- gates:start -->
| Gate | Status | Evidence |
| ---- | ------ | -------- |
| tests | pass | pytest: 40/40 pass |
| crossval | skipped (no-cpp-reference) | – |
| impl | pass | verified |
<!-- gates:end -->

<!-- hoplog:start -->
### Hop log
- [impl-creator] first; NEXT→self (attempt 2/3)
- [impl-creator] then; FINALIZE→code-reviewer
<!-- hoplog:end -->

<!-- decision:start -->
**State:** ready
**Why:** all targets green
**Next:** FINALIZE → code-reviewer
<!-- decision:end -->
"""
HOP = "- [impl-creator] then; FINALIZE→code-reviewer"
TESTS = "| tests | pass | pytest: 40/40 pass |"
RIGHT = f"(write: {HOP})"

CASES = {
    "a status word": (TESTS, "| tests | ✅ passed | x |", "6: error: gate tests: status '✅ passed'", "(write: pass)"),
    "no word": (TESTS, "| tests | excellent | x |", "6: error: gate tests: status 'excellent'", "want pass, fail or"),
    "not yet": (TESTS, "| tests | pending | |", "6: error: gate tests: pending: a gate without a receipt", "no row"),
    "no reason": (TESTS, "| tests | skipped | x |", "6: error: gate tests: skipped without a reason", "missing-tool"),
    "pass with a reason": (
        TESTS,
        "| tests | pass (40/40) | cpu |",
        "6: error: gate tests: only skipped carries a reason",
        "(write: | tests | pass | 40/40; cpu |)",
    ),
    "another reason": (
        TESTS,
        "| tests | skipped (missing-tools) | x |",
        "6: warning: gate tests: 'missing-tools' is none of the standard reasons",
        "(write: skipped (missing-tool))",
    ),
    "two cells": (TESTS, "| tests | pass |", "6: error: 2 cells, want 3 cells: name, status, evidence", "‹evidence›"),
    "a pipe": (
        TESTS,
        "| tests | pass | a|b | c |",
        "6: error: a pipe in a cell ends it",
        "(write: | tests | pass | a &#124; b &#124; c |)",
    ),
    "a tight row": (TESTS, "|tests|pass|x|", "6: error: not written as a row is", "(write: | tests | pass | x |)"),
    "tabs": (TESTS, "|\ttests\t|\tpass\t|\tx\t|", "6: error: not written as a row", "(write: | tests | pass | x |)"),
    "prose": (TESTS, "tests are fine", "6: error: no row of the gates table: tests are fine", "(write: | ‹name›"),
    "a gate twice": (TESTS, "| impl | pass | x |", "8: error: a second row for gate impl; the first is line 6", ""),
    "a heading": ("| Gate | Status | Evidence |", "| gate | result | proof |", "5: error: the heading is missing", ""),
    "an arrow": (HOP, HOP.replace("→", "->"), "14: error: not written as a hop is", RIGHT),
    "a thick arrow": (HOP, HOP.replace("→", " => "), "14: error: not written as a hop is", RIGHT),
    "no semicolon": (HOP, HOP.replace(";", ""), "14: error: not written as a hop is", RIGHT),
    "spaces": (HOP, HOP.replace("→", " → "), "14: error: not written as a hop is", RIGHT),
    "a bold agent": (HOP, HOP.replace("[impl-creator]", "**impl-creator**:"), "14: error: not written", RIGHT),
    "another bullet": (HOP, "* " + HOP[2:], "14: error: not written as a hop is", RIGHT),
    "lower case": (HOP, HOP.replace("FINALIZE", "finalize"), "14: error: not written as a hop is", RIGHT),
    "several targets": (
        HOP,
        HOP + ", doc-updater",
        "14: error: a hop leads to one target, not also to doc-",
        RIGHT[:40],
    ),
    "no route": (HOP, "- [impl-creator] then", "14: error: not a hop", "(write: - [agent] text; NEXT→target)"),
    "an unknown agent": (HOP, HOP + "s", "14: warning: no known agent is called 'code-reviewers'", "code-reviewer)"),
    "a state": ("**State:** ready", "**State:** done", "18: error: state 'done'", "(write: **State:** ready)"),
    "the template": (
        "**State:** ready",
        "**State:** in-progress | ready",
        "18: error: state 'in-progress |",
        "**State:**",
    ),
    "a plain key": (
        "**State:** ready",
        "State: ready",
        "18: error: not written as the line State is",
        "**State:** ready",
    ),
    "no Why": ("**Why:** all targets green\n", "", "17: error: the decision has no line Why", "**Why:** ‹the reason›"),
    "an empty Why": ("all targets green", "", "19: warning: no reason is given", ""),
    "no Next": ("**Next:** FINALIZE → code-reviewer\n", "", "17: error: the decision has no line Next", "**Next:** –"),
    "Next by hand": (
        "FINALIZE → code",
        "FINALIZE->code",
        "20: error: next 'FINALIZE->code-reviewer'",
        "FINALIZE → code",
    ),
    "nothing next": ("FINALIZE → code-reviewer\n<", "none\n<", "20: error: next 'none'", "(write: **Next:** –)"),
    "too soon": (
        "| impl | pass |",
        "| impl | fail |",
        "20: error: FINALIZE is legal only when gate impl is pass",
        "fail",
    ),
    "ready too soon": ("| impl | pass |", "| impl | fail |", "18: error: ready, and gate impl is fail (line 8)", ""),
    "no impl": ("| impl | pass | verified |\n", "", "19: warning: FINALIZE, and gate impl has no row", ""),
    "no end": (
        "<!-- gates:end -->\n",
        "",
        "3: error: <!-- gates:start --> is never closed",
        "<!-- gates:end --> below",
    ),
    "no start": ("<!-- gates:start -->\n", "", "8: error: <!-- gates:end --> stands before any", ""),
    "no hop log": (
        re.search(r"<!-- hoplog.*hoplog:end -->\n", GOOD, re.S),
        "",
        "error: the section hoplog is missing",
        "",
    ),
    "almost": (
        "<!-- gates:end -->",
        "<!--gates:end-->",
        "9: error: <!--gates:end--> is not the anchor",
        "<!-- gates:end",
    ),
    "beside text": ("<!-- gates:end -->", "x <!-- gates:end -->", "9: error: <!-- gates:end --> must have a line", ""),
    "crossed": (
        "<!-- gates:end -->\n\n<!-- hoplog:start -->",
        "<!-- hoplog:start -->\n\n<!-- gates:end -->",
        "begins inside",
        "",
    ),
    "two tables": ("# Issue 12\n", GOOD, "23: error: a second gate table; the first begins in line 3", "in the first"),
    "two tables in one section": (
        "| impl | pass | verified |\n",
        "\n|Gate|Status|Evidence|\n|---|:-:|---|\n| impl | pass | verified |\n",
        "9: error: a second gates table in one section",
        "its rows in the first",
    ),
    "a table without anchors": (
        re.search(r".*", GOOD, re.S),
        "# Issue\n\n| gate | status | evidence |\n|---|---|---|\n| impl | ok | x |\n",
        "3: error: a gate table outside its anchors is not read",
        "<!-- gates:start --> above it",
    ),
    "a hop without anchors": (
        re.search(r".*", GOOD, re.S),
        "# Issue\n\n- impl-creator: did it. NEXT -> code-reviewer\n",
        "3: error: a hop outside its anchors is not read",
        "<!-- hoplog:start --> above the hops",
    ),
    "a fence": (
        "# Issue 12\n",
        "```\n<!-- gates:start -->\n```\n",
        "2: error: <!-- gates:start --> stands in a code fence",
        "",
    ),
    "CR LF": ("verified |\n", "verified |\r\n", "8: error: this line ends with CR LF", "LF alone"),
    "CR LF of a person": ("# Issue 12\n", "# Issue 12\r\n", "1: warning: this line ends with CR LF", "LF alone"),
    "a mark": ("# Issue", "\ufeff# Issue", "1: warning: the file begins with a byte order mark", ""),
    "nothing": (re.search(r".*", GOOD, re.S), "hello\n", "1: error: this is no ledger", "<!-- gates:start -->"),
}


def test_a_good_ledger_by_hand_has_no_finding() -> None:
    assert lint(GOOD) == []
    assert lint(GOOD.replace("all targets green", "one\ntwo\nthree")) == []
    assert ledger.parse(GOOD.replace("all targets green", "one\ntwo")).decision.why == "one\ntwo"


@pytest.mark.parametrize("case", CASES)
def test_each_slip_has_its_line_and_what_to_write(case: str) -> None:
    old, new, said, write = CASES[case]
    wrong = GOOD.replace(old if isinstance(old, str) else old[0], new, 1)
    assert wrong != GOOD
    lines = [f"{f.line}: {f}" for f in lint(wrong)]
    assert any(said in line and write in line for line in lines), lines
    if all("error" not in line for line in lines):
        ledger.parse(wrong)
    else:
        assert (
            "2 cells" in said
            or "a second row" in said
            or "a pipe" in said
            or "leads to one" in said
            or _unreadable(wrong)
            or "impl" in said
        )


def _unreadable(document: str) -> bool:
    try:
        ledger.parse(document)
    except LedgerError:
        return True
    return False


def test_all_slips_are_found_at_once_in_order() -> None:
    wrong = GOOD.replace("| pass |", "| ok |").replace("→", "->").replace("**Why:** all targets green\n", "")
    found = lint(wrong)
    assert [f.line for f in found] == [6, 8, 13, 14, 17, 19]
    for here, after in pairwise(found):
        assert here <= after


def test_what_is_shown_as_right_is_right() -> None:
    """Writing what the findings of a whole hand-written ledger say makes it one without errors."""
    wrong = GOOD.replace("| tests | pass | pytest: 40/40 pass |", "|tests|pass|40/40 | cpu|").replace(
        HOP, "* **impl-creator** then FINALIZE -> code-reviewer"
    )
    lines = wrong.split("\n")
    for found in lint(wrong):
        lines[found.line - 1] = found.write
    assert lint("\n".join(lines)) == []


@pytest.mark.parametrize("size", [50_000])
def test_a_hostile_ledger_takes_no_time(size: int) -> None:
    for line in ("- [" + "a" * size, "| " * size, "**Why:**" + " " * size + "x", "*" * size, "NEXT " * (size // 5)):
        assert lint(GOOD.replace(HOP, line))


def test_the_command_names_file_line_and_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ledger.md"
    path.write_text(GOOD.replace("| tests | pass |", "| tests | skipped (later) |"), encoding="utf-8")
    assert lint_ledger(path, as_json=False) == 0
    assert f"{path}:6: warning: gate tests: 'later' is none of the standard reasons" in capsys.readouterr().out
    path.write_text(GOOD + GOOD, encoding="utf-8")
    assert lint_ledger(path, as_json=True) == 1
    said = capsys.readouterr().out.splitlines()
    assert '"type": "result", "exit": 1' in said[-1]
    assert all(line.startswith('{"type": "') for line in said)
