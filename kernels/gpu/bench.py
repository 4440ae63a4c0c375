"""How fast the device computes, beside what it could: each figure with its yardstick from the same run.

Results are checked before they are timed. Weights are cold: a graph goes through more of them than the device's
cache holds. Times are medians, taken by CUDA events around the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import numpy as np

from kernels import formats
from kernels.gpu import device
from kernels.gpu.device import Device
from kernels.gpu.plan import Plan
from kernels.model import Model
from kernels.packed import PackedMatrix
from kernels.product import matmul

SHAPES = ((2560, 2560), (6912, 2560), (2560, 6912))
COLD_BYTES = 2**29
"""Packed weights a graph goes through: ten times the 50 MB that the cache of an H100 holds."""

BF16, FLOAT32, COMPUTE_FLOAT32 = 14, 0, 68  # cudaDataType and cublasComputeType_t


@dataclass(frozen=True, slots=True)
class Row:
    """One figure and its yardstick, in the same unit."""

    what: str
    shape: tuple[int, int]
    batch: int
    us: float  # median, one product
    spread: float  # (p90 - p10) / median
    value: float
    yardstick: float | None  # None: there was nothing to measure it with
    unit: str

    @property
    def share(self) -> float | None:
        """The figure as a part of its yardstick."""
        return self.value / self.yardstick if self.yardstick else None


def measure(
    shapes: tuple[tuple[int, int], ...] = SHAPES, *, cold: int = COLD_BYTES, repeats: int = 30
) -> Iterator[Row]:
    """Every figure, as it is taken.

    Raises
    ------
    NoDevice
        Where there is none.
    AssertionError
        A product is not what NumPy computes.
    """
    here = device.current()
    bandwidth = _bandwidth(here, cold, repeats)
    for shape in shapes:
        matrices = _matrices(shape, max(2, cold // (shape[0] * shape[1] // 4)))
        packed = shape[0] * shape[1] / 4
        for batch in (1, 4, 8):
            for what, times in _gemv(here, matrices, batch, repeats):
                us = median(times)
                yield Row(what, shape, batch, us, _spread(times), packed / us / 1e3, bandwidth, "GB/s")
        few = matrices[: max(2, cold // (shape[0] * shape[1] * 2))]  # in bf16 they are eight times as large
        bf16 = _cublas(here, shape, 256, len(few), repeats)
        operations = 2 * shape[0] * shape[1] * 256 / 1e6
        for what, times in _gemm(here, few, 256, repeats):
            us = median(times)
            yard = operations / median(bf16) if bf16 else None
            yield Row(what, shape, 256, us, _spread(times), operations / us, yard, "TOPS")


def decode(path: Path, head: str = "f16", *, prompt: int = 8, tokens: int = 64, cold: int = COLD_BYTES) -> Row:
    """A token of a model, from the host's embedding to the host's logits, in GB/s of the weights it reads.

    Raises
    ------
    NoDevice
        Where there is none.
    AssertionError
        Logits are not the CPU's.
    """
    here = device.current()
    model, cpu = Model.load(path, "gpu", head=head), Model.load(path, head=head)
    cache, same = (each.new_cache(prompt + tokens) for each in (model, cpu))
    ids = list(range(1, prompt + 1))
    np.testing.assert_array_equal(model.forward(ids, cache), cpu.forward(ids, same))
    for token in range(3):  # the first is recorded, the others are repeated
        np.testing.assert_array_equal(model.forward([token], cache), cpu.forward([token], same))
    times = []
    for token in range(tokens - 3):
        start = perf_counter()
        model.forward([token], cache)
        times.append((perf_counter() - start) * 1e6)
    weights, us = model.weights, median(times)
    nbytes = weights.head.nbytes + sum(rows * cols // 4 for rows, cols in (each.shape for each in weights.matrices))
    speed, most = nbytes / us / 1e3, _bandwidth(here, cold, 10)
    return Row(f"a token, head {head}", weights.head.shape, 1, us, _spread(times), speed, most, "GB/s")


def _gemv(here: Device, matrices: list[PackedMatrix], batch: int, repeats: int) -> Iterator[tuple[str, list[float]]]:
    """Microseconds a layer: of the product alone, in many launches and in one; and with quantizing."""
    count, cols = len(matrices), matrices[0].shape[1]
    q, scale = _activations(here, (count, batch, cols))
    x, sums = q.astype(np.float32), q.sum(axis=2, dtype=np.int32)
    plans = [Plan(matrix, batch) for matrix in matrices]
    _check(here, plans[-1], (q[-1], scale[-1]), matrices[-1])

    def each() -> None:
        for i, plan in enumerate(plans):
            plan.launch(q[i], scale[i], sums[i], plan.out)

    def quantized() -> None:
        for i, plan in enumerate(plans):
            plan(x[i])

    yield "a launch a layer", _timed(here, each, count, repeats)
    yield "quantizing too", _timed(here, quantized, count, repeats)
    together = Plan(matrices, batch)
    once = _timed(here, lambda: together.launch(q, scale, sums, together.out), count, repeats)
    np.testing.assert_array_equal(here.cupy.asnumpy(together.out[-1]), here.cupy.asnumpy(plans[-1]((q[-1], scale[-1]))))
    yield "one launch for all layers", once


def _gemm(here: Device, matrices: list[PackedMatrix], batch: int, repeats: int) -> Iterator[tuple[str, list[float]]]:
    """Microseconds a layer: of the product alone, and with quantizing."""
    q, scale = _activations(here, (batch, matrices[0].shape[1]))
    x, sums = q.astype(np.float32), q.sum(axis=1, dtype=np.int32)
    plans = [Plan(matrix, batch) for matrix in matrices]
    _check(here, plans[-1], (q, scale), matrices[-1])

    def each() -> None:
        for plan in plans:
            plan.launch(q, scale, sums, plan.out)

    def quantized() -> None:
        for plan in plans:
            plan(x)

    yield "a launch a layer", _timed(here, each, len(plans), repeats)
    yield "quantizing too", _timed(here, quantized, len(plans), repeats)


def _cublas(here: Device, shape: tuple[int, int], batch: int, count: int, repeats: int) -> list[float]:
    """Microseconds of the same product in bf16 by cuBLAS with float32 sums; nothing where CuPy has no cuBLAS."""
    try:
        cublas = here.cupy.cuda.cublas
    except (ImportError, AttributeError):
        return []
    rows, cols = shape
    random = here.cupy.random.standard_normal
    bits = [
        (random((n, cols)).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16) for n in [rows] * count + [batch]
    ]
    *weights, x = bits
    y = here.cupy.empty((batch, rows), np.uint16)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    handle = here.cupy.cuda.device.get_cublas_handle()

    def multiply(w: Any) -> None:  # column-major: y.T (rows, batch) = w (rows, cols) @ x.T
        a, b, c = ((array.data.ptr, BF16) for array in (w, x, y))
        sizes = (1, 0, rows, batch, cols)
        cublas.gemmEx(
            handle, *sizes, one.ctypes.data, *a, cols, *b, cols, zero.ctypes.data, *c, rows, COMPUTE_FLOAT32, -1
        )

    def all_layers() -> None:
        cublas.setStream(handle, here.cupy.cuda.get_current_stream().ptr)
        for w in weights:
            multiply(w)

    return _timed(here, all_layers, count, repeats)


def _bandwidth(here: Device, size: int, repeats: int) -> float:
    """GB/s of a kernel that only reads."""
    memory, found = here.cupy.zeros(size // 4, np.uint32), here.cupy.zeros(1, np.uint32)
    read, vectors = here.kernel("read.cu", "read_all"), np.uint64(size // 16)
    grid = (-(-size // 16 // 1024),)
    return size / median(_timed(here, lambda: read(grid, (256,), (memory, found, vectors)), 1, repeats)) / 1e3


def _timed(here: Device, work: Callable[[], object], count: int, repeats: int) -> list[float]:
    """Microseconds of each of the `count` parts of `work`, recorded as a graph and run `repeats` times."""
    cuda = here.cupy.cuda
    stream = cuda.Stream(non_blocking=True)
    start, stop = cuda.Event(), cuda.Event()
    with stream:
        work()
        stream.synchronize()
        stream.begin_capture()
        work()
        graph = stream.end_capture()
        times = []
        for _ in range(repeats + 2):
            start.record(stream)
            graph.launch(stream)
            stop.record(stream)
            stop.synchronize()
            times.append(cuda.get_elapsed_time(start, stop) * 1e3 / count)
    return times[2:]


def _spread(times: list[float]) -> float:
    tenths = quantiles(times, n=10)
    return (tenths[-1] - tenths[0]) / median(times)


def _matrices(shape: tuple[int, int], count: int) -> list[PackedMatrix]:
    """Different copies on the device of one random matrix."""
    ternary = np.random.default_rng(0).integers(-1, 2, shape, np.int8)
    packed = formats.get("i2_s").pack(ternary, 0.5)
    return [PackedMatrix(packed, shape) for _ in range(count)]


def _activations(here: Device, shape: tuple[int, ...]) -> tuple[Any, Any]:
    q = np.random.default_rng(1).integers(-127, 128, shape[-2:], np.int8)
    scale = np.full(shape[:-1], 100, np.float32)
    return here.cupy.asarray(np.broadcast_to(q, shape)), here.cupy.asarray(scale)


def _check(here: Device, plan: Plan, x: tuple[Any, Any], matrix: PackedMatrix) -> None:
    found = here.cupy.asnumpy(plan(x))
    q, scale = (here.cupy.asnumpy(part) for part in x)
    np.testing.assert_array_equal(found, matmul(matrix, (q, scale), backend="numpy"))
