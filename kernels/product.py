"""The W2A8 product: ternary weights times int8 activations, exact up to one float32 rounding at the end."""

from __future__ import annotations

from importlib import import_module
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.backend import Backend, select_backend
from kernels.errors import BackendError, InputError
from kernels.packed import PackedMatrix
from kernels.ternary import quantize_activations

Quantized = tuple[NDArray[np.int8], NDArray[np.float32]]
"""What `quantize_activations` gives: (B, K) int8 and (B,) float32."""

LEAST = 2.0**-64
"""A scale of activations below which float32 might not hold a product; the scale of the matrix times K may be 2**56."""

LARGEST = float(np.finfo(np.float32).max)


@overload
def matmul(
    matrix: PackedMatrix,
    x: ArrayLike | Quantized,
    *,
    backend: str | Backend = "auto",
    accumulate_only: Literal[False] = False,
) -> NDArray[np.float32]: ...
@overload
def matmul(
    matrix: PackedMatrix, x: ArrayLike | Quantized, *, backend: str | Backend = "auto", accumulate_only: Literal[True]
) -> NDArray[np.int32]: ...
def matmul(
    matrix: PackedMatrix, x: ArrayLike | Quantized, *, backend: str | Backend = "auto", accumulate_only: bool = False
) -> NDArray[np.float32] | NDArray[np.int32]:
    """Multiply a batch of activation rows with a packed matrix: ``y ≈ x @ W.T``.

    ``y = float32(Σ t · q) / activation scale * weight scale``, in this order, each step in float32. The
    sum is exact in int32, the same on every backend; so are the outputs, bit for bit.

    Parameters
    ----------
    matrix : (M, K) packed weights.
    x : (B, K) floats, quantized here; or a tuple (q, scale) from `quantize_activations`.
    backend : "auto", a name `select_backend` knows, or what it gave.
    accumulate_only : give the integer sums alone.

    Returns
    -------
    y : (B, M) float32; with `accumulate_only` (B, M) int32. For arrays on a CUDA device an array on it.

    Raises
    ------
    InputError
        Arrays that do not fit; NaN and infinity in `x`; an output, or ``Σ t · q / activation scale`` on the way to it,
        that float32 cannot hold: it is named, as it is on every backend, and never given as infinity.
    BackendError
        The backend is none, or cannot run here.

    Examples
    --------
    >>> matrix = PackedMatrix.from_float(np.full((2, 128), -0.5))
    >>> x = np.full((1, 128), 127.0)
    >>> matmul(matrix, x).tolist()
    [[-8128.0, -8128.0]]
    >>> matmul(matrix, quantize_activations(x), accumulate_only=True).tolist()
    [[-16256, -16256]]
    """
    chosen = select_backend(backend) if isinstance(backend, str) else backend
    if not hasattr(chosen, "accumulate"):
        raise BackendError(f"the backend is {backend!r}; want a name, or what select_backend gave")
    if hasattr(x[0] if isinstance(x, tuple) and x else x, "__cuda_array_interface__"):
        if chosen.name != "gpu":
            hint = 'take backend="gpu", or bring x to the host with x.get()'
            raise InputError(f"x lies on the GPU, where the backend {chosen.name!r} does not compute", hint)
        return import_module("kernels.gpu").matmul(matrix, x, accumulate_only=accumulate_only)  # type: ignore[no-any-return]
    multiply = getattr(chosen, "multiply", None)
    if multiply is not None and not accumulate_only and not isinstance(x, tuple):
        return multiply(matrix, x)  # type: ignore[no-any-return]
    quantized = _quantized(x, matrix.shape[1])
    if accumulate_only:
        return _sums(matrix, quantized[0], chosen)
    y = product(matrix, quantized, chosen)
    return refuse_overflow(y) if could_overflow(matrix.shape[1], quantized[1], float(matrix.scale)) else y


def product(matrix: PackedMatrix, quantized: Quantized, backend: Backend) -> NDArray[np.float32]:
    """`matmul` of activations that are known to fit; what float32 cannot hold becomes infinity."""
    q, scale = quantized
    with np.errstate(over="ignore", invalid="ignore"):
        y: NDArray[np.float32] = _sums(matrix, q, backend).astype(np.float32) / scale[:, np.newaxis] * matrix.scale
    return y


def _sums(matrix: PackedMatrix, q: NDArray[np.int8], backend: Backend) -> NDArray[np.int32]:
    rows = matrix.shape[0]
    return backend.accumulate(matrix, q) if q.size and rows else np.zeros((len(q), rows), np.int32)


def refuse_overflow(y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs, if all of them are numbers; of finite activations they are, unless float32 cannot hold them."""
    finite = np.isfinite(y)
    if not finite.all():
        at = ", ".join(map(str, np.argwhere(~finite)[0].tolist()))
        hint = "make the activations or the scale of the matrix smaller, or take the integers: accumulate_only=True"
        raise InputError(f"output [{at}] overflows float32", hint)
    return y


def could_overflow(cols: int, scales: NDArray[np.float32], weight_scale: float) -> bool:
    """Whether float32 may not hold an output of K columns, given the scales of activations and weights."""
    least = float(np.abs(scales).min(initial=LARGEST))
    return 256 * cols * max(1.0, abs(weight_scale)) >= LARGEST * least  # twice the largest sum there is


def _quantized(x: ArrayLike | Quantized, cols: int) -> Quantized:
    """Activations as contiguous (B, cols) int8 and (B,) float32, or an error that says what they are."""
    if not isinstance(x, tuple):
        q, scale = quantize_activations(x)
    elif len(x) == 2:
        q, scale = np.asarray(x[0]), np.asarray(x[1])
        if scale.dtype.kind not in "fiu":
            raise InputError(f"activation scales are {scale.dtype}; want float32 (B,)")
        scale = scale.astype(np.float32, copy=False)
    else:
        raise InputError(f"a tuple of {len(x)}; want (q, scale), or one array of floats")
    if q.dtype != np.int8 or q.ndim != 2 or q.shape[1] != cols:
        raise InputError(f"activations are {q.dtype} of shape {q.shape}; the matrix takes int8 (B, {cols})")
    if scale.shape != q.shape[:1]:
        raise InputError(f"activation scales have the shape {scale.shape}; want ({len(q)},)")
    refuse_scales(scale)
    return np.ascontiguousarray(q), scale


def refuse_scales(scale: NDArray[np.float32]) -> None:
    """Raise for scales that no activations have."""
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise InputError("activation scales are not all finite and above 0")
