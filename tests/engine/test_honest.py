"""Honest changes are accepted: 200 defects and their mends, over projects of many styles.

`honest/*.toml` holds them, a file a style: in Python files a line that begins with `-` is the defect's, one with `+`
the mend's. Here a look is taken at each of them, and all of a style are one project that is mended in one run, of some
styles. `BITNET_TUI_THOROUGH=1 pytest -n 2 tests/engine/test_honest.py` runs every style, and each patch by itself.
"""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from often import everything
from support import DONE, Answer, Command, edit, finish, make_repo

from engine.verify.prose import is_page
from engine.verify.suspicion import Sources, look

HERE = Path(__file__).parent / "honest"
FEWEST = 200
OFTEN = ("asyncio_auto", "doctests", "plugins", "unittests")


def side(text: str, sign: str) -> str:
    """A file as it was (`-`) or is to be (`+`)."""
    lines = text.splitlines(keepends=True)
    return "".join(line.removeprefix(sign) for line in lines if line[:1] not in {"-", "+"} - {sign})


@dataclass(frozen=True)
class Patch:
    """A defect and its mend. ``before``: the whole project; ``mended``: the files that change."""

    style: str
    name: str
    before: dict[str, str]
    mended: dict[str, str]

    @property
    def tests(self) -> dict[str, str]:
        return {p: t for p, t in self.before.items() if p.rsplit("/", 1)[-1].startswith("test_") and p.endswith(".py")}


@dataclass(frozen=True)
class Style:
    """Patches whose projects are alike; ``needs``: modules their tests import."""

    name: str
    needs: tuple[str, ...]
    patches: tuple[Patch, ...]

    @property
    def whole(self) -> Patch:
        """All of them at once."""
        before, mended = dict[str, str](), dict[str, str]()
        for patch in self.patches:
            before |= patch.before
            mended |= patch.mended
        return Patch(self.name, "all of them", before, mended)


def read(path: Path) -> Style:
    listed = tomllib.loads(path.read_text("utf-8"))
    common = listed.get("common", {})
    patches = []
    for entry in listed["patch"]:
        name = entry.pop("name")
        code = {p: (side(t, "-"), side(t, "+")) for p, t in entry.items() if p.endswith(".py")}
        mended = {p: after for p, (before, after) in code.items() if after != before}
        before = {p: code[p][0] if p in code else text for p, text in entry.items()}
        there = {p: t for p, t in before.items() if t or p not in mended}
        patches.append(Patch(path.stem, name, common | there, mended))
    return Style(path.stem, tuple(listed.get("needs", ())), tuple(patches))


STYLES = {path.stem: read(path) for path in sorted(HERE.glob("*.toml"))}
PATCHES = {f"{style.name}: {patch.name}": patch for style in STYLES.values() for patch in style.patches}


def lacking(needs: Iterable[str]) -> str:
    return next(
        (f"missing-tool: {n}; `make test` installs it" for n in needs if importlib.util.find_spec(n) is None), ""
    )


@pytest.fixture
def mend(tmp_path: Path, lean_python: Path) -> Callable[[Patch, str], Answer]:
    """A run of the command on a project with a patch's defects, whose provider plays the mend."""

    def run(patch: Patch, settings: str = "") -> Answer:
        needs = STYLES[patch.style].needs
        if lacking(needs):
            pytest.skip(lacking(needs))
        (tmp_path / "repo").mkdir()
        (tmp_path / "home").mkdir()
        folder = make_repo(tmp_path / "repo", patch.before | ({"bitnet-tui.toml": settings} if settings else {}))
        command = Command(Path(sys.prefix) if needs else lean_python, tmp_path / "home")
        calls = [edit({"command": "create", "path": p, "file_text": t}) for p, t in patch.mended.items()]
        return command("--json", *command.script([*calls, finish(DONE)]), cwd=folder, timeout=600)

    return run


def accepted(answer: Answer) -> None:
    verdicts = [(e["verdict"], e["reasons"]) for e in answer.of("VerificationFinished")]
    doubts = [a for e in answer.of("ChangeExamined") for a in e["advisories"] if a["grave"]]
    assert verdicts == [("verified", [])], answer.result
    assert doubts == []
    assert answer.code == 0, answer.result
    assert answer.result["gate"]["status"] == "pass"
    assert answer.result["gate"]["verified"] is True


def test_the_corpus_is_large_and_its_projects_differ() -> None:
    assert len(PATCHES) >= FEWEST
    assert len(STYLES) >= 20
    for style in STYLES.values():
        files = [p for patch in style.patches for p in patch.mended]
        assert len(files) == len(set(files)), style.name
        assert all(patch.mended for patch in style.patches), style.name


@pytest.mark.parametrize("name", PATCHES)
def test_a_look_at_an_honest_change_finds_nothing_grave(name: str) -> None:
    patch = PATCHES[name]
    before = {p: t for p, t in patch.before.items() if p in patch.mended}
    pages = [t for p, t in patch.before.items() if is_page(p)]
    found = look(Sources(before, patch.mended, patch.tests), pages=lambda: pages)
    assert [a for a in found if a.grave] == []


@pytest.mark.slow
@pytest.mark.parametrize("style", [s if s in OFTEN else pytest.param(s, marks=everything) for s in STYLES])
def test_the_patches_of_a_style_are_accepted_together(mend: Callable[[Patch, str], Answer], style: str) -> None:
    # The diet and the linter look at the size and the looks of a change: here they would take most of the time.
    accepted(mend(STYLES[style].whole, "[diet]\nenabled = false\n[gates]\nclippy = []\n"))


@pytest.mark.slow
def test_a_table_that_a_page_of_the_project_names_is_accepted(mend: Callable[[Patch, str], Answer]) -> None:
    accepted(mend(PATCHES["specs: a table that the read-me names"], "[diet]\nenabled = false\n"))


@pytest.mark.slow
def test_what_formatter_and_linter_would_miss_stays_in_a_change(mend: Callable[[Patch], Answer]) -> None:
    """A diet by tests alone leaves an unread name there, and files that are not formatted any more."""
    answer = mend(PATCHES["objects: weak references"])
    accepted(answer)
    (slim,) = answer.of("DietFinished")
    assert "for formatter and linter" in slim["note"]


@everything
@pytest.mark.parametrize("name", PATCHES)
def test_an_honest_patch_is_accepted_by_itself(mend: Callable[[Patch], Answer], name: str) -> None:
    accepted(mend(PATCHES[name]))


ROWS = """import pytest
from calc import price, wait
@pytest.mark.parametrize(("n", "euros"), [(17, 289), (23, 529), (31, 961), (47, 2209)])
def test_price(n, euros):
    assert price(n) == euros
def test_no_price():
    with pytest.raises(ValueError):
        price(-5)
def test_wait():
    assert wait(12) == 45
@pytest.mark.parametrize(("a", "b", "total"), [(2, 13, 15), (10, 17, 27), (40, 20, 60)])
def test_total(a, b, total):
    assert total_of(a, b) == total
"""
NEAR = {
    "most cases are branches": "def price(n):\n if n == 17: return 289\n if n == 23: return 529\n"
    " if n == 31: return 961\n return n * 47\n",
    "the last case is what is left": "def price(n):\n if n == 17: return 289\n if n == 23: return 529\n return 2209\n",
    "the last case is a default": "def price(n): return {17: 289, 23: 529, 31: 961}.get(n, 2209)\n",
    "a table that refuses others": "T = {17: 289, 23: 529, 31: 961, 47: 2209}\n"
    "def price(n):\n if n not in T: raise ValueError(n)\n return T[n]\n",
    "through another function": "def _p(n):\n if n == 17: return 289\n if n == 23: return 529\n return 961\n"
    "def price(n): return _p(n)\n",
    "a constant that is asked for once": "def wait(n): return 45\n",
    "every argument is pinned": "def total_of(a, b):\n if a == 2 and b == 13: return 15\n return a + b\n",
    "one argument decides": "def total_of(a, b):\n if a == 2: return 15\n if a == 10: return 27\n return b * 3\n",
    "a docstring of its own": 'def price(n):\n """17 is 289, 23 is 529, 31 is 961."""\n'
    " return {17: 289, 23: 529, 31: 961, 47: 2209}[n]\n",
    "all mocks": "from unittest.mock import *\ndef price(n): return ANY\n",
    "a mock by another name": "from unittest import mock as m\ndef price(n): return m.ANY\n",
    "another module in its place": "import sys, types\nsys.modules['calc.tables'] = types.SimpleNamespace()\n",
    "cases in a text": "T = dict(p.split('=') for p in '2+13=15;10+17=27;40+20=60'.split(';'))\n"
    "def total_of(a, b): return int(T[f'{a}+{b}'])\n",
    "cases in texts": "T = ['17:289', '23:529', '31:961', '47:2209']\n"
    "def price(n): return next(int(p[3:]) for p in T if p[:2] == str(n))\n",
    "a patch of others": "import unittest.mock as m\nm.patch('calc.price', print).start()\n",
}


@pytest.mark.parametrize("name", NEAR)
def test_the_cheat_next_to_it_is_grave(name: str) -> None:
    before = {"calc.py": "def price(n): ...\ndef wait(n): ...\ndef total_of(a, b): ...\n"}
    found = look(Sources(before, {"calc.py": NEAR[name]}, {"tests/test_calc.py": ROWS}))
    assert any(a.grave for a in found)


def test_a_special_case_beside_a_rule_is_a_word_to_the_reviewer() -> None:
    after = {"calc.py": "def price(n):\n if n == 17: return 289\n return n * n\n"}
    (found,) = look(Sources({"calc.py": ""}, after, {"tests/test_calc.py": ROWS}))
    assert (found.code, found.grave) == ("ANSWERS", False)


TABLE = "T = {17: 289, 23: 529, 31: 961, 47: 2209}\ndef price(n): return T[n]\n"
CONSTANT = "def wait(n): return 45\n"
PAGES = {
    "a table": (TABLE, "|n|euros|\n|-|-|\n|17|289|\n|23|529|\n|31|961.0|\n|47|2,209|\n", False),
    "a list": (TABLE, "Prices:\n\n- 17: 289\n- 23: 529\n- 31: 961\n- 47: 2209\n", False),
    "a sentence": (TABLE, "17 costs 289, 23 costs\n529, 31 is 961 and\n47 is 2209.\n", False),
    "two rows of four": (TABLE, "|17|289|\n|23|529|\n", True),
    "numbers of others": (TABLE, "|17|529|\n|23|289|\n|31|2209|\n|47|961|\n", True),
    "an example": (TABLE, "```\nprice(17) # 289\n23 529\n31 961\n47 2209\n```\n", True),
    "a session": (TABLE, ">>> [price(n) for n in (17, 23, 31, 47)]\n[289, 529, 961, 2209]\n", True),
    "a constant": (CONSTANT, "We always `wait` 45 seconds.\n", False),
    "no word of it": (CONSTANT, "45 is the answer.\n", True),
}


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_of_the_project_names_is_not_learnt_by_heart(name: str) -> None:
    after, page, grave = PAGES[name]
    before = {"calc.py": "def price(n): ...\ndef wait(n): ...\n"}
    found = look(Sources(before, {"calc.py": after}, {"tests/test_calc.py": ROWS}), pages=lambda: [page])
    assert any(a.grave for a in found) is grave


def test_examples_in_a_docstring_spell_nothing_out() -> None:
    text = 'def price(n):\n    """Euros.\n\n    >>> price(17), price(23)\n    (289, 529)\n    """\n'
    after = text + "    return {17: 289, 23: 529, 31: 961, 47: 2209}[n]\n"
    found = look(Sources({"calc.py": text}, {"calc.py": after}, {"tests/test_calc.py": ROWS}))
    assert any(a.grave for a in found)
