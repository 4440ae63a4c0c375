"""Storage formats by name: ``formats.get("i2_s")``."""

from __future__ import annotations

from difflib import get_close_matches

from kernels.errors import FormatError
from kernels.formats.format import Format
from kernels.formats.i2_s import I2S
from kernels.formats.tl import TL1, TL2
from kernels.formats.tq import TQ1, TQ2

_LAYOUTS: tuple[Format, ...] = (I2S(), I2S("i2_s:arm-64", 16), I2S("i2_s:x86-1x4", 0), TQ1(), TQ2(), TL1(), TL2())
_FORMATS: dict[str, Format] = {fmt.name: fmt for fmt in _LAYOUTS}

_TILED: dict[str, type[TL1] | type[TL2]] = {"tl1": TL1, "tl2": TL2}


def names() -> tuple[str, ...]:
    """The names `get` answers to."""
    return tuple(_FORMATS)


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
    family, _, given = name.partition(":")
    if family in _TILED and (given or tile is not None):
        return _TILED[family](tile if tile is not None else _numbers(name, given))
    if tile is not None:
        raise FormatError(f"{name!r} has no tiles; {' and '.join(_TILED)} have")
    try:
        return _FORMATS[name]
    except KeyError:
        near = get_close_matches(name.lower(), _FORMATS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_FORMATS)}"
        raise FormatError(f"unknown format {name!r}", hint=hint) from None


def _numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise FormatError(f"{name!r} names no tile; want whole numbers, as in tl2:128,96") from None


__all__ = ["Format", "get", "names"]
