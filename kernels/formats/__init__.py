"""Storage formats by name: ``formats.get("i2_s")``."""

from __future__ import annotations

from difflib import get_close_matches

from kernels.errors import FormatError
from kernels.formats.format import Format
from kernels.formats.i2_s import I2S
from kernels.formats.tq import TQ1, TQ2

_FORMATS: dict[str, Format] = {fmt.name: fmt for fmt in (I2S(), TQ1(), TQ2())}


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
    kernels.errors.FormatError: unknown format 'i2s'; known: i2_s, tq1_0, tq2_0; did you mean 'i2_s'?
    """
    try:
        return _FORMATS[name]
    except KeyError:
        near = get_close_matches(name.lower(), _FORMATS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
        raise FormatError(f"unknown format {name!r}; known: {', '.join(_FORMATS)}", hint=hint) from None


__all__ = ["Format", "get", "names"]
