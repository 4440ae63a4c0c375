"""Choose what computes a product, or say why it cannot run here. Loads nothing it does not choose."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from kernels.errors import BackendError

if TYPE_CHECKING:
    from kernels.packed import PackedMatrix

_CLASSES = {
    "reference": ("kernels.reference", "ReferenceBackend"),
    "numpy": ("kernels.cpu.numpy_backend", "NumpyBackend"),
    "gpu": ("kernels.gpu.cupy_backend", "CupyBackend"),
}


class Backend(Protocol):
    """Computes exact integer products; scales are applied by `kernels.matmul`."""

    @property
    def name(self) -> str:
        """The name it was selected by."""

    def accumulate(self, matrix: PackedMatrix, q: NDArray[np.int8]) -> NDArray[np.int32]:
        """(M, K) packed weights and (B, K) contiguous int8, none of them 0 → (B, M) int32."""


def names() -> tuple[str, ...]:
    """The backends there are, usable here or not; "auto" picks one of them."""
    return tuple(_CLASSES)


@cache
def why_not(name: str) -> str | None:
    """The reason a backend cannot run on this machine, or None.

    Examples
    --------
    >>> why_not("numpy") is None
    True
    """
    if name != "gpu":
        return None
    if find_spec("cupy") is None:
        return "CuPy is not installed"
    try:
        cupy = import_module("cupy")
    except ImportError as error:
        return f"CuPy does not load: {error}"
    return None if cupy.cuda.is_available() else "CuPy sees no CUDA device"


@cache
def select_backend(name: str = "auto") -> Backend:
    """The backend of this name; "auto" takes the GPU where there is one, else NumPy.

    Raises
    ------
    BackendError
        For an unknown name, and for a backend that cannot run here, with the reason.

    Examples
    --------
    >>> select_backend("numpy").name
    'numpy'
    >>> select_backend("nunpy")
    Traceback (most recent call last):
    kernels.errors.BackendError: unknown backend 'nunpy'; known: auto, reference, numpy, gpu; did you mean 'numpy'?
    """
    if name == "auto":
        name = "numpy" if why_not("gpu") else "gpu"
    if name not in _CLASSES:
        near = get_close_matches(name.lower(), ("auto", *_CLASSES), n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
        raise BackendError(f"unknown backend {name!r}; known: auto, {', '.join(_CLASSES)}", hint=hint)
    reason = why_not(name)
    if reason is not None:
        raise BackendError(f"backend {name!r} cannot run here: {reason}", hint='backend="numpy" runs everywhere')
    module, cls = _CLASSES[name]
    backend: Backend = getattr(import_module(module), cls)()
    return backend
