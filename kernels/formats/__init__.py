"""Storage formats by name: ``formats.get("i2_s")``."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING

from kernels.errors import FormatError
from kernels.formats.format import Format

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NAMES = ("i2_s", "i2_s:arm-64", "i2_s:x86-1x4", "tq1_0", "tq2_0", "tl1", "tl2")


@cache
def _plain() -> dict[str, Format]:
    """The formats that need no tile. NumPy is loaded here, so that `places` is to be had without."""
    from kernels.formats.i2_s import I2S
    from kernels.formats.tl import TL1, TL2
    from kernels.formats.tq import TQ1, TQ2

    layouts: tuple[Format, ...] = I2S(), I2S("i2_s:arm-64", 16), I2S("i2_s:x86-1x4", 0), TQ1(), TQ2(), TL1(), TL2()
    return dict(zip(_NAMES, layouts, strict=True))


def names() -> tuple[str, ...]:
    """The names `get` answers to."""
    return _NAMES


def get(name: str, tile: tuple[int, ...] | None = None) -> Format:
    """The format of this name.

    Parameters
    ----------
    tile : (BM, BK, bm) of ``tl1`` or (BM, BK) of ``tl2``; it becomes part of the name, as in ``tl2:128,96``.

    Examples
    --------
    >>> get("i2_s").nbytes(128, 256)
    8224
    >>> get("i2s")
    Traceback (most recent call last):
    kernels.errors.FormatError: unknown format 'i2s'; did you mean 'i2_s'?
    """
    if not isinstance(name, str):
        raise FormatError(f"the format is {name!r}; want its name", hint=f"known: {', '.join(_NAMES)}")
    family, _, given = name.partition(":")
    if family in ("tl1", "tl2") and (given or tile is not None):
        return _tiled(family, tile if tile is not None else _numbers(name, given))
    if tile is not None:
        raise FormatError(f"{name!r} has no tiles; tl1 and tl2 have")
    try:
        return _plain()[name]
    except KeyError:
        near = get_close_matches(name.lower(), _NAMES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_NAMES)}"
        raise FormatError(f"unknown format {name!r}", hint=hint) from None


def guess(packed: NDArray[np.uint8], shape: tuple[int, int], among: tuple[str, ...] = _NAMES) -> Format:
    """The one format these bytes can be in, by their size and content; refuses to choose between several.

    A format can be it that holds the shape in so many bytes, none of them without meaning. Of those that read some
    scale there is, one reads an unlikely one if it is negative, or not between 2**-40 and 2**40 where a weight is not
    zero; it counts only if no other does better. What remains is not weighed further: the layouts of I2_S differ in
    nothing but the order of the weights, which bytes cannot show. Nor can they show the tile of TL1 and TL2.

    Parameters
    ----------
    packed : (nbytes,) uint8
    shape : (M, K)
    among : names to choose from; ``tl1`` and ``tl2`` are found only with a tile, as in ``tl2:128,96``.

    Raises
    ------
    FormatError
        When none can be it, saying why not; when more than one can, naming each and what it would read.

    Examples
    --------
    >>> import numpy as np
    >>> packed = get("tq1_0").pack(np.ones((1, 256), np.int8), 0.5)
    >>> guess(packed, (1, 256)).name
    'tq1_0'
    >>> guess(get("i2_s").pack(np.ones((1, 128), np.int8), 0.5), (1, 128))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    kernels.errors.FormatError: these bytes can be i2_s (...
    """
    from kernels.formats.sniff import the_one

    return the_one(packed, shape, [get(name) for name in among])


def _tiled(family: str, tile: tuple[int, ...]) -> Format:
    from kernels.formats.tl import TL1, TL2

    return TL1(tile) if family == "tl1" else TL2(tile)


def _numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise FormatError(f"{name!r} names no tile; want whole numbers, as in tl2:128,96") from None


__all__ = ["Format", "get", "guess", "names"]
