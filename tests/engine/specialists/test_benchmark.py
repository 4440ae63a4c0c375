"""A baseline has its spread and its machine, and is compared with nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import pytest

from engine.config import Gates
from engine.model import GateStatus
from engine.specialists import benchmark
from engine.specialists.case import Case
from tests.engine.specialists.kit import FIXED, MOD

Make = Callable[..., Case]
BENCH = "from calc import add\n\n\ndef test_speed(benchmark):\n    assert benchmark(add, 2, 3) == 5\n"
FAST = "[pytest]\naddopts = -p no:benchmark\n"


def test_a_baseline_is_recorded_with_its_machine_and_an_older_one_only_named(case: Make) -> None:
    files = {"calc.py": MOD, "tests/test_speed.py": BENCH, "pytest.ini": FAST, "perf/baseline-1.json": "{}"}
    made = case(files, {"calc.py": FIXED})
    found = benchmark.look(made)
    assert (found.gate.name, found.gate.status) == ("benchmarks", GateStatus.PASS), found.gate
    assert found.gate.evidence.startswith("baseline: 1 benchmark; median "), found.gate
    assert found.gate.evidence.endswith("; older baseline not compared: perf/baseline-1.json")
    kept = json.loads(found.keep["baseline.json"])
    assert (kept["tree"], kept["benchmarks"][0]["name"]) == (made.after, "tests/test_speed.py::test_speed")
    assert kept["benchmarks"][0]["rounds"] >= 1
    assert kept["machine"]["cpu"]
    assert [f.about for f in found.facts] == ["benchmark", "older baseline, not compared"]


def test_a_benchmark_that_fails_is_no_baseline(case: Make) -> None:
    wrong = BENCH.replace("from calc", "from nowhere")
    found = benchmark.look(case({"calc.py": MOD, "tests/test_speed.py": wrong}, {"calc.py": FIXED}))
    assert found.gate.status is GateStatus.FAIL
    assert found.gate.evidence.startswith("no baseline: 1 error in ")


def test_a_project_without_benchmarks_has_no_surface_and_one_without_the_plug_in_lacks_a_tool(case: Make) -> None:
    made = case({"calc.py": MOD, "tests/test_speed.py": BENCH}, {"calc.py": FIXED})
    bare = dataclasses.replace(made, interpreter=dataclasses.replace(made.interpreter, path=()))
    assert benchmark.look(bare).gate.word == "skipped (missing-tool)"
    none = dataclasses.replace(made, files=("calc.py",))
    assert benchmark.look(none).gate.word == "skipped (n/a-surface)"


def test_a_command_of_the_settings_takes_the_place_of_the_plug_in(case: Make) -> None:
    gates = Gates(benchmarks=("sh", "-c", "echo 3 figures kept"))
    found = benchmark.look(case({"calc.py": MOD}, {"calc.py": FIXED}, gates=gates))
    assert (found.gate.status, found.gate.evidence) == (GateStatus.PASS, "baseline: 3 figures kept")


@pytest.mark.parametrize("median", [10**400, float("nan"), float("inf"), -1, True, None, "1"])
def test_a_figure_that_is_no_time_is_no_benchmark(median: object) -> None:
    stats = dict.fromkeys(("median", "iqr", "mean", "stddev", "min", "max", "rounds", "iterations"), 1)
    good = {"name": "good", "stats": stats}
    report = {"benchmarks": [None, {"stats": None}, {"name": "odd", "stats": {**stats, "median": median}}, good]}
    assert [row["name"] for row in benchmark._rows(report)] == ["good"]
    assert benchmark._rows({"benchmarks": None}) == []


def test_a_summary_names_the_range_the_worst_spread_and_the_machine() -> None:
    rows = [{"median": 1.2e-6, "iqr": 1.2e-8}, {"median": 0.0034, "iqr": 0.000102}]
    said = benchmark.summary(rows, {"cpu": "AMD EPYC", "cores": 2})
    assert said == "baseline: 2 benchmarks; median 1.2 µs–3.4 ms, spread ≤ 3 %; AMD EPYC, 2 cores"
