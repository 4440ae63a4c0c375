"""Ids of tests that are safe to write down: a key in their parameters is replaced, and found again for pytest.

A test's id is what journal, baseline and pytest know it by, so it must be the same text everywhere and lead back.
The file and the function in it stay as they are; among the parameters each key gets a word with digits of its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from engine.model import TestReport, TestResult
from engine.records.redact import Redactor

_WORD = "‹redacted: "


@dataclass(slots=True)
class Names:
    """Both names of every test met so far. After a restart it knows none: collecting the tests tells it again."""

    redactor: Redactor = field(default_factory=Redactor)
    _keys: dict[str, str] = field(default_factory=dict)  # a word → the key it stands for

    def shown(self, nodeid: str) -> str:
        """The id as it is written."""
        function, bracket, parameters = nodeid.partition("[")
        if not bracket:
            return nodeid
        text, words = self.redactor.named(parameters)
        self._keys |= words
        return function + bracket + text if words else nodeid

    def real(self, nodeid: str) -> str:
        """The id as pytest knows it; the whole function's where the parameter was never met."""
        if _WORD not in nodeid:
            return nodeid
        for word, key in self._keys.items():
            nodeid = nodeid.replace(word, key)
        return nodeid if _WORD not in nodeid else nodeid.partition("[")[0]

    def unknown(self, nodeids: Iterable[str]) -> bool:
        """Whether one of the written ids does not lead back yet."""
        return any(_WORD in n and "[" in n and "[" not in self.real(n) for n in nodeids)

    def result(self, result: TestResult) -> TestResult:
        shown = self.shown(result.nodeid)
        return result if shown is result.nodeid else replace(result, nodeid=shown)

    def report(self, report: TestReport) -> TestReport:
        ran = {self.shown(nodeid): ran for nodeid, ran in report.ran.items()}
        return replace(report, results=tuple(map(self.result, report.results)), ran=ran)

    def watching(self, on_result: Callable[[TestResult], None]) -> Callable[[TestResult], None]:
        return lambda result: on_result(self.result(result))
