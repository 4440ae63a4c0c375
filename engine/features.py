"""Tests by the feature in their names: `test_cpu_…`, `test_gpu_…`, `test_quantization_…`, `test_inference_…`. Pure.

The same test may run in several suites; it counts in each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.model import TestOutcome
from engine.state import RunState, TestRow

FEATURES = ("cpu", "gpu", "quantization", "inference")
OTHER = "other"
AUDIT = "audit1"


@dataclass(slots=True)
class Tally:
    """One feature: how its tests stand, how they stood at the audit, and what changed between."""

    held: int = 0
    red: int = 0
    skipped: int = 0
    was_held: int = 0
    was_red: int = 0
    was_skipped: int = 0
    fixed: int = 0
    broken: int = 0

    @property
    def total(self) -> int:
        return self.held + self.red + self.skipped

    def add(self, was: TestOutcome | None, now: TestOutcome | None) -> None:
        """Count one test."""
        if now is not None:
            self.red += now.red
            self.skipped += now is TestOutcome.SKIPPED
            self.held += _holds(now)
        if was is not None:
            self.was_red += was.red
            self.was_skipped += was is TestOutcome.SKIPPED
            self.was_held += _holds(was)
        if was is not None and now is not None:
            self.fixed += was.red and _holds(now)
            self.broken += _holds(was) and now.red


def _holds(outcome: TestOutcome) -> bool:
    return not outcome.red and outcome is not TestOutcome.SKIPPED


def feature(nodeid: str) -> str:
    """The feature a test's name begins with.

    Examples
    --------
    >>> feature("tests/test_i2s.py::TestPack::test_cpu_round_trip[a::b]")
    'cpu'
    >>> feature("tests/test_gpu.py::test_parity")
    'other'
    """
    name = nodeid.partition("[")[0].rpartition("::")[2]
    word = name.removeprefix("test_").partition("_")[0] if name.startswith("test_") else ""
    return word if word in FEATURES else OTHER


def by_feature(rows: Iterable[TestRow]) -> dict[str, Tally]:
    """A tally for each feature that has tests, in a fixed order."""
    found = {name: Tally() for name in (*FEATURES, OTHER)}
    for row in rows:
        found[feature(row.nodeid)].add(row.outcomes.get(AUDIT), None if row.opened else row.outcome)
    return {name: t for name, t in found.items() if t.total or t.was_held + t.was_red + t.was_skipped}


def summary(state: RunState) -> str:
    """``features: cpu 28/30, gpu 9/10 (4 skipped)``; empty where no test names a feature."""
    found = by_feature(state.tests.values())
    if not set(found) & set(FEATURES):
        return ""
    parts = []
    for name, t in found.items():
        skipped = f" ({t.skipped} skipped)" if t.skipped else ""
        parts.append(f"{name} {t.held}/{t.held + t.red}{skipped}")
    return f"features: {', '.join(parts)}"
