"""The float arithmetic of a forward pass, in one fixed order: the same bits whatever computes them.

A sum of n products of float32 has 16 lanes: lane l takes the products l, 16 + l, 32 + l, … one after the other, each
rounded before it is added; then lanes 8 apart are added, then 4, 2 and 1 apart. Positions of the cache are summed in
their order. No row of a batch depends on another. So neither the width of a machine's vectors, nor the number of
threads, nor how a text is cut into batches shows in a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kernels.backend import Backend
    from kernels.packed import PackedMatrix

LANES = 16
"""Partial sums of every sum."""

Floats = NDArray[np.float32]
Activation = Literal["relu2", "silu"]


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What turns the last hidden state into logits.

    Parameters
    ----------
    weights : (V, D) float32 or float16, used as they are; or int8.
    scale : (V,) float32 of int8 weights: the value of 1 in every row.
    """

    weights: NDArray[np.float32] | NDArray[np.float16] | NDArray[np.int8]
    scale: Floats | None = None

    @classmethod
    def int8(cls, weights: NDArray[np.floating]) -> Head:
        """Weights rounded to 127 steps a row: half the bytes of float16.

        Examples
        --------
        >>> head = Head.int8(np.array([[0.5, -1.0, 0.25]], np.float16))
        >>> head.weights.tolist(), head.scale.tolist()
        ([[64, -127, 32]], [0.007874015718698502])
        """
        rounded, scale = np.empty(weights.shape, np.int8), np.ones(len(weights), np.float32)
        for first in range(0, len(weights), 4096):
            rows = weights[first : first + 4096].astype(np.float32)
            largest = np.abs(rows).max(axis=1, initial=0)
            step = np.where(largest > 0, largest, 127) / np.float32(127)
            scale[first : first + 4096] = step
            rounded[first : first + 4096] = np.rint(rows / step[:, np.newaxis])
        return cls(rounded, scale)


class Ops(Protocol):
    """Arrays are float32 and C-contiguous unless said; T tokens are rows. What is not a number stays none."""

    @property
    def name(self) -> str:
        """Of what computes them."""

    def rms_norm(self, x: Floats, weight: Floats, eps: float) -> Floats:
        """(T, D), (D,) → (T, D): ``x / sqrt(mean(x²) + eps) * weight``, squares summed in float64."""

    def rope(self, x: Floats, cos: Floats, sin: Floats) -> Floats:
        """(T, H, d), (T, r), (T, r) → (T, H, d): pairs (i, i + r) turned, 2 r ≤ d; what lies behind stays."""

    def attention(self, q: Floats, k: Floats, v: Floats, start: int, *, half: bool = False) -> Floats:
        """(T, H, d), (C, KV, d), (C, KV, d) → (T, H d): token t sees positions 0 to start + t, scores over sqrt(d).

        With ``half``, probabilities are rounded to float16 before they weigh the values.
        """

    def gate(self, gate: Floats, up: Floats, kind: Activation) -> Floats:
        """(T, F), (T, F) → (T, F): ``max(gate, 0)² * up`` or ``gate / (1 + exp(-gate)) * up``."""

    def add(self, a: Floats, b: Floats) -> Floats:
        """(T, D), (T, D) → (T, D)."""

    def dense(self, x: Floats, head: Head) -> Floats:
        """(T, D), (V, D) → (T, V)."""

    def linears(self, x: Floats, matrices: Sequence[PackedMatrix]) -> tuple[Floats, ...]:
        """(T, K) and matrices of (M_i, K) → (T, M_i): `kernels.matmul` of each."""


def select(backend: Backend) -> Ops:
    """What computes floats beside this backend's products."""
    from kernels.ops.plain import PlainOps

    return PlainOps(backend)
