"""What the templates propose for a line, as text; no process is started."""

import ast
from types import SimpleNamespace

import pytest

from engine.providers.repair.answer import empty_handed, nearest_miss
from engine.providers.repair.attempt import Situation
from engine.providers.repair.child.install import functions_in
from engine.providers.repair.edits import Candidate, patches
from engine.providers.repair.generate import Quarry
from engine.providers.repair.locate import Spot, header_lines, spots, statements
from engine.providers.repair.observe import Seen
from engine.providers.repair.source import Source, Unreadable
from engine.providers.repair.templates import TEMPLATES
from engine.providers.repair.trial import Sign, Verdict
from engine.providers.repair.view import View
from engine.providers.repair.words import Words


def proposals(text, line):
    """The whole text after each edit of the statements on a line."""
    source = Source("mod.py", text)
    words = Words(source)
    found = []
    for node in statements(source):
        if node.lineno == line:
            view = View(words, node)
            for template in TEMPLATES:
                for swap in template.propose(view):
                    start, end = swap.span
                    found.append(text[:start] + swap.text + text[end:])
    return found


def lines_proposed(text, line):
    return [new.splitlines()[line - 1].strip() for new in proposals(text, line) if len(new.splitlines()) >= line]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("return a < b", "return a <= b"),
        ("return a - b", "return a + b"),
        ("return a - b", "return b - a"),
        ("return a - b", "return abs(a - b)"),
        ("return a // b", "return -(-a // b)"),
        ("return a + b", "return (a + b) // 2"),
        ("return a and b", "return a or b"),
        ("return -a", "return a"),
        ("return a", "return -a"),
        ("return a * b + 1", "return a * b - 1"),
        ("return (a + b) * 2", "return (a - b) * 2"),
        ("return a[1:b]", "return a[1:b + 1]"),
        ("return a[b]", "return a[b - 1]"),
        ("return range(a)", "return range(a + 1)"),
        ("return min(a, b)", "return max(a, b)"),
        ("return pow(a, b)", "return pow(b, a)"),
        ("return a if b else 1", "return 1 if b else a"),
        ("a += b", "a -= b"),
        ("return a >> b", "return a >> (2 * b)"),
        ("return 'x'.join(a)", "return ''.join(a)"),
        ("return a is None", "return a is not None"),
        ("return a.get(b)", "return a[b]"),
        ("return a.get(b, None)", "return a[b]"),
        ("return a[b]", "return a.get(b)"),
        ("return a[0].lower()", "return a[0].upper()"),
        ("return (a + b).lower()", "return (a + b).upper()"),
        ("return a[-1]", "return a[0]"),
    ],
)
def test_plain_edits(body, wanted):
    assert wanted in lines_proposed(f"def f(a, b):\n    {body}\n", 2)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("a, b = 0, 2**b", "a, b = 0, 2**b - 1"),
        ("return 1 << b", "return (1 << b) - 1"),
        ("b = np.asarray(a, dtype=np.int8)", "b = np.array(a, dtype=np.int8)"),
        ("return np.rint(a)", "return np.trunc(a)"),
        ("return np.rint(a)", "return np.sign(a) * np.floor(np.abs(a) + 0.5)"),
        ("return a.astype(np.int8)", "return a.astype(np.int32)"),
        ("return a.astype(np.int8)", "return np.clip(a, -127, 127).astype(np.int8)"),
        ("return a @ b", "return a.astype(np.int32) @ b.astype(np.int32)"),
        ("return np.dot(a, b)", "return np.dot(a.astype(np.int32), b.astype(np.int32))"),
        ("return a.sum(axis=0)", "return a.sum(axis=1)"),
        ("return a.sum(axis=0)", "return a.sum(axis=0, keepdims=True)"),
        ("return a.sum()", "return a.sum(dtype=np.int32)"),
        ("return np.max(a)", "return np.max(a, axis=1)"),
        ("return a / b", "return a / np.maximum(b, 1e-12)"),
        ("return a @ b.T", "return a @ b"),
        ("return np.mean(a)", "return np.mean(abs(a))"),
    ],
)
def test_array_edits(body, wanted):
    assert wanted in lines_proposed(f"import numpy as np\ndef f(a, b):\n    {body}\n", 3)


def test_a_check_is_never_taken_out():
    text = "def f(a):\n    if a < 0:\n        raise ValueError(a)\n    assert a\n    return a\n"
    for line in (2, 3, 4):
        for new in proposals(text, line):
            try:
                tree = ast.parse(new)
            except SyntaxError:
                continue
            kinds = [type(node).__name__ for node in ast.walk(tree)]
            assert "Raise" in kinds
            assert "Assert" in kinds
            assert "if False" not in new


def test_most_edits_are_python():
    text = (
        "import numpy as np\n"
        "\n"
        "def f(a, b):\n"
        "    total = 0\n"
        "    for i in range(len(a) - 1):\n"
        "        total += a[i] * (b - 1) ** 2\n"
        "    return np.rint(total / 2)\n"
        "\n"
    )
    good = bad = 0
    for line in range(3, 8):
        for new in proposals(text, line):
            try:
                ast.parse(new)
                good += 1
            except SyntaxError:
                bad += 1
    assert good > 1000
    assert bad < good / 50


def test_places_are_exact_with_tabs_newlines_and_wide_characters():
    text = "\ufeff# é\r\ndef f(a):\r\n\té = '→'; return a - 1\r\n"
    assert "\ufeff# é\r\ndef f(a):\r\n\té = '→'; return a + 1\r\n" in proposals(text, 3)


def test_a_broken_file_says_where():
    with pytest.raises(Unreadable, match=r"mod\.py, line 1"):
        Source("mod.py", "def f(:\n")


def test_candidates_come_in_the_same_order_and_know_what_needs_an_import():
    text = (
        "LIMIT = 3\n"
        "\n"
        "def f(a=LIMIT):\n"
        "    return a < LIMIT\n"
        "\n"
        "class C:\n"
        "    n = 2\n"
        "\n"
        "    def g(self):\n"
        "        return self.n\n"
        "\n"
    )
    source = Source("mod.py", text)
    spots = [Spot("mod.py", node, *header_lines(node), 1.0, nth, None) for nth, node in enumerate(statements(source))]
    runs = [[c for c, _ in Quarry({"mod.py": source}, {}).candidates(spots)] for _ in range(2)]
    assert runs[0] == runs[1]
    early = {c.line: c.early for c in runs[0]}
    assert (early[1], early[3], early[4], early[7], early[10]) == (True, True, False, True, False)
    assert len({(c.start, c.end, c.text) for c in runs[0]}) == len(runs[0])


@pytest.mark.parametrize(
    ("body", "wanted", "never"),
    [
        ("return a / (b - 1)", "return a / b", "return a / (b)"),
        ("return int(a - 1)", "return int(a)", "return inta"),
        ("return (a - 1) * b", "return a * b", "return (a) * b"),
        ("return not(a - b)", "return not(a)", "return nota"),
        ("return ((a + 1)) * b", "return (a) * b", "return ((a)) * b"),
    ],
)
def test_parentheses_with_nothing_left_to_hold_go(body, wanted, never):
    source = Source("mod.py", f"def f(a, b):\n    {body}\n")
    spots = [Spot("mod.py", node, *header_lines(node), 1.0, nth, None) for nth, node in enumerate(statements(source))]
    found = {
        c.applied(source.text).splitlines()[1].strip() for c, _ in Quarry({"mod.py": source}, {}).candidates(spots)
    }
    assert wanted in found
    assert never not in found


CLASS = """class Outer:
    class Inner:
        def size(self):
            return 1

    @property
    def width(self):
        return 2

    @width.setter
    def width(self, value):
        self.kept = value

    def size(self):
        return 3
"""


@pytest.mark.parametrize(
    ("old", "line", "text"),
    [
        ("3", 13, "class Outer:\n    def size(self):\n        return 4\n"),  # the other one is of another class
        ("2", 1, CLASS.replace("2", "4")),  # a property and its setter are told apart side by side
        ("1", 1, CLASS.replace("1", "4")),
    ],
)
def test_of_a_class_only_the_edited_method_is_compiled_where_it_can_stand_alone(old, line, text):
    source = Source("mod.py", CLASS)
    at = CLASS.index(f"return {old}") + len("return ")
    edit = Candidate("mod.py", at, at + 1, "4", 1, 1.0, "", "", False, "Outer")
    assert patches(source, [edit]) == [("mod.py", line, text)]


def test_what_is_caught_is_found_from_where_the_exception_comes_from():
    text = "def f(a):\n    try:\n        return a.b\n    except KeyError:\n        return 0\n"
    assert text.replace("KeyError", "TypeError") in proposals(text, 3)
    assert text.replace("KeyError", "TypeError") not in proposals(text, 5)


OVERLOADED = """from typing import overload
@overload
def f(a: int) -> int: ...
@overload
def f(a: str) -> str: ...
def f(a):
    return a
"""


def test_of_a_function_with_overloads_the_last_is_exchanged_in_memory():
    source = Source("mod.py", OVERLOADED)
    assert [(unit.name, unit.first) for unit in source.units] == [("f", 6)]
    whole = {where: code.co_firstlineno for where, code in functions_in(compile(OVERLOADED, "mod.py", "exec"))}
    alone = [where for where, _ in functions_in(compile("def f(a):\n    return a\n", "mod.py", "exec"))]
    assert alone == [("f",)]
    assert whole[alone[0]] == 6


def test_what_ran_at_import_is_tried_in_memory_first_where_tests_run_it_too():
    source = Source("mod.py", "def f(a):\n    return a - 1\n")
    (node,) = source.tree.body[0].body
    ran = {"mod.py": frozenset({1, 2})}

    def given(tests, imported=ran):
        spot = Spot("mod.py", node, 2, 2, 1.0, 0, tests)
        return [c for c, _ in Quarry({"mod.py": source}, imported).candidates([spot]) if c.text == "+"]

    first, second = given(frozenset({0}))
    assert (first.early, first.hasty, second.early, second.hasty) == (True, True, True, False)
    assert [c.hasty for c in given(None)] == [False]
    assert [(c.early, c.hasty) for c in given(frozenset({0}), {"mod.py": frozenset()})] == [(False, False)]

    spot = Spot("mod.py", node, 2, 2, 1.0, 0, frozenset({0}))
    situation = Situation({"mod.py": source}, {}, (0,), (), ["test_mod.py::test_f"])
    trial = situation.trial(first, spot)
    assert (trial.early, trial.patches) == (False, (("mod.py", 1, "def f(a):\n    return a + 1\n"),))
    found = situation.judged(first, spot, Verdict("ran", {0: Sign("p", "", 0, -1)}), 0)
    assert situation.full_trial(found.candidates, [spot]).early


def test_an_edit_that_mends_and_breaks_is_named_with_the_test_it_breaks():
    source = Source("mod.py", "def f(a):\n    return a - 1\n")
    spot = Spot("mod.py", source.tree.body[0].body[0], 2, 2, 1.0, 0, frozenset({0}))
    edit = Candidate("mod.py", 20, 21, "+", 2, 1.0, "", "the operator `-` became `+`", False, "f")
    found = SimpleNamespace(candidates=(edit,), mended=frozenset({0}))
    turn = SimpleNamespace(located=[spot], refused=(found, 1), situation=SimpleNamespace(keys=["t.py::a", "t.py::b"]))
    said = empty_handed(turn)
    assert "mod.py:2 (the operator `-` became `+`) mends 1 test(s), but then t.py::b fails" in said


def test_what_brought_a_test_furthest_is_said_where_nothing_mends_one():
    edits = [Candidate("mod.py", 0, 1, "+", n, 1.0, "", f"edit {n}", False, "f") for n in (1, 2)]
    rows = [(-1, 1.0, 0, edits[0], None), (-3, 1.0, 1, edits[1], None)]
    assert "mod.py:2: edit 2" in nearest_miss(SimpleNamespace(partners=rows))
    assert nearest_miss(SimpleNamespace(partners=[])) == ""


def test_a_feature_that_does_not_exist_is_named_as_such():
    assert "ask for `count_words`" in empty_handed(SimpleNamespace(located=[], wanted=("count_words",)))
    assert "ask for" not in empty_handed(SimpleNamespace(located=[], wanted=()))


def test_what_all_red_tests_have_in_common_ranks_beside_what_each_has_alone():
    source = Source("mod.py", "def f(a):\n    x = a\n    y = x\n    return y\n")

    def seen(*lines, code="f"):
        return Seen(Sign(code, "", 0, -1), (), "", {"mod.py": frozenset(lines)}, 0.0, 0)

    # Line 3 is run by all that is red and a green one, lines 2 and 4 by one red test each, and by none that is green.
    views = {0: seen(2, 3), 1: seen(3, 4), 2: seen(3, code="p")}
    found = spots({"mod.py": source}, views, [[0], [1]], (), ())
    assert {spot.first for spot in found if spot.order == 0} == {2, 3, 4}
