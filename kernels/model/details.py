"""What an observer sees beside what a forward pass has at hand: the insides of attention and of the gate, in NumPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kernels.ops.host import Floats
from kernels.ops.plain import causal, dots, shares, weighed

HEADS_FIRST = ("kq", "kq_soft_max_ext", "kqv")
"""Names of tensors (H, T, …), as the C++ programs lay them; all others begin with the tokens."""


def attention(q: Floats, keys: Floats, values: Floats, scale: float, half: bool) -> Iterator[tuple[str, Floats]]:
    """Names and tensors of one layer.

    Parameters
    ----------
    q : (T, H, hd), turned.
    keys, values : (n, KV, hd) of all positions, the T tokens the last of them.
    half : round the shares to float16 before they weigh the values.

    Yields
    ------
    kq : (H, T, n), before they are scaled, and of later positions too.
    kq_soft_max_ext : (H, T, n), 0 for later positions.
    kqv : (H, T, hd)
    """
    (tokens, heads, size), (positions, served, _) = q.shape, keys.shape
    grouped, seen = q.reshape(tokens, served, heads // served, size), causal(tokens, positions)
    scores, parts, sums = [], [], []
    with np.errstate(all="ignore"):
        for head in range(served):
            scores.append(dots(grouped[:, head], keys[:, head]))
            parts.append(shares(scores[-1] * np.float32(scale), seen))
            rounded = parts[-1].astype(np.float16).astype(np.float32) if half else parts[-1]
            sums.append(weighed(rounded, values[:, head], seen))
    for name, found in zip(HEADS_FIRST, (scores, parts, sums), strict=True):
        yield name, np.ascontiguousarray(np.concatenate(found, axis=1).swapaxes(0, 1))


def relu2(gate: Floats) -> Iterator[tuple[str, Floats]]:
    """Names and tensors (T, F) of a gate ``max(g, 0)²`` on its way."""
    positive = np.maximum(gate, np.float32(0))
    yield "ffn_relu", positive
    with np.errstate(over="ignore"):
        yield "ffn_sqr(relu)", positive * positive
