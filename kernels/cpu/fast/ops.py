"""The arithmetic of a forward pass by machine code; gives what `kernels.ops.plain` gives, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.fast.backend import PANEL, FastBackend
from kernels.cpu.fast.memory import address
from kernels.ops import checks
from kernels.ops.head import Head
from kernels.ops.order import LANES
from kernels.ternary import quantize_activations

if TYPE_CHECKING:
    from kernels.ops import Kind, Stored
    from kernels.packed import PackedMatrix

Floats = NDArray[np.float32]


class FastOps:
    """Calls the code of a backend, with the threads it has: one call an operation."""

    def __init__(self, backend: FastBackend) -> None:
        self.name = backend.name
        self._backend = backend
        self._run = backend.run

    def rms_norm(self, x: Floats, weight: Floats, eps: float) -> Floats:
        """(T, D), (D,) → (T, D)."""
        checks.rms_norm(x, weight)
        y = np.empty(x.shape, np.float32)
        self._run("rms_norm", len(x), address(x), address(weight), address(y), x.shape[1], eps)
        return y

    def rope(self, x: Floats, cos: Floats, sin: Floats) -> Floats:
        """(T, H, hd), (T, hd / 2) twice → (T, H, hd)."""
        checks.rope(x, cos, sin)
        y = np.empty(x.shape, np.float32)
        tokens, heads, size = x.shape
        self._run("rope", tokens, address(x), address(cos), address(sin), address(y), heads, size // 2)
        return y

    def attention(self, q: Floats, k: Stored, v: Stored, start: int, scale: float) -> Floats:
        """(T, H, hd), (capacity, KV, hd) twice → (T, H · hd)."""
        checks.attention(q, k, v, start)
        (tokens, heads, size), served = q.shape, k.shape[1]
        group, units = heads // served, tokens * served
        y = np.empty((tokens, heads * size), np.float32)
        scores = -(-(start + tokens) // LANES) * LANES * 4 * group  # bytes for a unit
        room = self._backend.room(scores * self._backend.ranges(units))
        arrays = address(q), address(k), address(v), address(y), room
        self._run(f"attention_f{8 * k.itemsize}", units, *arrays, start, tokens, served, group, size, scale)
        return y

    def gate(self, gate: Floats, up: Floats, kind: Kind) -> Floats:
        """(T, F) twice → (T, F)."""
        checks.gate(gate, up, kind)
        return self._each(kind, gate, up)

    def add(self, a: Floats, b: Floats) -> Floats:
        """(T, D) twice → (T, D)."""
        checks.add(a, b)
        return self._each("add", a, b)

    def _each(self, name: str, one: Floats, other: Floats) -> Floats:
        y = np.empty(one.shape, np.float32)
        self._run(name, len(one), address(one), address(other), address(y), one.shape[1])
        return y

    def dense(self, x: Floats, head: Head) -> Floats:
        """(T, D) and (V, D) → (T, V)."""
        checks.dense(x, head)
        (batch, cols), rows = x.shape, head.shape[0]
        y = np.empty((batch, rows), np.float32)
        weights, goal = address(head.weights), address(y)
        if head.scale is None:
            name, panel = f"dense_f{8 * head.weights.itemsize}", max(1, PANEL // (4 * cols))
            self._run(name, rows, address(x), weights, goal, batch, panel, cols)
            return y
        panel = max(1, PANEL // cols)
        arrays = address(x), self._backend.room(panel * (cols + 8)), weights, address(head.scale), goal
        if self._run("dense_int8", rows, *arrays, batch, panel, cols) < batch:
            quantize_activations(x)  # says which is not finite
        return y

    def to_int8(self, head: Head) -> Head:
        """(V, D) floats → int8."""
        if head.scale is not None:
            return head
        rows, cols = head.shape
        weights, scale = np.empty(head.shape, np.int8), np.empty(rows, np.float32)
        arrays = address(head.weights), address(weights), address(scale)
        self._run(f"round_f{8 * head.weights.itemsize}", rows, *arrays, cols)
        return Head(weights, scale) if np.isfinite(scale).all() else head.to_int8()  # says which is not finite

    def linears(self, x: Floats, matrices: Sequence[PackedMatrix]) -> tuple[Floats, ...]:
        """(T, K) and several (M, K) → as many (T, M)."""
        checks.linears(x, matrices)
        return self._backend.multiply_all(matrices, x)
