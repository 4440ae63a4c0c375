"""I2_S: two bits a weight. ``i2_s`` is its layout x86-128, that of the published model files.

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

Two more layouts share the type id, the size and the tail, so that neither the id nor the size of a tensor tells them
apart; which one bytes are in has to be known, and is named:

``i2_s:arm-64``, of some Arm builds, has blocks of 64 elements in 16 bytes, the four of a byte 16 apart (K a multiple
of 64). ``i2_s:x86-1x4`` has in byte ``K · r + k`` the elements of column ``k`` in the rows ``4 r`` to ``4 r + 3``,
the first row in the high bits (M a multiple of 4, any K).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.errors import FormatError
from kernels.formats import checks
from kernels.formats.places import I2S_BLOCK, I2S_SHIFTS, I2S_TAIL, I2SPlaces

BLOCK = I2S_BLOCK
"""Elements in a block."""

STRIDE = BLOCK // 4
"""Bytes in a block, and the distance of the four elements of a byte."""

SHIFTS = I2S_SHIFTS
"""Where the four elements of a byte sit, first one first."""

TAIL = I2S_TAIL
"""Bytes behind the codes."""

CHUNK = 2**18
"""Bytes that are looked through at a time: they stay in an L2 cache."""


class I2S(I2SPlaces):
    """Pack and unpack one of the layouts; see the module for the pictures.

    Parameters
    ----------
    stride : distance of the four elements of a byte; 0: a whole row.

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

    def nearest_scale(self, scale: float | np.floating) -> np.float32:
        """The scale as float32 holds it."""
        return checks.finite(scale)

    def pack(self, ternary: NDArray[np.integer], scale: float | np.floating) -> NDArray[np.uint8]:
        """Store a matrix and its scale.

        Parameters
        ----------
        ternary : (M, K) integers −1, 0 and +1, of a shape the layout can hold.
        scale : finite in float32.

        Returns
        -------
        packed : (M * K / 4 + 32,) uint8
        """
        codes = checks.ternary_codes(self.name, ternary)
        packed = np.zeros(self.nbytes(*codes.shape), np.uint8)
        if codes.size:
            stride = self._stride or codes.shape[1]
            fields = codes.reshape(-1, 4, stride)  # (blocks, 4, stride)
            body = packed[:-TAIL].reshape(-1, stride)  # (blocks, stride)
            for field, shift in enumerate(SHIFTS):
                body |= fields[:, field] << shift
        packed[-TAIL : 4 - TAIL] = np.array([checks.finite(scale)], "<f4").view(np.uint8)
        return packed

    def unpack(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> tuple[NDArray[np.int8], np.float32]:
        """Give back the (M, K) int8 matrix and the scale that `pack` stored."""
        shape = checks.shaped(shape)
        self.check(packed, shape)
        ternary = np.empty(shape, np.int8)
        if ternary.size:
            stride = self._stride or shape[1]
            body = packed[:-TAIL].reshape(-1, stride)  # (blocks, stride)
            fields = ternary.reshape(-1, 4, stride)  # (blocks, 4, stride)
            for field, shift in enumerate(SHIFTS):
                fields[:, field] = ((body >> shift) & 3).view(np.int8) - np.int8(1)
        return ternary, self.scale(packed, shape)

    def check(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> None:
        """Refuse a wrong size, a code 3 and a scale that is not finite."""
        shape = checks.shaped(shape)
        checks.sized(self.name, packed, shape, self.nbytes(*shape))
        body = packed[:-TAIL]
        threes = sum(_threes(body[start : start + CHUNK]) for start in range(0, len(body), CHUNK))
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


def _threes(codes: NDArray[np.uint8]) -> int:
    """How many bytes hold a code whose bits are both set; codes in multiples of 8 bytes are looked at by words."""
    words = codes.view(np.uint64) if len(codes) % 8 == 0 and codes.flags.c_contiguous else codes
    both = words & (words >> 1)
    both &= words.dtype.type(0x5555_5555_5555_5555 & np.iinfo(words.dtype).max)  # no bit of a neighbouring code
    return int(np.count_nonzero(both.view(np.uint8))) if both.any() else 0
