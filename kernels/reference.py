"""The product with one loop an index, in Python integers: slow, obvious, the oracle of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels import formats

if TYPE_CHECKING:
    from kernels.packed import PackedMatrix


class ReferenceBackend:
    """Looks up every weight by the format's formula for one element."""

    name = "reference"

    def accumulate(self, matrix: PackedMatrix, q: NDArray[np.int8]) -> NDArray[np.int32]:
        """(M, K) packed weights, (B, K) int8 → (B, M) int32."""
        rows, cols = matrix.shape
        layout = formats.get(matrix.format)
        sums = np.zeros((len(q), rows), np.int32)
        for row in range(rows):
            weights = [layout.weight(matrix.packed, matrix.shape, row, column) for column in range(cols)]
            for token, values in enumerate(q.tolist()):
                total = 0
                for weight, value in zip(weights, values, strict=True):
                    total += weight * value
                sums[token, row] = total
        return sums
