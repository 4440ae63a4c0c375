"""What the weights of a tensor look like: how often each code occurs, and between what its numbers lie.

The codes say whether bytes are weights at all. In I2_S and TQ2_0 a fourth code exists that no weight has; bytes of
something else hold it a quarter of the time. They do not say in which order the weights lie: all layouts of a family
hold the same codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.gguf.errors import BadTensor, BadWeights, plain
from kernels.gguf.model import FLOATS, Layouts, Tensor, dequantized

CHUNK = 2**20
"""Bytes looked at together."""

LARGEST = 2**26
"""Weights of a TL2 matrix that are decoded at once; larger ones are not."""


@dataclass(frozen=True, slots=True)
class Codes:
    """How often each weight occurs.

    Parameters
    ----------
    strange : codes that stand for no weight.
    scales : the smallest and the largest; TQ1_0 and TQ2_0 have one a block.

    Examples
    --------
    >>> codes = Codes(30, 40, 30, 0, (0.5, 0.5))
    >>> codes.score, codes.shares
    (1.0, (0.3, 0.4, 0.3))
    >>> Codes(1, 1, 1, 1, (0.5, 0.5)).score
    0.75
    """

    minus: int
    zero: int
    plus: int
    strange: int
    scales: tuple[float, float]

    @property
    def score(self) -> float:
        """The share of codes that are weights: 1.0 of good bytes; of noise 0.75 in two bits, 0.95 in TQ1_0."""
        total = self.minus + self.zero + self.plus + self.strange
        return 1.0 if not total else 1.0 - self.strange / total

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of −1, 0 and +1 among the weights."""
        total = max(1, self.minus + self.zero + self.plus)
        return self.minus / total, self.zero / total, self.plus / total


@dataclass(frozen=True, slots=True)
class Numbers:
    """Between what the numbers of a tensor lie; those that are not finite are counted apart."""

    low: float
    high: float
    mean: float
    rms: float
    not_finite: int


def statistics(
    tensor: Tensor, layouts: Layouts = None, tick: Callable[[int], None] = lambda done: None
) -> Codes | Numbers:
    """Read a whole tensor, a piece at a time.

    Parameters
    ----------
    tick : told of the bytes of every piece.

    Raises
    ------
    BadTensor
        A type that cannot be read here.
    BadWeights
        TL2 codes that stand for nothing.
    """
    if not tensor.type.ternary:
        return _numbers(tensor, tick)
    name = tensor.type.name
    if name == "tl2":
        return _tl2(tensor, layouts, tick)
    if name in ("i2_s", "tl1"):
        table = _TWO_BITS if name == "i2_s" else _PAIRS
        counts = (
            sum((_histogram(piece) for piece in _pieces(tensor.raw[:-32], 1, tick)), np.zeros(256, np.int64)) @ table
        )
        scale = float(tensor.raw[-32:-28].view("<f4")[0])
        return _codes(counts, (scale, scale))
    size, counts, low, high = tensor.type.size, np.zeros(4, np.int64), np.inf, -np.inf
    for piece in _pieces(tensor.raw, size, tick):
        blocks = piece.reshape(-1, size)
        if name == "tq2_0":
            counts += _histogram(blocks[:, :64]) @ _TWO_BITS
        else:
            counts += _histogram(blocks[:, :48]) @ _FIVES + _histogram(blocks[:, 48:52]) @ _FOURS
        scales = np.ascontiguousarray(blocks[:, -2:]).view("<f2")
        low, high = np.minimum(low, scales.min()), np.maximum(high, scales.max())  # both keep a NaN
    return _codes(counts, (float(low), float(high)))


def _codes(counts: NDArray[np.int64], scales: tuple[float, float]) -> Codes:
    minus, zero, plus, strange = (int(one) for one in counts)
    return Codes(minus, zero, plus, strange, scales)


def _tl2(tensor: Tensor, layouts: Layouts, tick: Callable[[int], None]) -> Codes:
    if tensor.elements > LARGEST:
        raise BadTensor(
            f"{tensor.elements} weights of tl2 are too many to look at", where=f"tensor {plain(tensor.name)}"
        )
    scale = float(tensor.raw[-32:-28].view("<f4")[0])
    if not np.isfinite(scale):
        raise BadWeights(f"the scale is {scale}", where=f"tensor {plain(tensor.name)}", expected="a finite number")
    weights = tensor.matrix(layouts).unpack()
    tick(tensor.nbytes)
    found = [int(np.count_nonzero(weights == one)) for one in (-1, 0, 1)]
    return Codes(found[0], found[1], found[2], 0, (scale, scale))


def _numbers(tensor: Tensor, tick: Callable[[int], None]) -> Numbers:
    stored = tensor.type.name in FLOATS
    unit = np.dtype(FLOATS[tensor.type.name]).itemsize if stored else tensor.type.size
    low, high, total, squares, finite, strange = np.inf, -np.inf, 0.0, 0.0, 0, 0
    for piece in _pieces(tensor.raw, unit, tick):
        numbers = piece.view(FLOATS[tensor.type.name]) if stored else dequantized(tensor, piece)
        with np.errstate(invalid="ignore"):  # signalling NaNs
            values = numbers.astype(np.float64)
        good = values[np.isfinite(values)]
        strange += values.size - good.size
        if good.size:
            low, high = min(low, float(good.min())), max(high, float(good.max()))
            with np.errstate(over="ignore", invalid="ignore"):  # sums of the largest doubles
                total, squares, finite = total + float(good.sum()), squares + float(good @ good), finite + good.size
    if not finite:
        return Numbers(0.0, 0.0, 0.0, 0.0, strange)
    return Numbers(low, high, total / finite, float(np.sqrt(squares / finite)), strange)


def _pieces(raw: NDArray[np.uint8], unit: int, tick: Callable[[int], None]) -> Iterator[NDArray[np.uint8]]:
    step = max(1, CHUNK // unit) * unit
    for start in range(0, raw.size, step):
        piece = raw[start : start + step]
        yield piece
        tick(piece.size)


def _histogram(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each byte occurs."""
    return np.bincount(codes.reshape(-1), minlength=256)


def _table(codes: list[list[int]]) -> NDArray[np.int64]:
    """(256, 4): how many −1, 0, +1 and strange codes a byte holds."""
    return np.array([[row.count(code) for code in (0, 1, 2, 3)] for row in codes], np.int64)


def _digits(byte: int, count: int) -> list[int]:
    """Base-3 digits of a TQ1_0 byte; strange ones where no digits give that byte."""
    found = [(byte * 3**n % 256) * 3 >> 8 for n in range(count)]
    value = sum(digit * 3 ** (4 - n) for n, digit in enumerate(found))
    return found if (value * 256 + 242) // 243 == byte else [3] * count


_TWO_BITS = _table([[byte >> shift & 3 for shift in (0, 2, 4, 6)] for byte in range(256)])
_PAIRS = _table(
    [[t for half in (b >> 4, b & 15) for t in ((half // 3, half % 3) if half < 9 else (3, 3))] for b in range(256)]
)
_FIVES = _table([_digits(byte, 5) for byte in range(256)])
_FOURS = _table([_digits(byte, 4) for byte in range(256)])
