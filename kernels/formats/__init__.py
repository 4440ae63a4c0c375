"""Storage formats by name: ``formats.get("i2_s")``."""

from __future__ import annotations

from difflib import get_close_matches

from kernels.errors import FormatError
from kernels.formats.format import Format
from kernels.formats.i2_s import I2S
from kernels.formats.tq import TQ1, TQ2

_LAYOUTS: tuple[Format, ...] = (I2S(), I2S("i2_s:arm-64", 16), I2S("i2_s:x86-1x4", 0), TQ1(), TQ2())
_FORMATS: dict[str, Format] = {fmt.name: fmt for fmt in _LAYOUTS}


def names() -> tuple[str, ...]:
    """The names `get` answers to."""
    return tuple(_FORMATS)


def get(name: str) -> Format:
    """The format of this name.

    Examples
    --------
    >>> get("i2_s").nbytes(128, 256)
    8224
    >>> get("i2s")
    Traceback (most recent call last):
    kernels.errors.FormatError: unknown format 'i2s'; did you mean 'i2_s'?
    """
    try:
        return _FORMATS[name]
    except KeyError:
        near = get_close_matches(name.lower(), _FORMATS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_FORMATS)}"
        raise FormatError(f"unknown format {name!r}", hint=hint) from None


__all__ = ["Format", "get", "names"]
