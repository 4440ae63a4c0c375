"""Tests are counted by the feature in their names, now and at the audit."""

from __future__ import annotations

import pytest

from engine.features import by_feature, feature, summary
from engine.model import TestOutcome, TestResult
from engine.state import RunState, TestRow

RED, HELD, SKIPPED = TestOutcome.FAILED, TestOutcome.PASSED, TestOutcome.SKIPPED


def row(name: str, was: TestOutcome | None, now: TestOutcome | None) -> TestRow:
    latest = TestResult("cpu", name, now) if now is not None else None
    return TestRow("cpu", name, {"audit1": was} if was is not None else {}, latest)


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("t.py::test_cpu_x", "cpu"),
        ("t.py::Test::test_quantization_scale[33]", "quantization"),
        ("t.py::test_inference_x[::test_gpu_y]", "inference"),
        ("t.py::test_gpu", "gpu"),
        ("test_cpu_i2s.py::test_round_trip", "other"),
        ("t.py::TestCpu::test_cpus_x", "other"),
        ("t.py::cpu_x", "other"),
        ("t.py", "other"),
    ],
)
def test_a_name_says_the_feature(nodeid: str, expected: str) -> None:
    assert feature(nodeid) == expected


def test_every_feature_is_counted_now_and_at_the_audit() -> None:
    rows = [
        row("t.py::test_cpu_a", RED, HELD),
        row("t.py::test_cpu_b", HELD, RED),
        row("t.py::test_cpu_c", HELD, HELD),
        row("t.py::test_gpu_a", SKIPPED, SKIPPED),
        row("t.py::test_x", TestOutcome.ERROR, None),
    ]
    found = by_feature(rows)
    assert list(found) == ["cpu", "gpu", "other"]
    cpu = found["cpu"]
    assert (cpu.held, cpu.red, cpu.was_held, cpu.was_red, cpu.fixed, cpu.broken) == (2, 1, 2, 1, 1, 1)
    assert (found["gpu"].skipped, found["gpu"].was_skipped, found["gpu"].total) == (1, 1, 1)
    assert (found["other"].total, found["other"].was_red) == (0, 1)


def test_the_summary_is_a_line_and_absent_where_no_name_says_a_feature() -> None:
    rows = [
        row("t.py::test_cpu_a", RED, HELD),
        row("t.py::test_gpu_a", SKIPPED, SKIPPED),
        row("t.py::test_x", RED, RED),
    ]
    state = RunState(tests={r.key: r for r in rows})
    assert summary(state) == "features: cpu 1/1, gpu 0/0 (1 skipped), other 0/1"
    assert summary(RunState(tests={rows[2].key: rows[2]})) == ""
