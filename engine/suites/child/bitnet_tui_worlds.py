"""Tries versions of a few files, each in a fork of this process; runs inside the target's interpreter.

The plug-in comes here before anything of the project is imported. A fork goes on as a session of its own. The process
that was started never does: it writes the next version, waits, and passes on what was said. Python 3.8 syntax,
standard library only.
"""

import importlib
import os
import select
import shutil
import signal
import stat
import sys
import time

TICK = 0.02
MOST = 1000000  # bytes of a session that are listened to
NOT_TOLD = -1000  # in place of an exit code


def part(control, in_fork):
    """Return in the forks only, where ``control`` is that of the fork's own session.

    in_fork : called first in each fork.
    """
    why = why_not(control.worktree)
    if why:
        control.send("unforkable", why=why)
        os._exit(0)
    until = time.monotonic() + control.worlds_s
    for number, world in enumerate(control.worlds):
        if time.monotonic() > until:
            break
        try:
            for path, text in world["files"].items():
                _write(os.path.join(control.worktree, path), text, world["stamp"])
        except OSError:
            control.send("world", number=number, exit=NOT_TOLD, text="")
            continue
        shutil.rmtree(control.cache, ignore_errors=True)
        reading, writing = os.pipe()
        fork = os.fork()
        if not fork:
            in_fork()
            os.setsid()
            os.close(reading)
            os.close(control.fd_out)
            control.fd_out, control.worlds = writing, []
            control.nonce, control.report = world["nonce"], world["report"]
            importlib.invalidate_caches()  # what a folder held may have been looked up for another version
            return
        os.close(writing)
        text, code = _heard(reading, fork, until)
        os.close(reading)
        control.send("world", number=number, exit=code, text=text)
    os._exit(0)


def why_not(worktree):
    """Why this process is not one to fork versions of the project from; empty if it is."""
    try:
        threads = len(os.listdir("/proc/self/task"))
    except OSError:
        return "the system does not tell how many threads there are"
    if threads != 1:
        return "there are %d threads" % threads
    root = os.path.join(os.path.realpath(worktree), "")
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and os.path.realpath(path).startswith(root):
            return "%s has been imported" % name
    return ""


def _write(path, text, stamp):
    """Make a file what this version has; its time is one that no compiled form was made from."""
    if text is None:
        if os.path.lexists(path):
            os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with os.fdopen(fd, "wb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise OSError("not a file of its own")
        os.ftruncate(fd, 0)
        file.write(text.encode("utf-8", "surrogateescape"))
    os.utime(path, (stamp, stamp))


def _heard(reading, fork, until):
    """What a fork said until it ended, and its exit code; nothing of its group is left."""
    os.set_blocking(reading, False)
    said, is_open, status = b"", True, None
    while status is None and time.monotonic() < until:
        if select.select([reading] if is_open else [], [], [], TICK)[0]:
            more = _read(reading)
            is_open = bool(more)
            said = (said + more)[: MOST + 1]
        else:
            ended, found = os.waitpid(fork, os.WNOHANG)
            status = found if ended else None
    _kill(os.killpg, fork)
    if status is None:
        _kill(os.kill, fork)  # it may not have a group of its own yet
        os.waitpid(fork, 0)
        return "", NOT_TOLD
    said += _read(reading) if is_open else b""
    if len(said) > MOST:
        return "", NOT_TOLD
    return said.decode("utf-8", "replace"), os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)


def _read(fd):
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return b""


def _kill(kill, number):
    try:
        kill(number, signal.SIGKILL)
    except OSError:  # it is gone
        return
