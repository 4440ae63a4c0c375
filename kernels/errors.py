"""What can go wrong, in words for the person who can act: the message says what, the hint what to do."""


class KernelError(Exception):
    """The root of every error this package raises on purpose."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.hint = hint


class InputError(KernelError, ValueError):
    """An array of the wrong shape, type or content."""


class FormatError(KernelError, ValueError):
    """An unknown format, or bytes that are not what the format says."""


class BackendError(KernelError, RuntimeError):
    """An unknown backend, or one that cannot run here."""


class NoDevice(BackendError):
    """There is no CUDA device to compute on; `reason` says what is missing."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no CUDA device: {reason}", hint='backend="numpy" runs everywhere')
        self.reason = reason
