"""Where other programs round numbers on their way through a model, by the names of the programs."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.errors import InputError


@dataclass(frozen=True, slots=True)
class Rounding:
    """Where numbers are rounded to float16 on their way, as some programs do; nowhere by default.

    The names that `named` knows are those of programs, of how they are run, and what that rounds.

    Parameters
    ----------
    keys : in the cache, and the queries they meet.
    values : in the cache.
    probabilities : of the attention, before they weigh the values.
    head : what goes into the matrix of the logits.
    blocks : to int8 instead, activations by blocks of 256 and not by rows.

    Examples
    --------
    >>> Rounding.named("bitnet.cpp-one")
    Rounding(keys=True, values=True, probabilities=True, head=True, blocks=False)
    """

    keys: bool = False
    values: bool = False
    probabilities: bool = False
    head: bool = False
    blocks: bool = False

    @classmethod
    def named(cls, name: str) -> Rounding:
        """That of a program.

        ``bitnet.cpp-batch`` and ``bitnet.cpp-one`` are Microsoft's with a float16 cache, prompts at once and token by
        token; with ``-k32`` behind it, keys are float32. ``llama.cpp`` is upstream's with a float32 cache.
        """
        if name not in ROUNDINGS:
            raise InputError(f"rounding {name!r}; known: {', '.join(ROUNDINGS)}")
        return ROUNDINGS[name]


NONE = Rounding()

ROUNDINGS = {
    "none": NONE,
    "bitnet.cpp-batch": Rounding(keys=True, values=True),
    "bitnet.cpp-batch-k32": Rounding(values=True),
    "bitnet.cpp-one": Rounding(keys=True, values=True, probabilities=True, head=True),
    "bitnet.cpp-one-k32": Rounding(values=True, probabilities=True, head=True),
    "llama.cpp": Rounding(head=True, blocks=True),
}
"""By the name of what rounds so."""
