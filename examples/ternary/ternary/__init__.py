"""Ternary weights, int8 activations, exact integer products."""

from ternary.gemv import gemv
from ternary.linear import BitLinear
from ternary.pack import LANES, pack, packed_width, unpack
from ternary.quantize import quantize_activations, quantize_weights

__all__ = [
    "LANES",
    "BitLinear",
    "gemv",
    "pack",
    "packed_width",
    "quantize_activations",
    "quantize_weights",
    "unpack",
]
