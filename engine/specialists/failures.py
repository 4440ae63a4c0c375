"""The tests a run leaves red, grouped by how they fail: what an analysis and an issue both begin with. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from engine.specialists.change import cut
from engine.state import RunState

_EXCEPTION = re.compile(r"^(?:E\s+)?(?P<name>[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt|Timeout))\b:?")
_VARIES = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?|'[^']*'|\"[^\"]*\"", re.IGNORECASE)
_MISSING = (
    (re.compile(r"No module named '([\w.]+)'"), "module {0}"),
    (re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'"), "{1}.{0}"),
    (re.compile(r"module '([\w.]+)' has no attribute '(\w+)'"), "{0}.{1}"),
    (re.compile(r"type object '(\w+)' has no attribute '(\w+)'"), "{0}.{1}"),
    (re.compile(r"'(\w+)' object has no attribute '(\w+)'"), "{0}.{1}"),
    (re.compile(r"name '(\w+)' is not defined"), "{0}"),
)


@dataclass(frozen=True, slots=True)
class Failing:
    """A target that is red at the end.

    Attributes
    ----------
    path, line : where it failed, as the project has it; empty and 0 where nobody knows.
    """

    nodeid: str
    suite: str
    message: str
    detail: str = ""
    path: str = ""
    line: int = 0

    @property
    def kind(self) -> str:
        """The exception's name, or what comes nearest."""
        found = _EXCEPTION.match(self.message)
        return found["name"] if found else "assertion" if "assert" in self.message else "failure"

    @property
    def signature(self) -> str:
        """What failures of one cause have in common: the words, without what varies between cases."""
        return f"{self.kind}: {cut(_VARIES.sub('…', self.message), 160)}"

    @property
    def missing(self) -> tuple[str, ...]:
        """Names that are not there, as Python says it."""
        text = f"{self.message}\n{self.detail[-4000:]}"
        found = [form.format(*match.groups()) for shape, form in _MISSING for match in shape.finditer(text)]
        return tuple(dict.fromkeys(found))


def failing(state: RunState) -> tuple[Failing, ...]:
    """The targets that are red now; files that cannot be collected with the reason for it.

    Where nothing is to be mended: the red tests that are no targets, with what they lack.
    """
    errors = {
        (name, error.nodeid): error
        for name, row in state.suites.items()
        if row.last is not None
        for error in row.last.collect_errors
    }
    found = []
    for row in state.targets:
        error = errors.get((row.suite, row.nodeid))
        latest = row.latest
        if error is not None:
            found.append(Failing(row.nodeid, row.suite, cut(error.message), error.detail[-8000:]))
        elif latest is not None and latest.outcome.red:
            message = cut(latest.message) or str(latest.outcome)
            found.append(Failing(row.nodeid, row.suite, message, latest.detail[-8000:], latest.path, latest.line))
    unfit = state.audit.unfit if state.audit is not None and not state.targets else ()
    for lacking in unfit:
        seen = state.tests.get(lacking.key)
        latest = seen.latest if seen is not None else None
        detail = latest.detail[-8000:] if latest is not None else ""
        message = cut(f"{lacking.why}; {lacking.advice}")
        found.append(Failing(lacking.nodeid, lacking.suite, message, detail))
    return tuple(found)


def groups(tests: Iterable[Failing]) -> dict[str, list[Failing]]:
    """Failures by what they have in common, the most frequent first."""
    found: dict[str, list[Failing]] = {}
    for test in tests:
        found.setdefault(test.signature, []).append(test)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))
