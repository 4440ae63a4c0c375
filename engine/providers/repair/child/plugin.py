"""The plug-in of a warm process: note what goes wrong in collection, then serve instead of running the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from .life import Watch, limit_resources
from .plain_options import run_here
from .serve import Server
from .setup import REAL, SETUP, SHORT
from .trace import Tracer


class Plugin:
    """The hooks: note what goes wrong in collection, then serve instead of running the tests."""

    def __init__(self) -> None:
        self.watch = Watch(SETUP["life"])
        self.errors: list[dict[str, Any]] = []
        self.server: Server | None = None
        self.tracer: Tracer | None = None
        if SETUP["trace_imports"]:
            self.tracer = Tracer(SHORT)
            self.tracer.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: Any) -> None:
        if SETUP["early"]:
            self._serve(session, early=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> None:
        self._serve(session, early=False)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self, collector: Any) -> Iterator[None]:
        outcome: Any = yield
        report = outcome.get_result()
        call = getattr(report, "call", None)
        if report.failed and call is not None and call.excinfo is not None:
            path = os.path.relpath(os.path.realpath(str(collector.path)), os.path.realpath(SETUP["root"]))
            self.errors.append(collect_error(path, call.excinfo.value))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
        if call.excinfo is not None and self.server is not None:
            self.server.trials.runner.saw(call.excinfo.value)
        yield

    def _serve(self, session: Any, early: bool) -> None:
        if not SETUP.get("once"):
            self.watch.stop()  # no thread may be alive in what forks
        limit_resources()
        quiet = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(quiet, fd)
        self.server = Server(session, self.tracer, self.errors)
        self.server.trials.errors = self.errors
        self.server.greet(early)
        self.server.serve()


def collect_error(path: str, error: BaseException | None) -> dict[str, Any]:
    """Where importing a test module stopped: the frames in editable files, following the chain of causes."""
    frames: list[tuple[str, int]] = []
    deepest, seen = error, set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        trace = error.__traceback__
        while trace is not None:
            name = REAL.get(os.path.realpath(trace.tb_frame.f_code.co_filename))
            if name is not None:
                frames.append((name, trace.tb_lineno))
            trace = trace.tb_next
        deepest = error
        if isinstance(error, SyntaxError) and error.filename and error.lineno:
            name = REAL.get(os.path.realpath(error.filename))
            if name is not None:
                frames.append((name, error.lineno))
        error = error.__cause__ or error.__context__
    kind = type(deepest).__name__ if deepest is not None else ""
    return {"path": path, "kind": kind, "text": str(deepest)[:600], "frames": frames}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: Any) -> None:
    run_here(config)
    config.pluginmanager.register(Plugin(), "bitnet_tui_repair_plugin")
