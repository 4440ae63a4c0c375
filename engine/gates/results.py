"""Gates that follow from the suites' results: tests, build, features, and their fold, impl. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from engine.events import SuiteFinished
from engine.model import Ended, Gate, GateStatus, TestOutcome, Verdict, test_key
from engine.state import AttemptRow, RunState

ORDER = ("guard", "tests", "build", "features", "format", "clippy", "crossval", "benchmarks", "impl")


def _verdict(name: str, holds: bool, evidence: str) -> Gate:
    return Gate(name, GateStatus.PASS if holds else GateStatus.FAIL, "", evidence)


def counts(outcomes: Mapping[str, TestOutcome]) -> tuple[int, int]:
    """Passed tests, and tests that could have: skips and expected failures decide nothing."""
    deciding = [o for o in outcomes.values() if o.red or o.passed or o is TestOutcome.RERUN]
    return sum(o.passed for o in deciding), len(deciding)


def tests_gate(state: RunState, stage: str, attempt: AttemptRow | None) -> Gate:
    """``pytest: 40/40 pass; CPU: 28/28, GPU: 12/12; fixed 3``"""
    passed, total = counts(state.outcomes(stage))
    parts = []
    for name, suite in state.suites.items():
        last = suite.finished.get(stage)
        if last is not None and last.ended is Ended.SKIPPED:
            if last.reason != "n/a-surface":
                parts.append(f"{name.upper()}: skipped ({last.reason}), {last.left_out} left out")
        elif last is not None or attempt is None or attempt.whole:
            ok, of = counts(state.outcomes(stage, name))
            parts.append(f"{name.upper()}: {ok}/{of}")
    evidence = f"pytest: {passed}/{total} pass; {', '.join(parts)}"
    if attempt is None:
        return _verdict("tests", passed == total, evidence)
    evidence += _undecided(state)
    moved = attempt.progress
    evidence += f"; fixed {len(moved.fixed)}"
    if moved.broken:
        evidence += f", broken {len(moved.broken)}"
    if not attempt.whole:
        evidence += "; the rest of the suites did not run"
    return _verdict("tests", attempt.verdict is Verdict.VERIFIED, evidence)


def _undecided(state: RunState) -> str:
    """Red tests that are no targets: what a reader of the numbers would else wonder about."""
    labels = [u.label for u in state.audit.unfit] if state.audit is not None else []
    return "".join(f"; {labels.count(label)} {label}" for label in dict.fromkeys(labels))


def _uncollected(state: RunState, name: str, last: SuiteFinished) -> int:
    """Files the suite cannot collect, without those that it could not before and that nobody asked to mend."""
    first = state.suites[name].finished.get("audit1")
    before = {e.nodeid for e in first.collect_errors} if first is not None else set()
    asked = state.audit.targets if state.audit is not None else ()
    return sum(e.nodeid not in before or test_key(name, e.nodeid) in asked for e in last.collect_errors)


def build_gate(state: RunState, stage: str) -> Gate:
    """``build: cpu=ok, gpu=fallback``: every suite collects without error."""
    words, holds = [], True
    for name, suite in state.suites.items():
        last = suite.finished.get(stage)
        if last is None:
            continue
        if last.ended is Ended.SKIPPED:
            words.append(f"{name}={'fallback' if last.reason == 'missing-tool' else 'none'}")
        elif (errors := _uncollected(state, name, last)) or last.problem:
            holds = False
            words.append(f"{name}={errors} errors" if errors else f"{name}=failed")
        else:
            left = len(last.collect_errors)
            words.append(f"{name}=ok" + (f" (not collected, as before: {left})" if left else ""))
    return _verdict("build", holds, f"build: {', '.join(words)}")


def features_gate(state: RunState, stage: str, bare: str | None) -> Gate:
    """``smoke 2/2 ok``: each suite that can run here, and the code without its optional packages.

    Parameters
    ----------
    bare
        What went wrong without optional packages; empty: nothing; None: there are none.
    """
    ok, bad = 0, []
    for name, suite in state.suites.items():
        last = suite.finished.get(stage)
        if last is None or last.ended is Ended.SKIPPED:
            continue
        if _uncollected(state, name, last) or last.problem:
            bad.append(name)
        else:
            ok += 1
    if bare == "":
        ok += 1
    elif bare is not None:
        bad.append(f"none ({bare})")
    total = ok + len(bad)
    if not total:
        return Gate("features", GateStatus.SKIPPED, "n/a-surface", "no suite ran")
    return _verdict("features", not bad, f"smoke {ok}/{total} ok" + (f"; failing: {', '.join(bad)}" if bad else ""))


def impl_gate(gates: Mapping[str, Gate], attempt: AttemptRow) -> Gate:
    """The fold of the others, with the verdict and the diff; the one that gets the check run."""
    failing = [
        n for n in ORDER if n in gates and n not in ("benchmarks", "impl") and gates[n].status is GateStatus.FAIL
    ]
    verdict = attempt.verdict or Verdict.REJECTED
    holds = verdict is Verdict.VERIFIED and not failing
    tests = gates["tests"].evidence if "tests" in gates else ""
    parts = [f"tests: {tests.removeprefix('pytest: ')}", gates["build"].evidence if "build" in gates else ""]
    parts.append(str(verdict))
    parts.append(f"diff {attempt.change}" if attempt.diff.files else "nothing was changed")
    parts.append(attempt.plausible)
    if failing:
        parts.append(f"failing: {', '.join(failing)}")
    if verdict is not Verdict.VERIFIED:
        parts += [r for r in attempt.reasons[:1] if r not in parts]
    parts.append(attempt.look_first)
    return _verdict("impl", holds, "; ".join(p for p in parts if p))
