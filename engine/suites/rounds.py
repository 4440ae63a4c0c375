"""One round of a suite as events: started, collected, each test, finished. And when a suite is skipped, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from engine.config import Suite
from engine.events import Event, SuiteCollected, SuiteFinished, SuiteStarted, TestFinished
from engine.model import Ended, Purpose, TestOutcome, TestReport, TestResult
from engine.suites.runner import NO_TESTS, PLAIN, Manner, Place, SuiteRunner, Watcher

_CUDA = "import cupy, sys; sys.exit(0 if cupy.cuda.is_available() else 3)"


@dataclass(slots=True)
class Rounds:
    """Runs suites and records what they show."""

    runner: SuiteRunner
    suites: dict[str, Suite]
    emit: Callable[[Event], None]
    line: Callable[[str], None]
    mentions: Callable[[str], bool]  # whether the project's files hold a word

    def run(
        self,
        name: str,
        place: Place,
        purpose: Purpose,
        round_: int,
        *,
        only: Iterable[str] | None = None,
        skipped: SuiteFinished | None = None,
        changed: Callable[[], tuple[str, ...]] = tuple,
        manner: Manner = PLAIN,
        keep: Callable[[TestReport], None] = lambda _report: None,
    ) -> TestReport:
        """One suite, or some of its tests; events as it goes, the report at the end.

        Parameters
        ----------
        skipped
            How the suite was left out before: it is left out again, without a child.
        changed
            Asked afterwards which of the files that judge the work are not as they were.
        keep
            Called before the end is recorded: what must be there once the suite counts as finished.
        """
        suite = self.suites[name]
        self.emit(SuiteStarted(name, purpose, round_))
        if skipped is not None:
            report = TestReport(name, (), 0, Ended.SKIPPED, reason=skipped.reason, left_out=skipped.left_out)
        else:
            report = self._skip(name, suite, place) or self._run(name, suite, place, purpose, round_, only, manner)
        report = replace(report, rewritten=changed())
        keep(report)
        self.emit(
            SuiteFinished(
                suite=name,
                purpose=purpose,
                round=round_,
                exit_code=report.exit_code,
                ended=report.ended,
                seconds=round(report.seconds, 3),
                total=len(report.results),
                problem=report.problem,
                reason=report.reason,
                left_out=report.left_out,
                collect_errors=report.collect_errors,
                foreign=report.foreign,
                rewritten=report.rewritten,
                replaced=report.replaced,
                peeked=report.peeked,
            )
        )
        return report

    def _run(
        self,
        name: str,
        suite: Suite,
        place: Place,
        purpose: Purpose,
        round_: int,
        only: Iterable[str] | None,
        manner: Manner,
    ) -> TestReport:
        details = _Details()
        watcher = Watcher(
            on_collected=lambda total: self.emit(SuiteCollected(name, purpose, round_, total)),
            on_result=lambda result: self.emit(TestFinished(purpose, round_, details.bound(result))),
            on_line=self.line,
        )
        report = self.runner.report(name, suite, place, only=only, watcher=watcher, manner=manner)
        if suite.optional and only is None and not report.results and report.exit_code == NO_TESTS:
            return TestReport(name, (), 0, Ended.SKIPPED, report.seconds, reason="n/a-surface")
        if only is None and report.results and all(r.outcome is TestOutcome.SKIPPED for r in report.results):
            # The tests themselves found that something is missing here; that is no pass.
            count = len(report.results)
            return replace(report, ended=Ended.SKIPPED, reason="missing-tool", left_out=count)
        return report

    def _skip(self, name: str, suite: Suite, place: Place) -> TestReport | None:
        """Why a suite cannot or need not run here."""
        if suite.optional and suite.marker and not any(map(self.mentions, re.findall(r"[A-Za-z_]\w+", suite.marker))):
            return TestReport(name, (), 0, Ended.SKIPPED, reason="n/a-surface")
        if missing := [m for m in suite.requires if not self._has(m, place)]:
            count, _ = self.runner.collect(name, suite, place)
            self.line(f"suite {name}: {', '.join(missing)} is missing; {count} tests left out")
            return TestReport(name, (), 0, Ended.SKIPPED, reason="missing-tool", left_out=count)
        return None

    def _has(self, requirement: str, place: Place) -> bool:
        """Whether the target's interpreter has a module, or (``cuda``) a device CuPy can use."""
        if requirement != "cuda" and not requirement.isidentifier():
            return False
        code = (
            _CUDA
            if requirement == "cuda"
            else f"import importlib.util as u, sys; sys.exit(u.find_spec({requirement!r}) is None)"
        )
        # Confined: the worktree comes first on the path, so this may run its code.
        return self.runner.command([self.runner.interpreter.executable, "-c", code], place, 60)[0] == 0


@dataclass(slots=True)
class _Details:
    """Keeps the journal small when hundreds of tests fail the same way."""

    left: int = 1_000_000

    def bound(self, result: TestResult) -> TestResult:
        self.left -= len(result.detail)
        return result if self.left > 0 else replace(result, detail=result.detail[-400:])
