"""What every implementation refuses, in the same words: machine code trusts these shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kernels.errors import InputError

if TYPE_CHECKING:
    from kernels.ops.head import Head
    from kernels.packed import PackedMatrix

F32, F16 = np.dtype(np.float32), np.dtype(np.float16)


def array(values: NDArray[Any], shape: tuple[int, ...], what: str, dtype: np.dtype[Any] = F32) -> None:
    """Refuse what is not C-contiguous, of this shape and type."""
    if (values.dtype is not dtype and values.dtype != dtype) or values.shape != shape or not values.flags.c_contiguous:
        order = "" if values.flags.c_contiguous else ", not contiguous"
        raise InputError(f"{what} is {values.dtype} of shape {values.shape}{order}; want {dtype} {shape}")


def rms_norm(x: NDArray[Any], weight: NDArray[Any]) -> None:
    """(T, D) and (D,), D above 0."""
    _ranks(2, "x", x)
    array(x, x.shape, "x")
    array(weight, x.shape[1:], "the weight")


def rope(x: NDArray[Any], cos: NDArray[Any], sin: NDArray[Any]) -> None:
    """(T, H, hd) with hd even, and (T, r) twice, r at most hd / 2."""
    _ranks(3, "x", x)
    _pairs(x)
    array(x, x.shape, "x")
    pairs = x.shape[2] // 2
    turned = x.shape[0], min(cos.shape[-1], pairs) if cos.ndim else pairs
    array(cos, turned, "cos")
    array(sin, turned, "sin")


def attention(q: NDArray[Any], k: NDArray[Any], v: NDArray[Any], start: int) -> None:
    """(T, H, hd) with hd even, (capacity, KV, hd) twice; start + T within the capacity, H a multiple of KV.

    Keys and values are both float32, or both float16.
    """
    _ranks(3, "q", q)
    _ranks(3, "k", k)
    _pairs(q)
    array(q, q.shape, "q")
    stored = F16 if k.dtype == F16 else F32
    array(k, (*k.shape[:2], q.shape[2]), "k", stored)
    array(v, k.shape, "v", stored)
    if q.shape[1] % k.shape[1]:
        raise InputError(f"{q.shape[1]} heads cannot share {k.shape[1]}; want a multiple")
    if not 0 <= start <= k.shape[0] - q.shape[0]:
        raise InputError(f"positions {start} to {start + q.shape[0]} of a cache for {k.shape[0]}")


def keep(x: NDArray[Any], cache: NDArray[Any], start: int) -> None:
    """(T, …) and (capacity, …), with start + T within the capacity."""
    array(x, x.shape, "x")
    array(cache, (len(cache), *x.shape[1:]), "the cache", F16 if cache.dtype == F16 else F32)
    if not 0 <= start <= len(cache) - len(x):
        raise InputError(f"positions {start} to {start + len(x)} of a cache for {len(cache)}")


def gate(gate: NDArray[Any], up: NDArray[Any], kind: str) -> None:
    """(T, F) twice, and a kind there is."""
    if kind not in ("relu2", "silu"):
        raise InputError(f"unknown gate {kind!r}; want 'relu2' or 'silu'")
    add(gate, up)


def add(a: NDArray[Any], b: NDArray[Any]) -> None:
    """(T, D) twice."""
    _ranks(2, "the first", a)
    array(a, a.shape, "the first")
    array(b, a.shape, "the second")


def dense(x: NDArray[Any], head: Head) -> None:
    """(T, D) for a head of (V, D)."""
    array(x, (len(x) if x.ndim else 0, head.shape[1]), "x")


def linears(x: NDArray[Any], matrices: Sequence[PackedMatrix]) -> None:
    """(T, K) for matrices of (M, K)."""
    for matrix in matrices:
        array(x, (len(x) if x.ndim else 0, matrix.shape[1]), "x")


def _pairs(x: NDArray[Any]) -> None:
    if x.shape[2] % 2:
        raise InputError(f"heads have {x.shape[2]} values; want an even number, as they are turned in pairs")


def _ranks(rank: int, what: str, values: NDArray[Any]) -> None:
    if values.ndim != rank or not all(values.shape[1:]):
        raise InputError(f"{what} has the shape {values.shape}; want {rank} lengths above 0")
