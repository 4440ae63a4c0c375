"""The backend "gpu": arrays of the host in, arrays of the host out. Made only when a device is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels.gpu import device
from kernels.gpu.plan import Plan

if TYPE_CHECKING:
    from kernels.packed import PackedMatrix


class CupyBackend:
    """Uploads a matrix the first time it is used and keeps it as long as the matrix lives."""

    name = "gpu"

    def __init__(self) -> None:
        self._device = device.current()

    def prepare(self, matrix: PackedMatrix) -> None:
        """Upload a matrix, before it is first used."""
        self._device.weights(matrix)

    def accumulate(self, matrix: PackedMatrix, q: NDArray[np.int8]) -> NDArray[np.int32]:
        """(M, K) weights, (B, K) int8 → (B, M) int32."""
        plan = Plan(matrix, len(q), accumulate_only=True, wait=False)
        sums: NDArray[np.int32] = self._device.cupy.asnumpy(plan((self._device.cupy.asarray(q), None)))
        return sums
