"""Operations written down as they run, to be done again in one call for the next token."""

from __future__ import annotations

import sys
from ctypes import c_void_p, cast
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.fast.backend import FastBackend
from kernels.cpu.fast.memory import short_lived
from kernels.cpu.fast.words import HEAD, OPERATIONS

if TYPE_CHECKING:
    from kernels.ops import Inputs
    from kernels.ops.host import Floats


def _references(arrays: list[NDArray[np.float32]]) -> list[int]:
    """How often each is referred to, this list among others."""
    return [sys.getrefcount(array) for array in arrays]


FREE = _references([np.empty(0, np.float32)])[0]
"""References to an array nobody has; what the question itself adds differs between versions of Python."""


class Recorder(FastBackend):
    """A backend that writes down what it runs; its arrays stay, and are given again when nobody has them any more."""

    recording = True

    def __init__(self, backend: FastBackend) -> None:
        vars(self).update(vars(backend))
        self.run = self._run
        self.rows: list[bytes] = []
        self.starts: list[int] = []
        self.calls: list[tuple[int, int]] = []
        self.arrays: dict[tuple[int, ...], list[NDArray[np.float32]]] = {}
        self._rooms: dict[int, NDArray[np.uint8]] = {}
        self._held: list[object] = []

    def new(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """An array for results."""
        same = self.arrays.setdefault(shape, [])
        for array, references in zip(same, _references(same), strict=True):
            if references == FREE:
                return array
        same.append(super().new(shape))
        return same[-1]

    def hold(self, array: object) -> None:
        """Keep an array whose address was written down."""
        self._held.append(array)

    def room(self, size: int) -> int:
        """The address of so many bytes, that are this recorder's alone."""
        if size not in self._rooms:
            self._rooms[size] = short_lived((size,), np.uint8)
        return self._rooms[size].ctypes.data

    def _run(self, operation: str, groups: int, *words: float, matrices: int = 0) -> int:
        call, pack = self.crew.prepared(operation, matrices)
        if "start" in OPERATIONS[operation]:
            place = [*HEAD, *OPERATIONS[operation]].index("start")
            self.starts.append(sum(map(len, self.rows)) // 8 + place)
        self.rows.append(pack(*self.crew.head(groups), *words))
        got = self.crew.run(operation, groups, *words, matrices=matrices)
        self.calls.append((cast(call, c_void_p).value or 0, got))  # type: ignore[arg-type]
        return got


class Record:
    """What was recorded for one token, with inputs that are filled anew for each.

    Parameters
    ----------
    recorder : to be used for the work.
    inputs : of the first token.
    """

    def __init__(self, recorder: Recorder, inputs: Inputs) -> None:
        h, start, cos, sin = inputs
        self._recorder: Recorder = recorder
        self._job = recorder.crew.job
        self.inputs = h.copy(), start, cos.copy(), sin.copy()

    def end(self, out: Floats) -> None:
        """Nothing more is recorded; ``out`` is the result."""
        recorder = self._recorder
        self._out = out
        self._words = np.frombuffer(b"".join(recorder.rows), np.int64).copy()
        begin = self._words.ctypes.data + np.cumsum([0, *map(len, recorder.rows)])[:-1]
        self._calls = np.array([(call, at, got) for (call, got), at in zip(recorder.calls, begin, strict=True)])
        self._starts = np.array(recorder.starts)

    @property
    def stale(self) -> bool:
        """Whether the threads it was recorded for are no more."""
        return self._job is not self._recorder.crew.job

    def play(self, inputs: Inputs) -> Floats | None:
        """The result for the next token; None if not all went as it should."""
        h, start, cos, sin = inputs
        for mine, given in zip((self.inputs[0], *self.inputs[2:]), (h, cos, sin), strict=True):
            np.copyto(mine, given)
        self._words[self._starts] = start
        done = self._recorder.crew.play(self._calls)
        return self._out.copy() if done == len(self._calls) else None
