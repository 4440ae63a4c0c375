"""What every format asks of what it is given."""

from __future__ import annotations

from operator import index

import numpy as np
from numpy.typing import NDArray

from kernels.errors import FormatError


def ternary_codes(name: str, ternary: NDArray[np.integer]) -> NDArray[np.uint8]:
    """(M, K) of −1, 0, +1 → (M, K) uint8 of 0, 1, 2; refuses everything else."""
    if isinstance(ternary, np.ma.MaskedArray):
        raise FormatError(f"{name} packs every weight, and some are masked", hint="fill them: ternary.filled(0)")
    ternary = np.asarray(ternary)
    if ternary.ndim != 2 or not np.issubdtype(ternary.dtype, np.integer):
        raise FormatError(
            f"{name} packs an integer matrix, not {ternary.dtype} of shape {ternary.shape}",
            hint="quantize_weights makes one from floats",
        )
    if ternary.size and (ternary.min() < -1 or ternary.max() > 1):
        raise FormatError(f"weights run from {ternary.min()} to {ternary.max()}; want -1, 0 and +1")
    return (ternary.astype(np.int8) + np.int8(1)).view(np.uint8)


def shaped(shape: tuple[int, int]) -> tuple[int, int]:
    """The shape in Python's own integers; refuses what is no pair of them."""
    try:
        rows, cols = shape
        return index(rows), index(cols)
    except (TypeError, ValueError):
        raise FormatError(f"the shape is {shape}; want (M, K), two whole numbers") from None


def sized(name: str, packed: NDArray[np.uint8], shape: tuple[int, int], want: int) -> None:
    """Refuse anything but ``want`` bytes in one dimension."""
    if not isinstance(packed, np.ndarray):
        raise FormatError(f"packed bytes are a {type(packed).__name__}; want an array", "np.frombuffer(data, np.uint8)")
    if packed.dtype != np.uint8 or packed.shape != (want,):
        raise FormatError(
            f"{name} of {shape[0]} x {shape[1]} is uint8 of shape ({want},), not {packed.dtype} of {packed.shape}"
        )


def finite(scale: float | np.floating) -> np.float32:
    """The scale in float32; refuses NaN, what is infinite there, and scales of rows."""
    if np.asarray(scale).dtype.kind in "cOSUMm":
        raise FormatError(f"the scale is {scale!r}; want a real number")
    if np.ndim(scale):
        raise FormatError(
            f"scales of the shape {np.shape(scale)}; a format keeps one for the whole matrix",
            hint="pack the scale 1, and multiply what matmul gives by those of the rows",
        )
    with np.errstate(over="ignore"):
        value = np.float32(scale)
    if not np.isfinite(value):
        raise FormatError(f"the scale is {value} in float32; want a finite number")
    return value
