"""What a storage format can do; one class a layout keeps to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kernels.formats.places import Bytes


class Format(Protocol):
    """A byte layout of a ternary (M, K) matrix and its scale."""

    @property
    def name(self) -> str:
        """The name `kernels.formats.get` knows it by."""

    def nbytes(self, rows: int, cols: int) -> int:
        """Bytes a (rows, cols) matrix takes, scale included; refuses shapes the layout cannot hold."""

    def nearest_scale(self, scale: float | np.floating) -> np.float32:
        """The nearest scale the layout can hold; refuses what is not finite there."""

    def weight(self, packed: Bytes, shape: tuple[int, int], row: int, column: int) -> int:
        """One weight of good bytes, decoded by itself: what the reference multiplies with."""

    def pack(self, ternary: NDArray[np.integer], scale: float | np.floating) -> NDArray[np.uint8]:
        """(M, K) of −1, 0, +1 and a scale → (nbytes,) uint8."""

    def unpack(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> tuple[NDArray[np.int8], np.float32]:
        """(nbytes,) uint8 → (M, K) int8 and the scale."""

    def check(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> None:
        """Refuse bytes that are not a matrix of this shape in this layout."""

    def scale(self, packed: NDArray[np.uint8], shape: tuple[int, int]) -> np.float32:
        """The scale alone."""
