"""What a forward pass asks of the place where its arrays are, where that is the host: nearly nothing."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.fast.memory import fresh
from kernels.ops import checks

if TYPE_CHECKING:
    from kernels.ops import Inputs, Ops, Stored, Work

Floats = NDArray[np.float32]


def room(shape: tuple[int, ...]) -> Floats:
    """Float32 numbers that are 0; memory is taken as they are written.

    Raises
    ------
    MemoryError
        The system has not so much, even if not all of it is written.
    """
    try:
        return fresh(4 * prod(shape)).view(np.float32).reshape(shape)
    except (OSError, OverflowError) as error:
        raise MemoryError(str(error)) from None


class HostArrays:
    """The part of `kernels.ops.Ops` that computes nothing."""

    def room(self, shape: tuple[int, ...]) -> Floats:
        """(…) float32, nothing in it."""
        return room(shape)

    def put(self, values: Floats) -> Floats:
        """The array itself."""
        return values

    def get(self, values: Floats) -> Floats:
        """The array itself."""
        return values

    def keep(self, x: Floats, cache: Stored, start: int) -> None:
        """(T, …) into the positions from ``start`` on of (capacity, …)."""
        checks.keep(x, cache, start)
        cache[start : start + len(x)] = x

    def run(self: Ops, work: Work, inputs: Inputs, again: object = None) -> Floats:
        """What ``work`` gives."""
        return work(self, *inputs)
