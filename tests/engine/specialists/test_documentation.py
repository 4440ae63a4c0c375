"""Public names without their documentation fail; so does an example that ran before; nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.model import GateStatus
from engine.specialists import documentation
from engine.specialists.case import Case
from engine.specialists.change import compared
from engine.specialists.documentation import gaps_of, stale
from engine.specialists.names import Moved, described, moved, public
from engine.suites.interpreter import Interpreter

Make = Callable[..., Case]
GOOD = 'def add(a, b):\n    """Add.\n\n    >>> add(1, 2)\n    3\n    """\n    return a + b\n'
README = "# calc\n\n```python\n>>> from calc import add\n>>> add(2, 2)\n4\n```\n\n```sh\n>>> no python\n```\n"


def move(before: str, after: str) -> Moved:
    return moved(public(before), public(after))


def gaps(before: str, after: str) -> list[str]:
    return list(gaps_of(compared("calc.py", before, after), move(before, after)))


def test_examples_of_changed_modules_and_of_pages_that_name_what_changed_are_run(case: Make, lean: Interpreter) -> None:
    after = GOOD + '\n\ndef sub(a, b):\n    """Take away.\n\n    >>> sub(3, 1)\n    2\n    """\n    return a - b\n'
    files = {"calc.py": GOOD, "README.md": README.replace("add(2, 2)", "add(2, 2)  # or sub(2, 2)")}
    found = documentation.look(case(files, {"calc.py": after}, python=lean))
    assert (found.gate.name, found.gate.status) == ("docs", GateStatus.PASS), found
    assert found.gate.evidence == "docs: 1 public name changed, documented; examples 3/3"


def test_an_example_that_fails_now_and_a_page_that_names_what_is_gone_fail_the_gate(
    case: Make, lean: Interpreter
) -> None:
    after = GOOD.replace("a + b", "a + b + 1").replace("def add", "def plus").replace("add(1, 2)", "plus(1, 2)")
    before = {"calc.py": GOOD, "README.md": README, "CHANGELOG.md": "`add`\n"}
    found = documentation.look(case(before, {"calc.py": after}, python=lean))
    assert found.gate.status is GateStatus.FAIL
    assert found.gate.evidence == "docs: README.md:4: mentions add, which is gone; examples 0/2"
    assert [(f.about, f.text) for f in found.facts] == [
        ("documentation gap", "README.md:4: mentions add, which is gone"),
        ("example fails", "calc.py::calc.plus"),
        ("example fails", "README.md"),
    ]


def test_an_example_that_failed_before_is_not_the_changes_fault(case: Make, lean: Interpreter) -> None:
    old = GOOD.replace("    3\n", "    4\n")
    found = documentation.look(case({"calc.py": old}, {"calc.py": old + "\n\n_x = 1\n"}, python=lean))
    assert (found.gate.status, found.gate.evidence) == (
        GateStatus.PASS,
        "docs: no public name changed; examples 0/1",
    )


def test_an_example_cannot_take_the_place_where_examples_are_written_next(
    case: Make, lean: Interpreter, tmp_path: Path
) -> None:
    place = tmp_path / "scratch" / "own" / "examples"
    plant = (
        f"    >>> import os, shutil\n    >>> shutil.rmtree({str(place)!r}, True) or os.symlink('/', {str(place)!r})\n"
    )
    old = GOOD.replace("    >>> add", f"{plant}    >>> add").replace("    3\n", "    4\n")
    found = documentation.look(case({"calc.py": old}, {"calc.py": old + "\n\n_x = 1\n"}, python=lean))
    assert found.gate.evidence == "docs: no public name changed; examples 0/1"


def test_a_change_of_neither_code_nor_pages_has_nothing_to_document(case: Make) -> None:
    made = case({"calc.py": GOOD, "tests/test_a.py": "x = 1\n"}, {"tests/test_a.py": "x = 2\n"})
    assert documentation.look(made).gate.word == "skipped (n/a-surface)"


NUMPY = """\
def f(a, b):
    '''Do.

    Parameters
    ----------
    a : int
        One.
    b
        Two.
    '''
"""


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("x = 1\n", "x = 1\n\n\ndef f():\n    pass\n", ["calc.py:4: f has no docstring"]),
        ("x = 1\n", "x = 1\n\n\ndef _f():\n    pass\n", []),
        ("x = 1\n", "__all__ = ['x']\nx = 1\n\n\ndef f():\n    pass\n", []),
        ("def a(): ...\ndef b(): ...\n", "def a(): ...\ndef b(): ...\ndef c(): ...\n", []),  # nobody documents there
        (NUMPY, NUMPY.replace("(a, b)", "(a, c)"), ["f describes b, which", "f does not describe c"]),
        (NUMPY, NUMPY.replace("(a, b)", "(a, b, *rest)").replace("b\n", "b\n    *rest\n"), []),
        (NUMPY, NUMPY.replace("(a, b)", "(a, b=1)"), []),
        ("x = 1\n", "x = 1\n\n\ndef main():\n    pass\n", []),
        ("x = 1\n", "class C:\n    '''It.'''\n    @property\n    def p(self): ...\n", []),
        ("x = 1\n", "class C(Protocol):\n    '''It.'''\n    def m(self): ...\n", []),
        (NUMPY, "def f(a, b, c):\n    pass\n", ["calc.py:1: f lost its docstring"]),
        ("class C:\n    '''It.'''\n", "class C:\n    '''It.'''\n    def m(self): ...\n", ["C.m has no docstring"]),
    ],
)
def test_gaps_are_names_without_a_word_and_parameters_that_differ(before: str, after: str, found: list[str]) -> None:
    said = gaps(before, after)
    assert len(said) == len(found), said
    assert all(wanted in line for wanted, line in zip(found, said, strict=True)), said


@pytest.mark.parametrize(
    "docstring",
    [
        "Do.\n\nArgs:\n    a (int): One.\n        More: of it.\n    **b: Two.\n\nReturns:\n    c: no.\n",
        "Do.\n\n:param a: One.\n:param int b: Two.\n:returns: c\n",
        "Do.\n\nParameters\n----------\na, **b : int\n    One.\n\nReturns\n-------\nc : int\n",
    ],
)
def test_parameters_are_read_in_three_ways_of_writing(docstring: str) -> None:
    assert described(docstring) == {"a", "b"}


@pytest.mark.parametrize(
    "text",
    [
        "Parameters" + "\n" * 400_000 + "x",
        "\n" * 400_000 + ":param",
        ":param" + " " * 40_000 + "x",
        "Args:\n    a" + " " * 400_000 + "x",
        "Args:\n" * 60_000,
    ],
)
def test_a_docstring_of_any_shape_is_read_to_its_end(text: str) -> None:
    assert (described(text) or set()) <= {"Args"}


@pytest.mark.parametrize("text", ["import " * 60_000, "`" + "gone " * 80_000, "`gone_ " * 60_000])
def test_a_page_of_any_shape_is_searched_to_its_end(text: str) -> None:
    assert documentation._mention("gone", f"{text}\n`gone`") == 2


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("from calc import a, gone", True),
        ("an important word gone", False),
        ("a.gone", True),
        ("see gone.md and docs.gone.md", False),
        ("``gone``", True),
        ("`gone", False),
        ("gone(", True),
        ("`begone`", False),
    ],
)
def test_a_name_is_mentioned_as_code(line: str, shown: bool) -> None:
    assert documentation._mention("gone", f"\n{line}\n") == 2 * shown


def test_a_name_with_the_same_code_was_renamed() -> None:
    found = move("def f(a):\n    return a\n", "def g(a):\n    return a\n")
    assert [(old.name, new.name) for old, new in found.renamed] == [("f", "g")]
    assert (found.added, found.removed) == ((), ())


def test_words_that_are_no_code_and_names_that_live_on_elsewhere_are_no_mention() -> None:
    moves = {"calc.py": move("def add(a):\n    return a\n", "x = 1\n")}
    assert stale(moves, {"a.md": "We add numbers, and `x`."}, frozenset()) == []
    assert stale(moves, {"a.md": "one\ncall `calc.add`"}, frozenset({"add"})) == []
    assert stale(moves, {"a.md": "one\ncall `calc.add`"}, frozenset()) == ["a.md:2: mentions add, which is gone"]
