"""pytest plug-in of bitnet-tui; runs inside the target's interpreter and imports nothing of ours.

It streams one JSON line per event over an inherited descriptor, bounds each test in time, and at the end
says which files were really imported. Python 3.8 syntax, standard library and pytest only.
"""

import os
import random
import re
import signal
import sys

import bitnet_tui_worlds
import pytest
from bitnet_tui_control import control, die_with_parent
from bitnet_tui_ran import Recorder
from bitnet_tui_wires import Peeks, Wires

_Random = random.Random  # ours, whatever code under test makes of it
LINE = 300
HEAD, TAIL, CAPTURED = 2500, 5000, 1500


def _shorten(text, head=HEAD, tail=TAIL):
    if len(text) <= head + tail:
        return text
    cut = len(text) - head - tail
    return text[:head] + f"\n… {cut} characters left out …\n" + text[-tail:]


class Plugin:
    """Hooks of one session."""

    def __init__(self, control):
        self.control = control
        self.worktree = os.path.realpath(control.worktree)
        self.pending = {}
        self.timed_out = set()
        self.causes = {}
        self.wires = Wires()
        self.replaced = set()
        self.peeks = Peeks(self.worktree)
        if hasattr(sys, "addaudithook"):
            sys.addaudithook(self.peeks.hook)
        self.marks = {}  # of tests under way: the marks a skip or an expected failure may come from
        self.recorder = Recorder(self.worktree, control.record) if control.record else None
        self.watched = ""  # the test that is recorded; in a process that has workers none is
        self.fixtures = {}  # what its set-up ran, which others may build on

    # -- set-up ---------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config):
        option = config.option
        option.json_report = True
        option.json_report_file = self.control.report
        option.json_report_omit = ["keywords", "streams", "log", "traceback", "warnings", "collectors"]
        option.json_report_indent = None
        option.stepwise = option.stepwise_skip = False  # it would stop at the first failure
        _know_markers(config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config):
        # xdist's workers do not have this plug-in: a run of chosen tests stays in this process.
        if (self.control.only is not None or self.control.without) and hasattr(config.option, "numprocesses"):
            config.option.numprocesses, config.option.dist, config.option.tx = 0, "no", []

    @pytest.hookimpl(optionalhook=True, trylast=True)
    def pytest_json_modifyreport(self, json_report):
        json_report["nonce"] = self.control.nonce

    # -- collection -----------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session, config, items):
        only, without = self.control.only, set(self.control.without)
        if only is None and not without:
            return
        keep, drop = [], []
        wanted = None if only is None else set(only)
        for item in items:
            chosen = wanted is None or any(name in wanted for name in _names_of(item.nodeid))
            (keep if chosen and item.nodeid not in without else drop).append(item)
        if drop:
            items[:] = keep
            config.hook.pytest_deselected(items=drop)
        if self.control.seed:
            items[:] = _shuffled(items, _Random(self.control.seed))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session):
        self.control.send("collected", ids=[item.nodeid for item in session.items])

    def pytest_exception_interact(self, node, call, report):
        if getattr(report, "when", "collect") not in (None, "collect"):
            return
        error = call.excinfo.value
        while error.__cause__ is not None:
            error = error.__cause__
        frames, tb = [], error.__traceback__
        while tb is not None:
            frames.append([tb.tb_frame.f_code.co_filename, tb.tb_lineno or 0])
            tb = tb.tb_next
        if isinstance(error, SyntaxError) and error.filename:
            frames.append([error.filename, error.lineno or 0])
        self.causes[report.nodeid] = {
            "type": type(error).__name__,
            "text": str(error)[:LINE],
            "name": getattr(error, "name", None) if isinstance(error, ImportError) else None,
            "frames": [[self._relative(path), line] for path, line in frames][-40:],
        }

    def pytest_collectreport(self, report):
        if report.failed:
            detail = _shorten(str(report.longrepr))
            cause = self.causes.get(report.nodeid)
            self.control.send("collect_error", nodeid=report.nodeid, detail=detail, cause=cause)

    # -- tests ----------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        self.session = session
        # A coverage threshold is no test, but it would decide the exit code, of a run of chosen tests too.
        cov = session.config.pluginmanager.get_plugin("_cov")
        if hasattr(cov, "options"):
            cov.options.cov_fail_under = None

    def pytest_runtest_logstart(self, nodeid, location):
        self.control.send("started", nodeid=nodeid)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item, nextitem):
        self.marks[item.nodeid] = {mark.name for mark in item.iter_markers()}
        if self.recorder is not None:
            self.recorder.start()
            self.watched, self.fixtures = item.nodeid, {}
        limit = self.control.test_timeout
        usable = limit > 0 and hasattr(signal, "setitimer") and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
        if usable:

            def ring(signum, frame):
                self.timed_out.add(item.nodeid)
                pytest.fail(f"timed out after {limit:g} s")

            try:
                signal.signal(signal.SIGALRM, ring)
            except ValueError:  # not the main thread
                usable = False
            else:
                signal.setitimer(signal.ITIMER_REAL, limit, 1.0)
        try:
            yield
        finally:
            if usable:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, signal.SIG_DFL)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item):
        if self.recorder is not None:
            self.fixtures = self.recorder.take()
            self.recorder.start()
        if self.control.unnamed:
            item.runtest = _unnamed(item.runtest)  # pytest names the test only just before this

    def pytest_runtest_makereport(self, item, call):
        if call.excinfo is not None and isinstance(call.excinfo.value, pytest.xfail.Exception):
            self.marks.get(item.nodeid, set()).discard("xfail")  # pytest.xfail() was called: no mark asked for it

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.nodeid in self.timed_out and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.pending.setdefault(report.nodeid, []).append(report)

    def pytest_runtest_logfinish(self, nodeid, location):
        reports = self.pending.pop(nodeid, [])
        self.replaced.update(self.wires.replaced())
        if reports:
            self.control.send("finished", **self._summary(nodeid, reports))
        if self.recorder is not None and self.watched == nodeid:
            self.control.send("ran", nodeid=nodeid, set_up=self.fixtures, body=self.recorder.take())
        if reports and self.control.stop_early and any(_outcome(r) in ("failed", "error") for r in reports):
            self.session.shouldfail = "one test is red: the rest need not run"

    def _summary(self, nodeid, reports):
        outcome, phase, worst = "passed", "call", None
        rerun = any(r.outcome == "rerun" for r in reports)
        for report in reports:
            found = _outcome(report)
            if _RANK[found] > _RANK[outcome]:
                outcome, phase, worst = found, report.when, report
        if rerun and outcome == "passed":
            outcome = "rerun"
        if nodeid in self.timed_out and outcome in ("failed", "error"):
            outcome = "timeout"
        row = {
            "nodeid": nodeid,
            "outcome": outcome,
            "phase": phase,
            "seconds": round(sum(getattr(r, "duration", 0.0) for r in reports), 4),
        }
        if worst is not None:
            row.update(self._why(worst, reports))
        row["marked"] = _marked(outcome, worst, self.marks.pop(nodeid, set()))
        return row

    def _why(self, report, reports):
        longrepr = report.longrepr
        crash = getattr(longrepr, "reprcrash", None)
        if crash is not None:
            message, path, line = crash.message, crash.path, crash.lineno
        elif isinstance(longrepr, tuple) and len(longrepr) == 3:  # a skip
            path, line, message = longrepr
            message = message[len("Skipped: ") :] if message.startswith("Skipped: ") else message
        else:
            message, path, line = str(getattr(report, "wasxfail", "") or longrepr or ""), "", 0
        row = {
            "message": (message.splitlines() or [""])[0][:LINE],
            "path": self._relative(path) if path else "",
            "line": line or 0,
        }
        if _outcome(report) in ("failed", "error"):
            parts = [_shorten(str(longrepr))]
            for name, text in reports[-1].sections[-4:]:
                parts.append(f"--- {name} ---\n{text[-CAPTURED:]}")
            row["detail"] = "\n".join(parts)
        return row

    # -- end ------------------------------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session, exitstatus):
        if self.recorder is not None:
            self.recorder.stop()
        replaced = sorted(self.replaced.union(self.wires.replaced()))
        self.control.send(
            "ended",
            nonce=self.control.nonce,
            exit=int(exitstatus),
            foreign=self._foreign(),
            replaced=replaced,
            peeked=sorted(self.peeks.found),
        )

    def _foreign(self):
        """Modules that came from elsewhere than the worktree: (file used, file that should have been)."""
        found = []
        checkout = os.path.realpath(self.control.checkout) + os.sep
        own = self.worktree + os.sep
        prefix = os.path.realpath(sys.prefix) + os.sep
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if not isinstance(path, str):
                continue
            path = os.path.realpath(path)
            if path.startswith(own) or not path.endswith(".py"):
                continue
            expected = self.control.modules.get(name)
            if expected is None and path.startswith(checkout) and not path.startswith(prefix):
                expected = path[len(checkout) :]
            if expected is not None and os.path.exists(os.path.join(self.worktree, expected)):
                found.append([path, os.path.join(self.worktree, expected)])
        return found[:20]

    def _relative(self, path):
        real = os.path.realpath(os.path.join(self.worktree, path)) if path else path
        if real.startswith(self.worktree + os.sep):
            return real[len(self.worktree) + 1 :]
        return path


_RANK = {"passed": 0, "xpassed": 1, "skipped": 2, "xfailed": 3, "failed": 4, "error": 5}


def _outcome(report):
    if report.outcome == "rerun":
        return "passed"
    if hasattr(report, "wasxfail"):
        if report.skipped:
            return "xfailed"
        if report.passed and report.when == "call":
            return "xpassed"
    if report.skipped:
        return "skipped"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return "passed"


def _marked(outcome, report, marks):
    """Whether a mark in the test file asks for this skip or expected failure; code under test could do so too."""
    if outcome == "skipped":
        return report.when == "setup" and bool(marks & {"skip", "skipif"})
    return outcome == "xfailed" and "xfail" in marks


def _unnamed(runtest):
    """The same with nothing of pytest in the environment."""

    def run():
        kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PYTEST_")}
        try:
            runtest()
        finally:
            os.environ.update(kept)  # pytest takes its own away afterwards

    return run


def _shuffled(items, chance):
    """Files in another order, and what is in them; a class stays together, as its tests may build on each other."""
    files = {}
    for item in items:
        path, _, rest = item.nodeid.partition("::")
        unit = rest.split("::", 1)[0] if "::" in rest.split("[", 1)[0] else rest
        files.setdefault(path, {}).setdefault(unit, []).append(item)
    folders = list(files.values())
    chance.shuffle(folders)
    mixed = []
    for units in folders:
        groups = list(units.values())
        chance.shuffle(groups)
        mixed += [item for group in groups for item in group]
    return mixed


def _know_markers(config):
    """The suites' markers are ours to know: --strict-markers would refuse the expression."""
    for name in set(re.findall(r"[A-Za-z_]\w*", config.option.markexpr or "")) - {"and", "or", "not"}:
        config.addinivalue_line("markers", name + ": names a suite of bitnet-tui")


def _names_of(nodeid):
    """What names a test: its own id, that of its function and of its classes, its file, the folders that is in."""
    path, _, inner = nodeid.partition("::")
    yield nodeid
    inner = inner.partition("[")[0]
    while inner:
        yield path + "::" + inner
        inner = inner.rpartition("::")[0]
    while path:
        yield path
        path = path.rpartition("/")[0]


def _leads_up(path):
    """Whether a folder is a link to one it lies in: walking it would go around until the system gives up."""
    if not (os.path.islink(path) and os.path.isdir(path)):
        return False
    real, above = os.path.realpath(path), os.path.dirname(path)
    while True:
        if os.path.join(os.path.realpath(above), "").startswith(os.path.join(real, "")):
            return True
        if above == os.path.dirname(above):
            return False
        above = os.path.dirname(above)


if hasattr(pytest, "version_tuple"):  # pytest 7; before, the hook has another argument

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(collection_path):
        return True if _leads_up(str(collection_path)) else None


_given = control()
if _given is not None:
    for _name in _given.block:
        sys.modules.setdefault(_name, None)  # cannot be imported, and find_spec knows no such thing

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(early_config, parser, args):
        if _given.worlds:  # here plug-ins have been imported, which takes its time, and nothing of the project yet
            bitnet_tui_worlds.part(_given, die_with_parent)
        early_config.pluginmanager.register(Plugin(_given), "bitnet-tui")

else:

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(config):
        if hasattr(config, "workerinput"):  # a worker of xdist collects under the same expression
            _know_markers(config)
