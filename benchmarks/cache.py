"""Where keys and values may lie: one array for all positions, pages of some positions, or an array that doubles.

Run: ``python benchmarks/cache.py``. A token's attention in every layer of 2B-4T's shape at several lengths, in
milliseconds: medians of rounds in which the ways alternate. The doubling array is full when a round begins, so that
its first token is one that makes it grow.
"""

import statistics
import time

import numpy as np

from kernels import select_backend
from kernels.cpu.fast.memory import fresh
from kernels.ops import select

LAYERS, HEADS, KV_HEADS, SIZE, PAGE, CAPACITY, TOKENS, ROUNDS = 30, 20, 5, 128, 16, 4096, 4, 9
ROW = KV_HEADS, SIZE


def zeros(*shape: int) -> np.ndarray:
    """As a cache has them."""
    return fresh(4 * int(np.prod(shape))).view(np.float32).reshape(shape)


class OneArray:
    """(2, layers, capacity, KV, d), zeros the system has not given yet where nothing is filled."""

    def __init__(self, filled: np.ndarray) -> None:
        self.store = zeros(2, LAYERS, CAPACITY, *ROW)
        self.store[:, :, : filled.shape[2]] = filled

    def add(self, layer: int, at: int, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.store[:, layer, at] = new
        return self.store[0, layer], self.store[1, layer]


class Doubling(OneArray):
    """The same for as many positions as there are, and twice as many when it is full."""

    def __init__(self, filled: np.ndarray) -> None:
        self.store = zeros(*filled.shape)
        self.store[:] = filled

    def add(self, layer: int, at: int, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if at == self.store.shape[2]:
            grown = zeros(2, LAYERS, 2 * at, *ROW)
            grown[:, :, :at] = self.store
            self.store = grown
        return super().add(layer, at, new)


class Pages:
    """Pages in any order, put together for the attention, which reads one piece."""

    def __init__(self, filled: np.ndarray) -> None:
        count = -(-(filled.shape[2] + TOKENS) // PAGE)
        self.store = zeros(2, LAYERS, count, PAGE, *ROW)
        self.order = np.random.default_rng(1).permutation(count)
        for position in range(filled.shape[2]):
            self.store[:, :, self.order[position // PAGE], position % PAGE] = filled[:, :, position]

    def add(self, layer: int, at: int, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.store[:, layer, self.order[at // PAGE], at % PAGE] = new
        k, v = (each[layer, self.order].reshape(-1, *ROW) for each in self.store)
        return k, v


def main() -> None:
    ops, random = select(select_backend("fast")), np.random.default_rng(0)
    q = random.standard_normal((1, HEADS, SIZE), np.float32)
    new = random.standard_normal(ROW, np.float32)
    print("positions  way        a token   the first  (ms)")
    for length in (128, 512, 2048):
        filled = random.standard_normal((2, LAYERS, length, *ROW), np.float32)
        first: dict[str, list[float]] = {}
        later: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for way in (OneArray, Pages, Doubling):
                cache = way(filled)
                for token in range(TOKENS):
                    began = time.perf_counter()
                    for layer in range(LAYERS):
                        ops.attention(q, *cache.add(layer, length + token, new), length + token, SIZE**-0.5)
                    times = later if token else first
                    times.setdefault(way.__name__, []).append((time.perf_counter() - began) * 1e3)
        for name in later:
            print(f"{length:9}  {name:9} {statistics.median(later[name]):8.2f} {statistics.median(first[name]):11.2f}")


if __name__ == "__main__":
    main()
