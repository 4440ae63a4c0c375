"""The bank of idioms, as data: small functions people write again and again, by subject."""

from __future__ import annotations

from engine.providers.repair.synth.idioms import arrays, bits, numbers, quantised, rows, texts

IDIOMS = (
    *numbers.IDIOMS,
    *bits.IDIOMS,
    *rows.IDIOMS,
    *texts.IDIOMS,
    *arrays.IDIOMS,
    *quantised.IDIOMS,
)

__all__ = ["IDIOMS"]
