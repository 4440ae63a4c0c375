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
from kernels.formats import checks

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
        checks.whole_blocks(self.name, rows, cols, BLOCK)
        return rows * cols // 4 + TAIL

    def nearest_scale(self, scale: float | np.floating) -> np.float32:
        """The scale as float32 holds it."""
        return checks.finite(scale)

    def weight(self, packed: NDArray[np.uint8], shape: tuple[int, int], row: int, column: int) -> int:
        """One weight, the slow and obvious way."""
        block, within = divmod(row * shape[1] + column, BLOCK)
        field, byte = divmod(within, STRIDE)
        return ((int(packed[block * STRIDE + byte]) >> SHIFTS[field]) & 3) - 1

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
        codes = checks.ternary_codes(self.name, ternary)
        packed = np.zeros(self.nbytes(*codes.shape), np.uint8)
        codes = codes.reshape(-1, 4, STRIDE)  # (blocks, 4, 32)
        body = packed[:-TAIL].reshape(-1, STRIDE)  # (blocks, 32)
        for field, shift in enumerate(SHIFTS):
            body |= codes[:, field] << shift
        packed[-TAIL : 4 - TAIL] = np.array([checks.finite(scale)], "<f4").view(np.uint8)
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
        checks.sized(self.name, packed, shape, self.nbytes(*shape))
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
        return checks.finite(np.frombuffer(packed[at : at + 4].tobytes(), "<f4")[0])
