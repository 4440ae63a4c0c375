"""Where keys and values may lie: one array for all positions, pages of some positions, or an array that grows.

Run: ``python benchmarks/cache.py``. A token's attention in every layer of 2B-4T's shape at several lengths, in
milliseconds a token: medians of rounds in which the ways alternate.
"""

import statistics
import time

import numpy as np

from kernels import select_backend
from kernels.ops import select

LAYERS, HEADS, KV_HEADS, SIZE, PAGE, ROUNDS = 30, 20, 5, 128, 16, 15


def main() -> None:
    ops, random = select(select_backend("fast")), np.random.default_rng(0)
    q = random.normal(size=(1, HEADS, SIZE)).astype(np.float32)
    new = random.normal(size=(KV_HEADS, SIZE)).astype(np.float32)
    print("positions  one array    pages  growing   (ms a token)")
    for length in (128, 512, 2048):
        whole = np.zeros((2, LAYERS, 4096, KV_HEADS, SIZE), np.float32)
        whole[:, :, :length] = random.normal(size=(length, KV_HEADS, SIZE))
        pages = whole[:, :, : -(-(length + 1) // PAGE) * PAGE].reshape(2, LAYERS, -1, PAGE, KV_HEADS, SIZE).copy()
        order = random.permutation(pages.shape[2])
        scattered = pages[:, :, np.argsort(order)]

        def one_array(layer: int, k=whole[0], v=whole[1], at=length) -> None:
            k[layer, at], v[layer, at] = new, new
            ops.attention(q, k[layer], v[layer], at, SIZE**-0.5)

        def in_pages(layer: int, store=scattered, order=order, at=length) -> None:
            store[:, layer, order[at // PAGE], at % PAGE] = new
            k, v = (np.ascontiguousarray(each[layer, order].reshape(-1, KV_HEADS, SIZE)) for each in store)
            ops.attention(q, k, v, at, SIZE**-0.5)

        def growing(layer: int, k=whole[0], v=whole[1], at=length) -> None:
            grown = [np.concatenate((each[layer, :at], new[np.newaxis])) for each in (k, v)]
            ops.attention(q, *grown, at, SIZE**-0.5)

        times: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for way in (one_array, in_pages, growing):
                began = time.perf_counter()
                for layer in range(LAYERS):
                    way(layer)
                times.setdefault(way.__name__, []).append((time.perf_counter() - began) * 1e3)
        middle = [statistics.median(each) for each in times.values()]
        print(f"{length:9}  {middle[0]:9.2f} {middle[1]:8.2f} {middle[2]:8.2f}")


if __name__ == "__main__":
    main()
