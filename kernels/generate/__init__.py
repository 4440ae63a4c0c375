"""Text from a model: sampling, streaming, and where it ends. ``python -m kernels generate MODEL`` is its command."""

from kernels.generate.sample import Sampler
from kernels.generate.stream import Generation, generate

__all__ = ["Generation", "Sampler", "generate"]
