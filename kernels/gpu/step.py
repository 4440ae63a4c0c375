"""A forward pass of one token, recorded: the next token costs one upload, one launch and one download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.gpu.device import Device
from kernels.ops.host import Floats


class Inputs:
    """What a pass reads of the host, in one array, so that one copy brings it.

    Parameters
    ----------
    tokens, hidden, pairs : T, D and r.

    Attributes
    ----------
    all : (T, D) float32 embeddings, (1,) int32 position, (T, r) float32 cosines and sines; on the device.
    """

    def __init__(self, device: Device, tokens: int, hidden: int, pairs: int) -> None:
        self._host = np.empty(1 + tokens * (hidden + 2 * pairs), np.float32)
        self._there = device.cupy.empty(self._host.shape, np.float32)
        start, rest = self._there[:1].view(np.int32), self._there[1:]
        h, angles = rest[: tokens * hidden], rest[tokens * hidden :].reshape(2, tokens, pairs)
        self.all = h.reshape(tokens, hidden), start, angles[0], angles[1]

    def set(self, h: Floats, start: int, cos: Floats, sin: Floats) -> None:
        """Copy them; later work of the current stream sees them."""
        self._host[:1].view(np.int32)[0] = start
        np.concatenate([h.reshape(-1), cos.reshape(-1), sin.reshape(-1)], out=self._host[1:])
        self._there.set(self._host)


class Arrays:
    """Where the results of a pass lie: new ones, that go when nobody wants them any more.

    Attributes
    ----------
    factors : what was quantized by, NaN where it was not finite.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self.factors: list[Any] = []

    def take(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """One more."""
        return self._device.cupy.empty(shape, dtype)

    def lend(self, shape: tuple[int, ...]) -> Any:
        """Float32 that nobody wants after the next few launches."""
        return self.take(shape, np.float32)


class Tape(Arrays):
    """The same arrays again, in the order they were first asked for, so that a graph may write them for ever."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self._taken: list[Any] = []
        self._lent: dict[tuple[int, ...], Any] = {}
        self._next = 0

    def take(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """The next one."""
        if self._next == len(self._taken):
            self._taken.append(super().take(shape, dtype))
        self._next += 1
        return self._taken[self._next - 1]

    def lend(self, shape: tuple[int, ...]) -> Any:
        """One for all who ask for this shape."""
        if shape not in self._lent:
            self._lent[shape] = super().take(shape, np.float32)
        return self._lent[shape]

    def rewind(self) -> None:
        """Begin anew."""
        self._next = 0
        self.factors = []


class Step:
    """Work of one token: recorded the first time, repeated from then on, for the inputs that are set."""

    def __init__(self, device: Device, inputs: Inputs) -> None:
        self.inputs, self.arrays = inputs, Tape(device)
        self._graph: Any = None
        self._out: Any = None

    def __call__(self, stream: Any, work: Callable[[], Any]) -> Any:
        """What the work writes; it launches on the stream, the current one, and nothing else."""
        if self._graph is not None:
            self._graph.launch(stream)
            return self._out
        work()  # compiles and allocates, which a graph cannot
        stream.synchronize()
        self.arrays.rewind()
        stream.begin_capture()
        try:
            self._out = work()
        finally:
            graph = stream.end_capture()
        self._graph = graph
        return self._out
