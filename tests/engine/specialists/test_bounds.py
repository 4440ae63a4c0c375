"""What a specialist may write, and that tests are only added to."""

from __future__ import annotations

import pytest

from engine.specialists.bounds import Bounds, bounds
from engine.specialists.keeping import weakened
from engine.workspace.scope import Scope

RUN = Scope(("**/*.py",), prefix="")


@pytest.mark.parametrize(
    ("kind", "may", "may_not"),
    [
        (
            "tests",
            ["tests/test_a.py", "tests/deep/test_b.py", "test_c.py", "tests/check_d.py"],
            ["calc/a.py", "tests/conftest.py", "conftest.py", "tests/fixtures/a.py", "tests/data.json", "pytest.ini"],
        ),
        (
            "docs",
            ["README.md", "docs/a.md", "docs/deep/b.rst", "CHANGELOG.md", "docs/notes.txt"],
            [
                "calc/a.py",
                "docs/conf.py",
                "tests/notes.md",
                "pyproject.toml",
                ".github/readme.md",
                "docs/mkdocs.yml",
                "CLAUDE.md",
                "Claude.local.md",
                "AGENTS.md",
                "docs/agents.md",
                ".claude/agents/x.md",
                "docs/Makefile",
                "docs/run.sh",
                "docs/_static/x.js",
                "docs/requirements.txt",
                "docs/.hidden/a.md",
                "robots.txt",
            ],
        ),
        (
            "fixtures",
            ["tests/fixtures/a.json", "tests/fixtures/deep/make_b.py"],
            ["tests/test_a.py", "tests/fixtures/test_a.py", "tests/fixtures/conftest.py", "fixtures/a.json", "a.md"],
        ),
        ("nothing", [], ["README.md", "calc/a.py", "tests/test_a.py"]),
    ],
)
def test_a_kind_of_agent_writes_its_own_files_and_no_others(kind: str, may: list[str], may_not: list[str]) -> None:
    own = bounds(kind, RUN)
    assert [p for p in may if own.refusal(p)] == []
    assert [p for p in may_not if not own.refusal(p)] == []
    assert own.editable([*may, *may_not]) == tuple(may)


@pytest.mark.parametrize(
    "path", [".git/hooks/x.md", "docs/.GIT/a.md", "docs/a\u200b.md", "docs/a\n.md", "git~1/a.md", "docs/../calc/a.py"]
)
def test_a_name_with_two_meanings_is_refused(path: str) -> None:
    assert Bounds("docs").refusal(path)


def test_only_the_project_folder_is_open_and_no_submodule() -> None:
    own = Bounds("docs", prefix="part", submodules=("part/docs/other",))
    assert not own.refusal("part/docs/a.md")
    assert "outside the project folder" in own.refusal("docs/a.md")
    assert "a repository of its own" in own.refusal("part/docs/other/a.md")


def test_patterns_of_an_agent_file_stay_inside_what_the_run_protects() -> None:
    own = bounds(("calc/*.py", "tests/*.py"), RUN)
    assert not own.refusal("calc/a.py")
    assert own.refusal("other/a.py")
    assert own.refusal("tests/test_a.py")
    assert bounds("impl", RUN) is RUN


BASE = (
    "import a\n\nLIMIT = 3\n\n\ndef test_x():\n    assert a.f() == 1\n\n\n"
    "class TestY:\n    def test_z(self):\n        assert a.g(2) == 4\n"
)


@pytest.mark.parametrize(
    ("after", "gone"),
    [
        (BASE + "\n\ndef test_more():\n    assert a.f() != 2\n", []),
        (BASE.replace("import a\n", "import a\nimport b\n"), []),
        (BASE.replace("class TestY:", "class TestY:\n    def test_new(self):\n        assert a.g(0) == 0\n"), []),
        (BASE.replace("== 1", "== 2"), ["test_x in t.py"]),
        (BASE.replace("def test_x", "def nottest_x"), ["test_x in t.py"]),
        (BASE.replace("LIMIT = 3", "LIMIT = 0"), ["LIMIT in t.py"]),
        (BASE + "\n\ndef test_x():\n    pass\n", ["test_x in t.py"]),
        (BASE.replace("class TestY:", "@skip\nclass TestY:"), ["class TestY in t.py"]),
        (BASE.replace("        assert a.g(2) == 4\n", "        pass\n"), ["TestY.test_z in t.py"]),
        ("def broken(:\n", ["t.py does not parse"]),
        (BASE.replace("import a\n", "import fake as a\n"), ["a in t.py"]),
        (BASE.replace("import a\n", ""), ["a in t.py"]),
        (BASE + "\na = object()\n", ["a in t.py"]),
        (BASE + "\n\ndef a(): pass\n", ["a in t.py"]),
        (BASE + "\npytestmark = 1\n", ["pytestmark in t.py"]),
        (BASE + "\na.f = lambda: 1\n", ["a.f = lambda: 1 in t.py"]),
        (BASE + "\n\n@fix(autouse=True)\ndef always(): pass\n", ["always in t.py"]),
        (BASE + "\n\ndef setup_module(): a.f = 1\n", ["setup_module in t.py"]),
        (
            BASE.replace("class TestY:", "class TestY:\n    def setup_method(self): pass"),
            ["TestY.setup_method in t.py"],
        ),
        (BASE + "\nMORE = 4\n", []),
    ],
)
def test_tests_are_added_to_and_never_weakened(after: str, gone: list[str]) -> None:
    assert weakened({"t.py": BASE}, {"t.py": after}) == gone


def test_a_test_file_that_is_gone_is_named() -> None:
    assert weakened({"t.py": BASE}, {})
