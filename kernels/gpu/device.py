"""The device in use: CuPy, the kernels compiled for it, the weights uploaded to it. Nothing else imports CuPy."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from kernels.backend import why_not
from kernels.errors import InputError, NoDevice
from kernels.formats.i2_s import TAIL
from kernels.packed import PackedMatrix

FOLDER = Path(__file__).parent

TENSOR_CORES = 80
"""The least compute capability, times ten, whose tensor cores multiply bytes as gemv.cu and gemm.cu want it."""


def source(name: str) -> str:
    """The text of a .cu file with its headers in their places: what CuPy compiles, and knows its binaries by."""
    text = (FOLDER / name).read_text("utf-8")
    return re.sub(r'#include "([\w.]+)"\n', lambda found: (FOLDER / found[1]).read_text("utf-8"), text)


class Device:
    """What the functions of this package need of CuPy; `current` gives the one there is.

    Parameters
    ----------
    cupy : the module, or what stands in for it.
    """

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        self._modules: dict[str, Any] = {}
        self._kernels: dict[tuple[int, str, str], Any] = {}
        self._weights: WeakKeyDictionary[PackedMatrix, dict[int, tuple[Any, Any]]] = WeakKeyDictionary()

    @property
    def tensor_cores(self) -> bool:
        """Whether the current device runs gemv.cu and gemm.cu; if not, there is portable.cu."""
        return int(self.cupy.cuda.Device().compute_capability) >= TENSOR_CORES

    @property
    def capturing(self) -> bool:
        """Whether the current stream records a graph, and so must neither allocate nor wait."""
        return bool(self.cupy.cuda.get_current_stream().is_capturing())

    def kernel(self, file: str, name: str) -> Any:
        """A kernel of a .cu file, compiled by the first call of this process; CuPy keeps binaries on disk."""
        key = (int(self.cupy.cuda.Device().id), file, name)
        if key not in self._kernels:
            if file not in self._modules:
                self._modules[file] = self.cupy.RawModule(code=source(file), options=("--std=c++17",))
            self._kernels[key] = self._modules[file].get_function(name)
            assert self._kernels[key].num_regs  # asking loads it; else the first launch would, perhaps in a capture
        return self._kernels[key]

    def weights(self, matrix: PackedMatrix) -> tuple[Any, Any]:
        """The codes (M * K / 4,) uint8 and the scale (1,) float32, uploaded once and kept while the matrix lives."""
        uploaded = self._weights.setdefault(matrix, {})
        device = int(self.cupy.cuda.Device().id)
        if device not in uploaded:
            codes = self.cupy.asarray(matrix.i2s.packed[:-TAIL])
            uploaded[device] = codes, self.cupy.asarray(np.array([matrix.scale], np.float32))
            self.cupy.cuda.get_current_stream().synchronize()  # other streams may use them next
        return uploaded[device]

    def there(self, values: Any, name: str) -> Any:
        """An array on the current device, or InputError."""
        if not hasattr(values, "__cuda_array_interface__"):
            raise InputError(
                f"{name} is a {type(values).__name__}; want an array on the device", "cupy.asarray uploads it"
            )
        array = self.cupy.asarray(values)
        if array.device.id != self.cupy.cuda.Device().id:
            raise InputError(
                f"{name} lies on device {array.device.id}, not on the current one", "with cupy.cuda.Device(n):"
            )
        return array

    def array(
        self, values: Any, name: str, dtype: type[np.generic], shape: tuple[int | None, ...], boundary: int = 1
    ) -> Any:
        """An array on the device as it is, if it is what a kernel takes; None stands for any length.

        A kernel that reads several elements at once wants the first one on a `boundary` of bytes.

        Raises
        ------
        InputError
            Names the array, what it is and what is wanted.
        """
        array = self.there(values, name)
        fits = len(shape) == array.ndim and all(
            want in (None, got) for want, got in zip(shape, array.shape, strict=True)
        )
        if array.dtype != dtype or not fits:
            wanted = str(shape).replace("None", "any")
            raise InputError(f"{name} is {array.dtype} of shape {array.shape}; want {np.dtype(dtype)} of {wanted}")
        if not array.flags.c_contiguous:
            raise InputError(f"{name} is not contiguous", "cupy.ascontiguousarray copies it")
        if array.size and array.data.ptr % boundary:
            raise InputError(
                f"{name} starts at {array.data.ptr:#x}; want a multiple of {boundary}", "a copy starts on one"
            )
        return array


@cache
def current() -> Device:
    """CuPy with a device behind it.

    Raises
    ------
    NoDevice
        With the reason.
    """
    reason = why_not("gpu")
    if reason is not None:
        raise NoDevice(reason)
    return Device(import_module("cupy"))
