"""The last matrix of a model, from hidden values to logits: floats as stored, or int8 with a scale a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.errors import InputError

MAX_COLS = 2**17
"""A sum of int8 products grows by at most 127 · 128 a column; wider rows could leave int32."""

TILE = 2**17
"""Weights rounded at a time: half a megabyte, about an L2 cache."""

LEAST_UNIT = float(np.finfo(np.float32).tiny)
"""Quotients by a smaller unit, which has fewer digits, could exceed 127."""

DTYPES = tuple(np.dtype(kind) for kind in (np.float32, np.float16, np.int8))


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Head:
    """A dense matrix that is known to be good. Its arrays are kept as they are, mapped ones too.

    Parameters
    ----------
    weights : (V, D) float32, float16 or int8, C-contiguous; int8 from -127 to 127.
    scale : (V,) float32, with int8 weights alone: what each row is multiplied by.

    Raises
    ------
    InputError
        Arrays of other shapes or types.

    Examples
    --------
    >>> head = Head(np.array([[1.0, -0.5], [0.0, 0.0]], np.float16))
    >>> head.to_int8().weights.tolist(), head.to_int8().scale.tolist()
    ([[127, -64], [0, 0]], [0.007874015718698502, 0.0])
    """

    weights: NDArray[np.float32] | NDArray[np.float16] | NDArray[np.int8]
    scale: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        weights, scale = self.weights, self.scale
        if weights.ndim != 2 or weights.dtype not in DTYPES or not weights.flags.c_contiguous or not weights.shape[1]:
            got = f"{weights.dtype} of shape {weights.shape}"
            raise InputError(f"the head is {got}; want a contiguous matrix of {', '.join(map(str, DTYPES))}")
        if weights.dtype != np.int8:
            if scale is not None:
                raise InputError(f"the head is {weights.dtype} and has scales; want them with int8 alone")
            return
        if scale is None or scale.dtype != np.float32 or scale.shape != weights.shape[:1]:
            got = "none" if scale is None else f"{scale.dtype} of shape {scale.shape}"
            raise InputError(f"the scales of the int8 head are {got}; want float32 ({len(weights)},)")
        if weights.shape[1] > MAX_COLS:
            raise InputError(f"{weights.shape[1]} columns; at most {MAX_COLS} fit exact int32 sums")
        if weights.size and weights.min() < -127:
            raise InputError("the int8 head holds -128; want weights from -127 to 127")
        object.__setattr__(self, "scale", np.ascontiguousarray(scale))

    @property
    def shape(self) -> tuple[int, int]:
        """(V, D)."""
        return self.weights.shape

    @property
    def nbytes(self) -> int:
        """Bytes a product reads."""
        return self.weights.nbytes + (0 if self.scale is None else self.scale.nbytes)

    def to_int8(self) -> Head:
        """The same head rounded to int8, halves to even, each row by its largest magnitude.

        A row whose unit is below the normal float32 becomes zeros, with the scale 0.

        Raises
        ------
        InputError
            A weight is not finite.
        """
        if self.weights.dtype == np.int8:
            return self
        rows, cols = self.shape
        weights, scale = np.empty(self.shape, np.int8), np.empty(rows, np.float32)
        step = max(1, TILE // cols)
        for top in range(0, rows, step):
            some = self.weights[top : top + step].astype(np.float32)
            absmax = np.maximum(some.max(axis=1), -some.min(axis=1))
            if not np.isfinite(absmax).all():
                row = top + int(np.argmin(np.isfinite(absmax)))
                raise InputError(f"row {row} of the head is not finite; only finite weights can be rounded to int8")
            unit = absmax / np.float32(127)
            unit[unit < LEAST_UNIT] = 0
            some /= np.where(unit > 0, unit, np.float32(np.inf))[:, np.newaxis]
            np.copyto(weights[top : top + step], np.rint(some, out=some), casting="unsafe")
            scale[top : top + step] = unit
        return Head(weights, scale)
