"""Is the forward pass that of another program? A ladder from tokens to text, up to the first rung that differs."""

from kernels.crossval.ladder import Report, Rung, climb
from kernels.crossval.reference import Reference

__all__ = ["Reference", "Report", "Rung", "climb"]
