"""Exact integer products on a CUDA device, through CuPy. Import only when a device is there."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from kernels.formats.i2_s import TAIL

if TYPE_CHECKING:
    from kernels.packed import PackedMatrix

SOURCE = Path(__file__).with_name("w2a8.cu")
ROWS_A_BLOCK = 8
TOKENS = 8
"""Activation rows a warp of ``w2a8_gemm`` takes; ``w2a8_gemv`` takes one."""


class CupyBackend:
    """Uploads a matrix the first time it is used and keeps it as long as the matrix lives."""

    name = "gpu"

    def __init__(self) -> None:
        self._cupy: Any = import_module("cupy")
        self._on_device: WeakKeyDictionary[PackedMatrix, Any] = WeakKeyDictionary()

    @cached_property
    def _module(self) -> Any:
        """The compiled source; compiling waits until a product is asked for."""
        return self._cupy.RawModule(code=SOURCE.read_text("utf-8"), options=("--std=c++17",))

    def accumulate(self, matrix: PackedMatrix, q: NDArray[np.int8]) -> NDArray[np.int32]:
        """(M, K) i2_s weights, (B, K) int8 → (B, M) int32."""
        cupy = self._cupy
        rows, cols = matrix.shape
        batch = len(q)
        activations = cupy.asarray(q)
        sums = cupy.asarray(q.sum(axis=1, dtype=np.int32))
        products = cupy.empty((batch, rows), cupy.int32)
        name, tokens = ("w2a8_gemv", 1) if batch == 1 else ("w2a8_gemm", TOKENS)
        grid = (-(-rows // ROWS_A_BLOCK), -(-batch // tokens))
        arguments = (self._weights(matrix), activations, sums, products)
        sizes = (np.int32(rows), np.int32(cols), np.int32(batch))
        self._module.get_function(name)(grid, (32, ROWS_A_BLOCK), (*arguments, *sizes))
        result: NDArray[np.int32] = cupy.asnumpy(products)
        return result

    def _weights(self, matrix: PackedMatrix) -> Any:
        """The codes on the device, (M * K / 4,) uint8."""
        if matrix not in self._on_device:
            self._on_device[matrix] = self._cupy.asarray(matrix.i2s.packed[:-TAIL])
        return self._on_device[matrix]
