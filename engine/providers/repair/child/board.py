"""Memory that a warm process shares with its fork: results are written there, at no cost for whoever waits for them.

A pipe would wake two processes for each result. What was written survives a fork that dies; only whole lines count.
"""

from __future__ import annotations

import mmap
import struct

_LENGTH = struct.Struct("=Q")
SIZE = 4 << 20
_KEPT = 1 << 10  # for the last line


class Board:
    """Lines that the fork adds at the end, and that the warm process takes from the beginning."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._memory = mmap.mmap(-1, size)
        self._written = self._taken = _LENGTH.size

    def clear(self) -> None:
        """Begin anew; before a fork."""
        self._written = self._taken = _LENGTH.size
        _LENGTH.pack_into(self._memory, 0, self._written)

    def write(self, line: bytes, *, last: bool = False) -> bool:
        """Add a line; false when there is no room for it. For the last one there always is."""
        end = self._written + len(line)
        if end > self._size - (0 if last else _KEPT):
            return False
        self._memory[self._written : end] = line
        self._written = end
        # Only now can it be seen: never half of it.
        _LENGTH.pack_into(self._memory, 0, end)
        return True

    def take(self) -> bytes:
        """Every line since the last call."""
        (end,) = _LENGTH.unpack_from(self._memory, 0)
        if not self._taken < end <= self._size:
            return b""
        lines = self._memory[self._taken : end]
        self._taken = end
        return lines
