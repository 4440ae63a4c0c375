"""A scanner answers for what a change brought, never shows a key, and says of each part whether it ran."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.model import GateStatus
from engine.specialists import security
from engine.specialists.case import Case
from engine.specialists.change import compared, edited
from engine.specialists.requirements import declared
from tests.engine.specialists.kit import FIXED, MOD

Make = Callable[..., Case]
TOKEN = "ghp_" + "a1B2c3D4e5" * 4
HOLE = "import subprocess\n\n\ndef run(x):\n    return subprocess.call(x, shell=True)\n"


def offline(made: Case) -> Case:
    """The same, on a machine whose network leads nowhere."""
    argv0 = ["env", "HTTPS_PROXY=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9"]
    return dataclasses.replace(made, outside=lambda argv, seconds: made.outside([*argv0, *argv], seconds))


def no_audit(made: Case) -> Case:
    """The same, where the interpreter has no packages to ask for."""
    return dataclasses.replace(made, interpreter=dataclasses.replace(made.interpreter, path=()))


def test_a_clean_change_passes_and_an_audit_without_network_says_so(case: Make) -> None:
    found = security.look(offline(case({"calc.py": MOD}, {"calc.py": FIXED})))
    assert (found.gate.name, found.gate.status) == ("security", GateStatus.PASS)
    assert found.gate.evidence == (
        "secrets: 0 in +1 lines; bandit: 0 of medium severity or more in 1 files; "
        "pip-audit: skipped (missing-tool): no network"
    )


def test_what_bandit_finds_fails_the_change_only_on_its_own_lines(case: Make) -> None:
    old = HOLE + "\n\ndef other():\n    return 1\n"
    new = old.replace("return 1", "return eval('1')")
    made = no_audit(case({"calc.py": old}, {"calc.py": new}))
    found = security.look(made)
    assert found.gate.status is GateStatus.FAIL
    assert "bandit: 1 of medium severity or more in 1 files (calc.py:9: B307 medium" in found.gate.evidence
    assert [f.about for f in found.facts] == ["static finding"]


def test_a_finding_a_change_silences_itself_is_shown_and_a_small_one_is_no_fault(case: Make) -> None:
    new = MOD + "\n\ndef run(x):\n    assert x\n    return eval(x)  # nosec\n"
    found = security.look(no_audit(case({"calc.py": MOD}, {"calc.py": new})))
    assert found.gate.status is GateStatus.PASS
    assert [(f.about, f.text.split(":")[1]) for f in found.facts] == [
        ("static finding, for information", "6"),
        ("static finding, for information", "7"),
    ]
    assert found.facts[1].text.endswith("(silenced by a comment)")


def test_a_key_on_an_added_line_fails_and_is_never_shown(case: Make) -> None:
    made = case({"notes.txt": "a\n"}, {"notes.txt": f"a\nuse {TOKEN}\n"})
    found = security.look(no_audit(made))
    assert found.gate.status is GateStatus.FAIL
    assert found.gate.evidence.startswith(
        "secrets: 1 in +1 lines (notes.txt:2: a GitHub token); bandit: no changed code"
    )
    assert TOKEN not in repr(found)


def test_a_key_that_was_there_is_not_the_changes_fault() -> None:
    part = security.secrets([compared("a.txt", f"{TOKEN}\n", f"{TOKEN}\nmore\n")])
    assert (part.holds, part.said) == (True, "secrets: 0 in +1 lines")


def test_nothing_changed_is_nothing_to_scan(case: Make) -> None:
    assert security.look(case({"calc.py": MOD}, {})).gate.word == "skipped (n/a-surface)"


@pytest.mark.parametrize(("added", "word"), [("", "skipped (missing-tool)"), (f"KEY = '{TOKEN}'\n", "fail")])
def test_without_bandit_changed_code_is_no_pass_and_a_key_in_it_still_fails(
    case: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, added: str, word: str
) -> None:
    made = no_audit(case({"calc.py": MOD}, {"calc.py": FIXED + added}))
    bare = dataclasses.replace(made, interpreter=dataclasses.replace(made.interpreter, executable="/nowhere/python"))
    changes = edited(bare)
    only_git = tmp_path / "bin"
    only_git.mkdir()
    (only_git / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(only_git))
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    part = security.static(bare, changes)
    assert (part.ran, part.said) == (False, "bandit: skipped (missing-tool): bandit is not installed")
    assert security.look(bare).gate.word == word


def test_what_is_too_long_or_no_text_is_named_and_not_counted(case: Make) -> None:
    changed = {"calc.py": FIXED, "big.py": "x = 1\n" * 70_000, "data.bin": "\0"}
    found = security.look(no_audit(case({"calc.py": MOD}, changed)))
    assert found.gate.word == "skipped (bounded-by-policy)"
    assert "bandit: 0 of medium severity or more in 1 files;" in found.gate.evidence
    assert found.gate.evidence.endswith("; not scanned, no text or over 400 kB: big.py, data.bin")


@pytest.mark.parametrize(
    "report",
    [
        {"results": None},
        {"results": [None, 1, {"filename": None, "line_range": None}]},
        {"results": {}, "errors": 1},
    ],
)
def test_a_report_of_another_shape_has_no_findings(report: dict[str, Any]) -> None:
    assert list(security._issues(report, [compared("a.py", "", "x = 1\n")], Path())) == []


def test_an_audit_of_another_shape_has_no_findings() -> None:
    odd = {"dependencies": [None, {"name": 1, "vulns": None}, {"name": "a", "vulns": [2, {"fix_versions": None}]}]}
    assert (
        security.audited(odd, frozenset("a")).said == "pip-audit: 1 brought by the change, 0 there before, 2 packages"
    )
    assert security.audited({"dependencies": None}, frozenset()).holds


REPORT = {
    "dependencies": [
        {"name": "Old_Thing", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]},
        {"name": "fine", "version": "2.0", "vulns": []},
        {"name": "private", "skip_reason": "not on PyPI"},
    ]
}


def test_a_hole_that_was_installed_before_is_a_fact_and_one_the_change_asks_for_fails() -> None:
    before = security.audited(REPORT, frozenset())
    assert (before.holds, before.said) == (
        True,
        "pip-audit: 0 brought by the change, 1 there before, 2 packages, 1 unknown",
    )
    assert [f.text for f in before.facts] == ["old-thing 1.0: PYSEC-1, fixed in 1.1"]
    brought = security.audited(REPORT, frozenset({"old-thing"}))
    assert (brought.holds, brought.facts[0].about) == (False, "vulnerable package the change asks for")


def test_an_audit_that_knows_no_package_is_no_audit() -> None:
    part = security.audited({"dependencies": [{"name": "a", "skip_reason": "not found"}]}, frozenset())
    assert (part.ran, part.said) == (False, "pip-audit: skipped (missing-tool): no package is known where it asks")


def test_packages_a_change_asks_for_are_read_from_its_files(case: Make) -> None:
    project = '[project]\nname = "x"\ndependencies = ["one>=1"]\n'
    made = case(
        {"pyproject.toml": project, "requirements.txt": "one\n", "calc.py": MOD},
        {"pyproject.toml": project.replace('1"', '1", "Two_2[extra]>2"'), "requirements.txt": "one==2\nthree ; x\n"},
    )
    assert security.new_packages(edited(made)) == {"two-2", "three"}
    assert declared("pyproject.toml", "not toml [") == declared("notes.txt", "requests\n") == frozenset()
