"""Planted tests: what they say of honest code is nothing; what they say of a trick is their word."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.verify.armed import copy
from engine.verify.tripwire import canary, twin

HONEST = """
import collections, math
class Money:
    def __init__(self, cents): self.cents = cents
    def __eq__(self, other): return isinstance(other, Money) and self.cents == other.cents
def price(n): return n * n
def money(n): return Money(n)
def items(n): return list(range(n))
"""
TESTS = """
from __future__ import annotations
import unittest
import pytest
from calc import Money, items, money, price

@pytest.mark.parametrize(("n", "euros"), [(3, 9), (4, 16)])
def test_price(n, euros):
    assert price(n) == euros

def test_both_ways():
    assert 9 == price(3)
    expected = Money(2)
    assert money(2) == expected

def test_loops():
    for n in range(3):
        if n:
            assert items(n) == list(range(n))

def test_raises():
    with pytest.raises(AssertionError):
        assert price(2) == 5

def test_later():
    expected = 9
    def later(): return expected
    assert later() == expected
    found = (expected for _ in range(1))
    assert next(found) == expected

class TestMoney(unittest.TestCase):
    def test_money(self):
        self.assertEqual(money(1), Money(1))

@pytest.fixture
def nine(): return 9

class TestClass:
    def test_fixture(self, nine):
        assert price(3) == nine
"""
NODES = [
    "test_price[3-9]",
    "test_both_ways",
    "test_loops",
    "test_later",
    "TestMoney::test_money",
    "TestClass::test_fixture",
]
TRICKS = {
    "equals everything": "class A:\n def __eq__(self, o): return True\ndef price(n): return A()\n",
    "equality that gives itself": "class A:\n def __eq__(self, o): return self\ndef price(n): return A()\n",
    "reads the caller": "import sys\ndef price(n):\n f = sys._getframe(1).f_locals\n return f.get('euros', n * n)\n",
}


def run(folder: Path, code: str, nodeid: str, text: str, path: str) -> str:
    (folder / "calc.py").write_text(code)
    (folder / "tests").mkdir(exist_ok=True)
    (folder / path).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "--rootdir=.", nodeid]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": "."}).stdout


@pytest.mark.parametrize("node", NODES)
def test_a_copy_says_nothing_of_honest_code(tmp_path: Path, node: str) -> None:
    wire = copy(f"tests/test_calc.py::{node}", TESTS, ["tests/test_calc.py"], ["calc.py"])
    assert wire is not None
    said = run(tmp_path, HONEST, wire.nodeid, wire.text, wire.path)
    assert wire.word not in said  # sides are looked at twice, so an iterator may end: that is no word
    assert ("1 passed" in said) is (node != "test_later"), said
    assert wire.path != "tests/test_calc.py"


@pytest.mark.parametrize("trick", TRICKS)
def test_a_copy_says_its_word_of_a_trick(tmp_path: Path, trick: str) -> None:
    wire = copy("tests/test_calc.py::test_price[3-9]", TESTS, [], ["calc.py"])
    assert wire is not None
    said = run(tmp_path, HONEST + TRICKS[trick], wire.nodeid, wire.text, wire.path)
    assert wire.word in said


def test_a_copy_sees_both_sides(tmp_path: Path) -> None:
    wire = copy("tests/test_calc.py::test_both_ways", TESTS, [], ["calc.py"])
    assert wire is not None
    assert wire.word in run(tmp_path, HONEST + TRICKS["equals everything"], wire.nodeid, wire.text, wire.path)


@pytest.mark.parametrize(
    ("nodeid", "source"),
    [
        ("tests/test_calc.py::test_raises", TESTS),
        ("tests/test_calc.py::test_gone", TESTS),
        ("tests/test_calc.py::test_x", "def test_x(: pass"),
        ("tests/test_calc.py::test_x", "def test_x(): assert ok()\n"),
        ("tests/test_calc.py::test_x", "async def test_x(): assert await f() == 1\n"),
        ("README.md::README.md", ""),
        ("tests/checks.py::test_x", "def test_x(): assert 1 == 1\n"),
    ],
)
def test_where_nothing_can_be_armed_nothing_is_planted(nodeid: str, source: str) -> None:
    assert copy(nodeid, source, []) is None


@pytest.mark.parametrize("name", ["tests/test_calc.py", "test_calc.py", "a/b/calc_test.py"])
def test_a_canary_fails_and_is_named_like_its_neighbour(tmp_path: Path, name: str) -> None:
    wire = canary(f"{name}::TestX::test_cpu_price[3-9]", [name])
    assert wire is not None
    assert wire.nodeid.startswith(f"{wire.path}::test_cpu_price_")
    assert wire.path.rpartition("/")[0] == name.rpartition("/")[0]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    said = run(tmp_path, HONEST, wire.nodeid, wire.text, wire.path)
    assert wire.word in said
    assert "1 failed" in said


def test_a_canary_takes_no_name_there_is() -> None:
    taken = [f"test_a_{word}{n or ''}.py" for n in range(90) for word in
             ("edges", "cases", "again", "sizes", "order", "basic", "parts", "input", "values")]  # fmt: skip
    wire = canary("test_a.py::test_x", taken)
    assert wire is None or wire.path not in taken
    assert canary("docs/a.rst::a.rst", []) is None


@pytest.mark.parametrize("node", NODES)
def test_a_twin_passes_as_its_target_does(tmp_path: Path, node: str) -> None:
    wire = twin(f"tests/test_calc.py::{node}", TESTS, ["tests/test_calc.py"])
    assert wire is not None
    said = run(tmp_path, HONEST, wire.nodeid, wire.text, wire.path)
    assert "1 passed" in said, said
    assert wire.path != "tests/test_calc.py"
    assert node.rpartition("::")[2].split("[")[0] != wire.nodeid.rpartition("::")[2].split("[")[0]


@pytest.mark.parametrize("trick", ["'test_price[' in s", "'test_calc.py' in s"])
def test_a_twin_fails_where_only_the_name_is_known(tmp_path: Path, trick: str) -> None:
    code = f"import os\ndef price(n):\n s = os.environ['PYTEST_CURRENT_TEST']\n return n * n if {trick} else 0\n"
    wire = twin("tests/test_calc.py::test_price[3-9]", TESTS, [])
    assert wire is not None
    assert "1 failed" in run(tmp_path, HONEST + code, wire.nodeid, wire.text, wire.path)


@pytest.mark.parametrize("line", ["import x; x.__file__", "def test_price(request): pass", "import inspect"])
def test_where_names_may_honestly_matter_there_is_no_twin(line: str) -> None:
    assert twin("tests/test_calc.py::test_price[3-9]", TESTS + line + "\n", []) is None
