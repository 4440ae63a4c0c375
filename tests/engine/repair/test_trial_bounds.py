"""What a fork may take, and how its results reach the warm process whatever becomes of it."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from engine.providers.repair.attempt import Situation
from engine.providers.repair.child.board import Board
from engine.providers.repair.locate import Spot
from engine.providers.repair.observe import Seen
from engine.providers.repair.trial import Sign, Verdict

ROOT = Path(__file__).parents[3]


def in_a_fork(work):
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(9)
    os.waitpid(child, 0)


def test_what_a_fork_has_written_is_there_though_it_died_at_once():
    board = Board()
    board.clear()
    in_a_fork(lambda: [board.write(b"%d\n" % n) for n in range(3)])
    assert board.take() == b"0\n1\n2\n"
    assert board.take() == b""
    board.clear()
    in_a_fork(lambda: board.write(b"of the next one\n"))
    assert board.take() == b"of the next one\n"


def test_a_full_board_refuses_whole_lines_and_has_room_for_the_last():
    board = Board(4096)
    board.clear()
    line = b"x" * 999 + b"\n"
    written = []
    in_a_fork(lambda: [*(board.write(line) for _ in range(9)), board.write(b"last\n", last=True)])
    while lines := board.take():
        written.append(lines)
    assert b"".join(written) == line * 3 + b"last\n"


TESTS = """
import pytest

def down(n): return n and down(n - 1)
def test_flat(): assert down(5) == 0
def test_deep(): assert down(500) == 0
def test_greedy(): assert len(bytes(300 << 20)) > 1
@pytest.mark.parametrize("rows", [[[1], {"a": [2]}]])
def test_own(rows):
    assert rows == [[1], {"a": [2]}]
    rows[1]["a"].append(rows.pop(0))
class TestHeld:
    def test_held(self): assert not vars(self)
"""
RUN = """
import json, sys
import pytest
from engine.providers.repair.child.items import Runner
from engine.providers.repair.child.life import Memory, limit_resources, peak, size
from engine.providers.repair.child.steps import Steps

class Here:
    def pytest_runtestloop(self, session):
        limit_resources()
        runner, memory = Runner(Steps(), {}), Memory(64 << 20)
        runner.prepare(session.items)
        ends = {}
        for little in (True, False):
            memory.hold(little=little)
            for item in session.items:
                ending = runner.run(item, 5.0, 1000, depth=100 if little else 0)
                ends.setdefault(item.name, []).append([ending.code, ending.kind])
        with open(sys.argv[2], "w") as file:
            json.dump([ends, sys.getrecursionlimit(), peak() >= size() > 0], file)
        return True

pytest.main(["-q", "-p", "no:cacheprovider", sys.argv[1]], plugins=[Here()])
"""


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bounds")
    (folder / "test_bounds.py").write_text(TESTS)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    argv = [sys.executable, "-c", textwrap.dedent(RUN), str(folder / "test_bounds.py"), str(folder / "out.json")]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert (folder / "out.json").exists(), done.stdout + done.stderr
    return json.loads((folder / "out.json").read_text())


def test_too_many_calls_and_too_much_memory_count_as_endless_until_there_is_more(ends):
    found, limit, known = ends
    assert found["test_flat"] == [["p", ""], ["p", ""]]
    assert found["test_deep"] == [["t", "RecursionError"], ["p", ""]]
    assert found["test_greedy"] == [["t", "MemoryError"], ["p", ""]]
    assert limit == 1000
    assert known or sys.platform != "linux"


def test_each_run_has_arguments_and_an_object_of_its_own(ends):
    assert ends[0]["test_own[rows0]"] == [["p", ""], ["p", ""]]
    assert ends[0]["test_held"] == [["p", ""], ["p", ""]]


def seen(lines, kind="AssertionError"):
    return Seen(Sign("f", kind, 3, -1), (), "", {"core.py": frozenset(lines)}, 0.0, 5)


def test_a_test_that_runs_the_lines_of_another_is_not_asked_too():
    keys = [f"test_core.py::test_f[{n}]" for n in range(12)]
    spot = Spot("core.py", None, 1, 1, 1.0, 0, None)

    def probes(*lines):
        views = {at: seen(part) for at, part in enumerate(lines)}
        situation = Situation({}, views, tuple(views), (), keys[: len(lines)])
        return situation._probes(spot)

    assert probes(*[{1, 2}] * 12) == 3
    assert probes({1}, {1, 2}, {1, 2, 3}, {1, 2, 3, 4}, {1, 2, 3, 4, 5}) == 5
    assert probes(*[set(range(n)) for n in range(1, 13)]) == 6


def test_only_what_mends_all_that_ended_is_promising():
    passed, failed, endless = (Sign(code, "", 0, -1) for code in "pft")
    assert Verdict("ran", {0: passed, 1: endless}).promising
    assert not Verdict("ran", {0: passed, 1: passed}).promising
    assert not Verdict("ran", {0: passed, 1: endless, 2: failed}).promising
    assert not Verdict("ran", {0: endless, 1: endless}).promising
    assert not Verdict("ran", {0: passed, 1: endless}, broke=4).promising


def test_a_right_edit_that_is_slow_is_given_the_time_it_needs(project):
    project.file(
        "core.py",
        "def paths(a, b):\n"
        "    if a == 0 or b == 0:\n"
        "        return 1\n"
        "    return 1 + paths(a - 1, b) + paths(a, b - 1)\n",
    )
    rows = ((1, 1, 2), (2, 2, 6), (3, 2, 10), (2, 4, 15), (10, 10, 184756))
    text = "".join(f"def test_{n}(): assert paths({a}, {b}) == {c}\n" for n, (a, b, c) in enumerate(rows))
    project.file("tests/test_core.py", f"from core import paths\n{text}")
    result = project.repair([f"tests/test_core.py::test_{n}" for n in range(len(rows))])
    assert not result.remaining, result.note
    assert "    return paths(a - 1, b) + paths(a, b - 1)\n" in result.files["core.py"]
    assert result.tried < 1000, "it need not be tried again after all others"


def test_deep_calls_that_no_step_counts_are_learned_before_anything_is_cut(project):
    project.file("core.py", "import deep\n\n\ndef total(rows):\n    return deep.down(400) + len(rows) - 1\n")
    project.file("tests/deep.py", "def down(n):\n    return down(n - 1) if n else 0\n")
    project.file("tests/conftest.py", "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parent))\n")
    tests = "def test_a(): assert total([1]) == 1\ndef test_b(): assert total([1, 2, 3]) == 3\n"
    project.file("tests/test_core.py", f"from core import total\n{tests}")
    result = project.repair([f"tests/test_core.py::test_{name}" for name in "ab"])
    assert not result.remaining, result.note
    assert "return deep.down(400) + len(rows)\n" in result.files["core.py"]
    assert result.tried < 1000, "it need not be tried again after all others"
