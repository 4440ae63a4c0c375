"""Why a file could not be fetched; each says what to do next."""

from __future__ import annotations

from kernels.errors import KernelError


class DownloadError(KernelError, OSError):
    """A file is not there, and nothing half is in its place.

    Examples
    --------
    >>> str(DownloadError("the disk is full", "make room and go on with the same command"))
    'the disk is full; make room and go on with the same command'
    """


class Retryable(Exception):
    """It may work in a moment.

    Parameters
    ----------
    after : seconds the server asks to wait.
    """

    def __init__(self, said: str, after: float | None = None) -> None:
        super().__init__(said)
        self.after = after
