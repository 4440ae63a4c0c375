"""Fixtures are what their index says, and what makes them makes the same bytes twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.model import GateStatus
from engine.specialists import fixtures
from engine.specialists.case import Case
from engine.specialists.evidence import LOOKS
from engine.suites.interpreter import Interpreter

Make = Callable[..., Case]
STEADY = "from pathlib import Path\n\nPath(__file__).with_name('made.txt').write_text('steady')\n"
UNSTEADY = (
    "from pathlib import Path\n\nPath('tests/fixtures/made.txt').write_text(repr({'a', 'b', 'c', 'd', 'e', 'f'}))\n"
)


def test_an_index_with_every_digest_and_a_steady_generator_pass(case: Make) -> None:
    files = {"tests/fixtures/rows.csv": "1,2\n"}
    made = case(files, {"tests/fixtures/made.txt": "steady", "tests/fixtures/generate.py": STEADY})
    wanted = fixtures.look(made)
    assert (wanted.gate.name, wanted.gate.status) == ("fixtures", GateStatus.FAIL)
    assert wanted.gate.evidence == (
        "fixtures: 2 fixtures; tests/fixtures/index.json: there is no index of 2 files; "
        "1 generator run twice: same bytes"
    )
    rows = json.loads(wanted.keep["index.json"])["fixtures"]
    assert {name: (row["bytes"], row["made"]) for name, row in rows.items()} == {
        "made.txt": (6, "by generate.py"),
        "rows.csv": (4, "by generate.py"),
    }
    (made.place.worktree / "tests/fixtures/index.json").write_bytes(wanted.keep["index.json"])
    found = fixtures.look(made)
    assert found.gate.status is GateStatus.PASS
    assert found.gate.evidence == (
        "fixtures: 2 fixtures; tests/fixtures/index.json agrees; 1 generator run twice: same bytes"
    )


def test_a_generator_that_depends_on_chance_fails(case: Make) -> None:
    made = case({"a.txt": ""}, {"tests/fixtures/made.txt": "x", "tests/fixtures/generate.py": UNSTEADY})
    found = fixtures.look(made)
    assert found.gate.status is GateStatus.FAIL
    assert found.facts[-1].text == "tests/fixtures/made.txt differs from one run to the next"
    assert (made.place.worktree / "tests/fixtures/made.txt").read_text() == "x"


def test_a_fixture_that_is_not_what_its_generator_makes_fails(case: Make) -> None:
    made = case({"a.txt": ""}, {"tests/fixtures/made.txt": "other", "tests/fixtures/generate.py": STEADY})
    assert fixtures.look(made).facts[-1].text == "tests/fixtures/made.txt is not what tests/fixtures/generate.py makes"


def test_an_index_that_is_behind_names_what_differs(case: Make) -> None:
    index = {"fixtures": {"a.txt": {"sha256": "0" * 64}, "gone.txt": {}}}
    made = case(
        {"tests/fixtures/a.txt": "1"}, {"tests/fixtures/b.txt": "2", "tests/fixtures/index.json": json.dumps(index)}
    )
    assert [f.text for f in fixtures.look(made).facts] == [
        "b.txt is not in it",
        "gone.txt is in it and not there",
        "a.txt has another digest",
    ]


def test_what_a_generator_makes_and_the_index_of_it_are_offered_to_the_tree(case: Make) -> None:
    told = '{"fixtures": {"rows.csv": {"sha256": "0", "for": "odd widths"}}}'
    files = {"tests/fixtures/rows.csv": "1,2\n", "tests/fixtures/index.json": told}
    made = case(files, {"tests/fixtures/make_made.py": STEADY})
    first = fixtures.look(made)
    assert set(first.into) == {"tests/fixtures/made.txt", "tests/fixtures/index.json"}
    for path, data in first.into.items():
        (made.place.worktree / path).write_bytes(data)
    second = fixtures.look(replace(made, files=(*made.files, "tests/fixtures/made.txt")))
    assert set(second.into) == {"tests/fixtures/index.json"}
    rows = json.loads(second.into["tests/fixtures/index.json"])["fixtures"]
    assert rows["rows.csv"]["for"] == "odd widths"
    assert rows["made.txt"]["made"] == "by make_made.py"


PLANTED = {
    "a link in place of its folder": "shutil.rmtree(here)\nhere.symlink_to('/etc')\n",
    "a link to everything": "(here / 'all').symlink_to('/')\n",
    "a pipe": "os.mkfifo(here / 'made.txt')\n",
    "files without end": "[(here / f'{n}.txt').touch() for n in range(2001)]\n",
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_a_generator_plants_is_neither_followed_nor_waited_for(case: Make, lean: Interpreter, what: str) -> None:
    maker = f"import os, shutil\nfrom pathlib import Path\n\nhere = Path(__file__).parent\n{PLANTED[what]}"
    found = fixtures.look(case({"a.txt": ""}, {"tests/fixtures/make.py": maker}, python=lean))
    assert found.gate.status is GateStatus.FAIL
    assert set(found.into) <= {"tests/fixtures/index.json"}
    assert found.facts[-1].text.startswith("tests/fixtures/make.py: ")


def test_a_generator_cannot_prepare_the_place_where_it_runs_again(
    case: Make, lean: Interpreter, tmp_path: Path
) -> None:
    """It leaves links where the next copy may come to lie, and a pipe where that is copied from."""
    outside = tmp_path / "outside"
    outside.mkdir()
    rows = tmp_path / "repo/.bitnet-tui/scratch/special/tests/fixtures/rows.csv"
    maker = (
        "import os\nfrom pathlib import Path\n\nhere = Path(__file__).parents[2]\n"
        "for name in ('1', '2'):\n"
        "    if not (here.parent / name).exists():\n"
        f"        (here.parent / name).symlink_to({str(outside)!r})\n"
        f"if os.path.isfile({str(rows)!r}):\n    os.unlink({str(rows)!r})\n    os.mkfifo({str(rows)!r})\n"
    )
    made = case({"tests/fixtures/rows.csv": "1\n"}, {"tests/fixtures/make.py": maker}, python=lean)
    found = fixtures.look(made)
    assert found.facts[-1].text == "tests/fixtures/rows.csv differs from one run to the next"
    assert list(outside.iterdir()) == []


def test_a_project_without_fixtures_has_no_surface(case: Make) -> None:
    assert fixtures.look(case({"a.txt": "1"}, {"a.txt": "2"})).gate.word == "skipped (n/a-surface)"


def test_every_specialist_of_the_flow_has_a_tool_and_its_own_gate(case: Make) -> None:
    made = case({"a.txt": "1"}, {})
    gates = {agent: look(made).gate.name for agent, look in LOOKS.items()}
    assert gates == {
        "code-reviewer": "clippy",
        "code-refiner": "clippy",
        "test-hardener": "mutation",
        "spec-analyzer": "spec",
        "issue-creator": "spec",
        "generative-benchmark-runner": "benchmarks",
        "security-scanner": "security",
        "doc-updater": "docs",
        "generative-fixture-builder": "fixtures",
    }
