"""One warm pytest in a child process, spoken to in JSON lines over a socket pair.

It must leave nothing behind: the child dies with its socket, and `close` kills its process group whatever it does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import Any

from engine.providers.repair.scratch import Scratch

Message = dict[str, Any]


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a child and its group: asked first, as what watches over it knows what has left the group; then killed."""
    if process.poll() is None:
        process.send_signal(signal.SIGHUP)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
    # Where there is no such group, it has gone by itself.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Gone(Exception):
    """The child ended where it should have answered; the message is the tail of what it printed."""


class Zygote:
    """A pytest that has stopped after collection (or before it) and tries edits on request.

    Parameters
    ----------
    scratch : the copy it runs in.
    tests : keys of the tests that matter; their position is the number used in requests.
    whole : test files of which every test matters.
    early : stop before collection, for edits that need a new import.
    once : it answers one question in its own process, without a fork, and is of no more use then.
    """

    def __init__(
        self,
        scratch: Scratch,
        *,
        tests: Iterable[str],
        whole: Iterable[str],
        editable: Iterable[str],
        early: bool = False,
        trace_imports: bool = False,
        preload: Iterable[str] = (),
        once: bool = False,
    ) -> None:
        self.early = early
        self.batch = 0
        self.busy = False
        self._inbox = b""
        keys = list(tests)
        files = list(dict.fromkeys([*whole, *(key.split("::")[0] for key in keys)]))
        self.link, theirs = socket.socketpair()
        life, self._life = os.pipe()
        kind = "early" if early else "late"
        self._scratch, self._log = scratch, scratch.new(f"log-{kind}.txt")
        words = {
            "root": str(scratch.root),
            "editable": list(editable),
            "tests": keys,
            "whole": list(whole),
            "early": early,
            "trace_imports": trace_imports,
            "preload": list(preload),
            "once": once,
            "link": theirs.fileno(),
            "life": life,
        }
        setup = scratch.new(f"setup-{kind}.json", json.dumps(words))
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [*scratch.command("plugin", files), "-s", "-q", "--tb=no", "--assert=plain"],
                    cwd=scratch.cwd,
                    env=scratch.env(BITNET_TUI_REPAIR=str(setup)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(theirs.fileno(), life),
                    start_new_session=True,
                )
        finally:
            theirs.close()
            os.close(life)
        self.link.setblocking(False)

    def send(self, message: Message) -> None:
        """Ask; requests are small beside the socket's buffer except for a batch, which is waited for."""
        self.link.setblocking(True)
        try:
            self.link.sendall(json.dumps(message).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Gone(self.said()) from error
        finally:
            self.link.setblocking(False)

    def receive(self) -> list[Message]:
        """Every whole message that has arrived."""
        while True:
            try:
                data = self.link.recv(1 << 20)
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            if not data:
                raise Gone(self.said())
            self._inbox += data
        whole, _, self._inbox = self._inbox.rpartition(b"\n")
        return [json.loads(line) for line in whole.split(b"\n") if line]

    def wait(self, wanted: str, check: Callable[[], None]) -> list[Message]:
        """Messages up to and with the first one that has the key ``wanted``; ``check`` may raise to give up."""
        got: list[Message] = []
        while not any(wanted in message for message in got):
            check()
            try:
                got += self.receive()
            except Gone:
                if not any(wanted in message for message in got):
                    raise
            if not got or wanted not in got[-1]:
                time.sleep(0.005)
        return got

    def said(self) -> str:
        """The end of what the child printed before it went quiet."""
        return self._scratch.said(self._log)[-4000:]

    def close(self) -> None:
        """Hang up, give it a moment to kill what it forked, then kill its group."""
        self.link.close()
        os.close(self._life)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        end_group(self._process)
