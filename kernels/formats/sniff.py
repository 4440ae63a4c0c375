"""Which format bytes can be in. Says so only where one remains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.errors import FormatError
from kernels.formats.format import Format

LIKELY = (2.0**-40, 2.0**40)
"""Scales of a model's weights lie between these by far; of the float32 there are, two in three do not."""

UNTOLD = ("tl1", "tl2")
"""Read with the tile of the shape, where it might have been any."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What bytes are, read in a format they can be in."""

    format: Format
    scale: float
    shares: tuple[float, ...]
    """Of the weights −1, 0 and +1; of no weights nothing."""

    @property
    def likely(self) -> bool:
        """Whether some model could have this scale."""
        nothing_but_zeros = not self.shares or self.shares[1] == 1
        return LIKELY[0] <= self.scale <= LIKELY[1] or (nothing_but_zeros and self.scale == 0)

    def __str__(self) -> str:
        shares = " / ".join(f"{share:.0%}" for share in self.shares) or "none"
        return f"{self.format.name} (scale {self.scale:.6g}; -1 / 0 / +1: {shares})"


def the_one(packed: NDArray[np.uint8], shape: tuple[int, int], formats: Iterable[Format]) -> Format:
    """The format that remains; see `kernels.formats.guess`."""
    found, refused = [], []
    for layout in formats:
        try:
            found.append(_read(packed, shape, layout))
        except FormatError as error:
            refused.append(f"{layout.name}: {error}")
    found = [reading for reading in found if reading.likely] or found
    if len(found) == 1 and found[0].format.name not in UNTOLD:
        return found[0].format
    if found:
        tile = ", with its tile" if any(reading.format.name in UNTOLD for reading in found) else ""
        raise FormatError(
            f"these bytes can be {', or '.join(map(str, found))}",
            hint=f"name the one they are{tile}, as the program that wrote them does",
        )
    raise FormatError("these bytes are in none of the formats; " + "; ".join(refused))


def _read(packed: NDArray[np.uint8], shape: tuple[int, int], layout: Format) -> Reading:
    ternary, scale = layout.unpack(packed, shape)
    shares = tuple(np.count_nonzero(ternary == weight) / ternary.size for weight in (-1, 0, 1) if ternary.size)
    return Reading(layout, float(scale), shares)
