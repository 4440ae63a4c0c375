"""TL1 and TL2, the lookup-table formats of bitnet.cpp: a nibble is an index into sums of two or three activations.

The matrix is cut into tiles of BM rows and BK columns. A pair of weights has the index ``3 t0 + t1 + 4`` (0 … 8); a
triple has the value ``v = 9 t0 + 3 t1 + t2``, of which ``|v|`` (0 … 13) is the index and ``v < 0`` a sign bit. Two
indices share a byte, the first in the high nibble.

TL1 (Arm) stores pairs only. A tile is cut further into pieces of ``bm`` rows and ``by = 256 / bm`` columns; the order,
slowest first, is::

    row tile, column tile, piece of rows, piece of columns, 16 rows, 4 columns; then 16 bytes, one a row

TL2 (x86) stores the first ``k3 = K // BK * BK`` columns as triples, the others, a multiple of 32, as pairs::

    ┌──────────────────┬───────────────────┬──────────────┬─────────┐
    │ indices, triples │ signs, triples    │ pairs        │ padding │
    │ M k3 / 6 bytes   │ M k3 / 24 bytes   │ M k2 / 4     │         │
    └──────────────────┴───────────────────┴──────────────┴─────────┘
    indices: row tile, column tile, 32 rows, 6 columns; then 32 bytes, rows 0-7, 16-23, 8-15, 24-31
    signs:   row tile, column tile, 32 rows, 24 columns; then 16 little-endian words: bit 15 - 2 c - h of word j is
             the sign of triple c in row 16 h + j
    pairs:   like the indices, in tiles of 32 columns, 4 columns a byte

It is padded with zeros to ``(K - 256) M // 3 * 5 // 8 + 64 M`` bytes, rounded up to 32. Behind either come 32 bytes:
the scale as a little-endian float32, and padding.

The tile belongs to the program that reads the bytes. Without one, TL1 takes bm = 32 and TL2 BK = 96, and the largest
of the usual sizes that divides the shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.errors import FormatError
from kernels.formats import checks
from kernels.formats.places import I2S_TAIL as TAIL
from kernels.formats.places import TL2_ROW_ORDER as _ROW_ORDER
from kernels.formats.places import TL1Places, TL2Places

_TRIPLES = np.array([[t0, t1, t2] for t0 in (-1, 0, 1) for t1 in (-1, 0, 1) for t2 in (-1, 0, 1)], np.int8)  # by v + 13
_BITS = np.arange(256, dtype=np.uint16)
_SPREAD = np.bitwise_or.reduce([(_BITS >> n & 1) << (2 * n + 1) for n in range(8)])  # bit n of a byte at 2 n + 1
_PAIRS = np.array([[t0, t1] for t0 in (-1, 0, 1) for t1 in (-1, 0, 1)], np.int8)  # by index


class _Tail:
    """A run of codes and a float32 behind it."""

    name: str

    def nbytes(self, rows: int, cols: int) -> int:
        raise NotImplementedError

    def nearest_scale(self, scale: float | np.floating) -> np.float32:
        """The scale as float32 holds it."""
        return checks.finite(scale)

    def scale(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> np.float32:
        """The float32 behind the codes."""
        at = self.nbytes(*shape) - TAIL
        return checks.finite(np.frombuffer(packed[at : at + 4].tobytes(), "<f4")[0])

    def pack(self, ternary: NDArray[np.integer], scale: float | np.floating) -> NDArray[np.uint8]:
        """Store a matrix and its scale.

        Parameters
        ----------
        ternary : (M, K) integers −1, 0 and +1, whole tiles of them.
        scale : finite in float32.

        Returns
        -------
        packed : (nbytes,) uint8
        """
        weights = checks.ternary_codes(self.name, ternary).view(np.int8) - np.int8(1)
        packed = np.zeros(self.nbytes(*weights.shape), np.uint8)
        if weights.size:
            codes = self._encode(weights)
            packed[: codes.size] = codes
        packed[-TAIL : 4 - TAIL] = np.array([checks.finite(scale)], "<f4").view(np.uint8)
        return packed

    def unpack(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> tuple[NDArray[np.int8], np.float32]:
        """Give back the (M, K) int8 matrix and the scale that `pack` stored."""
        shape = checks.shaped(shape)
        checks.sized(self.name, packed, shape, self.nbytes(*shape))
        ternary = self._decode(packed, shape) if shape[0] and shape[1] else np.empty(shape, np.int8)
        return ternary, self.scale(packed, shape)

    def check(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> None:
        """Refuse a wrong size, codes that stand for nothing and a scale that is not finite."""
        self.unpack(packed, shape)

    def _encode(self, weights: NDArray[np.int8]) -> NDArray[np.uint8]:
        raise NotImplementedError

    def _decode(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.int8]:
        raise NotImplementedError


class TL1(TL1Places, _Tail):
    """Pairs in nibbles; see the module for the picture.

    Parameters
    ----------
    tile : (BM, BK, bm), as the reading program was generated with.

    Examples
    --------
    >>> ternary = np.zeros((32, 8), np.int8)
    >>> ternary[0, :4] = 0, 0, 1, 1
    >>> packed = TL1((32, 8, 32)).pack(ternary, 0.5)
    >>> packed.shape, bytes(packed[:2]).hex()
    ((96,), '4844')
    """

    def _encode(self, weights: NDArray[np.int8]) -> NDArray[np.uint8]:
        pairs = _pair_codes(weights)
        joined = _joined(pairs[:, 0::2], pairs[:, 1::2]).reshape(self._axes(weights.shape)[:-1])
        return joined.transpose(0, 4, 1, 5, 2, 6, 3).reshape(-1)

    def _decode(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.int8]:
        axes = self._axes(shape)
        order = (0, 4, 1, 5, 2, 6, 3, 7)
        body = _nibbles(packed[:-TAIL]).reshape([axes[a] for a in order])
        _only_below(body, 9, self.name)
        return _PAIRS[body.transpose(np.argsort(order))].reshape(shape)

    def _axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        rows, cols = shape
        high, wide, bm = self._tile_of(rows, cols)
        by = 256 // bm
        return rows // high, high // bm, bm // 16, 16, cols // wide, wide // by, by // 4, 2


class TL2(TL2Places, _Tail):
    """Triples in nibbles and sign bits; see the module for the picture.

    Parameters
    ----------
    tile : (BM, BK), as the reading program was generated with.

    Examples
    --------
    >>> TL2((128, 96)).nbytes(256, 512)
    30080
    """

    def _encode(self, weights: NDArray[np.int8]) -> NDArray[np.uint8]:
        rows, cols = weights.shape
        high, wide, k3 = self._tile_of(rows, cols)
        values = weights[:, 0:k3:3] * np.int8(9) + weights[:, 1:k3:3] * np.int8(3) + weights[:, 2:k3:3]
        signs = np.packbits(values < 0, axis=1)  # (M, k3 / 24): bit 7 - c of a byte is triple c
        halves = signs.reshape(rows // high, high // 32, 2, 16, k3 // wide, wide // 24)
        words = _SPREAD[halves[:, :, 0]] | _SPREAD[halves[:, :, 1]] >> np.uint16(1)
        parts = (
            _to_rows(np.abs(values).view(np.uint8), rows, high, wide // 6),
            words.transpose(0, 3, 1, 4, 2).astype("<u2").reshape(-1).view(np.uint8),
            _to_rows(_pair_codes(weights[:, k3:]), rows, high, 8),
        )
        return np.concatenate(parts)

    def _decode(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.int8]:
        rows, cols = shape
        high, wide, k3 = self._tile_of(rows, cols)
        first, second = rows * k3 // 6, rows * k3 * 5 // 24
        indices = _from_rows(packed[:first], rows, high, wide // 6, k3 // 3)
        words = packed[first:second].reshape(-1, 2)[:, ::-1]
        bits = np.unpackbits(words, axis=1).reshape(rows // high, k3 // wide, high // 32, wide // 24, 16, 8, 2)
        signs = bits.transpose(0, 2, 6, 4, 1, 3, 5).reshape(rows, k3 // 3).astype(bool)
        _only_below(indices, 14, self.name)
        strange = int(np.count_nonzero(signs & (indices == 0)))
        if strange:
            raise FormatError(
                f"{self.name}: {strange} triples of zeros have a sign", hint="the bytes are of another tile or damaged"
            )
        values = np.where(signs, 13 - indices, 13 + indices)
        pairs = _from_rows(packed[second : second + rows * (cols - k3) // 4], rows, high, 8, (cols - k3) // 2)
        _only_below(pairs, 9, self.name)
        ternary = np.empty(shape, np.int8)
        ternary[:, :k3] = _TRIPLES[values].reshape(rows, k3)
        ternary[:, k3:] = _PAIRS[pairs].reshape(rows, cols - k3)
        return ternary


def _pair_codes(weights: NDArray[np.int8]) -> NDArray[np.uint8]:
    """(M, K) weights → (M, K / 2) indices."""
    codes = weights[:, 0::2] * np.int8(3) + weights[:, 1::2] + np.int8(4)
    return codes.view(np.uint8)


def _nibbles(body: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n,) bytes → (n, 2), the high nibble first."""
    return np.stack((body >> 4, body & 15), axis=-1)


def _joined(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two nibbles → a byte."""
    joined: NDArray[np.uint8] = np.bitwise_or(high << 4, low)
    return joined


def _to_rows(indices: NDArray[np.uint8], rows: int, high: int, wide: int) -> NDArray[np.uint8]:
    """(M, n) indices → bytes, by tiles of ``high`` rows and ``wide`` bytes, 32 rows together."""
    tiles = indices.shape[1] // (2 * wide)
    joined = _joined(indices[:, 0::2], indices[:, 1::2])
    ordered = joined.reshape(rows // high, high // 32, 4, 8, tiles, wide).transpose(0, 4, 1, 5, 2, 3)
    return ordered.reshape(-1, 4, 8)[:, _ROW_ORDER].reshape(-1)


def _from_rows(body: NDArray[np.uint8], rows: int, high: int, wide: int, count: int) -> NDArray[np.uint8]:
    """What `_to_rows` was given: (M, count) indices."""
    ordered = np.ascontiguousarray(body.reshape(-1, 4, 8)[:, _ROW_ORDER]).reshape(-1)
    axes = _nibbles(ordered).reshape(rows // high, count // (2 * wide), high // 32, wide, 32, 2)
    return axes.transpose(0, 2, 4, 1, 3, 5).reshape(rows, count)


def _only_below(codes: NDArray[np.uint8], limit: int, name: str) -> None:
    strange = int(np.count_nonzero(codes >= limit))
    if strange:
        raise FormatError(
            f"{name}: {strange} nibbles are {limit} or more, which no weights have",
            hint="the bytes are of another tile or damaged",
        )
