"""Advisories: what each rule sees and what it leaves alone, how often it is said, and when it was followed."""

from __future__ import annotations

import random
import sys

import pytest

from engine import events as ev
from engine.advisories import Standards, advise
from engine.advisories.desk import Desk
from engine.advisories.hooks import Edit, Seen
from engine.advisories.literals import asserted
from engine.advisories.module import added_lines
from engine.model import Advisory
from engine.narrate import narrate
from engine.result import result
from engine.state import RunState, fold

STANDARDS = Standards(frozenset({1374, 2.718, "no such format: q9"}))


def codes(after: str, before: str = "", path: str = "m.py") -> list[tuple[str, int]]:
    return [(a.code, a.line) for a in advise(path, before, after, STANDARDS)]


HITS = [
    ("BROAD-EXCEPT", 3, "try:\n    f()\nexcept:\n    pass\n"),
    ("BROAD-EXCEPT", 3, "try:\n    f()\nexcept (ValueError, Exception) as error:\n    log(error)\n"),
    ("TEST-LITERAL", 2, "def f(x):\n    return 1374\n"),
    ("TEST-LITERAL", 1, "TABLE = {1: -2.718}\n"),
    ("TEST-LITERAL", 1, "WORDS = ['no such format: q9']\n"),
    ("TEST-AWARE", 1, "fast = 'PYTEST_CURRENT_TEST' in environ\n"),
    ("PLACEHOLDER", 1, "client = MagicMock(spec=Client)\n"),
    ("PLACEHOLDER", 3, "def unpack(x):\n    '''Unpack it.'''\n    raise NotImplementedError('later')\n"),
    ("PLACEHOLDER", 2, "def unpack(x):\n    ...\n"),
    ("PLACEHOLDER", 1, "x = 1  # TODO: the tail\n"),
    ("CONSTANT-EQ", 2, "class Any:\n    def __eq__(self, other):\n        return True\n"),
    ("EMPTY-ASSERT", 1, "assert True\n"),
    ("EMPTY-ASSERT", 1, "assert (x == 1, 'x is one')\n"),
    ("EMPTY-ASSERT", 1, "assert check(x) or True\n"),
    ("EMPTY-ASSERT", 1, "assert len(rows) >= 0\n"),
    ("EMPTY-ASSERT", 1, "assert x == x\n"),
    ("TOLERANCE", 1, "ok = allclose(a, b, rtol=1e-2)\n"),
    ("TOLERANCE", 1, "def close(a, b, *, abs_tol=0.5):\n    return abs(a - b) < abs_tol\n"),
    ("TOLERANCE", 1, "MAX_TOLERANCE = 1e-3\n"),
    ("UNCLEARED", 3, "import numpy as np\ndef mul(a, b, out):\n    out[0] += a @ b\n"),
    ("UNCLEARED", 3, "import cupy as cp\ndef mul(a, b, y_out):\n    cp.add(y_out, a, out=y_out)\n"),
    ("NARROW-SUM", 1, "y = np.sum(x, axis=1, dtype=np.int8)\n"),
    ("NARROW-SUM", 1, "y = x.astype('int8') @ w.astype(np.int8).T\n"),
    ("NARROW-SUM", 4, "def f(x):\n    acc = np.zeros(8, dtype=np.int16)\n    for row in x:\n        acc += row\n"),
    ("DEVICE-COPY", 3, "import cupy\nfor x in xs:\n    ys.append(cupy.asnumpy(x))\n"),
    ("DEVICE-COPY", 5, "import cupy as cp\ndef f(n):\n    y = cp.zeros(n)\n    while n:\n        n = float(y[0])\n"),
    ("DEVICE-COPY", 3, "import cupy as cp\nfor x in xs:\n    total += cp.sum(x).item()\n"),
    ("SECRET", 1, "KEY = '" + "gh" + "p_" + "aB3xYz7Kq9LmN2pR5tV8wQ4aB3xYz7Kq9LmN2p" + "'\n"),
]


@pytest.mark.parametrize(("code", "line", "text"), HITS, ids=[f"{c}-{n}" for n, (c, _, _) in enumerate(HITS)])
def test_a_rule_sees(code: str, line: int, text: str) -> None:
    assert codes(text) == [(code, line)]
    assert codes(text + "# a comment at the end\n", text) == [], "it was there before"


HONEST = [
    "try:\n    f()\nexcept Exception:\n    close()\n    raise\n",
    "try:\n    f()\nexcept (ValueError, KeyError):\n    pass\n",
    "try:\n    f()\nexcept Exception as error:\n    raise Failure('f') from error\n",
    "def f(x):\n    return 1375\n",
    "def f(q):\n    raise ValueError('no such format: q9')\n",
    "def f(x):\n    '''f(2) is\n\n    no such format: q9\n    '''\n    return x\n",
    "# as pytest does it\nx = 1\n",
    "def f():\n    '''Found by pytest as PYTEST_ plugins are.'''\n",
    "bird = Mockingbird()\n",
    "class Base:\n    def pack(self):\n        raise NotImplementedError\n",
    "class Shape(ABC):\n    @abstractmethod\n    def area(self): ...\n",
    "class Sized(Protocol):\n    def __len__(self) -> int: ...\n",
    "def pack(kind):\n    if kind == 'q':\n        raise NotImplementedError(kind)\n    return kind\n",
    "def on_close(self):\n    pass\n",
    "TODO_LIST = load('todo')\n",
    "def __eq__(self, other):\n    return self.x == other.x\n",
    "assert False, 'not reached'\n",
    "assert isinstance(x, int), 'x is a number'\n",
    "assert len(rows) >= 1\n",
    "assert x or y\n",
    "assert next(rows) == next(rows)\n",
    "ok = allclose(a, b, rtol=1e-6)\n",
    "solve(f, tol=1e-3)\n",
    "protocol = 5\n",
    "def norm(x, eps=1e-3):\n    return x / (x.std() + eps)\n",
    "import numpy as np\ndef mul(a, b, out):\n    out[...] = 0\n    out += a @ b\n",
    "import numpy as np\ndef mul(a, b, out):\n    np.matmul(a, b, out=out)\n    out += 1\n",
    "import numpy as np\ndef accumulate(a, b, out):\n    out += a @ b\n",
    "import numpy as np\ndef mul(a, b, out):\n    _clear(out)\n    out += a\n",
    "def walk(tree, out):\n    out += [tree]\n",
    "y = np.sum(x, axis=1, dtype=np.int32)\n",
    "packed = x.astype(np.int8)\n",
    "y = x.astype(np.int8) @ w.astype(np.int32)\n",
    "def f(n):\n    rows = np.zeros(n, dtype=np.int8)\n    rows[0] = 1\n    return rows\n",
    "import cupy\nfor x in xs:\n    ys.append(names.get(x))\nout = cupy.asnumpy(total)\n",
    "import queue\nwhile True:\n    work = jobs.get()\n",
    "import numpy as np\nfor x in xs:\n    total += x.sum().item()\n",
    "import cupy as cp\ndef f(y):\n    z = cp.sum(y)\n    for n in range(3):\n        print(int(z.shape[0]))\n",
]


@pytest.mark.parametrize("text", HONEST, ids=range(len(HONEST)))
def test_an_honest_neighbour_is_left_alone(text: str) -> None:
    assert codes(text) == []


def test_only_what_an_edit_adds_is_looked_at() -> None:
    old = "try:\n    f()\nexcept Exception:\n    pass\n"
    assert codes("import os\n" + old, old) == []
    assert codes(old + old, old) == [("BROAD-EXCEPT", 7)], "a second one is new, though its line was there"
    assert codes("x = 1\n", path="notes.txt") == []
    assert codes("except Exception:\n", path="notes.txt") == []


def test_a_text_that_is_no_python_yet_is_read_line_by_line() -> None:
    assert codes("def f(:\n    try: g()\n    except Exception:\n") == [("BROAD-EXCEPT", 3)]
    assert codes("(" * 5000 + "\nexcept:\n") == [("BROAD-EXCEPT", 2)]
    assert codes("x = '\udcff\nexcept:\n") == [("BROAD-EXCEPT", 2)]


def test_a_tolerance_that_grows_is_told_however_small() -> None:
    old = "def close(a, b, atol=1e-12):\n    return abs(a - b) < atol\n"
    (told,) = advise("m.py", old, old.replace("1e-12", "1e-9"))
    assert (told.code, told.text) == ("TOLERANCE", "atol is loosened from 1e-12 to 1e-09")
    assert codes(old.replace("1e-12", "1e-14"), old) == []
    loose = old.replace("1e-12", "0.1")
    assert codes("x = 1\n" + loose.replace("a, b", "a, c"), loose) == [], "as loose as it was"


def test_added_lines_are_what_is_new_between_what_stayed() -> None:
    rng = random.Random(0)
    for _ in range(300):
        old = [rng.choice("abc") for _ in range(rng.randrange(8))]
        at = rng.randrange(len(old) + 1)
        new = [*old[:at], "new", *old[at:]]
        assert added_lines("\n".join(old), "\n".join(new)) == {at + 1}
        assert added_lines("\n".join(new), "\n".join(old)) == set()


TESTS = """
import pytest
from m import f

@pytest.mark.parametrize(("x", "wanted", "name"), [(3, 1374, "an id nobody asserts"), pytest.param(4, 2048, "b c d")])
def test_cpu_f(x, wanted, name):
    assert f(x) == wanted, "the message 5555"

class TestG:
    def test_cpu_g(self):
        setup(98765)
        assert f(255)["a key of it"] == pytest.approx(2.718, abs=0.0125)
        self.assertEqual(f(100), "no such format: q9")
        assert f(0) == -31.25 or f(1) == "int8"

def test_cpu_other():
    assert f(9) == 4711
"""


def test_literals_are_those_the_target_tests_assert() -> None:
    targets = ["test_m.py::test_cpu_f[3-1374-x]", "test_m.py::TestG::test_cpu_g", "gone.py::test_x"]
    assert asserted({"test_m.py": TESTS}, targets) == {1374, 2.718, "no such format: q9", 31.25}
    assert asserted({"test_m.py": "def test_cpu_f(:"}, targets) == frozenset()


# -- said once, bounded, followed -------------------------------------------------------------------------------------

WRITE = Edit("Write", "m.py", {})
BROAD = "try:\n    f()\nexcept Exception:\n    pass\n"


def test_the_same_is_said_once_an_attempt_and_the_rest_is_counted() -> None:
    events: list[ev.Event] = []
    desk = Desk(events.append, lines=2)
    many = BROAD + "assert True\nx = 1  # TODO\ndef g(): ...\n"
    assert desk.edited(WRITE, "", many) == [
        "[ADVISORY] BROAD-EXCEPT: a broad except hides defects; catch what you expect (m.py:3)",
        "[ADVISORY] EMPTY-ASSERT: an assertion that cannot fail: it is a constant (m.py:5)",
        "… and 1 more",
    ]
    assert desk.edited(WRITE, many, many + BROAD) == []
    assert [e.advisory.code for e in events if isinstance(e, ev.AdvisoryRaised)] == [
        "BROAD-EXCEPT",
        "EMPTY-ASSERT",
        "PLACEHOLDER",
    ]
    assert Desk(events.append, chars=100).edited(WRITE, "", many)[1:] == ["… and 2 more"]
    assert Desk(events.append, lines=0).edited(WRITE, "", many) == ["… 3 advisories"]


def test_what_is_not_in_the_change_any_more_was_followed() -> None:
    events: list[ev.Event] = []
    desk = Desk(events.append)
    desk.edited(WRITE, "", BROAD + "assert True\n")
    desk.edited(Edit("Write", "n.py", {}), "", "assert True\n")
    given = [e.advisory for e in events if isinstance(e, ev.AdvisoryRaised)]
    settled = desk.settle(1, given, {}, {"m.py": "x = 1\n\n\n" + BROAD})
    assert [a.code for a in settled.open] == ["BROAD-EXCEPT"]
    assert [(a.code, a.path) for a in settled.followed] == [("EMPTY-ASSERT", "m.py"), ("EMPTY-ASSERT", "n.py")]
    unreadable = desk.settle(1, given[:2], {}, {"m.py": "def f(:\n"})
    assert len(unreadable.open) == 2, "nobody can say that it is gone"


def test_a_write_that_was_refused_is_followed_unless_it_is_tried_again() -> None:
    desk = Desk(lambda _event: None)
    one, other = Advisory("SCOPE", "a write was refused", "a"), Advisory("SCOPE", "a write was refused", "b")
    assert [desk.raise_(a) for a in (one, other, other)] == [True, True, False]
    settled = desk.settle(1, [one, other], {}, {})
    assert (settled.followed, settled.open) == ((one,), (other,))


def test_a_hook_is_content_when_it_says_no_more_of_the_file_and_had_its_say() -> None:
    slow = Advisory("hook:SLOW", "a loop over rows", "m.py")
    first = Seen((slow,), {"lint": (slow,), "other": ()})
    says = iter([first, Seen((), {"other": ()}), Seen((), {"lint": ()})])
    desk = Desk(lambda _event: None, hooks=lambda _edit: next(says))
    change = {"m.py": "x = 3\n"}
    assert desk.edited(WRITE, "", "x = 1\n") == ["[ADVISORY] hook:SLOW: a loop over rows (m.py)"]
    assert desk.settle(1, [slow], {}, change).open == (slow,)
    desk.edited(WRITE, "x = 1\n", "x = 2\n")
    assert desk.settle(1, [slow], {}, change).open == (slow,), "it was ended before it could say"
    desk.edited(WRITE, "x = 2\n", "x = 3\n")
    assert desk.settle(1, [slow], {}, change).followed == (slow,)


def play(*events: ev.Event) -> RunState:
    state = RunState()
    for number, event in enumerate(events):
        state = fold(state, ev.Record(number, float(number), event))
    return state


def test_the_state_counts_what_was_followed_over_all_attempts() -> None:
    a, b, c = (Advisory("TODO", text, "m.py", 3) for text in "abc")
    about = Advisory("HOOK", "hook `x`: it failed with exit 1")
    first = (ev.AttemptStarted(1, "repair"), *map(ev.AdvisoryRaised, (a, b, about)))
    ended = ev.AttemptFinished(1, "repair", "done", "", "", (), 0, 0, False)
    state = play(*first, ended, ev.AdvisoriesSettled(1, (a,), (b,)))
    assert (state.followed, state.advised, state.advisories) == (1, (b,), (b, about))
    again = (ev.AttemptStarted(2, "repair"), ev.AdvisoryRaised(b), ev.AdvisoryRaised(c))
    state = play(*first, ended, ev.AdvisoriesSettled(1, (a,), (b,)), *again)
    assert (state.advised, state.attempts[1].advisories) == ((b, c), (c,))
    cut = play(*first, ended, ev.AdvisoriesSettled(1, (a,), (b,)), *again, ev.AttemptStarted(2, "repair"))
    assert cut.advised == (b,), "what was said of an attempt that is made again is forgotten"
    settled = ev.AdvisoriesSettled(2, (b, c))
    state = play(*first, ended, ev.AdvisoriesSettled(1, (a,), (b,)), *again, settled)
    assert (state.followed, state.advised) == (3, ())
    assert result(state, 0, None)["advisories"] == {"raised": 3, "followed": 3}  # type: ignore[arg-type]
    assert narrate(settled, state) == "advisories: 2 of 2 followed"
    assert narrate(ev.AdvisoriesSettled(2), state) == ""


def test_numbers_that_are_no_floats_are_literals_like_others() -> None:
    huge, digits = "9" * 400, "0x" + "7b" * 3000
    tests = {"test_m.py": f"def test_big():\n    assert f(170) == {huge}\n    assert f(2000) == {digits}\n"}
    literals = asserted(tests, ["test_m.py::test_big"])
    assert len(literals) == 2
    code = f"def f(n):\n    return {huge} if n == 170 else {digits}\nok = close(a, b, rtol={huge})\n"
    found = list(advise("m.py", "", code, Standards(literals)))
    assert [(a.code, a.line) for a in found] == [("TEST-LITERAL", 2), ("TEST-LITERAL", 2), ("TEST-LITERAL", 3)]


def test_a_rule_that_fails_says_nothing_and_is_told_once() -> None:
    reported, log = list[ev.Event](), list[str]()
    desk = Desk(reported.append, log=log.append)
    chain = ".a" * (sys.getrecursionlimit() + 200)
    deep = f"assert x{chain} == x{chain}\ntry:\n    f()\nexcept:\n    pass\n"
    for path in ("m.py", "n.py"):
        desk.edited(Edit("Write", path, {}), "", deep)
        assert (
            ev.AdvisoryRaised(Advisory("BROAD-EXCEPT", "a broad except hides defects; catch what you expect", path, 4))
            in reported
        )
    desk.settle(1, (), {}, {"m.py": deep})
    assert len([e for e in reported if isinstance(e, ev.ActivityReported)]) == len(log) == 1
    assert "RecursionError" in log[0]
