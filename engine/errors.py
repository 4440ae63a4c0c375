"""What can go wrong, said to the person who can act: a message (what, where) and a hint (what to do)."""

from __future__ import annotations

import errno
import os
from typing import ClassVar

from engine.model import Exit


class BitnetError(Exception):
    """Root of our errors; carries the exit code a headless run ends with."""

    exit: ClassVar[Exit] = Exit.DEFECT

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class ConfigError(BitnetError):
    """The command line or a settings file asks for something that cannot be."""

    exit = Exit.USAGE


class EnvironmentFailure(BitnetError):
    """The repository, an interpreter, a suite or the disk does not allow a run."""

    exit = Exit.ENVIRONMENT


class DiskFull(EnvironmentFailure):
    """Nothing more can be written; the run can be resumed when there is space."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="free some space, then `bitnet-tui resume`")


def no_room(error: OSError) -> bool:
    """Whether freeing some space would help."""
    # `shutil.copytree` collects its errors as text.
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)


class ProviderError(BitnetError):
    """A provider could not go on. ``transient`` says whether a retry of the attempt is worth it."""

    exit = Exit.PROVIDER

    def __init__(self, message: str, *, hint: str = "", transient: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient


class BudgetSpent(BitnetError):
    """Money, tokens, turns or minutes are used up; the run can be resumed with more."""

    exit = Exit.BUDGET


class AttemptEnded(BitnetError):
    """A person ended the attempt at a limit: what it has so far is judged."""


class Stopped(BitnetError):
    """A person asked the run to stop; it can be resumed."""

    exit = Exit.INTERRUPTED
