"""A warm process: pytest stopped after (or before) collection, answering requests to try edits in forks of itself.

One process, one socket, JSON lines. It must not start threads while it serves, must not keep anything a trial did,
and ends, with whatever it forked, as soon as the socket closes.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from .board import Board
from .install import Images, Overlay
from .items import Runner
from .life import processor_seconds
from .setup import REAL, SETUP, SHORT
from .steps import Steps
from .trace import Tracer
from .trials import Trials, preload

_AT_WORK = 0.1  # the share of a processor that a fork has had which does not merely wait
WORKED = 77  # exit status of a fork that ended by itself: code under trial may call `os._exit(0)`


class Server:
    """One warm process: knows the collected tests, forks, forwards results and keeps time."""

    def __init__(self, session: Any, tracer: Tracer | None, errors: list[dict[str, Any]]) -> None:
        self._link = socket.socket(fileno=SETUP["link"])
        self._inbox = b""
        self._tracer = tracer
        self._child = 0
        self._board = Board()
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
                preload(name)
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
        elif op in ("trace", "try", "behave", "learn"):
            self._here(request) if SETUP.get("once") else self._fork(request)

    def _here(self, request: dict[str, Any]) -> None:
        """Answer in this very process, which is of no more use then."""
        self.trials.work(request, os.dup(self._link.fileno()))
        self.send({"done": "end", "status": WORKED << 8, "batch": request["batch"]})

    def _fork(self, request: dict[str, Any]) -> None:
        out, into = os.pipe()
        self._board.clear()
        self._child = os.fork()
        if self._child == 0:
            status = 1
            try:
                os.setpgid(0, 0)
                os.close(out)
                self._link.close()
                self.trials.work(request, into, self._board)
                status = WORKED
            finally:
                # Whatever happened: a fork must never fall through into pytest's own ending.
                os._exit(status)
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
        last, pending, how, over = time.monotonic(), b"", "end", False
        while not over:
            ready = dict(poller.poll(100))
            if out in ready:
                data = os.read(out, 1 << 16)
                over = not data
                last = time.monotonic()
                pending += data
                whole, _, pending = pending.rpartition(b"\n")
                if whole:
                    self._link.sendall(whole + b"\n")
            if lines := self._board.take():
                last = time.monotonic()
                self._link.sendall(lines)
            if not over and self._link.fileno() in ready:
                self._receive()
                if b'"stop"' in self._inbox:
                    self._inbox = b""
                    how = "stopped"
                    break
            silent = time.monotonic() - last
            if silent > patience and not self._is_starved(silent, patience):
                how = "silent"
                break
        status = self._kill(grace=how == "end")
        self.send({"done": how, "status": status, "batch": request["batch"]})

    def _is_starved(self, silent: float, patience: float) -> bool:
        """Whether the fork is at work and has only had too little of a busy machine; it has one batch to work at."""
        used = processor_seconds(self._child)
        return _AT_WORK * silent < used < patience

    def _kill(self, *, grace: bool = False) -> int:
        if not self._child:
            return 0
        # A fork that has closed its pipe is about to end by itself, and how it ends matters.
        for _ in range(100 if grace else 0):
            ended, status = os.waitpid(self._child, os.WNOHANG)
            if ended:
                self._sweep()
                return status
            time.sleep(0.002)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self._child, signal.SIGKILL)
        _, status = os.waitpid(self._child, 0)
        self._sweep()
        return status

    def _sweep(self) -> None:
        """End what the fork may have left in its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child, signal.SIGKILL)
        self._child = 0


def _inside(module: Any, roots: tuple[str, ...]) -> bool:
    path = os.path.realpath(module.__file__)
    return path.startswith(roots) and "site-packages" not in path


def _thread_count() -> int:
    try:
        return max(threading.active_count(), len(os.listdir("/proc/self/task")))
    except OSError:
        return threading.active_count()
