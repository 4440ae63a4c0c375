"""What machine code is called with: one row of 64-bit words, in an order that the code and Python both read here.

A row begins with the job of a team, or 0, then the groups of work there are and how many make a range. Behind these
are the words of the operation.
"""

from __future__ import annotations

ADDRESS, COUNT, FLOAT = "P", "q", "d"
"""What a word is, by its letter in `struct`; floats travel as float64 and are used as float32."""

HEAD = {"job": ADDRESS, "share": COUNT, "groups": COUNT}

_DENSE = dict.fromkeys(("x", "weights", "y"), ADDRESS) | dict.fromkeys(("batch", "panel", "cols"), COUNT)
_ROUND = dict.fromkeys(("weights", "rounded", "scale"), ADDRESS) | {"cols": COUNT}
_ATTENTION = dict.fromkeys(("q", "k", "v", "y", "room"), ADDRESS)
_ATTENTION |= dict.fromkeys(("start", "tokens", "served", "group", "size"), COUNT) | {"scale": FLOAT}

OPERATIONS: dict[str, dict[str, str]] = {
    "accumulate": dict.fromkeys(("q", "room"), ADDRESS) | dict.fromkeys(("batch", "panel", "blocks"), COUNT),
    "multiply": dict.fromkeys(("x", "room"), ADDRESS)
    | dict.fromkeys(("batch", "panel", "blocks", "cols", "matrices"), COUNT),
    "rms_norm": dict.fromkeys(("x", "weight", "y"), ADDRESS) | {"cols": COUNT, "eps": FLOAT},
    "rope": dict.fromkeys(("x", "cos", "sin", "y"), ADDRESS) | dict.fromkeys(("heads", "size", "half"), COUNT),
    "relu2": dict.fromkeys(("gate", "up", "y"), ADDRESS) | {"cols": COUNT},
    "silu": dict.fromkeys(("gate", "up", "y"), ADDRESS) | {"cols": COUNT},
    "add": dict.fromkeys(("a", "b", "y"), ADDRESS) | {"cols": COUNT},
    "keep": dict.fromkeys(("x", "kept"), ADDRESS) | dict.fromkeys(("start", "cols"), COUNT),
    "dense_f32": _DENSE,
    "dense_f16": _DENSE,
    "round_f32": _ROUND,
    "round_f16": _ROUND,
    "dense_int8": dict.fromkeys(("x", "room", "weights", "scale", "y"), ADDRESS)
    | dict.fromkeys(("batch", "panel", "cols"), COUNT),
    "attention_f32": _ATTENTION,
    "attention_f16": _ATTENTION,
}
"""By name, the words behind the head; ``start`` is the position of the first token."""

MATRIX = dict.fromkeys(("weights", "y"), ADDRESS) | {"groups": COUNT, "scale": FLOAT}
"""The words of each of the matrices that follow those of a product."""


def layout(name: str, matrices: int = 0) -> str:
    """The words of an operation, head and matrices included, for `struct.pack`.

    Examples
    --------
    >>> layout("add")
    'PqqPPPq'
    """
    return "".join((HEAD | OPERATIONS[name]).values()) + "".join(MATRIX.values()) * matrices
