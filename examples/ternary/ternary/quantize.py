"""Turn floats into small integers and the scales that give them back."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

TINY = 1e-5
"""The smallest scale base; keeps a row of zeros from dividing by zero."""


def quantize_weights(weights: ArrayLike) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round weights to −1, 0 or +1 times the mean magnitude of their row (absmean).

    Parameters
    ----------
    weights : (rows, cols) floats

    Returns
    -------
    ternary : (rows, cols) int8
    scale : (rows, 1) float32, so that ``ternary * scale`` approximates `weights`
    """
    w = np.asarray(weights, np.float32)
    scale = np.maximum(np.abs(w).mean(axis=0, keepdims=True), TINY)
    ternary = np.clip(np.rint(w / scale), -1, 1)
    return ternary.astype(np.int8), scale.astype(np.float32)


def quantize_activations(activations: ArrayLike) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Map each row to int8 so that its largest magnitude becomes 127 (absmax).

    Values are rounded to the nearest integer, halves to the even one.

    Parameters
    ----------
    activations : (..., cols) floats

    Returns
    -------
    q : (..., cols) int8
    scale : (..., 1) float32, so that ``q * scale`` approximates `activations`
    """
    x = np.asarray(activations, np.float32)
    scale = np.maximum(np.abs(x).max(axis=-1, keepdims=True), TINY) / 127
    q = np.clip(np.trunc(x / scale), -127, 127)
    return q.astype(np.int8), scale.astype(np.float32)
