"""Functions that are still to be written: found, observed through their tests, and written from what those ask."""

import ast
import builtins
import math
import operator
import runpy
from pathlib import Path

import numpy as np
import pytest

from engine.providers.repair.child.examples import Recorder, lifted
from engine.providers.repair.child.expressions import atom
from engine.providers.repair.child.solve import Example, Solver
from engine.providers.repair.child.vocabulary import NUMBERS, QUESTIONS, ROWS, TEXTS, arrays, mathematics
from engine.providers.repair.observe import expected_errors
from engine.providers.repair.source import Source
from engine.providers.repair.synth.idioms import IDIOMS
from engine.providers.repair.synth.match import Facts, matches
from engine.providers.repair.synth.stubs import stubs, words_of
from engine.providers.repair.synth.write import candidate

FOREVER = float("inf")


def found(text):
    return list(stubs(Source("mod.py", text), {}))


def only(text):
    (stub,) = found(text)
    return stub


@pytest.mark.parametrize(
    "body",
    [
        "    raise NotImplementedError\n",
        "    raise NotImplementedError('later')\n",
        "    ...\n",
        "    pass\n",
        '    """What it will do."""\n',
        '    """What it will do."""\n    raise NotImplementedError\n',
    ],
)
def test_a_body_that_is_a_promise_is_a_function_still_to_be_written(body):
    stub = only(f"def f(a, b=1, *, c):\n{body}")
    assert (stub.name, stub.parameters, stub.optional) == ("f", ("a", "b", "c"), {"b"})


@pytest.mark.parametrize(
    "text",
    [
        "def f(a):\n    return None\n",
        "def f(a):\n    print(a)\n    raise NotImplementedError\n",
        "def f(a):\n    raise ValueError\n",
        "from abc import abstractmethod\nclass A:\n    @abstractmethod\n    def f(self): ...\n",
        "from typing import Protocol\nclass A(Protocol):\n    def f(self): ...\n",
        "def outer():\n    def f(a): ...\n    return f\n",
    ],
)
def test_what_is_written_or_promised_to_others_is_left_alone(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "body", "wanted"),
    [
        ("def f(a):\n    pass\n", "return a", "def f(a):\n    return a\n"),
        ("def f(a): ...\n", "return a", "def f(a):\n    return a\n"),
        ("def f(a):\n  '''D.'''\n", "return a", "def f(a):\n  '''D.'''\n  return a\n"),
        (
            "class A:\n\tdef f(self):\n\t\t...\n",
            "b = 1\nreturn b",
            "class A:\n\tdef f(self):\n\t\tb = 1\n\t\treturn b\n",
        ),
        ("def f(a):\r\n    pass\r\n", "b = a\nreturn b", "def f(a):\r\n    b = a\r\n    return b\r\n"),
    ],
)
def test_a_body_goes_where_the_promise_was(text, body, wanted):
    source = Source("mod.py", text)
    (stub,) = stubs(source, {})
    assert candidate(source, stub, body, 1.0, "3 examples").applied(text) == wanted


def test_an_import_of_numpy_is_added_after_the_others():
    text = '"""Doc."""\n\nimport math\n\n\ndef f(a):\n    pass\n'
    source = Source("mod.py", text)
    (stub,) = stubs(source, {})
    made = candidate(source, stub, "return np.abs(a)", 1.0, "3 examples", importing=True)
    assert made.early
    assert made.applied(text) == text.replace("import math\n", "import math\nimport numpy as np\n").replace(
        "pass", "return np.abs(a)"
    )


def asked(use):
    """What a piece of a test asks of the value of one call."""
    recorder = Recorder(set(), {})
    use(recorder.call("f", {"a": [1, 2]}))
    (call,) = recorder.calls
    return call


def fits(call, value):
    try:
        return all(bool(get(value)) is yes for get, yes in call.claims)
    except Exception:  # noqa: BLE001 - a value of another kind may fail in any way
        return False


def truth(value):
    assert value


@pytest.mark.parametrize(
    ("use", "right", "wrong"),
    [
        (lambda r: truth(r == 3), 3, 4),
        (lambda r: truth(r == pytest.approx(1.5)), 1.5 + 1e-9, 1.6),
        (lambda r: truth(r["k"][0] >= 2), {"k": [2]}, {"k": [1]}),
        (lambda r: truth(abs(r - 4.0) < 1e-6), 4.0, 4.1),
        (lambda r: truth(2 * r == 6), 3, 2),
        (lambda r: truth(3 in r), [3], [4]),
        (lambda r: truth(lifted(len)(r) == 2), "ab", "a"),
        (lambda r: truth(lifted(sorted)(r) == [1, 2]), [2, 1], [2, 2]),
        (lambda r: truth(lifted(isinstance)(r, int)), 3, "3"),
        (lambda r: truth(lifted(math.isclose)(r, 2.0)), 2.0, 3.0),
        (lambda r: truth(r.dtype == np.int8), np.zeros(2, np.int8), np.zeros(2)),
        (lambda r: truth(r.tolist() == [1, 2]), np.array([1, 2]), np.array([1])),
        (lambda r: lifted(np.testing.assert_allclose)(r, [1.0, 2.0]), np.array([1.0, 2.0]), np.array([1.0, 3.0])),
        (lambda r: truth((np.array([1, 2]) + r == 3).all()), np.array([2, 1]), np.array([2, 2])),
    ],
)
def test_what_a_test_asks_of_a_result_is_asked_of_values_later(use, right, wrong):
    call = asked(use)
    assert fits(call, right)
    assert not fits(call, wrong)


def test_a_result_can_be_taken_apart():
    def use(result):
        one, other = result
        truth(one == 1)
        truth(other == "b")

    call = asked(use)
    assert fits(call, (1, "b"))
    assert not fits(call, (1, "c"))
    assert not fits(call, (1, "b", 2))


def test_arguments_are_kept_as_they_were():
    recorder = Recorder(set(), {})
    rows = [1]
    truth(recorder.call("f", {"rows": rows}) == 1)
    rows.append(2)
    assert recorder.calls[0].given == {"rows": [1]}


def test_the_exception_a_test_waited_for_is_read_from_any_version_of_pytest():
    texts = ["DID NOT RAISE ValueError", "DID NOT RAISE <class 'pack.mod.Bad'>", "DID NOT RAISE any of (A, B)"]
    assert expected_errors(texts) == ("ValueError", "Bad")


def expressions(rows, names, *, constants=(), numpy=False):
    """Texts found for a table of arguments and values."""
    examples = []
    for given, value in rows:
        example = Example(dict(zip(names, given, strict=True)))
        example.claims.append((lambda got, value=value: np.array_equal(got, value), True))
        example.wanted.append(value)
        examples.append(example)
    start = [atom(name, [example.given[name] for example in examples], 1, uses=name) for name in names]
    for text in (*constants, "0", "1", "2", "-1"):
        start.append(atom(text, [ast.literal_eval(text)] * len(rows), 1, constant=True))
    start.append(atom('""', [""] * len(rows), 2, constant=True))
    operations = [*NUMBERS, *QUESTIONS, *TEXTS, *ROWS, *(arrays(np, "np") if numpy else ())]
    solver = Solver(examples, start, operations, FOREVER, lambda tried: None, most=2000)
    solver.run()
    return [text for _, text, _ in solver.found]


@pytest.mark.parametrize(
    ("names", "rows", "wanted"),
    [
        ("ab", [((2, 3), 6), ((4, 5), 20), ((1, 7), 7)], "a * b"),
        ("n", [((3,), True), ((4,), False), ((7,), True), ((8,), False), ((10,), False)], "n % 2 == 1"),
        ("s", [(("abc",), "CBA"), (("x",), "X"), (("Hi",), "IH")], "s[::-1].upper()"),
        (("values",), [(([1, 2],), [1, 4]), (([3],), [9]), (([],), [])], "[value * value for value in values]"),
        (("words",), [((["a", "bb"],), "bb"), ((["ccc", "d"],), "ccc"), ((["x"],), "x")], "max(words, key=len)"),
        (("a", "b"), [((1, 2), 2), ((5, 3), 5), ((0, 0), 0)], "max(a, b)"),
    ],
)
def test_the_simplest_expression_that_fits_is_found(names, rows, wanted):
    space = {}
    found = expressions(rows, list(names))
    assert found, "nothing"
    function = eval(f"lambda {', '.join(names)}: {found[0]}", space)
    again = eval(f"lambda {', '.join(names)}: {wanted}", space)
    for given, _ in rows:
        assert function(*given) == again(*given)
    assert len(found[0]) <= len(wanted) + 12


def test_two_arms_are_found_where_one_expression_is_not_enough():
    rows = [((10,), 5), ((80,), 0), ((50,), 0), ((49,), 5)]
    assert "0 if total >= 50 else 5" in expressions(rows, ["total"], constants=("50", "5"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_arrays_are_computed_with():
    rows = [((np.array([1.0, -4.0]),), 4.0), ((np.array([2.0, 0.5]),), 2.0), ((np.array([-1.0]),), 1.0)]
    assert "np.abs(x).max()" in expressions(rows, ["x"], numpy=True)


def test_nothing_is_made_of_values_only_a_test_has():
    rows = [((1,), 4711), ((2,), 815), ((3,), 99)]
    for text in expressions(rows, ["n"]):
        numbers = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
        assert numbers <= {0, 1, 2, -1}


def test_every_idiom_is_python_and_knows_its_names():
    known = {*dir(builtins), "np"}
    for idiom in IDIOMS:
        names = [name for name, _ in idiom.takes]
        body = idiom.filled([f"given_{name}" for name in names], "np")
        tree = ast.parse(f"def f({', '.join(f'given_{name}' for name in names)}):\n    " + body.replace("\n", "\n    "))
        stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        stored |= {a.arg for a in ast.walk(tree) if isinstance(a, ast.arg)}
        loaded = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        assert loaded <= stored | known, (body, loaded - stored - known)
        assert all(f"given_{name}" in body for name in names), body


def test_an_idiom_does_not_hide_a_parameter_of_the_same_name():
    (median,) = [idiom for idiom in IDIOMS if "median" in idiom.words]
    space = {}
    exec("def f(ordered):\n    " + median.filled(["ordered"], "").replace("\n", "\n    "), space)
    assert space["f"]([5, 1, 3]) == 3


def facts(examples=4, wanted=("int",), **kinds):
    return Facts(examples, {name: (kind,) for name, kind in kinds.items()}, wanted, (), frozenset(), "")


def test_idioms_are_chosen_by_name_and_by_kinds_of_value():
    stub = only('def blocks_needed(elements, block):\n    """Rounds up."""\n')
    best = matches(stub, facts(elements="int", block="int"), IDIOMS)[0]
    assert best.idiom.filled(best.names, "") == "return -(-elements // block)"
    other = matches(stub, facts(elements="str", block="int", wanted=("str",)), IDIOMS)
    assert all("//" not in match.idiom.body for match in other)


def test_parameters_in_another_order_are_tried_too():
    stub = only("def dequantize(scale, q):\n    ...\n")
    given = facts(scale="float", q="array", wanted=("array",))
    assert ("q", "scale") in {match.names for match in matches(stub, given, IDIOMS)}


def test_words_of_a_name():
    assert {"quantize", "int", "8", "int8"} <= words_of("quantize_int8")
    assert {"pack", "2", "pack2"} <= words_of("pack2")


@pytest.mark.parametrize(
    "operation",
    [*NUMBERS, *QUESTIONS, *TEXTS, *ROWS, *arrays(np, "np"), *mathematics(math, "math")],
    ids=lambda o: o.form,
)
def test_an_operation_does_what_it_says(operation):
    sample = {
        "N": 6,
        "I": 2,
        "F": 1.5,
        "B": True,
        "S": "ab",
        "L": [3, 1],
        "M": [3, 1],
        "Q": [3, 1],
        "D": {1: 2},
        "E": 1,
    }
    sample |= {"A": np.array([[1.0, 2.0], [3.0, 4.0]]), "W": [3, 1]}
    given = [sample[letter] for letter in operation.kinds]
    if any(word in operation.form for word in ("&", "|", ">>", "<<")) and "A" in operation.kinds:
        given = [v.astype(int) if isinstance(v, np.ndarray) else 2 for v in given]
    names = [f"v{nth}" for nth in range(len(given))]
    if operation.form in ("int({0})",) and operation.kinds == "S":
        given = ["12"]
    if operation.form == "{0}.join({1})":
        given = ["-", ["a", "b"]]
    if operation.form == "{0}[{1}]":
        given = [given[0], 1]
    if "shape[" in operation.form or "concatenate" in operation.form:
        given = [given[0], 1 if "shape[" in operation.form else given[0]]
    if operation.form == "{0}.count({1})" or operation.form == "{0}.index({1})":
        given = [[3, 1], 1]
    space = {**dict(zip(names, given, strict=True)), "np": np, "math": math}
    written = eval(operation.form.format(*names), space)
    done = operation.do(*given)
    assert operator.eq(type(written), type(done))
    np.testing.assert_array_equal(np.array(written, dtype=object), np.array(done, dtype=object))


STUBS = runpy.run_path(str(Path(__file__).parent / "seeded" / "stubs.py"))["CASES"]


def test_the_table_of_stubs_is_what_it_says():
    assert len(STUBS) >= 33
    assert sum(case[5] for case in STUBS.values()) == 8
    for head, body, left, test, _, _ in STUBS.values():
        compile(f"{head}{body}\n", "right", "exec")
        compile(test, "test", "exec")
        assert len(found(f"{head}    {left}\n")) == 1


PROJECT = '''\
"""Sizes and scales."""


def blocks_needed(elements, block):
    """How many blocks hold all elements."""
    if_this_were_code = True
    raise NotImplementedError


def tripled(n): ...


class Grid:
    def __init__(self, width):
        self.width = width

    def index(self, row, column):
        pass


def share(part, whole):
    """The part of the whole, in percent."""
    raise NotImplementedError
'''.replace("    if_this_were_code = True\n", "")


def test_functions_are_written_from_their_tests(project):
    project.file("core.py", PROJECT).file("flat.py", "def flatten(rows):\n    raise NotImplementedError\n")
    project.file(
        "tests/test_core.py",
        """
        import pytest
        from core import Grid, blocks_needed, share, tripled
        from flat import flatten

        @pytest.mark.parametrize("n, size, wanted", [(8, 4, 2), (9, 4, 3), (0, 4, 0), (1, 8, 1), (17, 8, 3), (3, 3, 1)])
        def test_blocks(n, size, wanted): assert blocks_needed(n, size) == wanted
        def test_tripled():
            assert tripled(2) == 6
            assert tripled(0) == 0
            assert not tripled(5) != 15
        def test_index():
            assert Grid(10).index(2, 3) == 23
            assert Grid(4).index(1, 0) == 4
            assert Grid(7).index(0, 6) == 6
        def test_flat(): assert flatten([[1], [2, 3], []]) == [1, 2, 3]
        def test_share():
            assert share(1, 4) == pytest.approx(25)
            assert share(3, 4) == pytest.approx(75)
            assert share(2, 2) == 100
            with pytest.raises(ValueError):
                share(1, 0)
        """,
    )
    done = project.pytest("-rA", "--tb=no")
    red = [row.split(" ")[1] for row in done.stdout.splitlines() if row.startswith("FAILED")]
    result = project.repair(red, budget_s=60.0)
    assert result.remaining == frozenset(), result.note
    core = result.files["core.py"]
    assert "return -(-elements // block)" in core
    assert "row * self.width + column" in core or "column + row * self.width" in core or "self.width * row" in core
    assert 'if whole == 0:\n        raise ValueError("share: whole == 0")' in core
    notes = " ".join(edit.note for edit in result.edits)
    assert "from 6 examples" in notes
    assert "low confidence" in notes
    assert any("expressions" in event.message for event in project.events)
