"""From floats to ternary weights and int8 activations; the only places where rounding happens."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.errors import InputError

ABSMAX_FLOOR = 1e-5
"""The least absmax a row of activations is scaled by: a row of zeros has a scale too."""


_FLOAT32 = np.dtype(np.float32)


def quantize_weights(weights: ArrayLike) -> tuple[NDArray[np.int8], np.float32]:
    """Round a matrix to −1, 0 and +1 times its mean magnitude (absmean).

    ``scale = mean(|w|)`` and ``ternary = clip(round(w / scale), −1, 1)``, halves to even: equations 1
    to 3 of "The Era of 1-bit LLMs" (arXiv 2402.17764), without its ε: see all-zero below.

    Parameters
    ----------
    weights : (M, K) float; read as float32.

    Returns
    -------
    ternary : (M, K) int8
    scale : float32, one for the whole matrix

    Raises
    ------
    InputError
        For NaN and infinity, naming the first: one of them would turn every weight to zero or noise.

    Notes
    -----
    An all-zero matrix gives zeros and the scale 0, so ``ternary * scale`` is exact; so does a matrix
    whose mean is below the least float32. An empty one gives an empty one and the scale 0.
    The mean is taken in float64: it does not overflow and hardly depends on the order.

    Examples
    --------
    >>> ternary, scale = quantize_weights([[0.5, -2.0, 0.25], [1.25, 1.0, -1.0]])
    >>> ternary.tolist(), float(scale)
    ([[0, -1, 0], [1, 1, -1]], 1.0)
    """
    w = _finite(weights, "weights")  # (M, K)
    scale = np.float32(np.abs(w).mean(dtype=np.float64)) if w.size else np.float32(0)
    if scale == 0:
        return np.zeros(w.shape, np.int8), scale
    with np.errstate(over="ignore"):  # a subnormal scale: the quotient is infinite, and clipped
        ternary = np.clip(np.rint(w / scale), -1, 1)
    return ternary.astype(np.int8), scale


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
    array = np.asarray(values)
    if array.dtype is not _FLOAT32:
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
