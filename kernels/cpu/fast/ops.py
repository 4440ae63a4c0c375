"""The arithmetic of a forward pass by machine code; gives what `kernels.ops.plain` gives, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from kernels.cpu.fast.backend import FastBackend
from kernels.cpu.fast.memory import address
from kernels.cpu.fast.record import Record, Recorder
from kernels.ops import checks
from kernels.ops.head import Head
from kernels.ops.host import Floats, HostArrays
from kernels.ops.order import LANES
from kernels.ternary import quantize_activations

if TYPE_CHECKING:
    from kernels.ops import Inputs, Kind, Stored, Work
    from kernels.packed import PackedMatrix


class FastOps(HostArrays):
    """Calls the code of a backend, with the threads it has: one call an operation."""

    def __init__(self, backend: FastBackend) -> None:
        self.name = backend.name
        self._backend = backend
        self._run, self._new = backend.run, backend.new
        self._records: WeakKeyDictionary[Any, Record] = WeakKeyDictionary()

    def rms_norm(self, x: Floats, weight: Floats, eps: float) -> Floats:
        """(T, D), (D,) → (T, D)."""
        checks.rms_norm(x, weight)
        y = self._new(x.shape)
        self._run("rms_norm", len(x), address(x), address(weight), address(y), x.shape[1], eps)
        return y

    def rope(self, x: Floats, cos: Floats, sin: Floats) -> Floats:
        """(T, H, hd), (T, r) twice → (T, H, hd)."""
        checks.rope(x, cos, sin)
        (tokens, heads, size), pairs = x.shape, cos.shape[1]
        y = self._new(x.shape)
        self._run("rope", tokens, address(x), address(cos), address(sin), address(y), heads, size, pairs)
        return y

    def attention(self, q: Floats, k: Stored, v: Stored, start: int, scale: float) -> Floats:
        """(T, H, hd), (capacity, KV, hd) twice → (T, H · hd)."""
        checks.attention(q, k, v, start)
        (tokens, heads, size), served = q.shape, k.shape[1]
        group, units = heads // served, tokens * served
        y = self._new((tokens, heads * size))
        seen = len(k) if self._backend.recording else start + tokens
        scores = -(-seen // LANES) * LANES * 4 * group  # bytes for a unit
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
        y = self._new(one.shape)
        self._run(name, len(one), address(one), address(other), address(y), one.shape[1])
        return y

    def dense(self, x: Floats, head: Head) -> Floats:
        """(T, D) and (V, D) → (T, V)."""
        checks.dense(x, head)
        (batch, cols), rows = x.shape, head.shape[0]
        y = self._new((batch, rows))
        weights, goal = address(head.weights), address(y)
        if head.scale is None:
            name, panel = f"dense_f{8 * head.weights.itemsize}", max(1, self._backend.tier.panel // (4 * cols))
            self._run(name, rows, address(x), weights, goal, batch, panel, cols)
            return y
        panel = max(1, self._backend.tier.panel // cols)
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

    def keep(self, x: Floats, cache: Stored, start: int) -> None:
        """(T, …) into the positions from ``start`` on of (capacity, …)."""
        if cache.dtype != np.float32:
            super().keep(x, cache, start)
            return
        checks.keep(x, cache, start)
        self._backend.hold(cache)
        if x.size:
            self._run("keep", len(x), address(x), address(cache), start, x.size // len(x))

    def run(self, work: Work, inputs: Inputs, again: object = None) -> Floats:
        """What ``work`` gives; of one token, recorded and repeated as long as ``again`` lives."""
        if again is None or len(inputs[0]) != 1:
            return work(self, *inputs)
        record = self._records.get(again)
        if record is None or record.stale:
            recorder = Recorder(self._backend)
            record = Record(recorder, inputs)
            out = work(FastOps(recorder), *record.inputs)
            record.end(out)
            self._records[again] = record
            return out.copy()
        played = record.play(inputs)
        return work(self, *inputs) if played is None else played  # says what was not finite
