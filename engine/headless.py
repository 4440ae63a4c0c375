"""``--no-tui``: the session on its thread, this thread printing; and the closing block."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TextIO

from engine import features, spending
from engine.commands import Stop
from engine.errors import BitnetError
from engine.events import Record, TestFinished, to_record
from engine.feed import Feed
from engine.model import Exit
from engine.narrate import counter, narrate
from engine.plain import safe
from engine.records.redact import Redactor
from engine.result import result
from engine.session import Runnable, Session
from engine.state import RunState, fold_all

TICK = 0.2
_STOPPING = "stopping… (again: end at once)\n".encode()


@dataclass(slots=True)
class Printer:
    """Prints records as lines or JSON, with a live counter on a terminal."""

    out: TextIO
    as_json: bool
    live: bool
    state: RunState = field(default_factory=RunState)
    _width: int = 0

    def records(self, records: list[Record]) -> None:
        """Show some more of the journal."""
        # Lines about single tests do not look at the state: a run of them is folded at once.
        for kind, group in groupby(records, key=lambda r: type(r.event)):
            batch = list(group)
            for part in [batch] if kind is TestFinished else [[r] for r in batch]:
                self.state = fold_all(self.state, part)
                for record in part:
                    self._show(record)
        if self.live:
            self._counter()

    def _show(self, record: Record) -> None:
        if self.as_json:
            self.line(json.dumps(to_record(record), ensure_ascii=True))
        elif text := narrate(record.event, self.state):
            self.line(text)

    def line(self, text: str) -> None:
        self._clear()
        self.out.write(text + "\n")
        self.out.flush()

    def _counter(self) -> None:
        text = counter(self.state)[:76]
        self._clear()
        if text:
            self.out.write(f"  {text}")
            self._width = len(text) + 2
            self.out.flush()

    def done(self) -> None:
        """Take the live counter away."""
        self._clear()

    def _clear(self) -> None:
        if self._width:
            self.out.write("\r" + " " * self._width + "\r")
            self._width = 0


class Told(Runnable, Protocol):
    """What can be printed to its end: a run, or the record of one."""

    @property
    def folder(self) -> Path: ...

    @property
    def error(self) -> BitnetError | None: ...

    @property
    def redact(self) -> Redactor: ...


def run_headless(run: Told, *, as_json: bool, out: TextIO = sys.stdout) -> Exit:
    """Start a run, print it to its end, and return its exit code.

    Ctrl-C once stops it, resumably, at once; twice ends this process.
    """
    woken = threading.Event()
    feed = Feed(woken.set)
    session = Session(run, feed, ask=False)
    live = not as_json and out.isatty()
    printer = Printer(out, as_json, live)
    with stopping(session):
        session.start()
        try:
            while True:
                woken.wait(TICK)
                woken.clear()
                _drain(feed, printer)
                if not session.alive:
                    _drain(feed, printer)
                    break
                if live:
                    printer.records([])
        except BrokenPipeError:
            # Nobody reads any more: stop in order, and say no more.
            session.send(Stop(now=True))
            session.join()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.INTERRUPTED
    code = session.exit if session.exit is not None else Exit.DEFECT
    folder = run.folder if run.folder.is_dir() else None
    if as_json:
        error = run.error
        last = result(
            printer.state,
            code,
            folder,
            error=run.redact.text(error.message) if error else "",
            hint=error.hint if error else "",
        )
        printer.line(json.dumps(last, ensure_ascii=True))
    else:
        printer.line(closing(printer.state, code, folder))
    return code


def _drain(feed: Feed, printer: Printer) -> None:
    while True:
        records, lines, _ = feed.drain(1000)
        if not records and not lines:
            return
        printer.records(records)


@contextmanager
def stopping(session: Session) -> Iterator[None]:
    """While inside, SIGINT, SIGTERM and SIGHUP stop the run."""
    asked: list[float] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if asked and time.monotonic() - asked[0] > 0.3:
            raise KeyboardInterrupt
        asked.append(time.monotonic())
        with suppress(OSError):  # past the buffer, in the middle of which the signal may have come
            os.write(2, _STOPPING)
        session.send(Stop(now=True))

    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before: list[tuple[int, Any]] = []
    if threading.current_thread() is threading.main_thread():
        before = [(n, signal.signal(n, stop)) for n in wanted]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def closing(state: RunState, code: Exit, folder: Path | None) -> str:
    """What was red, what is green, the diff, the route, and where the files are."""
    lines = ["", "─" * 72 if sys.stdout.isatty() else ""]
    attempt = state.attempt
    if state.audit is not None:
        fixed = set(attempt.progress.fixed) if attempt else set()
        for key in state.audit.targets:
            lines.append(f"  red → {'green' if key in fixed else 'red  '}  {key.split(' ', 1)[1]}")
    patch = folder / "patch.diff" if folder else None
    if patch is not None and patch.is_file():
        text = patch.read_text(encoding="utf-8", errors="replace").splitlines()
        shown = [line for line in text if not line.startswith(("index ", "diff --git"))]
        lines += ["", *shown[:120]]
        if len(shown) > 120:
            lines.append(f"… {len(shown) - 120} more lines in {patch}")
    gate = state.gates.get("impl")
    lines.append("")
    if gate is not None:
        lines.append(f"impl: {gate.word}  {gate.evidence}")
    if attempt is not None and attempt.finished is not None and attempt.finished.doubt:
        lines.append(f"open: {attempt.finished.doubt}")
    if raised := state.followed + len(state.advised):
        lines.append(f"advisories: {state.followed} of {raised} followed")
    if told := features.summary(state):
        lines.append(told)
    route = getattr(state.ended, "route", "")
    lines += [f"route: {route}"] if route else []
    lines += [f"branch: {state.commit.branch}"] if state.commit else []
    left = (
        ("patch", "patch.diff"),
        ("removed", "removed.diff"),
        ("ledger", "ledger.md"),
        ("receipt", "receipts/impl.json"),
    )
    for name, path in left:
        if folder is not None and (folder / path).is_file():
            lines.append(f"{name}: {folder / path}")
    lines += spending.summary(state)
    why = getattr(state.ended, "why", "")
    lines.append(f"exit {int(code)}: {why}")
    hint = getattr(state.ended, "hint", "")
    lines += [f"  {hint}"] if hint else []
    # The patch on the disk fits the files to the byte; the screen is no place for a key.
    said = Redactor.of(os.environ).text("\n".join(lines))
    return safe(said.replace("\t", "    ")).lstrip("\n")
