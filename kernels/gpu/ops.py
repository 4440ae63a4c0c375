"""The float arithmetic of a forward pass on a device; gives what `kernels.ops.plain` gives, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from kernels.errors import InputError
from kernels.gpu import convert, device
from kernels.gpu.plan import choose, launch, launch_three, together
from kernels.gpu.step import Arrays, Inputs, Step
from kernels.ops import checks
from kernels.ops.head import Head
from kernels.ops.host import Floats

if TYPE_CHECKING:
    from kernels.ops import Kind, Work
    from kernels.packed import PackedMatrix

THREADS = 256
"""Threads of a block, where a kernel says nothing else."""

LANES_ROOM = 4096 * 4 + 16 * 8
"""Shared memory of a sum in lanes, as order.cuh counts it."""

SCORES = 2**26
"""Bytes of scores at a time, or those of one token: attention of more tokens is computed in parts."""

MOST_BLOCKS = 65_535
"""What the second axis of a grid can count."""


class GpuOps:
    """Launches on the current stream and waits for nothing, but in `get` and `run`; scalars travel as arguments.

    What is quantized and not finite becomes NaN in all that comes of it, which `run` refuses.
    """

    name = "gpu"

    def __init__(self) -> None:
        self._device = device.current()
        self._stream = self._device.cupy.cuda.Stream(non_blocking=True)
        self._steps: WeakKeyDictionary[Any, Step] = WeakKeyDictionary()
        self._heads: WeakKeyDictionary[Head, tuple[Any, Any]] = WeakKeyDictionary()
        self._arrays = Arrays(self._device)
        self._seen: int | None = None
        self._made: tuple[str, tuple[Any, ...]] | None = None  # a kernel that is still to be launched, and its arrays
        self._normed: tuple[Any, tuple[Any, Any, Any]] | None = None  # what was normed last, and quantized with it

    def rms_norm(self, x: Any, weight: Any, eps: float) -> Any:
        """(T, D), (D,) → (T, D)."""
        if self._made is not None and self._made[1][-1] is not x:
            self._settle()
        self._lie(x=x, weight=weight)
        checks.rms_norm(x, weight)
        made, self._made = self._made, None
        name, arrays = ("rms_norm", (x,)) if made is None else (f"rms_norm_of_{made[0]}", made[1])
        y, quantized = self._new(x.shape), self._for_quantized(x.shape)
        arguments = *arrays, weight, y, *quantized, np.int32(x.shape[1]), np.float32(eps)
        self._launch("ops.cu", name, (len(x),), arguments, shared=LANES_ROOM)
        self._normed = y, quantized
        return y

    def rope(self, x: Any, cos: Any, sin: Any) -> Any:
        """(T, H, hd), (T, r) twice → (T, H, hd)."""
        self._there(x=x, cos=cos, sin=sin)
        checks.rope(x, cos, sin)
        return self._each("rope", x, cos, sin, more=(*x.shape[1:], cos.shape[1]))

    def attention(self, q: Any, k: Any, v: Any, start: Any, scale: float) -> Any:
        """(T, H, hd), (capacity, KV, hd) twice → (T, H · hd); ``start`` whole, or (1,) int32 on the device."""
        self._there(q=q, k=k, v=v)
        whole = isinstance(start, int)
        checks.attention(q, k, v, start if whole else 0)
        (tokens, heads, size), (capacity, served, _) = q.shape, k.shape
        seen = start + tokens if whole else self._seen or capacity
        at = self._position(start)
        y = self._new((tokens, heads * size))
        step = max(1, min(tokens, SCORES // (4 * heads * seen), MOST_BLOCKS // heads))
        scores = self._arrays.lend((step, heads, seen))
        stored = f"f{8 * k.dtype.itemsize}"
        for first in range(0, tokens, step):
            some = min(step, tokens - first)
            where = (at, *map(np.int32, (first, heads, served, size, capacity, seen)))
            grid = -(-seen * served // 16), some
            self._launch("attention.cu", f"scores_{stored}", grid, (q[first:], k, scores, np.float32(scale), *where))
            self._launch("attention.cu", "shares", (some * heads,), (scores, *where), shared=LANES_ROOM)
            grid, block = (-(-size // 32), some * heads), (32, 8)
            arguments = scores, v, y[first:], *where
            self._launch("attention.cu", f"weighed_{stored}", grid, arguments, block=block, shared=16 * 1024)
        return y

    def gate(self, gate: Any, up: Any, kind: Kind) -> Any:
        """(T, F) twice → (T, F)."""
        self._there(gate=gate, up=up)
        checks.gate(gate, up, kind)
        return self._later(kind, gate, up)

    def add(self, a: Any, b: Any) -> Any:
        """(T, D) twice → (T, D)."""
        self._there(a=a, b=b)
        checks.add(a, b)
        return self._later("add", a, b)

    def dense(self, x: Any, head: Head) -> Any:
        """(T, D) and (V, D) → (T, V)."""
        self._there(x=x)
        checks.dense(x, head)
        (batch, cols), rows = x.shape, head.shape[0]
        y = self._new((batch, rows))
        weights, scales = self._head(head)
        sizes = np.int32(rows), np.int32(cols), np.int32(batch)
        if scales is not None:
            q, factors, _ = self._quantized(x)
            arguments = q, factors, weights, scales, y, *sizes
            self._launch("dense.cu", "dense_int8", (-(-rows // 8), -(-batch // 4)), arguments, block=(32, 8))
            return y
        tokens = 1 if batch == 1 else 4
        name = f"dense_f{8 * head.weights.itemsize}_{tokens}"
        self._launch("dense.cu", name, (-(-rows // 128), -(-batch // tokens)), (x, weights, y, *sizes))
        return y

    def to_int8(self, head: Head) -> Head:
        """(V, D) floats → int8, on the host."""
        return head.to_int8()

    def linears(self, x: Any, matrices: Sequence[PackedMatrix]) -> tuple[Any, ...]:
        """(T, K) and several (M, K) → as many (T, M)."""
        self._there(x=x)
        checks.linears(x, matrices)
        q, factors, sums = self._quantized(x)
        if together(matrices, len(x), self._device.tensor_cores):
            y = tuple(self._new((len(x), matrix.shape[0])) for matrix in matrices)
            launch_three(self._device, matrices, q, sums, factors, y)
            return y
        return tuple(self._product(matrix, q, factors, sums) for matrix in matrices)

    def room(self, shape: tuple[int, ...]) -> Any:
        """(…) float32, nothing in it."""
        made = self._device.cupy.empty(shape, np.float32)
        # The pool may give what the current stream still writes, to whom it belonged before; `run` is on another one.
        self._device.cupy.cuda.get_current_stream().synchronize()
        return made

    def put(self, values: Floats) -> Any:
        """A copy on the device, there for every stream."""
        array = self._device.cupy.asarray(values)
        self._device.cupy.cuda.get_current_stream().synchronize()
        return array

    def get(self, values: Any) -> Floats:
        """A copy on the host, for which it waits."""
        self._settle()
        copy: Floats = self._device.cupy.asnumpy(values)
        return copy

    def keep(self, x: Any, cache: Any, start: Any) -> None:
        """(T, …) into the positions from ``start`` on of (capacity, …); none beyond them."""
        self._there(x=x, cache=cache)
        checks.array(x, x.shape, "x")
        checks.array(cache, (len(cache), *x.shape[1:]), "the cache")
        if x.size:
            sizes = np.uint64(x.size), np.int32(x.size // len(x)), np.int32(len(cache))
            self._launch("ops.cu", "keep", (-(-x.size // THREADS),), (x, self._position(start), cache, *sizes))

    def run(self, work: Work, inputs: tuple[Floats, int, Floats, Floats], again: object = None) -> Floats:
        """What ``work`` gives, waited for; of one token, recorded and repeated as long as ``again`` lives."""
        h, start, cos, _ = inputs
        with self._stream:
            if again is not None and len(h) == 1:
                if again not in self._steps:
                    self._steps[again] = Step(self._device, Inputs(self._device, 1, h.shape[1], cos.shape[1]))
                step = self._steps[again]
                step.inputs.set(*inputs)
                self._arrays, self._seen = step.arrays, None
                out = step(self._stream, lambda: self._settled(work(self, *step.inputs.all)))
            else:
                there = Inputs(self._device, len(h), h.shape[1], cos.shape[1])
                there.set(*inputs)
                self._arrays, self._seen = Arrays(self._device), start + len(h)
                out = work(self, *there.all)
            logits = self.get(out)
        if np.isnan(logits).all(axis=1).any():
            self._refuse_infinite()
        return logits

    def _settled(self, out: Any) -> Any:
        """The same when all of it is launched."""
        self._settle()
        return out

    def _refuse_infinite(self) -> None:
        for factors in self._arrays.factors:
            bad = np.isnan(self.get(factors))
            if bad.any():
                raise InputError(f"activations[{int(bad.argmax())}] are not finite; every value must be")

    def _there(self, **arrays: Any) -> None:
        self._settle()
        self._lie(**arrays)

    def _lie(self, **arrays: Any) -> None:
        for name, array in arrays.items():
            self._device.there(array, name)

    def _new(self, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
        return self._arrays.take(shape, dtype)

    def _position(self, start: Any) -> Any:
        """(1,) int32 on the device."""
        return self._device.cupy.asarray(np.array([start], np.int32)) if isinstance(start, int) else start

    def _launch(
        self,
        file: str,
        name: str,
        grid: tuple[int, ...],
        arguments: tuple[Any, ...],
        block: tuple[int, ...] = (THREADS,),
        shared: int = 0,
    ) -> None:
        if all(grid):
            self._device.kernel(file, name)(grid, block, arguments, shared_mem=shared)

    def _each(self, name: str, *arrays: Any, more: tuple[int, ...] = ()) -> Any:
        """A kernel of a thread an element, as many as the first array has."""
        y = self._new(arrays[0].shape)
        self._launch_each(name, (*arrays, y), more)
        return y

    def _launch_each(self, name: str, arrays: tuple[Any, ...], more: tuple[int, ...] = ()) -> None:
        size = arrays[-1].size
        self._launch("ops.cu", name, (-(-size // THREADS),), (*arrays, np.uint64(size), *map(np.int32, more)))

    def _later(self, name: str, *arrays: Any) -> Any:
        """The same, launched with the next operation: by the norm of its result, if that is what comes."""
        y = self._new(arrays[0].shape)
        self._made = name, (*arrays, y)
        return y

    def _settle(self) -> None:
        """Launch what was put off."""
        if self._made is not None:
            made, self._made = self._made, None
            self._launch_each(*made)

    def _quantized(self, x: Any) -> tuple[Any, Any, Any]:
        """(T, K) → (T, K) int8, (T,) float32 and (T,) int32 sums."""
        if self._normed is not None and self._normed[0] is x:
            return self._normed[1]
        quantized = self._for_quantized(x.shape)
        convert.launch_quantize(self._device.kernel("quantize.cu", "quantize_rows"), x, *quantized)
        return quantized

    def _for_quantized(self, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
        """Arrays for what is quantized, which `run` looks at."""
        q, factors, sums = self._new(shape, np.int8), self._new(shape[:1]), self._new(shape[:1], np.int32)
        self._arrays.factors.append(factors)
        return q, factors, sums

    def _product(self, matrix: PackedMatrix, q: Any, factors: Any, sums: Any) -> Any:
        y = self._new((len(q), matrix.shape[0]))
        how = choose(matrix.shape, len(q), 1, self._device.tensor_cores)
        if y.size:
            launch(self._device, how, matrix, q, sums, factors, y)
        return y

    def _head(self, head: Head) -> tuple[Any, Any]:
        """The weights and scales, uploaded once and kept while the head lives."""
        if head not in self._heads:
            put = self._device.cupy.asarray
            self._heads[head] = put(head.weights), None if head.scale is None else put(head.scale)
            self._device.cupy.cuda.get_current_stream().synchronize()
        return self._heads[head]
