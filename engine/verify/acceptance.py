"""The acceptance rule: when a verification run counts. Pure: outcomes in, reasons out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.model import Ended, Progress, TestOutcome, TestReport, TestResult


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the red audit found, by test key.

    ``outcomes`` is the first round's; ``flaky`` tests decide nothing, in either direction.
    """

    outcomes: Mapping[str, TestOutcome]
    flaky: frozenset[str]
    targets: tuple[str, ...]
    skipped_suites: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()  # optional suites that showed nothing but files not collected

    @property
    def green(self) -> frozenset[str]:
        return frozenset(k for k, o in self.outcomes.items() if o.passed and k not in self.flaky)

    @property
    def uncollected(self) -> tuple[str, ...]:
        """How the keys of tests begin whose files could not be collected: what they hold is not known."""
        return tuple(k + "::" for k, o in self.outcomes.items() if o.red and _is_module(k))

    def only(self, keys: Iterable[str]) -> Baseline:
        """The same for some of the tests; targets are always among them."""
        kept = {*keys, *self.targets}
        return replace(self, outcomes={k: o for k, o in self.outcomes.items() if k in kept})


@dataclass(frozen=True, slots=True)
class Acceptance:
    """``reasons`` is empty when everything holds; ``integrity`` are those no honest change causes."""

    reasons: tuple[str, ...]
    integrity: tuple[str, ...]
    progress: Progress

    @property
    def holds(self) -> bool:
        return not self.reasons


def _is_module(key: str) -> bool:
    """A target that is a file: it could not be collected."""
    return "::" not in key


def _target_holds(key: str, found: Mapping[str, TestResult], unseen: frozenset[str]) -> bool:
    if not _is_module(key):
        return key in found and found[key].outcome.passed
    inside = [r for k, r in found.items() if k.startswith(key + "::")]
    if key in found or not all(r.outcome.passed or r.marked for r in inside):
        return False
    # An optional suite may have no test in this file at all.
    return any(r.outcome.passed for r in inside) or (not inside and key.split(" ", 1)[0] in unseen)


def progress(baseline: Baseline, results: Iterable[TestResult]) -> Progress:
    """What a full round of results means against the baseline."""
    found = {r.key: r for r in results}
    fixed = tuple(k for k in baseline.targets if _target_holds(k, found, baseline.unseen))
    gone = tuple(k for k in baseline.targets if k not in fixed and not _is_module(k) and k not in found)
    still = tuple(k for k in baseline.targets if k not in fixed and k not in gone)
    broken = tuple(sorted(k for k in baseline.green if k not in found or not found[k].outcome.passed))
    return Progress(fixed, broken, still, gone)


def judge(baseline: Baseline, reports: Sequence[TestReport]) -> Acceptance:
    """Apply the rule to one full round of every suite in a fresh worktree.

    Every report present and agreeing with its stream, the collected set equal to the baseline's, every target
    passed (of a file that could not be collected: all tests but those its own marks skip), nothing newly skipped,
    expected to fail or rerun, no green test lost, and an exit code that says the same.
    """
    results = [r for report in reports for r in report.results]
    found = {r.key: r.outcome for r in results}
    moved = progress(baseline, results)
    integrity = [*_report_reasons(baseline, reports), *_set_reasons(baseline, found)]
    reasons: list[str] = []
    if moved.still or moved.gone:
        names = [*moved.still, *moved.gone]
        reasons.append(f"{len(names)} of {len(baseline.targets)} target tests do not pass: {_some(names)}")
    if moved.broken:
        reasons.append(f"{len(moved.broken)} tests that passed before do not: {_some(moved.broken)}")
    known = {*baseline.targets, *baseline.flaky, *moved.broken, *(k for k, o in baseline.outcomes.items() if o.red)}
    unknown = baseline.uncollected
    if others := [k for k, o in found.items() if o.red and k not in known and not k.startswith(unknown)]:
        reasons.append(f"{len(others)} tests are newly red: {_some(others)}")
    return Acceptance((*reasons, *integrity), tuple(integrity), moved)


def _report_reasons(baseline: Baseline, reports: Sequence[TestReport]) -> Iterable[str]:
    for report in reports:
        if report.ended is Ended.SKIPPED:
            if report.suite not in baseline.skipped_suites | baseline.unseen:
                yield f"suite {report.suite} ran before and is skipped now: {report.reason}"
            continue
        if report.problem:
            yield f"suite {report.suite}: {report.problem}"
        for used, wanted in report.foreign[:1]:
            yield f"suite {report.suite} imported {used} in place of {wanted}"
        red = any(r.outcome.red for r in report.results)
        if not report.problem and report.exit_code != (1 if red else 0) and report.results:
            yield f"suite {report.suite}: exit code {report.exit_code} does not fit its results"


def _set_reasons(baseline: Baseline, found: Mapping[str, TestOutcome]) -> Iterable[str]:
    """Tests that vanished, appeared, or stopped deciding."""
    left_out = tuple(f"{name} " for name in baseline.skipped_suites)
    before = {k for k in baseline.outcomes if not (left_out and k.startswith(left_out))}
    gone = sorted(k for k in before - set(found) if k not in baseline.flaky and not _is_module(k))
    unknown = baseline.uncollected
    new = sorted(k for k in set(found) - set(baseline.outcomes) if not k.startswith(unknown) and not found[k].red)
    if gone:
        yield f"{len(gone)} tests of the baseline were not collected: {_some(gone)}"
    if new:
        yield f"{len(new)} tests are not in the baseline: {_some(new)}"
    quiet = (TestOutcome.SKIPPED, TestOutcome.XFAILED, TestOutcome.XPASSED, TestOutcome.RERUN)
    silenced = sorted(
        k
        for k, o in found.items()
        if o in quiet and k in before and baseline.outcomes[k] is not o and k not in baseline.flaky
    )
    if silenced:
        yield f"{len(silenced)} tests are newly skipped, expected to fail or rerun: {_some(silenced)}"


def _some(keys: Sequence[str], shown: int = 3) -> str:
    names = [k.split(" ", 1)[-1] for k in keys[:shown]]
    return ", ".join(names) + (f" and {len(keys) - shown} more" if len(keys) > shown else "")
