"""Keys and values of the tokens a model has seen, one place a position, allocated once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from kernels.errors import InputError
from kernels.ops import host
from kernels.ops.host import Floats


@dataclass(slots=True, eq=False, weakref_slot=True)
class Cache:
    """Room for ``capacity`` positions; on the CPU memory is taken as positions are filled.

    Parameters
    ----------
    keys, values : (layers, capacity, KV, d) float32, where the model computes.
    length : positions that are filled.

    Examples
    --------
    >>> cache = Cache.empty(layers=2, capacity=4, kv_heads=1, size=8)
    >>> cache.capacity, cache.length
    (4, 0)
    """

    keys: Floats
    values: Floats
    length: int = 0

    @classmethod
    def empty(
        cls, layers: int, capacity: int, kv_heads: int, size: int,
        room: Callable[[tuple[int, ...]], Floats] = host.room,
    ) -> Cache:  # fmt: skip
        """A cache that has seen nothing.

        Parameters
        ----------
        room : makes an array of a shape.

        Raises
        ------
        InputError
            There is no room for so many positions, even if not all of them are filled.
        """
        if not isinstance(capacity, int | np.integer) or capacity < 1:
            raise InputError(f"a cache for {capacity} positions; want a whole number, at least 1")
        shape = 2, layers, int(capacity), kv_heads, size
        try:
            both = room(shape)
        except MemoryError:
            raise InputError(
                f"a cache for {capacity} positions takes {4 * prod(shape):,} bytes; the system has not so many",
                hint="ask for fewer",
            ) from None
        return cls(both[0], both[1])

    @property
    def capacity(self) -> int:
        """Positions there is room for."""
        return int(self.keys.shape[1])

    def claim(self, tokens: int) -> int:
        """The position of the first of so many new tokens.

        Raises
        ------
        InputError
            There is not enough room.
        """
        if self.length + tokens > self.capacity:
            raise InputError(
                f"{self.length} positions are filled and {tokens} more asked for; the cache holds {self.capacity}",
                hint="make a larger one: model.new_cache(capacity)",
            )
        return self.length

    def truncate(self, length: int) -> None:
        """Forget what lies behind so many positions."""
        if not 0 <= length <= self.length:
            raise InputError(f"length {length}; want 0 to {self.length}")
        self.length = length
