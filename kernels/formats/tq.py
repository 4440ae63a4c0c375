"""TQ1_0 and TQ2_0, the ternary formats of ggml: blocks of 256 weights of a row, each with its scale in float16.

A block ends with its scale; before it come the codes, one more than the weights.

TQ2_0, 66 bytes: two groups of 32 bytes, 128 elements each. Byte ``m`` of a group holds four elements that lie 32
apart, the first in the low bits (I2_S has it in the high ones)::

    bit       7 6      5 4      3 2      1 0
    element  m + 96   m + 64   m + 32     m          m = 0 … 31

TQ1_0, 54 bytes: five base-3 digits a byte, the first element the most significant::

    byte  0 … 31   elements       m + 32 n      n = 0 … 4,  m = 0 … 31
    byte 32 … 47   elements 160 + m + 16 n      n = 0 … 4,  m = 0 … 15
    byte 48 … 51   elements 240 + m +  4 n      n = 0 … 3,  m = 0 … 3; the fifth digit is 0

A number ``v`` of five digits is stored as ``ceil(256 v / 243)``, so that digit ``n`` is ``3 · (3**n b mod 256) >> 8``:
no division when reading.

Both write the scale 0 for a block of zeros, as ggml does; a matrix of nothing but zeros keeps its scale.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from kernels.errors import FormatError
from kernels.formats import checks
from kernels.formats.places import TQ1_PARTS as _PARTS
from kernels.formats.places import TQ_BLOCK, TQ1Places, TQ2Places

BLOCK = TQ_BLOCK
"""Elements in a block."""

_POWERS = np.array([81, 27, 9, 3, 1], np.uint16)
_SHIFTED = np.array([1, 3, 9, 27, 81], np.uint8)


class _Blocks:
    """What the two share: rows of blocks, each a run of code bytes and a float16."""

    name: ClassVar[str]
    code_bytes: ClassVar[int]

    def nbytes(self, rows: int, cols: int) -> int:
        raise NotImplementedError

    def nearest_scale(self, scale: float | np.floating) -> np.float32:
        """The scale as float16 can hold it."""
        with np.errstate(over="ignore"):
            return checks.finite(np.float16(checks.finite(scale)))

    def pack(self, ternary: NDArray[np.integer], scale: float | np.floating) -> NDArray[np.uint8]:
        """Store a matrix and its scale.

        Parameters
        ----------
        ternary : (M, K) integers −1, 0 and +1; K a multiple of 256.
        scale : exact in float16; `nearest_scale` gives the next one that is.

        Returns
        -------
        packed : (nbytes,) uint8
        """
        codes = checks.ternary_codes(self.name, ternary)
        packed = np.empty(self.nbytes(*codes.shape), np.uint8).reshape(-1, self.code_bytes + 2)
        if self.nearest_scale(scale) != np.float32(scale):
            raise FormatError(
                f"{self.name} keeps its scale in float16, which has no {np.float32(scale)!r}",
                hint=f"take {self.nearest_scale(scale)!r}, the nearest it has",
            )
        blocks = codes.reshape(-1, BLOCK)
        self._encode(blocks, packed[:, :-2])
        scales = np.full(len(blocks), scale, "<f2")
        if (codes != 1).any():
            scales[(blocks == 1).all(axis=1)] = 0
        packed[:, -2:] = scales.view(np.uint8).reshape(-1, 2)
        return packed.reshape(-1)

    def unpack(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> tuple[NDArray[np.int8], np.float32]:
        """Give back the (M, K) int8 matrix and the scale that `pack` stored."""
        shape = checks.shaped(shape)
        checks.sized(self.name, packed, shape, self.nbytes(*shape))
        blocks = packed.reshape(-1, self.code_bytes + 2)
        codes = self._decode(blocks[:, :-2])
        scale = _one_scale(self.name, _scales(blocks), codes)
        return (codes.view(np.int8) - np.int8(1)).reshape(shape), scale

    def check(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> None:
        """Refuse a wrong size, codes no weight has, and scales that are not one."""
        self.unpack(packed, shape)

    def scale(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> np.float32:
        """The scale all blocks agree on."""
        return self.unpack(packed, shape)[1]

    def _encode(self, codes: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        raise NotImplementedError

    def _decode(self, body: NDArray[np.uint8]) -> NDArray[np.uint8]:
        raise NotImplementedError


class TQ2(TQ2Places, _Blocks):
    """Two bits a weight; see the module for the picture.

    Examples
    --------
    >>> ternary = np.zeros((1, 256), np.int8)
    >>> ternary[0, [0, 32, 64, 96]] = 1, -1, 0, 1
    >>> packed = TQ2().pack(ternary, 0.5)
    >>> packed.shape, bytes(packed[:2]).hex(), bytes(packed[-2:]).hex()
    ((66,), '9255', '0038')
    """

    def _encode(self, codes: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        fields = codes.reshape(-1, 2, 4, 32)  # (blocks, halves, fields, bytes)
        joined = fields[:, :, 0].copy()
        for field in (1, 2, 3):
            joined |= fields[:, :, field] << (2 * field)
        out[:] = joined.reshape(-1, 64)

    def _decode(self, body: NDArray[np.uint8]) -> NDArray[np.uint8]:
        threes = int(np.count_nonzero(body & (body >> 1) & 0b01_01_01_01))
        if threes:
            raise FormatError(
                f"{threes} bytes hold the code 3, which no weight has",
                hint="the bytes are of another layout or damaged",
            )
        codes = np.empty((len(body), 2, 4, 32), np.uint8)
        for field in range(4):
            codes[:, :, field] = (body.reshape(-1, 2, 32) >> (2 * field)) & 3
        return codes.reshape(-1, BLOCK)


class TQ1(TQ1Places, _Blocks):
    """Five weights a byte; see the module for the picture.

    Examples
    --------
    >>> packed = TQ1().pack(np.zeros((1, 256), np.int8), 1.0)
    >>> packed.shape, bytes(packed[:1]).hex(), bytes(packed[48:49]).hex()
    ((54,), '80', '7f')
    """

    def _encode(self, codes: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        for start, width, digits, first in _PARTS:
            part = codes[:, first : first + width * digits].reshape(-1, digits, width)
            values = np.einsum("bdw,d->bw", part.astype(np.uint16), _POWERS[:digits])  # below 243
            out[:, start : start + width] = (values * 256 + 242) // 243

    def _decode(self, body: NDArray[np.uint8]) -> NDArray[np.uint8]:
        codes = np.empty((len(body), BLOCK), np.uint8)
        for start, width, digits, first in _PARTS:
            part = body[:, start : start + width, np.newaxis] * _SHIFTED[:digits]  # (blocks, width, digits), mod 256
            found = (part.astype(np.uint16) * 3 >> 8).astype(np.uint8)
            codes[:, first : first + width * digits] = found.transpose(0, 2, 1).reshape(-1, width * digits)
        again = np.empty_like(body)
        self._encode(codes, again)
        strange = int(np.count_nonzero(again != body))
        if strange:
            raise FormatError(
                f"{strange} bytes stand for no five weights", hint="the bytes are of another layout or damaged"
            )
        return codes


def _scales(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.ascontiguousarray(blocks[:, -2:]).view("<f2").reshape(-1).astype(np.float32)


def _one_scale(name: str, scales: NDArray[np.float32], codes: NDArray[np.uint8]) -> np.float32:
    """The scale of the blocks that have weights; of all of them if none has."""
    if not np.isfinite(scales).all():
        raise FormatError(f"the scale of block {int(np.flatnonzero(~np.isfinite(scales))[0])} is not finite")
    used = (codes != 1).any(axis=1)
    different = np.unique(scales[used] if used.any() else scales)
    if len(different) > 1:
        raise FormatError(
            f"{name}: blocks have {len(different)} different scales, from {different[0]} to {different[-1]}",
            hint="a ternary matrix of BitNet has one; this one was quantized block by block",
        )
    return np.float32(different[0]) if len(different) else np.float32(0)
