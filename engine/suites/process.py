"""One child in its own process group: its output read line by line, its deadline kept, nothing of it left.

The loop wakes at least every 100 ms, so a cancelled run lets go at once.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engine.cancel import CancelToken

TICK = 0.1
GRACE = 3.0  # seconds between TERM and KILL
DRAIN = 0.5  # seconds a child that is gone is still listened to: another process may hold its pipes and chatter
DRAIN_READS = 16  # but this often at least, so that nothing the child itself wrote is lost on a slow machine
CHUNK = 65536
SHOWN_BYTES = 4_000_000  # output beyond this is still read, not shown line by line
LINE_BYTES = 4000
EVENT_BYTES = 8_000_000  # of one line of the events pipe; the plug-in's are far shorter
EVENTS_BYTES = 500_000_000  # of all of them: a hundred thousand failures at their longest would fit
OVER, SAID = 86, "bitnet-tui: ended: "  # as in child/warden.py
UNMADE = "bwrap: Can't"  # what bubblewrap says when it could not make the child's view of the files
STARTS = 3


@dataclass(frozen=True, slots=True)
class Exited:
    """How a child ended. ``code`` is negative for a signal; ``killed`` says why we ended it, if we did.

    ``over`` says in words which limit it exceeded, if that ended it.
    """

    code: int
    killed: str  # "", "timeout", "silent" or "stopped"
    seconds: float
    tail: tuple[str, ...]

    @property
    def over(self) -> str:
        last = self.tail[-1] if self.tail and self.code == OVER else ""
        return last[len(SAID) :] if last.startswith(SAID) else ""


def signal_group(pid: int, number: int) -> None:
    """Signal a child's process group; a group that is gone already is fine."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


class _Lines:
    """Bytes to lines, long ones cut."""

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._rest = b""
        self._seen = 0
        self.tail: list[str] = []

    def feed(self, data: bytes) -> None:
        self._seen += len(data)
        if self._seen > SHOWN_BYTES:
            self._rest = (self._rest + data)[-LINE_BYTES:]
            return
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        self._rest = rest[-LINE_BYTES:]

    def close(self) -> None:
        if self._seen > SHOWN_BYTES:
            shown, seen = SHOWN_BYTES // 1_000_000, self._seen // 1_000_000
            self._emit(f"… output beyond {shown} MB not shown ({seen} MB in all) …")
            for line in self._rest.split(b"\n")[-20:]:
                self._line(line)
        elif self._rest:
            self._line(self._rest)

    def _line(self, raw: bytes) -> None:
        text = raw[:LINE_BYTES].decode("utf-8", "replace").rstrip("\r")
        self.tail = [*self.tail[-39:], text]
        self._emit(text)


def run_child(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    cancel: CancelToken,
    deadline_s: float,
    on_line: Callable[[str], None],
    control: bytes | None = None,
    on_event: Callable[[bytes], None] | None = None,
    silent: Callable[[], bool] = lambda: False,
    stdin: IO[bytes] | None = None,
) -> Exited:
    """Run a child to its end and sweep its process group.

    Parameters
    ----------
    control
        Handed to the child through a pipe; ``BITNET_TUI_CONTROL`` names that pipe and the one for events.
    on_event
        Called with each line the child writes to the events pipe.
    silent
        Asked at every tick: True ends the child as one that makes no progress.
    stdin
        An open file the child reads; None: it reads nothing.

    Raises
    ------
    OSError
        The child cannot be started.
    """
    started = time.monotonic()
    env = dict(env)
    control_r = control_w = events_r = events_w = -1
    passed: tuple[int, ...] = ()
    if control is not None:
        control_r, control_w = os.pipe()
        events_r, events_w = os.pipe()
        passed = (control_r, events_w)
        env["BITNET_TUI_CONTROL"] = f"{control_r},{events_w}"
    try:
        child = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=passed,
        )
    except OSError:
        for fd in (control_r, control_w, events_r, events_w):
            if fd >= 0:
                os.close(fd)
        raise
    for fd in passed:
        os.close(fd)
    lines = _Lines(on_line)
    events = _Events(on_event)
    with selectors.DefaultSelector() as selector:
        assert child.stdout is not None
        stdout = child.stdout.fileno()
        os.set_blocking(stdout, False)
        selector.register(stdout, selectors.EVENT_READ, lines.feed)
        if control is not None:
            os.set_blocking(events_r, False)
            os.set_blocking(control_w, False)
            selector.register(events_r, selectors.EVENT_READ, events.feed)
            selector.register(control_w, selectors.EVENT_WRITE, None)
        with _ending(child.pid, selector):
            killed = _attend(child, selector, control or b"", control_w, cancel, started + deadline_s, silent)
    if control is not None:
        os.close(events_r)
    child.stdout.close()
    lines.close()
    if child.returncode == -signal.SIGINT:
        cancel.wait(0.5)  # Ctrl-C came before it had left our session; the same Ctrl-C is about to cancel the run
    return Exited(child.returncode, killed, time.monotonic() - started, tuple(lines.tail))


def settled(start: Callable[[], Exited], begun: Callable[[], bool] = lambda: False) -> Exited:
    """Start a confined child; again, where a socket that was to be covered has gone since it was listed.

    ``begun`` tells whether the child itself was started: then it may say what bubblewrap says, and gets no second turn.
    """
    for _ in range(STARTS):
        exited = start()
        if begun() or exited.code != 1 or not exited.tail or not exited.tail[-1].startswith(UNMADE):
            break
    return exited


class _Events:
    """Lines of the events pipe. Code under test may find it and write what it likes: so much is listened to."""

    def __init__(self, on_event: Callable[[bytes], None] | None) -> None:
        self._on_event = on_event or (lambda _line: None)
        self._rest = b""
        self._seen = 0

    def feed(self, data: bytes) -> None:
        self._seen += len(data)
        if self._seen > EVENTS_BYTES:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-EVENT_BYTES:]
        for line in lines:
            self._on_event(line)


def _attend(
    child: subprocess.Popen[bytes],
    selector: selectors.BaseSelector,
    control: bytes,
    control_fd: int,
    cancel: CancelToken,
    deadline: float,
    silent: Callable[[], bool],
) -> str:
    """Serve the pipes until the child has ended; why we killed it, or an empty string."""
    killed, kill_at, gone_at, reads = "", 0.0, 0.0, 0
    while True:
        idle = True
        if not selector.get_map():
            _wait(child)
        for key, _ in selector.select(TICK) if selector.get_map() else ():
            if key.data is _ending:
                selector.unregister(key.fd)
                continue
            if key.fd == control_fd:
                control = _write(selector, control_fd, control)
                continue
            data = _read(key.fd)
            if data == b"":
                selector.unregister(key.fd)
            elif data:
                idle = False
                key.data(data)
        now = time.monotonic()
        if child.poll() is not None:
            gone_at, reads = gone_at or now, reads + 1
            quiet = idle and (not selector.get_map() or now - gone_at > TICK)
            if quiet or (now - gone_at > DRAIN and reads > DRAIN_READS):
                signal_group(child.pid, signal.SIGKILL)
                if control_fd >= 0 and control_fd in selector.get_map():
                    os.close(control_fd)
                return killed
        elif not killed:
            killed = "stopped" if cancel.cancelled else "timeout" if now > deadline else "silent" if silent() else ""
            if killed:
                signal_group(child.pid, signal.SIGTERM)
                kill_at = now + GRACE
        elif now > kill_at:
            signal_group(child.pid, signal.SIGKILL)


@contextlib.contextmanager
def _ending(pid: int, selector: selectors.BaseSelector) -> Iterator[None]:
    """Let the selector wake as the child ends, where the system can tell; elsewhere the child is asked now and then."""
    try:
        ending = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield
        return
    try:
        selector.register(ending, selectors.EVENT_READ, _ending)
        yield
    finally:
        os.close(ending)


def _wait(child: subprocess.Popen[bytes]) -> None:
    """Sleep until the child ends, at most a tick."""
    try:
        child.wait(TICK)
    except subprocess.TimeoutExpired:
        return


def _write(selector: selectors.BaseSelector, fd: int, data: bytes) -> bytes:
    try:
        data = data[os.write(fd, data) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:
        data = b""
    if not data:
        selector.unregister(fd)
        os.close(fd)
    return data


def _read(fd: int) -> bytes | None:
    """Bytes; empty at the end; None when there are none yet."""
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
