"""A linear layer with packed ternary weights and int8 activations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ternary.gemv import gemv
from ternary.pack import pack
from ternary.quantize import quantize_activations, quantize_weights


@dataclass(frozen=True, slots=True)
class BitLinear:
    """``y ≈ W @ x`` with W in two bits a weight and x in eight."""

    packed: NDArray[np.uint8]
    scale: NDArray[np.float32]

    @classmethod
    def from_float(cls, weights: ArrayLike) -> "BitLinear":
        """Quantize and pack a (rows, cols) float matrix."""
        ternary, scale = quantize_weights(weights)
        return cls(pack(ternary), scale)

    def __call__(self, x: ArrayLike) -> NDArray[np.float32]:
        """Apply the layer to one (cols,) vector; the result is (rows,) float32."""
        q, x_scale = quantize_activations(x)
        return gemv(self.packed, q).astype(np.float32) * self.scale[:, 0] * x_scale
