"""I2_S, layout x86-128: two bits a weight, the layout of the published model files.

The row-major matrix is cut into blocks of 128 elements; a block is 32 bytes. The code of a weight is
one more than the weight, 0, 1 or 2. Byte ``p`` of a block holds four elements that lie 32 apart::

    bit       7 6      5 4      3 2      1 0
    element    p      p + 32   p + 64   p + 96        p = 0 … 31

Behind the M · K / 4 bytes of codes come 32 more: the scale as a little-endian float32 and 28 bytes
of padding, written as zeros and ignored when read (files in the wild hold anything there)::

    ┌─────────┬─────────┬───┬─────────────┬───────────────┬────────────┐
    │ block 0 │ block 1 │ … │ last block  │ scale float32 │ padding    │
    │  32 B   │  32 B   │   │             │      4 B      │    28 B    │
    └─────────┴─────────┴───┴─────────────┴───────────────┴────────────┘

K is a multiple of 128, so that no block crosses from one row into the next. The code 3 does not occur:
bytes that hold one are of another layout, or damaged, and are refused.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.errors import FormatError

BLOCK = 128
"""Elements in a block."""

STRIDE = BLOCK // 4
"""Bytes in a block, and the distance of the four elements of a byte."""

SHIFTS = (6, 4, 2, 0)
"""Where the four elements of a byte sit, first one first."""

TAIL = 32
"""Bytes behind the codes."""


class I2S:
    """Pack and unpack; see the module for the picture.

    Examples
    --------
    >>> ternary = np.zeros((1, 128), np.int8)
    >>> ternary[0, [0, 32, 64, 96]] = 1, -1, 0, 1
    >>> packed = I2S().pack(ternary, 0.5)
    >>> packed.shape, bytes(packed[:2]).hex(), bytes(packed[32:36]).hex()
    ((64,), '8655', '0000003f')
    >>> again, scale = I2S().unpack(packed, (1, 128))
    >>> bool((again == ternary).all()), float(scale)
    (True, 0.5)
    """

    name = "i2_s"

    def nbytes(self, rows: int, cols: int) -> int:
        """Bytes of a (rows, cols) matrix: ``rows * cols / 4 + 32``."""
        if rows < 0 or cols < 0 or cols % BLOCK:
            more = f"pad the columns to {-(-cols // BLOCK) * BLOCK} with zeros" if rows >= 0 and cols > 0 else ""
            raise FormatError(f"i2_s cannot hold {rows} x {cols}; want columns in multiples of {BLOCK}", hint=more)
        return rows * cols // 4 + TAIL

    def position(self, index: int) -> tuple[int, int]:
        """Byte and shift of the code of element `index` of the flat matrix.

        Examples
        --------
        >>> I2S().position(0), I2S().position(33), I2S().position(128)
        ((0, 6), (1, 4), (32, 6))
        """
        block, within = divmod(index, BLOCK)
        field, byte = divmod(within, STRIDE)
        return block * STRIDE + byte, SHIFTS[field]

    def pack(self, ternary: NDArray[np.integer], scale: float | np.floating) -> NDArray[np.uint8]:
        """Store a matrix and its scale.

        Parameters
        ----------
        ternary : (M, K) integers −1, 0 and +1; K a multiple of 128.
        scale : finite in float32.

        Returns
        -------
        packed : (M * K / 4 + 32,) uint8
        """
        if ternary.ndim != 2 or not np.issubdtype(ternary.dtype, np.integer):
            raise FormatError(
                f"i2_s packs an integer matrix, not {ternary.dtype} of shape {ternary.shape}",
                hint="quantize_weights makes one from floats",
            )
        packed = np.zeros(self.nbytes(*ternary.shape), np.uint8)
        if ternary.size and (ternary.min() < -1 or ternary.max() > 1):
            raise FormatError(f"weights run from {ternary.min()} to {ternary.max()}; want -1, 0 and +1")
        codes = (ternary.astype(np.int8) + np.int8(1)).view(np.uint8).reshape(-1, 4, STRIDE)  # (blocks, 4, 32)
        body = packed[:-TAIL].reshape(-1, STRIDE)  # (blocks, 32)
        for field, shift in enumerate(SHIFTS):
            body |= codes[:, field] << shift
        packed[-TAIL : 4 - TAIL] = np.array([_finite(scale)], "<f4").view(np.uint8)
        return packed

    def unpack(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> tuple[NDArray[np.int8], np.float32]:
        """Give back the (M, K) int8 matrix and the scale that `pack` stored."""
        self.check(packed, shape)
        body = packed[:-TAIL].reshape(-1, STRIDE)  # (blocks, 32)
        ternary = np.empty((len(body), 4, STRIDE), np.int8)
        for field, shift in enumerate(SHIFTS):
            ternary[:, field] = ((body >> shift) & 3).view(np.int8) - np.int8(1)
        return ternary.reshape(shape), self.scale(packed, shape)

    def check(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> None:
        """Refuse a wrong size, a code 3 and a scale that is not finite."""
        want = self.nbytes(*shape)
        if packed.dtype != np.uint8 or packed.shape != (want,):
            raise FormatError(
                f"i2_s of {shape[0]} x {shape[1]} is uint8 of shape ({want},), not {packed.dtype} of {packed.shape}"
            )
        threes = int(np.count_nonzero(packed[:-TAIL] & (packed[:-TAIL] >> 1) & 0b01_01_01_01))
        if threes:
            raise FormatError(
                f"{threes} bytes hold the code 3, which no weight has",
                hint="the bytes are of another layout or damaged",
            )
        self.scale(packed, shape)

    def scale(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> np.float32:
        """The float32 behind the codes."""
        at = self.nbytes(*shape) - TAIL
        return _finite(np.frombuffer(packed[at : at + 4].tobytes(), "<f4")[0])


def _finite(scale: float | np.floating) -> np.float32:
    with np.errstate(over="ignore"):
        value = np.float32(scale)
    if not np.isfinite(value):
        raise FormatError(f"the scale is {value} in float32; want a finite number")
    return value
