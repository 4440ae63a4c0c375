"""Memory the machine code reads: on cache lines, many matrices side by side in large pages where there are any.

Reading a matrix from pages of 4 KB costs a look into the page table every 64 cache lines. The system gives large pages
to large regions that ask for them, so matrices share a region. It takes real memory only as it is written, and goes
when the last of its matrices goes.
"""

from __future__ import annotations

import mmap
import threading
from contextlib import suppress
from ctypes import addressof, c_char
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item", bound=np.generic)

LINE = 64
"""Bytes of a cache line, on which every array starts."""

REGION = 2**25
"""Bytes of a region; what is larger has its own."""

SMALL = 2**16
"""Bytes below which an array is not worth a place in a region."""

_AT_START: Any = (c_char * 0).from_buffer

_lock = threading.Lock()  # protects the region and what is left of it
_region: NDArray[np.uint8] = np.empty(0, np.uint8)


def aligned(shape: tuple[int, ...], dtype: type[Item]) -> NDArray[Item]:
    """An array that begins on a cache line; its content is not defined.

    Examples
    --------
    >>> aligned((3, 5), np.int32).ctypes.data % LINE
    0
    """
    global _region
    size = prod(shape) * np.dtype(dtype).itemsize
    if size < SMALL:
        return short_lived(shape, dtype)
    with _lock:
        if len(_region) < size:
            _region = fresh(max(size, REGION))
        room, _region = _region[:size], _region[-(-size // LINE) * LINE :]
    return room.view(dtype).reshape(shape)


def short_lived(shape: tuple[int, ...], dtype: type[Item]) -> NDArray[Item]:
    """The same for an array that is soon given back, in memory of its own."""
    room = np.empty(prod(shape) * np.dtype(dtype).itemsize + LINE, np.uint8)
    return np.ndarray(shape, dtype, room, -address(room) % LINE)


def address(array: NDArray[Any]) -> int:
    """Where a contiguous array begins; as `numpy.ndarray.ctypes` says, in a quarter of its microsecond if it can.

    Examples
    --------
    >>> numbers = np.zeros(3)
    >>> address(numbers) == numbers.ctypes.data
    True
    """
    try:
        return addressof(_AT_START(array))
    except TypeError:  # read-only
        where: int = array.ctypes.data
        return where


def fresh(size: int) -> NDArray[np.uint8]:
    """So many zeros, at least 1, in pages of their own, large ones where the system has them; real as they are written.

    Raises
    ------
    OSError, OverflowError
        The system has no room for them.
    """
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(AttributeError, OSError):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)
