"""The product on a device: made ready once, launched as often as needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.errors import BackendError, InputError
from kernels.gpu import convert, device
from kernels.gpu.device import Device
from kernels.packed import PackedMatrix
from kernels.product import could_overflow, refuse_overflow, refuse_scales

GEMV_TOKENS = (8, 16, 32)
"""The most tokens each kernel of gemv.cu takes; with more, multiplying costs more than reading and gemm.cu is next."""

MAX_WARPS = 16
"""Warps of a block of gemv.cu, at most."""

TURNS = 2
"""Turns of 256 columns a warp of gemv.cu takes, at least: the loads of two are under way together, and fewer warps
leave registers for every block of a 6912 x 2560 to run at once."""


MOST_MATRICES, MOST_LINES = 65_535, 2**31 - 256
"""What a grid can count, and the kernels with a rest: beyond it numbers would wrap."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Which kernel computes a product, and how it is laid out over the device."""

    file: str
    kernel: str
    grid: tuple[int, int]
    block: tuple[int, int]
    shared: int


def choose(shape: tuple[int, int], batch: int, matrices: int, tensor_cores: bool) -> Launch:
    """The launch for `matrices` matrices of (M, K) and as many batches.

    Examples
    --------
    >>> choose((6912, 2560), 1, 1, tensor_cores=True)
    Launch(file='gemv.cu', kernel='gemv_8', grid=(432, 1), block=(32, 5), shared=2560)
    >>> choose((6912, 2560), 256, 1, tensor_cores=True)
    Launch(file='gemm.cu', kernel='gemm', grid=(216, 1), block=(32, 8), shared=49152)
    """
    rows, cols = shape
    if not tensor_cores:
        return Launch("portable.cu", "portable", (-(-rows // 8) * -(-batch // 8), matrices), (32, 8), 0)
    for tokens in GEMV_TOKENS:
        if batch <= tokens:
            chunks = max(1, -(-cols // 256))
            turns = max(TURNS, -(-chunks // MAX_WARPS))
            warps = -(-chunks // turns)  # as few as finish in as many turns
            return Launch("gemv.cu", f"gemv_{tokens}", (-(-rows // 16), matrices), (32, warps), warps * 64 * tokens)
    return Launch("gemm.cu", "gemm", (-(-rows // 128) * -(-batch // 64), matrices), (32, 8), 48 * 1024)


def launch(here: Device, how: Launch, matrix: PackedMatrix, q: Any, sums: Any, factors: Any, out: Any) -> None:
    """Launch a product: of q (B, K) int8 with `sums` (B,) int32 and `factors` (B,) float32, into (B, M). Unchecked."""
    weights, scale = here.weights(matrix)
    sizes = map(np.int32, (*matrix.shape, len(q)))
    arguments = weights, q, sums, factors, scale, out, *sizes
    here.kernel(how.file, how.kernel)(how.grid, how.block, arguments, shared_mem=how.shared)


def launch_three(
    here: Device, matrices: Sequence[PackedMatrix], q: Any, sums: Any, factors: Any, out: Sequence[Any]
) -> None:
    """Launch the products of up to three matrices with the same q, of as few rows as `together` says. Unchecked."""
    there = [here.weights(matrix) for matrix in matrices]
    rows = [matrix.shape[0] for matrix in matrices]
    spare = 3 - len(rows)
    weights, scales = ([each[n] for each in there + there[-1:] * spare] for n in range(2))
    how = choose(matrices[0].shape, len(q), 1, tensor_cores=True)
    sizes = map(np.int32, (*rows, *[0] * spare, matrices[0].shape[1], len(q)))
    arguments = *weights, q, sums, factors, *scales, *out, *[out[-1]] * spare, *sizes
    grid = sum(-(-count // 16) for count in rows)
    if grid:
        here.kernel(how.file, "gemv_three")((grid, 1), how.block, arguments, shared_mem=how.shared)


def together(matrices: Sequence[PackedMatrix], batch: int, tensor_cores: bool) -> bool:
    """Whether `launch_three` computes these products."""
    return tensor_cores and 1 < len(matrices) <= 3 and 0 < batch <= GEMV_TOKENS[0]


class Plan:
    """A product whose kernels are compiled, weights uploaded and arrays allocated.

    Calling it launches on the current CuPy stream and returns; it allocates nothing and waits for nothing, so that a
    CUDA graph can record it; plan, x and out must live as long as the graph. One plan serves one stream at a time, as
    every call writes its arrays.

    Parameters
    ----------
    matrix : (M, K) packed weights; or several of one shape, computed in one launch.
    batch : B, the rows of activations of each.
    accumulate_only : give the integer sums alone.
    wait : until the current stream has done what it was given, as memory it still uses may come to this plan; calls
        may then be on any stream. Without, they must be on this one.

    Attributes
    ----------
    out : (B, M) float32, or int32 with `accumulate_only`; (L, B, M) for L matrices. What a call writes.

    Raises
    ------
    NoDevice
        Where there is none.
    BackendError
        While a graph is captured.
    InputError
        For matrices of different shapes, none at all, a negative batch.
    """

    def __init__(
        self,
        matrix: PackedMatrix | Sequence[PackedMatrix],
        batch: int,
        *,
        accumulate_only: bool = False,
        wait: bool = True,
    ) -> None:
        self._device = device.current()
        if self._device.capturing:
            raise BackendError(
                "a Plan allocates and waits, which a graph cannot record", "make it before the capture begins"
            )
        stacked = not isinstance(matrix, PackedMatrix)
        matrices: tuple[PackedMatrix, ...] = tuple(matrix) if stacked else (matrix,)  # type: ignore[arg-type,assignment]
        shapes = sorted({one.shape for one in matrices})
        rows = max((shape[0] for shape in shapes), default=0)
        if len(shapes) != 1 or len(matrices) > MOST_MATRICES or not 0 <= batch <= MOST_LINES or rows > MOST_LINES:
            raise InputError(
                f"a plan of {len(matrices)} matrices of the shapes {shapes} and a batch of {batch}; want matrices "
                f"of one shape, at most {MOST_MATRICES}, and batch and rows from 0 to {MOST_LINES}"
            )
        self._rows, self._cols = shapes[0]
        self._lead = (len(matrices), batch) if stacked else (batch,)
        self._float = not accumulate_only
        self._matrices = matrices
        self._prepare(batch)
        if wait:  # here and not in a call, which a graph may record
            self._device.cupy.cuda.get_current_stream().synchronize()

    def _prepare(self, batch: int) -> None:
        empty = self._device.cupy.empty
        self.out = empty((*self._lead, self._rows), np.float32 if self._float else np.int32)
        self._q = empty((*self._lead, self._cols), np.int8)
        self._scales = empty(self._lead, np.float32)
        self._sums = empty(self._lead, np.int32)
        self._sizes = np.int32(self._rows), np.int32(self._cols), np.int32(batch)
        self._how = choose((self._rows, self._cols), batch, len(self._matrices), self._device.tensor_cores)
        self._last: tuple[Any, Any] | None = None
        self._kernel = self._device.kernel(self._how.file, self._how.kernel)
        self._quantize = self._device.kernel("quantize.cu", "quantize_rows")
        self._sum = self._device.kernel("quantize.cu", "sum_rows")
        uploaded = [self._device.weights(one) for one in self._matrices]
        self._weights, self._weight_scales = uploaded[0]
        if len(uploaded) > 1:
            join = self._device.cupy.concatenate
            self._weights, self._weight_scales = (join(parts) for parts in zip(*uploaded, strict=True))

    def __call__(self, x: Any, *, out: Any = None) -> Any:
        """Launch the product of activations that lie on the device.

        Parameters
        ----------
        x : (B, K) float32, quantized on the way; or a tuple (q, scale) of (B, K) int8 and (B,) float32, whose scale
            goes unread with `accumulate_only`.
            With L matrices each has L in front. Contiguous; q on a 16-byte boundary.
        out : where to write instead of the plan's own array.

        Returns
        -------
        out : what is being written; it is there when the stream has come so far. A row whose activations hold NaN or
            infinity becomes NaN, and with `accumulate_only` -2**31, which no sum is; what float32 cannot hold becomes
            infinity: `check` raises for it.

        Raises
        ------
        InputError
            An array is of another type, shape or order; says which.
        """
        shape = (*self._lead, self._rows)
        out = self._device.array(self.out if out is None else out, "out", self.out.dtype.type, shape)
        q, scales, sums = self._activations(x)
        self._last = None if scales is None else (scales, out)
        self.launch(q, scales, sums, out)
        return out

    def launch(self, q: Any, scales: Any, sums: Any, out: Any) -> None:
        """Launch the product alone: of q (B, K) int8 that sums to `sums` (B,) int32, unchecked."""
        if out.size:
            pointers = (self._weights, q, sums, scales if self._float else np.uint64(0), self._weight_scales, out)
            how = self._how
            self._kernel(how.grid, how.block, (*pointers, *self._sizes), shared_mem=how.shared)

    def check(self) -> None:
        """Wait for the last call, and refuse what was not finite in it.

        Raises
        ------
        InputError
            Float activations of the last call held NaN or infinity, the scale that came with int8 ones is NaN, or
            float32 cannot hold an output.
        """
        if self._last is not None:
            scales, out = self._last
            scales = self._device.cupy.asnumpy(scales)
            bad = np.isnan(scales)
            if bad.any():
                row = ", ".join(str(at) for at in np.argwhere(bad)[0])
                raise InputError(f"activations[{row}] are not finite; every value must be")
            self.refuse_overflow(scales, out)

    def refuse_overflow(self, scales: Any, out: Any) -> None:
        """Look at outputs of activations of such scales (…, B), known to the host, if float32 might not hold them."""
        if self._float and could_overflow(self._cols, scales, max(abs(float(one.scale)) for one in self._matrices)):
            refuse_overflow(self._device.cupy.asnumpy(out))

    def _activations(self, x: Any) -> tuple[Any, Any, Any]:
        """q, its scales and its sums, from either."""
        wide = (*self._lead, self._cols)
        if isinstance(x, tuple):
            if len(x) != 2:
                raise InputError(f"a tuple of {len(x)}; want (q, scale), or one array of floats")
            q = self._device.array(x[0], "q", np.int8, wide, boundary=16)
            scales = self._device.array(x[1], "scale", np.float32, self._lead) if self._float else None
            if self._sums.size:
                self._sum((self._sums.size,), (256,), (q, self._sums, self._sizes[1]), shared_mem=32)
            return q, scales, self._sums
        floats = self._device.array(x, "x", np.float32, wide)
        convert.launch_quantize(self._quantize, floats, self._q, self._scales, self._sums)
        return self._q, self._scales, self._sums


def matmul(matrix: PackedMatrix, x: Any, *, out: Any = None, accumulate_only: bool = False) -> Any:
    """`kernels.matmul` for activations that lie on the device: nothing travels but an error.

    Parameters
    ----------
    matrix : (M, K) packed weights, uploaded the first time and kept.
    x : (B, K) floats; or a tuple (q, scale) of (B, K) int8 and (B,) float32.
    out : (B, M) float32, or int32 with `accumulate_only`; made here if not given.

    Returns
    -------
    y : (B, M) float32, the bits of every other backend; with `accumulate_only` (B, M) int32.

    Raises
    ------
    NoDevice
        Where there is none.
    InputError
        Wrong types and shapes; NaN and infinity in `x`, naming the first, scales that none has, and outputs that
        float32 cannot hold, for which the call waits.
    BackendError
        While a graph is captured: take a `Plan`.
    """
    here = device.current()
    if here.capturing:
        raise BackendError("matmul allocates and waits, which a graph cannot record", "capture the call of a Plan")
    cols = matrix.shape[1]
    if not isinstance(x, tuple):
        x = first = here.array(convert.as_float32(here, x), "x", np.float32, (None, cols))
    elif len(x) == 2:
        first = here.array(convert.readable(here, x[0], 16), "q", np.int8, (None, cols), boundary=16)
        x = first, convert.readable(here, x[1], 1)
    else:
        raise InputError(f"a tuple of {len(x)}; want (q, scale), or one array of floats")
    plan = Plan(matrix, len(first), accumulate_only=accumulate_only, wait=False)
    y = plan(x, out=out)
    if not isinstance(x, tuple):
        plan.refuse_overflow(convert.refuse_infinite(here, x, plan._scales), y)
    elif not accumulate_only:
        scales = here.cupy.asnumpy(x[1])
        refuse_scales(scales)
        plan.refuse_overflow(scales, y)
    return y
