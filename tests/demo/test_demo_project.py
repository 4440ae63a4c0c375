"""The bundled project: its defects fail as listed, and only the right fixes make it green."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parents[1] / "examples" / "ternary"
LISTED = tomllib.loads((HERE / "defects.toml").read_text("utf-8"))
DEFECTS = LISTED["defect"]
ALL_RED = {*LISTED["together"], *(test for defect in DEFECTS for test in defect["mends"])}


def outcomes(root: Path) -> dict[str, str]:
    """Run the project's own suite in a child: node id → outcome."""
    report = root / "report.json"
    plugins = ["-p", "pytest_jsonreport.plugin", "-p", "no:cacheprovider"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COVERAGE_"))}
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", *plugins, "--json-report", f"--json-report-file={report}"],
        cwd=root,
        env=environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert report.exists(), done.stdout + done.stderr
    return {test["nodeid"]: test["outcome"] for test in json.loads(report.read_text("utf-8"))["tests"]}


def red(seen: dict[str, str]) -> set[str]:
    return {test for test, outcome in seen.items() if outcome not in ("passed", "skipped")}


def mend(root: Path, *defects: dict[str, str]) -> None:
    for defect in defects:
        file = root / defect["path"]
        source = file.read_text("utf-8")
        assert source.count(defect["before"] + "\n") == 1, f"{defect['path']} has not exactly one {defect['before']!r}"
        file.write_text(source.replace(defect["before"], defect["after"]), "utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    junk = shutil.ignore_patterns("__pycache__", ".*_cache")
    return Path(shutil.copytree(PROJECT, tmp_path / "ternary", ignore=junk))


def test_demo_fails_as_listed(project):
    seen = outcomes(project)
    assert red(seen) == ALL_RED
    assert 8 <= len(ALL_RED) <= 14
    assert 15 <= list(seen.values()).count("passed") <= 25


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect["family"])
def test_demo_each_right_fix_alone_is_visible_progress(project, defect):
    assert defect["mends"]
    mend(project, defect)
    assert red(outcomes(project)) == ALL_RED - set(defect["mends"])


def test_demo_all_right_fixes_together_are_green(project):
    mend(project, *DEFECTS)
    seen = outcomes(project)
    assert red(seen) == set()
    assert {outcome for test, outcome in seen.items() if "test_gpu_" not in test} == {"passed"}


def test_demo_five_defects_of_five_families():
    families = {"tail", "sign", "axis", "rounding", "overflow"}
    assert len(DEFECTS) == 5
    assert {defect["family"] for defect in DEFECTS} == families
