"""Which tests run before the whole suite does: the targets, then those a change can reach. What was chosen is said.

Suites that are quickly through run whole; so does everything before a change is final.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine import events as ev
from engine.errors import EnvironmentFailure
from engine.model import TestReport
from engine.records.receipt import write_atomically
from engine.state import TestRow
from engine.suites.impact import Imports, Touched, functions, named, touched
from engine.verify.acceptance import Baseline

if TYPE_CHECKING:
    from engine.loop import Loop

SHORT_TO_RECORD = 60.0
"""Seconds a suite may take to be recorded where Python has no sys.monitoring: each call costs there."""

Seen = Mapping[str, frozenset[str]]
"""Functions by file."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Tests by suite: None where it runs whole; targets are always among them."""

    suites: Mapping[str, tuple[str, ...] | None]
    total: Mapping[str, int]
    why: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return all(tests is None for tests in self.suites.values())


@dataclass(slots=True)
class Selecting:
    """Chooses for one run; remembers what its tests were seen to run."""

    loop: Loop
    _said: ev.TestsSelected | None = None
    _seen: dict[str, Seen] = field(default_factory=dict)
    _shared: dict[str, Seen] = field(default_factory=dict)  # by suite: what fixtures ran
    _read: bool = False
    _known: Imports | None = None

    # -- what tests were seen to run ----------------------------------------------------------------------------------

    def recordable(self, suite: str) -> bool:
        """Whether watching what the tests of a suite run costs little."""
        first = self.loop.state.suites[suite].finished.get("audit1")
        monitored = _version(self.loop.plan.interpreter.version) >= (3, 12)
        return monitored or (first is not None and first.seconds <= SHORT_TO_RECORD)

    def learn(self, report: TestReport) -> None:
        """Keep what the tests of a suite ran, beside the journal: a resumed run needs it too."""
        if not report.ran:
            return
        self._load()
        known = {p: functions(self._text(p)) for p in {p for r in report.ran.values() for p in (*r.set_up, *r.body)}}
        shared: Seen = {}
        for nodeid, ran in report.ran.items():
            set_up = {p: named(lines, known[p]) for p, lines in ran.set_up.items()}
            body = {p: named(lines, known[p]) for p, lines in ran.body.items()}
            self._seen[f"{report.suite} {nodeid}"] = _joined(set_up, body)
            shared = _joined(shared, set_up)
        self._shared[report.suite] = shared
        # json, not msgspec: a test's id may hold half a surrogate pair.
        data = json.dumps({"v": 1, "ran": _plain(self._seen), "shared": _plain(self._shared)})
        write_atomically(self._path, data.encode())

    def _load(self) -> None:
        """Read what an earlier process of this run learnt; where that is lost, what files import decides."""
        if self._read:
            return
        self._read = True
        try:
            data = json.loads(self._path.read_bytes())
            self._seen, self._shared = _sets(data["ran"]), _sets(data["shared"])
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            self._seen, self._shared = {}, {}

    @property
    def _path(self) -> Path:
        return self.loop.keeper.folder / "reach.json"

    def seen(self, key: str, *, shared: bool = False) -> Seen | None:
        """Functions a test ran before anything was changed; None: nobody watched.

        Parameters
        ----------
        shared
            Add what fixtures of any test ran: a fixture of a wider scope serves tests that do not set it up.
        """
        self._load()
        found = self._seen.get(key)
        if found is None or not shared:
            return found
        return _joined(found, self._shared.get(key.split(" ", 1)[0], {}))

    def _text(self, path: str) -> str:
        blob = self.loop.plan.repository.blob(self.loop.workshop.snapshot.tree, path)
        return blob.decode("utf-8", "surrogateescape")

    # -- choosing -----------------------------------------------------------------------------------------------------

    def select(self, before: Mapping[str, str], after: Mapping[str, str]) -> Selection:
        """Tests to run first for a change from some texts to others."""
        loop = self.loop
        limit = loop.plan.config.verify.impacted_after_s
        running = [n for n in loop.plan.suites if loop.left_out(n) is None]
        seconds = {n: loop.state.suites[n].finished["audit1"].seconds for n in running}
        rows: dict[str, list[TestRow]] = {n: [] for n in running}
        for key in loop.baseline.outcomes:  # a file that broke since is no test of its suite
            row = loop.state.tests[key]
            if row.suite in rows:
                rows[row.suite].append(row)
        suites: dict[str, tuple[str, ...] | None] = {n: None for n in running if seconds[n] <= limit}
        why: list[str] = []
        long = [n for n in running if n not in suites]
        reached = dict(self.reach(before, after, (r for n in long for r in rows[n])))
        for name in long:
            mine = [r for r in rows[name] if r.target or r.key in reached]
            words = sorted({reached[r.key] for r in mine if r.key in reached})
            suites[name] = tuple(r.nodeid for r in mine)
            where = f"{name}: " if len(long) > 1 else ""
            why.append(where + (_listed(words) or "the targets; no other test runs what changed"))
        return Selection(suites, {n: len(rows[n]) for n in running}, tuple(why))

    def reach(
        self, before: Mapping[str, str], after: Mapping[str, str], rows: Iterable[TestRow]
    ) -> Iterable[tuple[str, str]]:
        """Keys of the tests a change can reach, with the reason; targets left out."""
        other = sorted(p for p in before.keys() | after.keys() if not p.endswith(".py"))
        change = touched(before, after)
        imports = self._imports(after)
        importers = {p: imports.reached([p]) for p in (*change.modules, *change.functions)}
        for row in rows:
            if not row.target and (why := f"{other[0]} changed" if other else self._why(row, change, importers)):
                yield row.key, why

    def _why(self, row: TestRow, change: Touched, importers: Mapping[str, frozenset[str]]) -> str:
        seen = self.seen(row.key)
        for path, names in change.functions.items():
            if seen is not None and (met := names & seen.get(path, frozenset())):
                return f"run {sorted(met)[0]} ({path})"
        prefix = self.loop.plan.prefix
        file = (f"{prefix}/" if prefix else "") + row.nodeid.split("::", 1)[0]
        doubtful = change.modules if seen is not None else importers.keys()
        for path in doubtful:
            if (seen is not None and path in seen) or file in importers[path]:
                return f"use {path}"
        return ""

    def _imports(self, after: Mapping[str, str]) -> Imports:
        known = self._known = self._known or self._snapshot_imports()
        new = {p: t for p, t in after.items() if p.endswith(".py")}
        lines = [pair for pair in known.lines if pair[0] not in new]
        lines += [(p, line) for p, t in new.items() for line in t.splitlines() if "import" in line]
        return Imports(known.files | new.keys(), lines, known.roots)

    def _snapshot_imports(self) -> Imports:
        loop = self.loop
        tree = loop.workshop.snapshot.tree
        args = ("grep", "-z", "--full-name", "-I", "-E", r"^[[:space:]]*(from|import)[[:space:]]", tree, "--", "*.py")
        try:
            found = loop.plan.repository.run(*args).splitlines()
        except EnvironmentFailure:  # nothing imports anything
            found = []
        pairs = (line.split("\0", 1) for line in found if "\0" in line)
        lines = [(path.removeprefix(f"{tree}:"), text) for path, text in pairs]
        return Imports(frozenset(f for f in loop.files if f.endswith(".py")), lines, loop.workshop.roots)

    # -- running ------------------------------------------------------------------------------------------------------

    def run(
        self, number: int, selection: Selection, suite: Callable[[str, Sequence[str] | None], TestReport]
    ) -> tuple[Baseline, list[TestReport]]:
        """Run a selection; what to judge it by, and what it showed.

        Parameters
        ----------
        suite
            Runs a suite, or some tests of it.
        """
        self._say(number, selection)
        by = self.loop.baseline
        targets: dict[str, list[str]] = {n: [] for n in selection.suites}
        for row in self.loop.state.targets:
            targets.setdefault(row.suite, []).append(row.nodeid)
        reports = [suite(n, None) for n in self.loop.plan.suites if selection.suites.get(n, ()) is None]
        wanted = {k for k in by.outcomes if selection.suites.get(k.split(" ", 1)[0], ()) is None}
        part = {n: tests for n, tests in selection.suites.items() if tests is not None}
        reports += [replace(suite(n, targets[n]), note="the targets") for n in part if targets[n]]
        left_out = (n for n in self.loop.plan.suites if n not in selection.suites)
        reports += [suite(n, None) for n in left_out]  # and say why
        red = [r for report in reports for r in report.results if r.outcome.red]
        # Where a file cannot even be collected, what else imports it need not be seen to fail as well.
        if any(r.key in by.targets or (r.phase == "collect" and r.key not in by.outcomes) for r in red):
            return by.only(wanted), reports
        for name, tests in part.items():
            if left := sorted(set(tests) - set(targets[name])):
                report = suite(name, left)
                reports.append(replace(report, note=f"{len(left)} more of {selection.total[name]} tests, by what ran"))
                wanted |= {f"{name} {nodeid}" for nodeid in left}
        return by.only(wanted), reports

    def _say(self, number: int, selection: Selection) -> None:
        if selection.whole:
            return
        counts = {n: len(t) for n, t in selection.suites.items() if t is not None}
        said = ev.TestsSelected(number, counts, {n: selection.total[n] for n in counts}, selection.why)
        if said != self._said:
            self._said = said
            self.loop.emit(said)


def _joined(one: Seen, other: Seen) -> Seen:
    both = {p: one.get(p, frozenset()) | other.get(p, frozenset()) for p in one.keys() | other.keys()}
    return {p: names for p, names in both.items() if names}


def _plain(rows: Mapping[str, Seen]) -> dict[str, dict[str, list[str]]]:
    return {key: {p: sorted(names) for p, names in row.items()} for key, row in rows.items()}


def _sets(rows: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, Seen]:
    return {key: {p: frozenset(names) for p, names in row.items()} for key, row in rows.items()}


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def _listed(words: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(words) - shown} more reasons" if len(words) > shown else ""
    return ("tests that " + ", ".join(words[:shown]) + more) if words else ""
