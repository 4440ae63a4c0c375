"""The pipe to the engine: what it told this process, and a JSON line for each thing that happens here.

Python 3.8 syntax, standard library only.
"""

import json
import os
import signal
import sys

_dumps, _write = json.dumps, os.write  # ours, whatever code under test makes of them


class Control:
    """What the engine told us through the pipe, taken off the environment before any other code could look."""

    def __init__(self, fd_in, fd_out):
        with os.fdopen(fd_in, "r", encoding="utf-8") as pipe:
            self.__dict__.update(json.loads(pipe.read()))
        os.set_inheritable(fd_out, False)
        self.fd_out = fd_out

    def send(self, event, **data):
        data["event"] = event
        line = _dumps(data, ensure_ascii=True).encode("ascii") + b"\n"
        while line:
            try:
                line = line[_write(self.fd_out, line) :]
            except OSError:  # the engine is gone; it would have killed us next
                os._exit(70)


def die_with_parent():
    """Have the kernel kill this process when the engine is killed (Linux; elsewhere the deadline does)."""
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass


def control():
    """What was passed to this process; None: nothing was."""
    given = os.environ.pop("BITNET_TUI_CONTROL", "")
    if not given:
        return None
    fd_in, fd_out = (int(n) for n in given.split(","))
    die_with_parent()
    return Control(fd_in, fd_out)
