"""A reviewer finds what a change brought, and nothing that was there; a refiner measures what it touched."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from engine.config import Gates
from engine.model import GateStatus
from engine.specialists import refine, review
from engine.specialists.case import Case
from engine.specialists.change import compared
from engine.specialists.leftovers import leftovers
from engine.specialists.refine import size
from tests.engine.specialists.kit import FIXED, MOD

Make = Callable[..., Case]


def test_a_clean_change_passes_with_its_numbers(case: Make) -> None:
    found = review.look(case({"calc.py": MOD}, {"calc.py": FIXED}))
    assert (found.gate.name, found.gate.status) == ("clippy", GateStatus.PASS)
    assert found.gate.evidence == "ruff: 0 warnings; 0 left-overs in +1 lines"
    assert found.facts == ()


def test_what_the_linter_said_before_is_not_held_against_a_change_and_what_is_new_is(case: Make) -> None:
    old = "import os\n\n\n" + MOD
    found = review.look(case({"calc.py": old}, {"calc.py": f"import os\nimport sys\n\n\n{FIXED}"}))
    assert found.gate.status is GateStatus.FAIL
    assert found.gate.evidence.startswith("ruff: 1 new warnings (1 before); 0 left-overs in +2 lines; calc.py:2: F401")
    assert [f.text.split(":")[1] for f in found.facts] == ["2"]


def test_a_breakpoint_fails_the_review_even_without_a_linter(case: Make) -> None:
    text = "def add(a, b):\n    breakpoint()\n    return a + b\n"
    found = review.look(case({"calc.py": MOD}, {"calc.py": text}, gates=Gates(clippy=("no-such-linter",))))
    assert found.gate.status is GateStatus.FAIL
    assert found.gate.evidence == "1 left-overs in +2 lines; calc.py:2: breakpoint(); no-such-linter is not installed"


def test_without_a_linter_and_without_left_overs_the_review_says_what_is_missing(case: Make) -> None:
    found = review.look(case({"calc.py": MOD}, {"calc.py": FIXED}, gates=Gates(clippy=("no-such-linter",))))
    assert found.gate.word == "skipped (missing-tool)"
    assert found.gate.evidence == "no-such-linter is not installed; 0 left-overs in +1 lines"


def test_a_change_without_python_has_nothing_to_review(case: Make) -> None:
    changed = case({"a.txt": "1\n", "calc.py": MOD}, {"a.txt": "2\n"})
    assert review.look(changed).gate.word == "skipped (n/a-surface)"
    assert refine.look(changed).gate.word == "skipped (n/a-surface)"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import pdb", "a debugger is imported"),
        ("from ipdb import set_trace", "a debugger is imported"),
        ("pdb.set_trace()", "a debugger is called"),
        ("print(1)", "print( in a module that printed nothing"),
        ("x = 1  # TODO: later", "TODO"),
        ("# FIXME", "FIXME"),
        ("# x = add(1, 2)", "code in a comment"),
        ("# log(x)", "code in a comment"),
    ],
)
def test_left_overs_are_found_on_added_lines(line: str, what: str) -> None:
    before = "y = 1\n"
    assert list(leftovers(compared("m.py", before, f"{before}{line}\n"))) == [(2, what)]
    assert list(leftovers(compared("m.py", f"{line}\n", f"{line}\n{before}"))) == []


@pytest.mark.parametrize(
    ("path", "before", "added"),
    [
        ("m.py", "print(1)\n", "print(2)"),  # it printed before
        ("cli.py", "", "print(2)"),
        ("scripts/show.py", "", "print(2)"),
        ("m.py", "if __name__ == '__main__':\n    pass\n", "print(2)"),
        ("m.py", "", "x = f()  # type: ignore"),
        ("m.py", "", "# noqa: F401"),
        ("m.py", "", "# the sum of both, see above"),
        ("m.py", "", "# half"),
        ("m.py", "", "# https://example.org/a"),
        ("m.py", "", "x = '# TODO'"),
    ],
)
def test_what_belongs_there_is_no_left_over(path: str, before: str, added: str) -> None:
    assert list(leftovers(compared(path, before, f"{before}{added}\n"))) == []


def test_a_test_may_print(case: Make) -> None:
    tests = {"tests/test_a.py": "def test_a():\n    print(1)\n"}
    assert review.look(case({"calc.py": MOD}, tests)).gate.status is GateStatus.PASS


def test_a_refiner_measures_the_touched_functions_before_and_after(case: Make) -> None:
    two = "\n\ndef other():\n    return 1\n"
    old = "def add(a, b):\n    if a:\n        if b:\n            return a + b\n    return 0\n"
    found = refine.look(case({"calc.py": old + two}, {"calc.py": FIXED + two}))
    assert found.gate.evidence == ("ruff: 0 warnings; 0 left-overs in +1 lines; 1 function: 5 → 2 lines, 3 → 1 ways")
    assert [f.text for f in found.facts] == ["calc.py: add: 5 lines, 3 ways, depth 2 → 2 lines, 1 ways, depth 0"]
    assert found.gate.status is GateStatus.PASS


def test_a_refiner_fails_on_new_warnings_and_skips_without_a_linter(case: Make) -> None:
    changed = case({"calc.py": MOD}, {"calc.py": "import os\n\n\n" + FIXED})
    assert refine.look(changed).gate.status is GateStatus.FAIL
    settings = dataclasses.replace(changed.settings, gates=Gates(clippy=("no-such-linter",)))
    assert refine.look(dataclasses.replace(changed, settings=settings)).gate.word == "skipped (missing-tool)"


def test_a_refiner_does_not_lift_a_review_that_failed(case: Make) -> None:
    changed = case({"calc.py": MOD}, {"calc.py": "def add(a, b):\n    breakpoint()\n    return a + b\n"})
    assert review.look(changed).gate.status is GateStatus.FAIL
    found = refine.look(changed)
    assert found.gate.status is GateStatus.FAIL
    assert "1 left-overs in +2 lines; calc.py:2: breakpoint(); 1 function" in found.gate.evidence


def test_a_chain_of_elifs_is_no_deeper_than_one_if() -> None:
    chain = (
        "def f(x):\n    if x:\n        return 1\n    elif x == 2:\n        return 2\n    elif x > 3:\n        x += 1\n"
    )
    assert (size(chain).ways, size(chain).depth) == (4, 1)
    nest = "def f(x):\n" + "".join(f"{'    ' * n}if x:\n" for n in range(1, 7)) + "    " * 7 + "return 1\n"
    assert size(nest).depth == 6
    assert size(nest).large
    assert not size(chain).large
