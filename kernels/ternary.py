"""From floats to ternary weights and int8 activations; the only places where rounding happens."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.errors import InputError

ABSMAX_FLOOR = 1e-5
"""The least absmax a row of activations is scaled by: a row of zeros has a scale too."""


_FLOAT32 = np.dtype(np.float32)

_NOT_REAL = "cOSUMm"
"""Kinds of dtype: complex, objects, bytes, text, dates, spans of time."""


@overload
def quantize_weights(weights: ArrayLike, *, per_row: Literal[False] = False) -> tuple[NDArray[np.int8], np.float32]: ...
@overload
def quantize_weights(weights: ArrayLike, *, per_row: Literal[True]) -> tuple[NDArray[np.int8], NDArray[np.float32]]: ...
def quantize_weights(
    weights: ArrayLike, *, per_row: bool = False
) -> tuple[NDArray[np.int8], np.float32 | NDArray[np.float32]]:
    """Round a matrix to −1, 0 and +1 times its mean magnitude (absmean).

    ``scale = mean(|w|)`` and ``ternary = clip(round(w / scale), −1, 1)``, halves to even: equations 1
    to 3 of "The Era of 1-bit LLMs" (arXiv 2402.17764), without its ε: see all-zero below.

    Parameters
    ----------
    weights : (M, K) real numbers; read as float32.
    per_row : take the mean of each row, not of the whole matrix.

    Returns
    -------
    ternary : (M, K) int8
    scale : float32, one for the whole matrix; with `per_row` (M,) float32, one a row.

    Raises
    ------
    InputError
        For anything but a matrix of real numbers, and for NaN and infinity, naming the first: one of them would
        turn every weight to zero or noise.

    Notes
    -----
    An all-zero matrix (or row, with `per_row`) gives zeros and the scale 0, so ``ternary * scale`` is exact; so does
    one whose mean is below the least float32. An empty one gives an empty one and the scale 0.
    The mean is taken in float64: it does not overflow and hardly depends on the order.

    How well ``ternary * scale`` stands for the weights depends on how they are distributed. Weights that are ternary
    times a factor come back as they were, and the scale is the factor times the share that is not zero: a matrix
    without zeros is reproduced exactly. For independent Gaussian weights of mean 0 and any spread, the error has 26.3 %
    of the power of many weights under one scale: a signal-to-noise ratio of 5.79 dB, and above 5.6 dB from 2**16 on.

    A packed matrix has one scale. To multiply by rows with their own, pack the scale 1 and multiply the product:
    ``matmul(matrix, x) * scale``, which rounds as often and in the same order as the product with one scale does.

    Examples
    --------
    >>> ternary, scale = quantize_weights([[0.5, -2.0, 0.25], [1.25, 1.0, -1.0]])
    >>> ternary.tolist(), float(scale)
    ([[0, -1, 0], [1, 1, -1]], 1.0)
    >>> ternary, scale = quantize_weights([[3.0, -1.0], [0.25, -0.25]], per_row=True)
    >>> ternary.tolist(), scale.tolist()
    ([[1, 0], [1, -1]], [2.0, 0.25])
    """
    w = _finite(weights, "weights")  # (M, K)
    axis, count = (1, w.shape[1]) if per_row else (None, w.size)
    mean = np.abs(w).sum(axis, np.float64, keepdims=True) / max(1, count)  # (M, 1) or (1, 1)
    scale = mean.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):  # by a scale of 0: set right below
        ternary = np.clip(np.rint(w / scale), -1, 1)
    ternary = np.where(scale > 0, ternary, 0).astype(np.int8)
    return ternary, (scale[:, 0] if per_row else scale[0, 0])


def quantize_activations(activations: ArrayLike) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round each row to int8 so that its largest magnitude becomes 127 (absmax).

    ``scale = 127 / max(|x|, 1e-5)`` and ``q = clip(round(x · scale), −128, 127)``, halves to even, every
    step in float32: equation 4 of "BitNet" (arXiv 2310.11453) with b = 8, rounded where the C++ programs
    round, so that `q` and `scale` equal theirs bit for bit.

    Parameters
    ----------
    activations : (B, K) float; read as float32, one row a token.

    Returns
    -------
    q : (B, K) int8
    scale : (B,) float32; ``q / scale[:, None]`` approximates the activations.

    Raises
    ------
    InputError
        For NaN and infinity, naming the first.

    Notes
    -----
    A row of zeros (or of no columns) has the scale 127 / 1e-5 and stays zero. No rows give no rows.

    A compiler may join ``x · scale`` and the rounding that follows into one instruction, which rounds once: of such a
    build of bitnet.cpp, about one activation in a million is the next integer.

    Examples
    --------
    >>> q, scale = quantize_activations([[127.0, -0.5, 1.5, 2.5], [0.0, 0.0, 0.0, 0.0]])
    >>> q.tolist(), scale.tolist()
    ([[127, 0, 2, 2], [0, 0, 0, 0]], [1.0, 12700000.0])
    """
    x = _finite(activations, "activations")  # (B, K)
    absmax = np.abs(x).max(axis=1, initial=ABSMAX_FLOOR)  # (B,)
    scale = np.float32(127) / absmax  # (B,)
    q = np.clip(np.rint(x * scale[:, np.newaxis]), -128, 127)
    return q.astype(np.int8), scale


def as_float32(values: ArrayLike, what: str) -> NDArray[np.float32]:
    """Read a matrix as float32; what does not fit becomes infinite."""
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{what} are masked; want every number", hint="fill them: x.filled(0)")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{what} are no array: {error}") from None
    if array.dtype is not _FLOAT32:
        if array.dtype.kind in _NOT_REAL:
            raise InputError(f"{what} are {array.dtype}; want real numbers")
        with np.errstate(over="ignore"):
            array = array.astype(np.float32, copy=False)
    if array.ndim != 2:
        raise InputError(f"{what} have the shape {array.shape}; want a matrix", hint="add an axis: x[None, :]")
    return array


def _finite(values: ArrayLike, what: str) -> NDArray[np.float32]:
    """Read a matrix as float32, refusing what has no nearest integer."""
    array = as_float32(values, what)
    finite = np.isfinite(array)
    if not finite.all():
        row, column = np.argwhere(~finite)[0].tolist()
        raise InputError(f"{what}[{row}, {column}] is {array[row, column]} in float32; every value must be finite")
    return array
