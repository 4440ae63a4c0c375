"""Matrices lie side by side on cache lines, never over each other, and their memory goes when they go."""

import gc
import weakref

import numpy as np
import pytest

from kernels.cpu.fast import memory
from kernels.cpu.fast.memory import LINE, REGION, SMALL, address, aligned


@pytest.mark.parametrize("size", [0, 1, SMALL - 4, SMALL, 5 * SMALL + 4, REGION, REGION + 4])
def test_cpu_fast_memory_begins_on_a_line_and_is_its_own(size):
    arrays = [aligned((size // 4,), np.uint32) for _ in range(4)]
    for number, array in enumerate(arrays):
        array[:] = number
    for number, array in enumerate(arrays):
        assert array.nbytes == size // 4 * 4
        assert not array.size or array.ctypes.data % LINE == 0
        assert (array == number).all()


def test_cpu_fast_memory_is_shared_by_matrices_and_goes_with_the_last(monkeypatch):
    monkeypatch.setattr(memory, "_region", np.empty(0, np.uint8))
    made = []

    def watched(size):
        region = asked_for(size)
        made.append(weakref.ref(region))
        return region

    asked_for = memory.fresh
    monkeypatch.setattr(memory, "fresh", watched)
    arrays = [aligned((REGION // 4,), np.uint8) for _ in range(5)]
    assert len(made) == 2
    del arrays[:4]
    gc.collect()
    assert made[0]() is None
    assert made[1]() is not None


def test_cpu_fast_memory_says_where_arrays_begin():
    array = np.zeros((2, 3))
    assert address(array) == array.ctypes.data
    array.flags.writeable = False
    assert address(array) == array.ctypes.data
    assert address(array[:0]) == array.ctypes.data
