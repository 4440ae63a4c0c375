"""``python -m kernels COMMAND``; each command is a module, loaded when it is asked for.

What all of them meet at the edge is met here: a reader who leaves, a full disk, a screen without some letters, Ctrl-C.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper

from kernels.errors import KernelError

COMMANDS = {
    "bench": "kernels.bench.command",
    "convert": "kernels.gguf.convert_command",
    "crossval": "kernels.crossval.command",
    "download-model": "kernels.download.command",
    "generate": "kernels.generate.command",
    "verify": "kernels.gguf.command",
}
"""Modules with a ``main(arguments) -> exit code``."""

USAGE = f"usage: python -m kernels {{{','.join(COMMANDS)}}} [--help]\n"

UNTOLD = 141
"""The exit code where the reader left before all was told: 128 and SIGPIPE, as of any program in a pipe."""


def main(arguments: list[str]) -> int:
    """Run a command; 2 for one that is none or cannot run, 130 where it is interrupted, 141 where nobody listens."""
    _prepare_streams()
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        sys.stderr.write(USAGE)
        return 2
    try:
        with _ending_at_once():
            command = import_module(COMMANDS[arguments[0]])
        code: int = command.main(arguments[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        code = UNTOLD
    except MemoryError as error:
        sys.stderr.write(f"there is not so much memory: {str(error) or 'ask for less'}\n")
        code = 2
    except KernelError as error:
        sys.stderr.write(f"{error}\n")
        code = 2
    except OSError as error:
        nameless = error.errno == errno.ENOSPC and not error.filename
        sys.stderr.write(f"{'standard output: ' if nameless else ''}{error}\n")
        code = 2
    except KeyboardInterrupt:
        code = 130
    if not _flushed():
        # Python would try again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _prepare_streams() -> None:
    """Streams there are, that can write every letter in some way."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process: a module half imported would make an error of its own of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _flushed() -> bool:
    """Whether stdout took what it was given."""
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
