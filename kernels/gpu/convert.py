"""Quantizing, packing and unpacking on a device; the bits and the refusals are the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import formats, ternary
from kernels.errors import InputError
from kernels.formats import checks
from kernels.formats.i2_s import TAIL
from kernels.gpu import device
from kernels.gpu.device import Device

THREADS = 256
"""Threads of a block of quantize.cu and pack.cu."""

MOST_COUNTED = 2**31 - 2048
"""Rows or columns quantize.cu can count without wrapping."""


def quantize_activations(x: Any) -> tuple[Any, Any]:
    """`kernels.quantize_activations` where the array is, bit for bit.

    Parameters
    ----------
    x : (B, K) float on the device; read as float32.

    Returns
    -------
    q : (B, K) int8 on the device
    scale : (B,) float32 on the device

    Raises
    ------
    NoDevice
        Where there is none.
    InputError
        Not a matrix of floats; NaN and infinity, naming the first. Waits for the device to know.
    """
    here = device.current()
    floats = here.array(as_float32(here, x), "x", np.float32, (None, None))
    if max(floats.shape) > MOST_COUNTED:
        raise InputError(f"x is of shape {floats.shape}; want at most {MOST_COUNTED} rows and columns")
    empty = here.cupy.empty
    q, scales, sums = empty(floats.shape, np.int8), empty(len(floats), np.float32), empty(len(floats), np.int32)
    launch_quantize(here.kernel("quantize.cu", "quantize_rows"), floats, q, scales, sums)
    refuse_infinite(here, floats, scales)
    return q, scales


def launch_quantize(kernel: Any, x: Any, q: Any, scales: Any, sums: Any) -> None:
    """Launch quantize_rows: x (…, K) float32 into q (…, K) int8, scales (…) and sums (…)."""
    if scales.size:
        kernel((scales.size,), (THREADS,), (x, q, scales, sums, np.int32(x.shape[-1])), shared_mem=32)


def refuse_infinite(here: Device, x: Any, scales: Any) -> NDArray[np.float32]:
    """The scales on the host, or what the CPU says about x, if one tells that not all of it is finite."""
    there: NDArray[np.float32] = here.cupy.asnumpy(scales)
    if np.isnan(there).any():
        ternary.quantize_activations(here.cupy.asnumpy(x))
        raise AssertionError("the device calls infinite what the CPU does not")
    return there


def pack(weights: Any, scale: float | np.floating) -> Any:
    """Store a ternary matrix that lies on the device as i2_s, there.

    Parameters
    ----------
    weights : (M, K) int8 of −1, 0 and +1 on the device; K a multiple of 128.
    scale : finite in float32.

    Returns
    -------
    packed : (M * K / 4 + 32,) uint8 on the device, byte for byte what ``formats.get("i2_s").pack`` gives.

    Raises
    ------
    NoDevice
        Where there is none.
    InputError
        Not a contiguous int8 matrix.
    FormatError
        Other weights, another width, a scale that is not finite. Waits for the device to know.
    """
    here = device.current()
    weights = here.array(weights, "weights", np.int8, (None, None), boundary=4)
    value = checks.finite(scale)
    packed = here.cupy.empty(formats.get("i2_s").nbytes(*weights.shape), np.uint8)
    if _refused(here, "pack", weights, packed, (value,), weights.size // 16, TAIL // 4):
        formats.get("i2_s").pack(here.cupy.asnumpy(weights), value)
        raise AssertionError("the device refuses weights that the CPU does not")
    return packed


def unpack(packed: Any, shape: tuple[int, int]) -> tuple[Any, np.float32]:
    """Give back the matrix and the scale of i2_s bytes that lie on the device.

    Parameters
    ----------
    packed : (M * K / 4 + 32,) uint8 on the device.
    shape : (M, K)

    Returns
    -------
    weights : (M, K) int8 on the device
    scale : float32

    Raises
    ------
    NoDevice
        Where there is none.
    InputError
        Not contiguous uint8 of that many bytes.
    FormatError
        The code 3, a scale that is not finite, a shape i2_s cannot hold. Waits for the device to know.
    """
    here = device.current()
    packed = here.array(packed, "packed", np.uint8, (formats.get("i2_s").nbytes(*shape),), boundary=4)
    weights = here.cupy.empty(shape, np.int8)
    if _refused(here, "unpack", packed, weights, (), weights.size // 16, 0):
        formats.get("i2_s").check(here.cupy.asnumpy(packed), shape)
        raise AssertionError("the device refuses bytes that the CPU does not")
    tail = here.cupy.asnumpy(packed[-TAIL:])
    return weights, checks.finite(tail[:4].view("<f4")[0])


def _refused(here: Device, name: str, source: Any, target: Any, more: tuple[Any, ...], words: int, tail: int) -> bool:
    """Launch a kernel of pack.cu over its words; whether it found some it cannot convert."""
    threads = words + tail
    if not threads:
        return False
    refused = here.cupy.zeros(1, np.uint32)
    arguments = (source, target, *more, refused, np.uint64(words))
    here.kernel("pack.cu", name)((-(-threads // THREADS),), (THREADS,), arguments)
    return bool(here.cupy.asnumpy(refused)[0])


def as_float32(here: Device, x: Any) -> Any:
    """Floats on the device as contiguous float32, copied only where they are not."""
    if not hasattr(x, "__cuda_array_interface__"):
        return x
    array = here.cupy.asarray(x)
    if array.dtype.kind not in "fiu":
        raise InputError(f"x is {array.dtype}; want floats")
    return readable(here, array.astype(np.float32, copy=False), 1)


def readable(here: Device, array: Any, boundary: int) -> Any:
    """The array itself where a kernel can read it, else a copy that it can; what is not on a device as it is."""
    if not hasattr(array, "__cuda_array_interface__"):
        return array
    array = here.cupy.ascontiguousarray(here.cupy.asarray(array))
    return array.copy() if array.size and array.data.ptr % boundary else array
