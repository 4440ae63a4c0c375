"""The plug-in that stops pytest after (or before) collection and answers requests to try edits, in forks of itself.

One process, one socket, JSON lines. It must not start threads while it serves, must not keep anything a trial did,
and ends, with whatever it forked, as soon as the socket closes.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .install import Images, Overlay
from .items import Runner
from .life import Watch, limit_resources
from .steps import Steps
from .trace import Tracer
from .trials import Trials

with open(os.environ.pop("BITNET_TUI_REPAIR"), encoding="utf-8") as _file:
    SETUP: dict[str, Any] = json.load(_file)
WORKED = 77  # exit status of a fork that ended by itself: code under trial may call `os._exit(0)`
SHORT = {os.path.join(SETUP["root"], name): name for name in SETUP["editable"]}
REAL = {os.path.realpath(path): name for path, name in SHORT.items()}


class Server:
    """One warm process: knows the collected tests, forks, forwards results and keeps time."""

    def __init__(self, session: Any, tracer: Tracer | None, errors: list[dict[str, Any]]) -> None:
        self._link = socket.socket(fileno=SETUP["link"])
        self._inbox = b""
        self._tracer = tracer
        self._child = 0
        steps = Steps()
        self.trials = Trials(session, SETUP, Runner(steps, REAL), steps, REAL)
        self._errors = errors

    def greet(self, early: bool) -> None:
        """Say what was collected and what was seen on the way."""
        imported = self._tracer.take() if self._tracer is not None else {}
        if self._tracer is not None:
            self._tracer.stop()
        if not early:
            self.trials.take_items(self.trials.session.items)
            self.trials.images = Images(SHORT)
            for path, name in SHORT.items():
                self.trials.load(path, name)
        else:
            self.trials.overlay = Overlay()
            for name in SETUP["preload"]:
                _preload(name)
        roots = tuple(os.path.realpath(p) + os.sep for p in (SETUP["root"], os.path.dirname(os.__file__)))
        outside = {
            name
            for name, module in list(sys.modules.items())
            if "." not in name and (getattr(module, "__file__", None) or "") and not _inside(module, roots)
        }
        self.send(
            {
                "hello": os.getpid(),
                "tests": self.trials.keys,
                "found": sorted(self.trials.items),
                "errors": self._errors,
                "threads": _thread_count(),
                "imported": imported,
                "outside": sorted(outside),
                "fork": hasattr(os, "fork"),
                "version": list(sys.version_info[:2]),
            }
        )

    def send(self, message: dict[str, Any]) -> None:
        self._link.sendall(json.dumps(message).encode() + b"\n")

    def serve(self) -> None:
        """Answer until the other end closes."""
        gc.collect()
        gc.freeze()
        while True:
            for request in self._requests():
                self._answer(request)

    def _requests(self) -> Iterator[dict[str, Any]]:
        while b"\n" not in self._inbox:
            self._receive()
        while b"\n" in self._inbox:
            line, self._inbox = self._inbox.split(b"\n", 1)
            yield json.loads(line)

    def _receive(self) -> None:
        try:
            data = self._link.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            self._kill()
            os._exit(0)
        self._inbox += data

    def _answer(self, request: dict[str, Any]) -> None:
        op = request["op"]
        if op == "load":
            for name, source in request["sources"].items():
                self.trials.load_source(name, source)
            self.send({"done": "load"})
        elif op == "know":
            self.trials.know(request)
        elif op in ("trace", "try"):
            self._fork(request)

    def _fork(self, request: dict[str, Any]) -> None:
        out, into = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.setpgid(0, 0)
            os.close(out)
            self._link.close()
            self.trials.work(request, into)
            os._exit(WORKED)
        os.close(into)
        try:
            self._forward(out, request)
        finally:
            os.close(out)

    def _forward(self, out: int, request: dict[str, Any]) -> None:
        """Pass results on until the fork ends, is told to stop, or is silent for too long."""
        import select

        poller = select.poll()
        poller.register(out, select.POLLIN | select.POLLHUP)
        poller.register(self._link, select.POLLIN | select.POLLHUP)
        patience = float(request["patience"])
        last, pending, how = time.monotonic(), b"", "end"
        while True:
            ready = dict(poller.poll(100))
            if out in ready:
                data = os.read(out, 1 << 16)
                if not data:
                    break
                last = time.monotonic()
                pending += data
                whole, _, pending = pending.rpartition(b"\n")
                if whole:
                    self._link.sendall(whole + b"\n")
            if self._link.fileno() in ready:
                self._receive()
                if b'"stop"' in self._inbox:
                    self._inbox = b""
                    how = "stopped"
                    break
            if time.monotonic() - last > patience:
                how = "silent"
                break
        status = self._kill()
        self.send({"done": how, "status": status, "batch": request["batch"]})

    def _kill(self) -> int:
        if not self._child:
            return 0
        for target in (os.killpg, os.kill):
            try:
                target(self._child, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue  # it ended by itself
        _, status = os.waitpid(self._child, 0)
        self._child = 0
        return status


def _inside(module: Any, roots: tuple[str, ...]) -> bool:
    path = os.path.realpath(module.__file__)
    return path.startswith(roots) and "site-packages" not in path


def _preload(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception:  # noqa: BLE001 - loading ahead is only for speed; the run itself reports what fails
        return


def _thread_count() -> int:
    try:
        return max(threading.active_count(), len(os.listdir("/proc/self/task")))
    except OSError:
        return threading.active_count()


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
        self.watch.stop()
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


def pytest_configure(config: Any) -> None:
    config.pluginmanager.register(Plugin(), "bitnet_tui_repair_plugin")
