"""What failed assertions and values at a failure say: which edits come first, where None came from, what is told."""

import pytest

from engine.providers.repair.child.items import _plain_values
from engine.providers.repair.generate import Quarry
from engine.providers.repair.locate import spots
from engine.providers.repair.observe import Seen
from engine.providers.repair.source import Source
from engine.providers.repair.templates import TEMPLATES
from engine.providers.repair.told import _RELATIONS, told
from engine.providers.repair.trial import Sign


def test_every_kind_of_edit_that_is_spoken_for_exists():
    assert {name for _, names in _RELATIONS for name in names} <= {template.name for template in TEMPLATES}


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("assert 3 == 4\n +  where 3 = size([])", "off by one"),
        ("assert -2.5 == 2.5", "sign or not"),
        ("assert True is False", "opposite answers"),
        ("assert None == [1]", "returned value"),
        ("assert 3.5 == 4", "cast"),
        ("assert 12 == 40", "number"),
        ("assert 'Ab ' == 'ab'", "string"),
        ("assert [1, 2] == [1, 2, 3]\n  \n  Right contains one more item: 3", "rest of a loop"),
        ("assert 'cba' == 'abc'", "slice"),
        ("assert [1, 2, 3] == [1, 3, 3]", "range"),
        ("3 != 4", "off by one"),
        ("[1, 2] != [2, 1] : in another order", "slice"),
    ],
)
def test_the_arithmetic_of_an_assertion_speaks_for_kinds_of_edits(text, first):
    assert first in told([text])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "assert f(1) == 2",
        "assert [1, 2, ...3] == [1]",
        "assert 1 < 0",
        "assert {'a': 1} == {'a': 2}",
        "assert " + "(" * 5000,
        "assert 9 == 9",
        "DID NOT RAISE",
        "assert 1" + "0" * 400 + " == 0.5",
    ],
)
def test_what_is_not_two_values_apart_in_a_known_way_speaks_for_nothing(text):
    assert told([text]) <= told(["assert 9 == 40"])  # at most: these are two numbers


def test_what_failures_speak_for_is_tried_before_other_edits_of_the_place():
    source = Source("mod.py", "def f(n):\n    return g(n, 7)\n")
    seen = {0: Seen(Sign("f", "AssertionError", 0, -1), (), "", {"mod.py": frozenset({2})}, 0.0, 0)}
    found = spots({"mod.py": source}, seen, [[0]], (), ())
    usual = [c for c, _ in Quarry({"mod.py": source}, {}).candidates(found)]
    sooner = [c for c, _ in Quarry({"mod.py": source}, {}, favoured=frozenset({"number"})).candidates(found)]
    assert sooner[0].template == "number" != usual[0].template
    assert {(c.start, c.text) for c in usual} == {(c.start, c.text) for c in sooner}
    assert len(usual) == len(sooner)


def test_where_the_none_came_from_is_suspected_like_the_line_that_broke_on_it():
    text = "def f(rows):\n    best = rows.sort()\n    size = 3\n    other = size + 1\n    return best[0]\n"
    values = (("rows", "list of 2"), ("best", "None"), ("size", "3"))

    def scores(kind):
        lines = {"mod.py": frozenset({2, 3, 4, 5})}
        view = Seen(Sign("f", kind, 0, -1), (("mod.py", 5),), "", lines, 0.0, 0, 0, values)
        found = spots({"mod.py": Source("mod.py", text)}, {0: view}, [[0]], (), ())
        return {spot.first: spot.score for spot in found}

    assert scores("TypeError")[2] > scores("TypeError")[3] == scores("TypeError")[4]
    assert scores("ValueError")[2] == scores("ValueError")[3]


def test_values_are_shown_only_where_their_text_is_nobodys_making():
    class Loud(int):
        def __repr__(self):
            raise SystemExit

    names = {"n": 3, "x": None, "rows": [Loud(1)] * 4, "word": "a" * 900, "loud": Loud(2), "self": object()}
    assert _plain_values(names) == [("n", "3"), ("x", "None"), ("rows", "list of 4"), ("word", "str of 900")]


def test_a_search_that_finds_nothing_says_what_was_there_when_a_test_broke_off(project):
    project.file("core.py", "def f(rows):\n    best = None\n    count = len(rows)\n    return best.total + count\n")
    project.file("tests/test_core.py", "from core import f\ndef test_f(): assert f([1, 2]) == {'a': [object()]}\n")
    result = project.repair(["tests/test_core.py::test_f"], budget_s=15.0, max_candidates=300)
    assert not result.files
    assert "At core.py:4, where tests/test_core.py::test_f broke off, rows = list of 2, best = None, count = 2." in (
        result.note
    )
