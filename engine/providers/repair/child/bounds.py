"""Refuse what reaches beyond this process: code is about to run on arguments that nobody has thought of.

Only for a fork that ends soon: there is no way back. It stands behind the confinement, not in its place.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_REFUSED = ("os.", "shutil.", "socket.", "subprocess.", "ctypes.", "pty.", "syslog.", "ftplib.", "smtplib.", "urllib.")
_HARMLESS = frozenset({"os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.getxattr", "os.listxattr"})
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def refuse_harm() -> None:
    """From now on nothing is written, removed, started, signalled or sent; whoever tries gets a PermissionError."""
    sys.addaudithook(_check)


def _check(event: str, given: tuple[Any, ...]) -> None:
    if event == "open":
        flags = given[2] if len(given) > 2 else 0
        if isinstance(flags, int) and flags & _WRITES:
            raise PermissionError("nothing is written here")
    elif event.startswith(_REFUSED) and event not in _HARMLESS:
        raise PermissionError(f"{event} is not for arguments that nobody has thought of")
