"""Run one suite of the target in a child and report it: live, checked, with crashes and hangs as what they are."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as dc_replace
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine.cancel import CancelToken
from engine.config import Suite
from engine.errors import DiskFull, EnvironmentFailure, Stopped, no_room
from engine.model import Ended, TestOutcome, TestReport, TestResult
from engine.suites.environment import child_environment
from engine.suites.interpreter import Interpreter
from engine.suites.lend import PLUGIN, lend
from engine.suites.names import Names
from engine.suites.process import Exited, run_child, settled
from engine.suites.report import Cause, Stream, check, merge
from engine.suites.sandbox import Confinement

NO_ROOM = 2**18  # bytes; with less, a test fails that writes a file
RESTARTS = 25  # children one run of a suite may take when tests crash or hang
PATIENCE = 5.0  # seconds the plug-in has to end a test that is over its time
USAGE_ERROR = 4  # pytest's exit codes
NO_TESTS = 5
_ORDINARY: dict[str, Any] = {
    "only": None,
    "without": (),
    "block": (),
    "seed": 0,
    "unnamed": False,
    "record": (),
    "stop_early": False,
    "collect_only": False,
    "worlds": (),
}
"""What the plug-in is told of a run of everything."""


@dataclass(frozen=True, slots=True)
class Place:
    """A worktree as children see it."""

    worktree: Path
    checkout: Path  # the user's own tree, where nothing may be imported from
    prefix: str  # project folder inside both
    scratch: Path  # writable, private
    import_roots: tuple[str, ...]  # relative to the worktree, first wins
    editable: frozenset[str]  # files of the write scope, relative to the worktree

    @property
    def cwd(self) -> Path:
        return self.worktree / self.prefix


@dataclass(frozen=True, slots=True)
class Watcher:
    """Where a running suite is shown."""

    on_collected: Callable[[int], None] = lambda _n: None
    on_result: Callable[[TestResult], None] = lambda _r: None
    on_line: Callable[[str], None] = lambda _l: None


@dataclass(frozen=True, slots=True)
class Manner:
    """How chosen tests are run.

    Attributes
    ----------
    seed : shuffle them (files, then what is in them; a class stays in order); 0: as pytest has them.
    unnamed : take what names the test under way out of the environment while it runs.
    record : say which functions of the write scope each test begins.
    stop_early : end after the first test that is red.
    """

    seed: int = 0
    unnamed: bool = False
    record: bool = False
    stop_early: bool = False


PLAIN = Manner()


@dataclass(slots=True)
class SuiteRunner:
    """Starts suites for one run; holds what does not change between them."""

    run: str
    interpreter: Interpreter
    confinement: Confinement
    environ: Mapping[str, str]
    cancel: CancelToken
    pass_env: tuple[str, ...] = ()
    without: tuple[str, ...] = ()  # plug-ins of the interpreter that the project does not ask for
    names: Names = field(default_factory=Names)  # ids of tests as they are written down
    _lent: dict[Path, Path] = field(default_factory=dict)

    def environment(self, place: Place) -> dict[str, str]:
        """The complete environment of a child in ``place``."""
        lent = self._lent.get(place.scratch)
        if lent is None or not lent.is_dir():
            lent = self._lent[place.scratch] = lend(place.scratch / "lent")
        roots = [place.worktree / r for r in place.import_roots]
        return child_environment(
            self.environ,
            run=self.run,
            path=[lent, *roots],
            scratch=place.scratch,
            userbase=self.interpreter.userbase,
            pycache=None if self.interpreter.compiled else place.scratch / "pycache",
            extra=self.pass_env,
        )

    def argv(self, suite: Suite, files: Iterable[str] = (), *, collect_only: bool = False) -> list[str]:
        """pytest's command line for a suite."""
        line = [self.interpreter.executable, "-m", "pytest", "-p", PLUGIN]
        line += ["-q", "--color=no", "--tb=short", "--no-header", "--show-capture=no"]
        line += ["--continue-on-collection-errors", "--maxfail=0"]
        for name in self.without:
            line += ["-p", f"no:{name}"]
        if suite.marker:
            line += ["-m", suite.marker]
        if collect_only:
            line += ["--collect-only"]
        # A file is never read as an option (-p, @file), whatever its name.
        files = [f if f.startswith("/") else f"./{f}" for f in files]
        return [*line, *suite.args] if not files else [*line, *_options(suite.args), *files]

    def report(
        self,
        name: str,
        suite: Suite,
        place: Place,
        *,
        only: Iterable[str] | None = None,
        watcher: Watcher = Watcher(),
        block: tuple[str, ...] = (),
        collect_only: bool = False,
        manner: Manner = PLAIN,
    ) -> TestReport:
        """Run the suite, or only some of its tests, and say what happened.

        A test that takes its process down or never ends costs one child; the others run in the next.

        Raises
        ------
        Stopped
            The run was cancelled; the child and its group are gone.
        EnvironmentFailure
            The child cannot be started.
        DiskFull
            There was no room for what tests write: that they fail then says nothing of the code.
        """
        parts: list[TestReport] = []
        without: set[str] = set()
        wanted = None if only is None else tuple(map(self.names.real, only))
        watcher = dc_replace(watcher, on_result=self.names.watching(watcher.on_result))
        while True:
            part, culprit = self._once(name, suite, place, wanted, without, watcher, block, collect_only, manner)
            parts.append(part)
            if culprit:
                without |= {culprit} | {r.nodeid for r in part.results}
            left = culprit and part.ended is not Ended.TIMEOUT
            spent = len(parts) > RESTARTS or sum(p.seconds for p in parts) > suite.timeout_s
            if left and spent:
                many = f"{len(parts)} tests took their process down, the last one: {part.problem}"
                parts[-1] = replace(part, problem=many)
            if not left or spent:
                merged = self.names.report(merge(name, _settle(parts, without)))
                if not merged.green:
                    _require_room(name, place)
                return merged

    def command(self, argv: Sequence[str], place: Place, deadline_s: float) -> tuple[int, list[str]]:
        """Run a command that executes the code under test, confined as a suite is: exit code and lines.

        Raises
        ------
        Stopped
            The run was cancelled.
        """
        place.scratch.mkdir(parents=True, exist_ok=True)
        lines: list[str] = []
        try:
            exited = settled(
                lambda: run_child(
                    self._confined(argv, place, devices=True),
                    cwd=place.cwd,
                    env=self.environment(place),
                    cancel=self.cancel,
                    deadline_s=deadline_s,
                    on_line=lines.append,
                )
            )
        except OSError as error:
            return 127, [str(error)]
        if exited.killed == "stopped":
            raise Stopped("stopped on request")
        late = [f"ended after {deadline_s:.0f} s"] if exited.killed else []
        return exited.code or 127 * bool(late), [*(line for line in lines if line.strip()), *late]

    def _confined(self, argv: Sequence[str], place: Place, *, devices: bool) -> list[str]:
        writable = (place.worktree, place.scratch)
        return self.confinement.wrap(argv, writable=writable, cwd=place.cwd, devices=devices)

    def _once(
        self,
        name: str,
        suite: Suite,
        place: Place,
        only: tuple[str, ...] | None,
        without: set[str],
        watcher: Watcher,
        block: tuple[str, ...],
        collect_only: bool,
        manner: Manner,
    ) -> tuple[TestReport, str]:
        """One child; the report, and the test that took it down, if one did."""
        nonce = secrets.token_hex(16)
        report = place.scratch / f"report-{secrets.token_hex(8)}.json"
        stream = Stream(name, watcher.on_result, watcher.on_collected, Ours(place))
        clock = _Clock(stream, suite.test_timeout_s + PATIENCE)
        control = {
            "nonce": nonce,
            "report": str(report),
            "only": None if only is None else list(only),
            "without": sorted(without),
            "block": list(block),
            "seed": manner.seed,
            "unnamed": manner.unnamed,
            "record": sorted(place.editable) if manner.record else [],
            "stop_early": manner.stop_early,
            "collect_only": collect_only,
        }
        exited = self.start(
            name,
            suite,
            place,
            control,
            deadline_s=suite.timeout_s,
            on_line=watcher.on_line,
            on_event=stream.feed,
            silent=clock.silent,
            begun=lambda: stream.heard,
        )
        for nodeid in stream.collected or ():
            self.names.shown(nodeid)
        try:
            return self._judge(name, suite, stream, exited, report, nonce, watcher, collect_only)
        finally:
            report.unlink(missing_ok=True)

    def start(
        self,
        name: str,
        suite: Suite,
        place: Place,
        control: Mapping[str, Any],
        *,
        deadline_s: float,
        on_event: Callable[[bytes], None],
        begun: Callable[[], bool],
        on_line: Callable[[str], None] = lambda _line: None,
        silent: Callable[[], bool] = lambda: False,
    ) -> Exited:
        """Run pytest with our plug-in, once, to its end; ``control`` is what the plug-in is told beyond the place."""
        place.scratch.mkdir(parents=True, exist_ok=True)
        given = {**_ORDINARY, **control}
        files = sorted({n.split("::", 1)[0] for n in given["only"] or ()})
        argv = self.argv(suite, files, collect_only=given["collect_only"])
        # An empty cache of its own: a project may ask for --lf, and plug-ins may need the cache.
        cache = place.scratch / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        argv[argv.index(PLUGIN) + 1 : argv.index(PLUGIN) + 1] = [f"--rootdir={place.cwd}", "-o", f"cache_dir={cache}"]
        given |= {
            "worktree": str(place.worktree),
            "checkout": str(place.checkout),
            "cache": str(cache),
            "test_timeout": suite.test_timeout_s,
            "modules": _modules(place),
        }
        try:
            return settled(
                lambda: run_child(
                    self._confined(argv, place, devices="gpu" in (name, suite.marker)),
                    cwd=place.cwd,
                    env=self.environment(place),
                    cancel=self.cancel,
                    deadline_s=deadline_s,
                    on_line=on_line,
                    control=json.dumps(given).encode(),
                    on_event=on_event,
                    silent=silent,
                ),
                begun,
            )
        except OSError as error:
            message = f"suite {name} cannot be started: {error}"
            raise DiskFull(message) if no_room(error) else EnvironmentFailure(message) from error

    def _judge(
        self,
        name: str,
        suite: Suite,
        stream: Stream,
        exited: Exited,
        report: Path,
        nonce: str,
        watcher: Watcher,
        collect_only: bool,
    ) -> tuple[TestReport, str]:
        if exited.killed == "stopped":
            raise Stopped("stopped on request")
        problem, culprit, ended = "", "", Ended.FINISHED
        if exited.killed in ("timeout", "silent"):
            culprit = stream.running
            limit = suite.timeout_s if exited.killed == "timeout" else suite.test_timeout_s
            ended = Ended.TIMEOUT if exited.killed == "timeout" or not culprit else Ended.CRASHED
            problem = f"suite {name} was ended after {limit:g} s" + (f" in {culprit}" if culprit else "")
            if culprit:
                self._charge(name, culprit, TestOutcome.TIMEOUT, f"timed out after {limit:g} s", stream, watcher)
        elif stream.end is None and stream.running:
            culprit, ended = stream.running, Ended.CRASHED
            how = f"was ended: {exited.over}" if exited.over else f"ended with {_code(exited.code)}"
            problem = f"the test process {how} in {culprit}"
            self._charge(name, culprit, TestOutcome.CRASHED, f"process {how}", stream, watcher)
        elif exited.code == USAGE_ERROR or (stream.end is None and not stream.results):
            ended = Ended.CRASHED
            problem = _why(exited)
        else:
            problem = check(stream, report, nonce, exited.code) or _early(stream, exited, collect_only)
            ended = Ended.CRASHED if stream.end is None else Ended.FINISHED
        result = TestReport(
            suite=name,
            results=tuple(stream.results.values()),
            exit_code=exited.code,
            ended=ended,
            seconds=exited.seconds,
            collect_errors=tuple(stream.errors),
            foreign=stream.end.foreign if stream.end else (),
            replaced=stream.end.replaced if stream.end else (),
            peeked=stream.end.peeked if stream.end else (),
            problem=problem,
            ran=stream.ran,
        )
        return result, culprit

    def _charge(
        self, name: str, nodeid: str, outcome: TestOutcome, message: str, stream: Stream, watcher: Watcher
    ) -> None:
        result = TestResult(name, nodeid, outcome, "call", 0.0, message)
        stream.results[nodeid] = result
        watcher.on_result(result)

    def collect(self, name: str, suite: Suite, place: Place, *, block: tuple[str, ...] = ()) -> tuple[int, TestReport]:
        """How many tests the suite has, without running them, and the report of that."""
        counted: list[int] = []
        watcher = Watcher(on_collected=counted.append)
        report = self.report(name, suite, place, watcher=watcher, block=block, collect_only=True)
        return (counted[-1] if counted else 0), report


@dataclass(slots=True)
class _Clock:
    """Notices a test that goes on after its time: the plug-in could not end it."""

    stream: Stream
    limit: float
    _test: str = ""
    _since: float = 0.0

    def silent(self) -> bool:
        if self.stream.running != self._test:
            self._test, self._since = self.stream.running, time.monotonic()
        return bool(self._test) and time.monotonic() - self._since > self.limit


@dataclass(frozen=True, slots=True)
class Ours:
    """Whether a production change could mend a collection error."""

    place: Place

    def __call__(self, cause: Cause) -> bool:
        if cause.frames and cause.frames[-1][0] in self.place.editable:
            return True
        if not cause.name:
            return False
        top = cause.name.split(".")[0]
        roots = [r.strip("/") for r in self.place.import_roots] or [""]
        starts = [f"{r}/{top}".removeprefix("./").removeprefix("/") if r not in ("", ".") else top for r in roots]
        return any(f == f"{s}.py" or f.startswith(f"{s}/") for s in starts for f in self.place.editable)


def _require_room(name: str, place: Place) -> None:
    for folder in (place.scratch, place.worktree):
        if folder.exists() and shutil.disk_usage(folder).free < NO_ROOM:
            raise DiskFull(f"suite {name} ran on a full disk ({folder}): what failed there says nothing")


def _modules(place: Place) -> dict[str, str]:
    """Dotted names of the packages' files in the write scope, by the file they must come from."""
    found: dict[str, str] = {}
    for root in place.import_roots:
        base = "" if root in ("", ".") else root.rstrip("/") + "/"
        for path in place.editable:
            if not path.startswith(base) or "/" not in path[len(base) :]:
                continue
            parts = path[len(base) : -3].split("/")
            if parts[-1] == "__init__":
                parts.pop()
            if all(p.isidentifier() for p in parts) and f"{base}{parts[0]}/__init__.py" in place.editable:
                found.setdefault(".".join(parts), path)
    return found


def _options(args: tuple[str, ...]) -> list[str]:
    """The suite's arguments without the paths, for a run of chosen files."""
    kept, take_next = [], False
    for arg in args:
        if take_next or arg.startswith("-"):
            kept.append(arg)
        take_next = arg in ("-k", "-m", "-p", "-o", "-c", "-W", "-n", "-r")
    return kept


def _settle(parts: list[TestReport], accounted: set[str]) -> list[TestReport]:
    """A crash that was charged to its test is a result, no longer a problem of the whole run."""
    charged = [replace(p, problem="", ended=Ended.FINISHED, exit_code=1) if len(parts) > 1 else p for p in parts[:-1]]
    last = parts[-1]
    if len(parts) > 1 and last.exit_code == NO_TESTS and not last.results:
        last = replace(last, problem="", ended=Ended.FINISHED)
    return [*charged, last]


def _code(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"


def _early(stream: Stream, exited: Exited, collect_only: bool) -> str:
    """Why a session that ended in good order did not run what it had collected; empty if it did."""
    left = [] if collect_only else [n for n in stream.collected or () if n not in stream.results]
    if left:
        return f"pytest ended with {_code(exited.code)} before {left[0]} had run"
    if exited.code in (0, 1, NO_TESTS) and (stream.collected is not None or stream.results):
        return ""
    return _why(exited)


def _why(exited: Exited) -> str:
    if exited.over:
        return f"pytest was ended: {exited.over}"
    lines = [line.strip() for line in exited.tail if line.strip()]
    telling = [line for line in lines if line.startswith(("ERROR", "E ")) or "Error" in line or ": error: " in line]
    return f"pytest ended with {_code(exited.code)}: {(telling or lines or ['no output'])[-1][:300]}"
