"""BitNet b1.58 kernels: ternary weights in two bits, int8 activations, exact int32 products.

Loads NumPy alone; llvmlite and CuPy when a product wants them. Knows neither the engine nor the front end.

Examples
--------
>>> import numpy as np
>>> from kernels import PackedMatrix, formats, matmul, quantize_weights
>>> ternary, scale = quantize_weights(np.tile([0.75, -0.75, 0.25, 0.25], (3, 32)))
>>> packed = formats.get("i2_s").pack(ternary, scale)
>>> matrix = PackedMatrix(packed, (3, 128), format="i2_s")
>>> matmul(matrix, np.ones((2, 128))).tolist()
[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
"""

from kernels import formats
from kernels.backend import BackendReport, backend_report, select_backend
from kernels.errors import BackendError, FormatError, InputError, KernelError, NoDevice
from kernels.packed import PackedMatrix
from kernels.product import matmul
from kernels.ternary import quantize_activations, quantize_weights

__all__ = [
    "BackendError",
    "BackendReport",
    "FormatError",
    "InputError",
    "KernelError",
    "NoDevice",
    "PackedMatrix",
    "backend_report",
    "formats",
    "matmul",
    "quantize_activations",
    "quantize_weights",
    "select_backend",
]
