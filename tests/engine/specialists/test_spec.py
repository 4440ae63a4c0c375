"""What the run could not mend is told so that somebody else can: as an analysis, and as an issue."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from msgspec.structs import replace

from engine.model import Advisory, GateStatus, TestOutcome
from engine.specialists import contradiction, issue
from engine.specialists.case import Case
from engine.specialists.failures import Failing, failing, groups
from engine.specialists.markdown import fenced, plain
from tests.engine.specialists.kit import FIXED, MOD, results

Make = Callable[..., Case]
ONE, TWO = "tests/test_a.py::test_one", "tests/test_a.py::test_two"
CLASH = """\
from calc import add


def test_one():
    assert add(1, 1) == 2


def test_two():
    assert add(1, 1) == 3
"""
KEY = "ghp_" + "a1B2c3D4e5" * 4


def test_assertions_that_contradict_each_other_stand_side_by_side(case: Make) -> None:
    state = results({ONE: "passed", TWO: "failed"}, {TWO: "AssertionError: assert 2 == 3"})
    found = contradiction.look(case({"calc.py": MOD, "tests/test_a.py": CLASH}, {"calc.py": FIXED}, state=state))
    assert (found.gate.name, found.gate.status) == ("spec", GateStatus.PASS)
    assert found.gate.evidence.startswith(
        "analysis: 1 contradiction: the tests contradict each other: tests/test_a.py:5"
    )
    text = found.keep["analysis.md"].decode()
    assert "A: `tests/test_a.py:5`" in text
    assert "B: `tests/test_a.py:9`" in text
    assert ">    5     assert add(1, 1) == 2" in text
    assert ">    9     assert add(1, 1) == 3" in text
    assert [f.about for f in found.facts] == ["contradiction", "the assertion", "the assertion", "fails alike"]


def test_what_the_run_noted_is_believed_and_no_file_outside_the_worktree_is_read(case: Make) -> None:
    noted = Advisory("CONTRADICTION", "no code can make this true: tests/../../../../etc/passwd.py:1 asserts 1 == 2")
    state = replace(results({TWO: "failed"}, {TWO: "x"}), advisories=(noted,))
    made = case({"calc.py": MOD}, {"calc.py": FIXED}, state=state)
    (made.repository.root.parent / "passwd.py").write_text("secret\n")
    outside = replace(noted, text="a: ../../../../passwd.py:1", path="../../../../passwd.py", line=1)
    assert contradiction.sides(made, outside) == []
    assert contradiction.look(made).gate.status is GateStatus.PASS


def test_failures_of_one_cause_are_one_group_with_the_code_they_end_in(case: Make) -> None:
    messages = {ONE: "ValueError: 3 is not 4", TWO: "ValueError: 5 is not 6"}
    state = results({ONE: "failed", TWO: "failed"}, messages, {ONE: 2, TWO: 2})
    found = contradiction.look(case({"calc.py": MOD}, {"calc.py": FIXED}, state=state))
    assert (found.gate.status, found.gate.evidence) == (
        GateStatus.PASS,
        "analysis: 2 red targets in 1 ways of failing; most often ValueError: ValueError: … is not …",
    )
    assert "in `calc.py:2`" in found.keep["analysis.md"].decode()


def test_an_analysis_that_can_say_nothing_fails_and_one_with_nothing_to_say_is_skipped(case: Make) -> None:
    made = case({"calc.py": MOD}, {"calc.py": FIXED}, state=results({ONE: "crashed"}))
    assert contradiction.look(made).gate.status is GateStatus.FAIL
    assert issue.look(made).gate.status is GateStatus.PASS  # that it fails can be asked about all the same
    done = dataclasses.replace(made, state=results({ONE: "passed"}))
    assert contradiction.look(done).gate.word == issue.look(done).gate.word == "skipped (n/a-surface)"


def test_an_issue_has_a_criterion_for_each_failing_test_and_names_what_is_missing(case: Make) -> None:
    messages = {
        ONE: "ImportError: cannot import name 'div' from 'calc' (/x/calc.py)",
        TWO: f"ModuleNotFoundError: No module named 'upstream.api' ({KEY}) ``` @somebody",
    }
    state = results({ONE: "error", TWO: "error"}, messages)
    found = issue.look(case({"calc.py": MOD}, {"calc.py": FIXED}, state=state))
    assert (found.gate.name, found.gate.status) == ("spec", GateStatus.PASS)
    assert found.gate.evidence == "issue: 2 criteria; missing: calc.div, module upstream.api"
    text = found.keep["issue.md"].decode()
    assert text.startswith("# calc.div is missing: 2 tests fail\n")
    assert f"- [ ] `{ONE}` passes\n- [ ] `{TWO}` passes\n- [ ] no test that passes now fails\n" in text
    assert "- `calc.div`, of this project\n- `module upstream.api`, outside this project\n" in text
    assert f"python -m pytest {ONE} {TWO}\n" in text
    assert KEY not in text
    assert "````\n" in text  # a fence longer than the one in the message


def test_foreign_text_does_not_leave_its_place() -> None:
    assert fenced("a\n````\nb").startswith("`````\na\n````\nb\n`````")
    assert plain("[x](http://a) @me <b> `c`\x1b[31m") == "x(http://a) (at)me b c31m"
    assert len(plain("x" * 500)) == 120


def test_a_target_that_passes_now_asks_for_nothing() -> None:
    state = results({ONE: "failed", TWO: "failed"}, {ONE: "KeyError: 'a'", TWO: "TypeError: b"})
    row = state.tests[f"cpu {ONE}"]
    assert row.latest is not None
    green = replace(row, latest=replace(row.latest, outcome=TestOutcome.PASSED))
    left = failing(replace(state, tests={**state.tests, row.key: green}))
    assert [t.nodeid for t in left] == [TWO]
    assert list(groups([*left, Failing("x", "cpu", "TypeError: b")])) == ["TypeError: TypeError: b"]
