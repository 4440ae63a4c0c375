"""A loop that goes round in one state is ended after some rounds; one that gets somewhere has all its steps."""

import ast
import textwrap

import pytest

from engine.providers.repair.child.steps import Steps, count_steps
from engine.providers.repair.child.stuck import Stuck

ROOM = 4000
STUCK = {
    "toggles": "def f(n):\n    while n:\n        n ^= n - 1",
    "has converged": "def f(n):\n    x = n / 2\n    while x * x != 2:\n        x = (x + 2 / x) / 2",
    "narrows no more": "def f(n):\n    low, high = 0, n\n    while low <= high:\n        high = (low + high) // 2",
    "an object as it was": """
        class Box: n = [1]
        def f(n):
            box = Box()
            box.rows = [1]
            while box.rows:
                box.rows = box.rows
    """,
    "within a loop over all": "def f(n):\n    for i in range(n):\n        while i < n:\n            i = i or 0",
}
ON_ITS_WAY = {
    "counts": "def f(n):\n    while n > 0:\n        n -= 1",
    "counts in a list": "def f(n):\n    rows = [0]\n    while rows[0] < n:\n        rows[0] += 1",
    "counts in an object": """
        class Box: n = 0
        def f(n):
            box = Box()
            while box.n < n:
                box.n += 1
    """,
    "counts in a global": "held = {'n': 0}\ndef f(n):\n    while held['n'] < n:\n        held['n'] += 1",
    "moves an iterator": "def f(n):\n    rows = iter(range(n))\n    while next(rows, None) is not None:\n        pass",
    "throws dice": "import random\ndef f(n):\n    random.seed(3)\n    while random.random() > 0.0003:\n        pass",
    "turns a queue": "def f(n):\n    rows = [0, 0]\n    while rows[0] < n:\n        rows.append(rows.pop(0) + 1)",
}


@pytest.fixture
def run():
    steps = Steps()

    def call(text, room=ROOM, *, watched=True):
        space = {}
        exec(compile(count_steps(ast.parse(textwrap.dedent(text))), "<loop>", "exec"), space)
        steps.refill(room, watched=watched)
        space["f"](900)
        return steps

    return call


@pytest.mark.parametrize("text", STUCK.values(), ids=STUCK)
def test_what_goes_round_is_stuck_long_before_its_steps_are_used_up(run, text):
    with pytest.raises(Stuck):
        run(text)
    with pytest.raises(IndexError) as plain:
        run(text, watched=False)
    assert plain.type is IndexError


@pytest.mark.parametrize("text", ON_ITS_WAY.values(), ids=ON_ITS_WAY)
def test_what_gets_somewhere_is_let_go_on(run, text):
    steps = run(text, 100_000)
    assert not steps.spent
    assert 0 < steps.used < 100_000


def test_rounds_are_counted_and_end_as_steps_do(run):
    count = ON_ITS_WAY["counts"]
    assert run(count).used == run(count, watched=False).used == 901
    for watched in (False, True):
        with pytest.raises(IndexError):
            run(count, 800, watched=watched)


def test_who_catches_the_end_does_not_go_on(run):
    text = """
        def f(n):
            missed = 0
            while missed < 3:
                try:
                    while n:
                        n = n
                except IndexError:
                    missed += 1
    """
    with pytest.raises(Stuck):
        run(text)
