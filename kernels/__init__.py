"""BitNet b1.58 kernels: ternary weights in two bits, int8 activations, exact int32 products.

Loads NumPy when a name that needs it is used; llvmlite and CuPy when a product wants them. Without NumPy, as in a bare
Pyodide, `kernels.formats.places` and `kernels.errors` are there. Knows neither the engine nor the front end.

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

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_HOMES = {
    "kernels.backend": ("BackendReport", "backend_report", "select_backend"),
    "kernels.errors": ("BackendError", "FormatError", "InputError", "KernelError", "NoDevice"),
    "kernels.packed": ("PackedMatrix",),
    "kernels.product": ("matmul",),
    "kernels.ternary": ("quantize_activations", "quantize_weights"),
}


def __getattr__(name: str) -> object:
    """Load what is asked for, once."""
    for home, names in _HOMES.items():
        if name in names:
            module = import_module(home)
            globals().update({each: getattr(module, each) for each in names})
            return globals()[name]
    if name == "formats":
        return import_module("kernels.formats")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
