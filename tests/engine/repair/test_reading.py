"""An edit that stops reading a variable is less likely, one that takes up what nothing reads is more so."""

import ast

import pytest

from engine.providers.repair.reading import DOUBLED, LEFT, TAKEN_UP, UNLIKE, oddity, unread

SEARCH = "def f(rows, low, high):\n    if low > high: return low\n    return f(rows, low + 1, {})\n"
TWICE = """def f(text, table):
    for old, new in table: text = text.replace(old, new)
    text = text.strip()
    for old, new in table: text = text.replace({})
    return text
"""
SCALED = "def f(x, scale):\n    total = x * {}\n    return {}\n"


WALK = """def f(node):
    while {}:
        if node.next{}:
            return False
        node = node.next
"""
FOUND = """def f(rows, wanted):
    while {}:
        if rows.pop() == wanted:
            return True
    return {}
"""
GIVEN_UP = """def f(x):
    try:
        return g(x)
    except KeyError:
        {}
"""


@pytest.mark.parametrize(
    ("before", "after", "line", "adds"),
    [
        (SEARCH.format("1 - high"), SEARCH.format("high - 1"), 3, 0.0),
        (SEARCH.format("1 - high"), SEARCH.format("1 - low"), 3, DOUBLED),
        (SEARCH.format("high"), SEARCH.format("f"), 3, 0.3),
        (SCALED.format("2", "total"), SCALED.format("scale", "total"), 2, TAKEN_UP),
        (SCALED.format("scale", "total"), SCALED.format("scale", "x"), 3, LEFT),
        (SCALED.format("scale", "x"), SCALED.format("scale", "total"), 3, TAKEN_UP),
        (TWICE.format("new"), TWICE.format("old, new"), 4, TAKEN_UP),
        (TWICE.format("old, new"), TWICE.format("new, new"), 4, LEFT),
        ("x = 1\n", "x = 2\n", 1, 0.0),
        (WALK.format("True", ""), WALK.format("node", ""), 2, UNLIKE),
        (WALK.format("True", ""), WALK.format("True", " is None"), 3, 0.0),
        (FOUND.format("True", "False"), FOUND.format("True", "rows"), 5, UNLIKE),
        (FOUND.format("True", "False"), FOUND.format("rows", "False"), 2, 0.0),
        (FOUND.format("True", "0"), FOUND.format("True", "rows"), 5, 0.0),
        (GIVEN_UP.format("raise"), GIVEN_UP.format("pass"), 5, UNLIKE),
    ],
)
def test_names_add_to_the_cost_of_an_edit(before, after, line, adds):
    assert oddity(before, after, line) == adds


def test_what_is_bound_for_others_counts_as_read():
    text = "def f(a, _b):\n    global seen\n    seen = 1\n    def g(): return a\n    c = g\n"
    assert unread(ast.parse(text)) == {("f", "c")}
