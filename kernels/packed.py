"""A ternary matrix as stored: bytes, shape and the name of their format. Checked once, when made."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels import formats
from kernels.errors import FormatError
from kernels.formats import checks
from kernels.formats.i2_s import BLOCK, I2S, STRIDE, TAIL
from kernels.ternary import quantize_weights

MAX_COLS = 2**23 - 1
"""A sum of code · q grows by at most 2 · 128 a column; wider rows could leave int32."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class PackedMatrix:
    """Packed bytes that are known to be good, so that kernels need not look again.

    Parameters
    ----------
    packed : (nbytes,) uint8, kept as a read-only view; do not write to the original.
    shape : (M, K), outputs by inputs.
    format : a name `kernels.formats.get` knows.
    factor : what the scale in the bytes is multiplied by, where a file keeps another beside them.

    Raises
    ------
    FormatError
        When the bytes are not a matrix of that shape in that format, or its scale is not finite.

    Examples
    --------
    >>> matrix = PackedMatrix.from_float(np.ones((2, 128)))
    >>> matrix.shape, matrix.nbytes, float(matrix.scale)
    ((2, 128), 96, 1.0)
    """

    packed: NDArray[np.uint8]
    shape: tuple[int, int]
    format: str = "i2_s"
    factor: float = 1.0
    _codes: NDArray[np.uint8] | None = field(default=None, init=False, repr=False)
    _scale: np.float32 | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        layout = formats.get(self.format)
        object.__setattr__(self, "shape", checks.shaped(self.shape))
        if self.shape[1] > MAX_COLS:
            raise FormatError(f"{self.shape[1]} columns; at most {MAX_COLS} fit exact int32 sums")
        layout.check(self.packed, self.shape)
        view = np.ascontiguousarray(self.packed).view()
        view.flags.writeable = False
        object.__setattr__(self, "packed", view)
        if self.factor != 1:
            with np.errstate(over="ignore", invalid="ignore"):
                scale = layout.scale(view, self.shape) * checks.finite(self.factor)
            object.__setattr__(self, "_scale", checks.finite(scale))

    @classmethod
    def from_float(cls, weights: ArrayLike, format: str = "i2_s") -> PackedMatrix:
        """Quantize (M, K) floats by absmean and pack them."""
        ternary, scale = quantize_weights(weights)
        rows, cols = ternary.shape
        layout = formats.get(format)
        return cls(layout.pack(ternary, layout.nearest_scale(scale)), (rows, cols), format)

    def to(self, format: str) -> PackedMatrix:
        """The same weights and scale in another format; this matrix itself if it is in that one and its factor 1.

        Raises
        ------
        FormatError
            The other format cannot hold the shape, or the scale exactly.

        Examples
        --------
        >>> matrix = PackedMatrix.from_float(np.ones((2, 256)))
        >>> matrix.to("tq1_0").nbytes, matrix.to("tq1_0").to("i2_s").packed.tobytes() == matrix.packed.tobytes()
        (108, True)
        """
        if format == self.format and self.factor == 1:
            return self
        return PackedMatrix(formats.get(format).pack(self.unpack(), self.scale), self.shape, format)

    @property
    def i2s(self) -> PackedMatrix:
        """The same matrix in I2_S: this one, or a new one."""
        return self.to("i2_s")

    @property
    def codes(self) -> NDArray[np.uint8]:
        """(M, ceil(K / 128) * 32) uint8, what `i2s_codes` gives: made once, and kept."""
        if self._codes is None:
            object.__setattr__(self, "_codes", i2s_codes(self))
        assert self._codes is not None
        return self._codes

    @property
    def nbytes(self) -> int:
        """Bytes held, scale and padding included."""
        return self.packed.nbytes

    @property
    def scale(self) -> np.float32:
        """What the integer products are multiplied by: read once, and kept."""
        if self._scale is None:
            object.__setattr__(self, "_scale", formats.get(self.format).scale(self.packed, self.shape))
        assert self._scale is not None
        return self._scale

    def unpack(self) -> NDArray[np.int8]:
        """The (M, K) int8 weights."""
        return formats.get(self.format).unpack(self.packed, self.shape)[0]


def i2s_codes(matrix: PackedMatrix) -> NDArray[np.uint8]:
    """A matrix in any format → (M, ceil(K / 128) * 32) uint8, the codes of I2_S; zero weights fill the columns up.

    Examples
    --------
    >>> matrix = PackedMatrix.from_float(np.ones((4, 3)), "i2_s:x86-1x4")
    >>> i2s_codes(matrix).shape, i2s_codes(matrix)[0, :4].tolist()
    ((4, 32), [149, 149, 149, 85])
    """
    rows, cols = matrix.shape
    blocks = -(-cols // BLOCK)
    if matrix.format == "i2_s":
        return matrix.packed[:-TAIL].reshape(rows, blocks * STRIDE)
    ternary = np.zeros((rows, blocks * BLOCK), np.int8)
    ternary[:, :cols] = matrix.unpack()
    return I2S().pack(ternary, 1.0)[:-TAIL].reshape(rows, blocks * STRIDE)
