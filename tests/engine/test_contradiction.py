"""Tests that contradict each other are told apart from tests that only look like it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import DONE, Command, edit, finish

from engine.verify.contradiction import contradictions

IMPORT = "import pytest\nimport calc\nfrom calc import add, add as plus, now\n"


def found(*bodies: str, targets: tuple[str, ...] = ("tests/test_0.py::test_a",)) -> list[str]:
    sources = {f"tests/test_{n}.py": IMPORT + body for n, body in enumerate(bodies)}
    return [a.text for a in contradictions(sources, targets)]


PAIRS = {
    "two tests": ("def test_a(): assert add(1, 2) == 3\ndef test_b(): assert add(1, 2) == 4\n",),
    "two files": ("def test_a(): assert add(1, 2) == 3\n", "def test_b(): assert 4 == calc.add(1, 2)\n"),
    "another name": ("def test_a(): assert add(1, b=[2]) == 3\ndef test_b(): assert plus(1, b=[2]) == 4\n",),
    "parameters": (
        "@pytest.mark.parametrize(('a', 'sum_'), [(1, 3), (5, 7)])\ndef test_a(a, sum_): assert add(a, 2) == sum_\n"
        "def test_b(): assert add(5, 2) == 8\n",
    ),
    "one parameter": ("@pytest.mark.parametrize('a', [1, 1])\ndef test_a(a): assert add(a, 2) == 3\n"
                      "def test_b(): assert add(1, 2) == 5\n",),
    "one function's cases": (
        "@pytest.mark.parametrize(('a', 'sum_'), [(1, 3), (1, 4)])\ndef test_a(a, sum_): assert add(a, 2) == sum_\n",
    ),
    "a class": ("import unittest\nclass T(unittest.TestCase):\n def test_a(self): self.assertEqual(add(1, 2), 3)\n"
                " def test_b(self): self.assertEqual(add(1, 2), 4)\n",),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_one_call_with_two_answers_is_named_with_both_assertions(name: str) -> None:
    targets = ("tests/test_0.py::T::test_a", "tests/test_0.py::test_a[1-3]")
    (text,) = found(*PAIRS[name], targets=targets)
    assert "contradict each other" in text
    assert text.count(" asserts calc.add(") == 2


@pytest.mark.parametrize("body", ["def test_a(): assert 1 == 2\n", "def test_a(): assert False\n"])
def test_what_no_code_can_make_true_is_named(body: str) -> None:
    (text,) = found(body)
    assert "no code can make this true" in text


HONEST = {
    "the same answer": "def test_a(): assert add(1, 2) == 3\ndef test_b(): assert add(1, 2) == 3\n",
    "no arguments": "def test_a(): assert now() == 3\ndef test_b(): assert now() == 4\n",
    "what is local": "def test_a():\n c = calc.C(1)\n assert c.add(1) == 1\n assert c.add(1) == 2\n",
    "in turn": "def test_a():\n assert add(1, 2) == 3\n assert add(1, 2) == 4\n",
    "other arguments": "def test_a(): assert add(1, 2) == 3\ndef test_b(): assert add(1, 2, None) == 4\n",
    "a branch": "def test_a():\n if calc.x: assert add(1, 2) == 3\n else: assert add(1, 2) == 4\n",
    "a float": "def test_a(): assert 1 == 1.0\n",
    "not the targets'": "def test_b(): assert add(1, 2) == 3\ndef test_c(): assert add(1, 2) == 4\n",
    "an error expected": "def test_a():\n with pytest.raises(AssertionError): assert 1 == 2\n",
    "no Python": "def test_a(: pass\n",
}


@pytest.mark.parametrize("name", HONEST)
def test_what_only_looks_like_it_is_not_named(name: str) -> None:
    assert found(HONEST[name]) == []


def test_a_contradiction_routes_to_the_one_who_reads_the_specification(
    repo: Callable[..., Path], command: Command
) -> None:
    tests = "from calc import add\ndef test_cpu_a(): assert add(1, 2) == 3\ndef test_cpu_b(): assert add(1, 2) == 4\n"
    folder = repo({"calc/__init__.py": "def add(a, b): return 0\n", "tests/test_calc.py": tests})
    fix = {"command": "create", "path": "calc/__init__.py", "file_text": "def add(a, b): return a + b\n"}
    answer = command("--json", *command.script([edit(fix), finish(DONE | {"outcome": "more-work"})]), cwd=folder)
    assert answer.code == 1, answer.result
    assert answer.result["route"] == "NEXT → spec-analyzer"
    reason = answer.of("ProposalMade")[0]["proposal"]["reason"]
    assert "tests/test_calc.py:2 asserts calc.add(1, 2) == 3" in reason
    assert "tests/test_calc.py:3 asserts calc.add(1, 2) == 4" in reason
