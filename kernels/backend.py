"""Choose what computes a product, or say why it cannot run here. Loads nothing it does not choose."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from kernels.errors import BackendError, NoDevice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kernels.packed import PackedMatrix

NAMES = ("reference", "numpy", "fast", "gpu")
"""The backends there are, usable here or not; "auto" picks one of them."""

AUTO = ("gpu", "fast", "numpy")
"""What "auto" takes the first of that can run."""

THREADS = "BITNET_KERNELS_THREADS"
"""Environment variable: threads of "fast" where the caller does not say; 1 without it."""

MOST_THREADS = 256
"""More would be a slip."""

STRICT = "BITNET_KERNELS_STRICT"
"""Environment variable: anything but empty and 0 makes every choice strict where the caller does not say."""


class Backend(Protocol):
    """Computes exact integer products; scales are applied by `kernels.matmul`."""

    @property
    def name(self) -> str:
        """The name it was selected by."""

    def accumulate(self, matrix: PackedMatrix, q: NDArray[np.int8]) -> NDArray[np.int32]:
        """(M, K) packed weights and (B, K) contiguous int8, none of them 0 → (B, M) int32."""


@dataclass(frozen=True, slots=True)
class BackendReport:
    """What was asked for, what computes, and why."""

    requested: str
    used: str
    why: str
    """What was passed over, with reasons; empty if nothing was."""

    tier: str = ""
    """The instructions "fast" uses."""

    threads: int = 1
    """How many of its own "fast" uses."""

    compile_ms: float = 0.0
    """What it took to have the machine code of "fast"."""

    cached: bool = False
    """Whether that code was on disk."""


@cache
def why_not(name: str) -> str | None:
    """The reason a backend cannot run on this machine, or None.

    Examples
    --------
    >>> why_not("numpy") is None
    True
    """
    return {"gpu": _why_not_gpu, "fast": _why_not_fast}.get(name, lambda: None)()


def select_backend(name: str = "auto", *, threads: int | None = None, strict: bool | None = None) -> Backend:
    """The backend of this name; "auto" takes the first of gpu, fast and numpy that can run here.

    Parameters
    ----------
    threads : of "fast", the caller's own among them; the results do not depend on it. The others have no use for it.
        Default: the environment's ``BITNET_KERNELS_THREADS``, or 1.
    strict : raise where a first choice is passed over: by "auto" a better backend, by "fast" a better tier of
        instructions. Default: the environment's ``BITNET_KERNELS_STRICT``, or False.

    Raises
    ------
    BackendError
        For an unknown name, for a number of threads that is none, for a backend that cannot run here, with the
        reason, and in strict mode for what was passed over.

    Examples
    --------
    >>> select_backend("numpy").name
    'numpy'
    >>> select_backend("fats")
    Traceback (most recent call last):
    kernels.errors.BackendError: unknown backend 'fats'; known: auto, reference, numpy, fast, gpu; did you mean 'fast'?
    """
    return _chosen(_named(name), _threads(threads), is_strict(strict))[0]


def backend_report(name: str = "auto", *, threads: int | None = None, strict: bool | None = None) -> BackendReport:
    """What `select_backend` gives for the same arguments, and why; raises what it raises.

    Examples
    --------
    >>> report = backend_report("numpy")
    >>> report.requested, report.used, report.why
    ('numpy', 'numpy', '')
    """
    return _chosen(_named(name), _threads(threads), is_strict(strict))[1]


@cache
def _chosen(name: str, threads: int, strict: bool) -> tuple[Backend, BackendReport]:
    if name != "auto" and name not in NAMES:
        near = get_close_matches(name.lower(), ("auto", *NAMES), n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
        raise BackendError(f"unknown backend {name!r}; known: auto, {', '.join(NAMES)}", hint=hint)
    passed_over = []
    for used in AUTO if name == "auto" else (name,):
        reason = why_not(used)
        if reason is None:
            break
        if name == "gpu":
            raise NoDevice(reason)
        passed_over.append(f"{used!r} cannot run here: {reason}")
    else:
        raise BackendError(f"backend {passed_over[0]}", hint='backend="numpy" runs everywhere')
    backend, report = _made(name, used, threads, passed_over)
    if strict and report.why:
        raise BackendError(f"strict: {report.why}", hint="name the backend you want, or do without strict")
    return backend, report


def _made(name: str, used: str, threads: int, passed_over: list[str]) -> tuple[Backend, BackendReport]:
    if used == "fast":
        from kernels.cpu.fast.backend import FastBackend
        from kernels.cpu.fast.start import start

        got = start()
        why = "; ".join((*passed_over, *got.passed_over))
        report = BackendReport(name, used, why, got.tier.name, threads, got.compile_ms, got.cached)
        return FastBackend(got.code, got.tier, threads), report
    return _plain(used), BackendReport(name, used, "; ".join(passed_over))


def _plain(name: str) -> Backend:
    """A backend that has nothing to say about itself."""
    module, cls = {
        "reference": ("kernels.reference", "ReferenceBackend"),
        "numpy": ("kernels.cpu.numpy_backend", "NumpyBackend"),
        "gpu": ("kernels.gpu.cupy_backend", "CupyBackend"),
    }[name]
    backend: Backend = getattr(import_module(module), cls)()
    return backend


def _why_not_gpu() -> str | None:
    if find_spec("cupy") is None:
        return "CuPy is not installed"
    try:
        cupy = import_module("cupy")
    except ImportError as error:
        return f"CuPy does not load: {error}"
    return None if cupy.cuda.is_available() else "CuPy sees no CUDA device"


def _why_not_fast() -> str | None:
    if find_spec("llvmlite") is None:
        return "llvmlite is not installed"
    try:
        import_module("kernels.cpu.fast.start").start()
    except (ImportError, OSError) as error:
        return f"llvmlite does not load: {error}"
    except BackendError as error:
        return str(error)
    return None


def _named(name: str) -> str:
    if not isinstance(name, str):
        raise BackendError(f"the backend is {name!r}; want a name", f"known: auto, {', '.join(NAMES)}")
    return name


def _threads(given: int | None) -> int:
    """A number of threads, from the caller or the environment."""
    value: object = os.environ.get(THREADS) or 1 if given is None else given
    if isinstance(value, str):
        value = int(value) if value.isdecimal() else value
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_THREADS:
        where = "threads" if given is not None else THREADS
        raise BackendError(f"{where} is {value!r}; want a whole number from 1 to {MOST_THREADS}")
    return value


def is_strict(given: bool | None = None) -> bool:
    """What the caller says, or the environment."""
    return os.environ.get(STRICT, "") not in ("", "0") if given is None else given
