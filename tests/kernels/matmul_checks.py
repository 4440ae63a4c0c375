"""What every backend promises; one body for the CPU and the GPU."""

from collections.abc import Callable

import numpy as np
import pytest

from kernels import InputError, PackedMatrix, formats, matmul, quantize_activations


def random_matrix(rows: int, cols: int, scale: float = 0.5) -> tuple[np.ndarray, PackedMatrix]:
    ternary = np.random.default_rng([rows, cols]).integers(-1, 2, (rows, cols)).astype(np.int8)
    return ternary, PackedMatrix(formats.get("i2_s").pack(ternary, scale), (rows, cols))


def constant_matrix(rows: int, cols: int, weight: int) -> PackedMatrix:
    ternary = np.full((rows, cols), weight, np.int8)
    return PackedMatrix(formats.get("i2_s").pack(ternary, 1.0), (rows, cols))


def exact_sums(backend: str, matrix: PackedMatrix, q: np.ndarray) -> np.ndarray:
    sums = matmul(matrix, (q, np.ones(len(q), np.float32)), backend=backend, accumulate_only=True)
    assert sums.dtype == np.int32
    assert sums.shape == (len(q), matrix.shape[0])
    return sums


def check_golden(backend: str, golden: dict[str, np.ndarray]) -> None:
    """Integer products and float outputs equal the C++ programs', bit for bit."""
    packed = np.concatenate([golden["i2s_x86_data"], golden["i2s_x86_tail"]])
    matrix = PackedMatrix(packed, golden["ternary"].shape)
    quantized = (golden["act_q"], golden["act_scale"])
    np.testing.assert_array_equal(exact_sums(backend, matrix, golden["act_q"]), golden["int_dot"])
    for x in (golden["x"], quantized):
        y = matmul(matrix, x, backend=backend)
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y.view(np.uint32), golden["y_i2s"].view(np.uint32))


def check_random(backend: str, rows: int, cols: int, batch: int) -> None:
    """Equal to NumPy's int64 product of the unpacked weights."""
    ternary, matrix = random_matrix(rows, cols)
    q = np.random.default_rng(batch).integers(-128, 128, (batch, cols)).astype(np.int8)
    expected = q.astype(np.int64) @ ternary.T.astype(np.int64)
    np.testing.assert_array_equal(exact_sums(backend, matrix, q), expected)


def check_format(backend: str, name: str, shape: tuple[int, int]) -> None:
    """Exact in any format, also where rows are not whole blocks of i2_s; and again, from what was kept."""
    ternary = np.random.default_rng(shape).integers(-1, 2, shape).astype(np.int8)
    matrix = PackedMatrix(formats.get(name).pack(ternary, 0.5), shape, name)
    q = np.random.default_rng(0).integers(-128, 128, (3, shape[1])).astype(np.int8)
    for _ in range(2):
        np.testing.assert_array_equal(exact_sums(backend, matrix, q), q.astype(int) @ ternary.T.astype(int))
    x = q.astype(np.float32)
    np.testing.assert_array_equal(matmul(matrix, x, backend=backend), matmul(matrix, x, backend="reference"))


def check_worst_case(backend: str, cols: int) -> None:
    """The largest sums there are come out whole: no narrower accumulator, no rounding."""
    q = np.array([[127], [-128]], np.int8).repeat(cols, axis=1)
    for weight in (1, -1):
        expected = [[127 * cols * weight] * 3, [-128 * cols * weight] * 3]
        matrix = constant_matrix(3, cols, weight)
        assert exact_sums(backend, matrix, q).tolist() == expected
        assert exact_sums(backend, matrix, q[:1]).tolist() == expected[:1]
        assert exact_sums(backend, matrix, q[1:]).tolist() == expected[1:]


def check_wide(backend: str) -> None:
    """Odd sums far above 2**24, where float32 knows only multiples of four, come out to the unit."""
    ternary = np.ones((4, 2**18), np.int8)
    ternary[np.random.default_rng(0).random(ternary.shape) < 0.01] = 0
    matrix = PackedMatrix(formats.get("i2_s").pack(ternary, 1.0), ternary.shape)
    expected = 127 * ternary.sum(axis=1, dtype=np.int64)
    assert (expected % 2).any()
    assert exact_sums(backend, matrix, np.full((1, 2**18), 127, np.int8)).tolist() == [expected.tolist()]


def check_one_hot(backend: str) -> None:
    """Every column is multiplied by its own activation: a wrong order cannot hide in a sum."""
    ternary, matrix = random_matrix(5, 256)
    np.testing.assert_array_equal(exact_sums(backend, matrix, np.eye(256, dtype=np.int8)), ternary.T)


def check_empty(backend: str) -> None:
    """No tokens, no rows or no columns are products too."""
    _, matrix = random_matrix(4, 128)
    assert matmul(matrix, np.zeros((0, 128)), backend=backend).shape == (0, 4)
    assert exact_sums(backend, random_matrix(0, 128)[1], np.ones((2, 128), np.int8)).shape == (2, 0)
    assert exact_sums(backend, random_matrix(3, 0)[1], np.ones((2, 0), np.int8)).tolist() == [[0] * 3] * 2


def check_strided(backend: str) -> None:
    """Activations need not be contiguous."""
    ternary, matrix = random_matrix(6, 128)
    q = np.random.default_rng(0).integers(-128, 128, (3, 256)).astype(np.int8)[:, ::2]
    np.testing.assert_array_equal(exact_sums(backend, matrix, q), q.astype(int) @ ternary.T.astype(int))


def check_zero_rows(backend: str) -> None:
    """A row of zeros gives zeros, whatever stands beside it."""
    _, matrix = random_matrix(4, 128)
    x = np.zeros((2, 128), np.float32)
    x[1] = 1.0
    y = matmul(matrix, x, backend=backend)
    assert y[0].tolist() == [0.0] * 4
    np.testing.assert_array_equal(y[1:], matmul(matrix, quantize_activations(x[1:]), backend=backend))


LARGEST = float(np.finfo(np.float32).max)


def scaled_ones(scale: float, rows: int = 3) -> PackedMatrix:
    """Rows of 1 and a last one of 0, times a scale; all outputs of one row of activations are its sum or nothing."""
    ternary = np.ones((rows, 128), np.int8)
    ternary[-1] = 0
    return PackedMatrix(formats.get("i2_s").pack(ternary, scale), ternary.shape)


def overflowing() -> list[tuple[PackedMatrix, object]]:
    """A matrix and activations whose product float32 cannot hold, at the output [1, 0] first."""
    small, large = np.ones((2, 128), np.float32), np.ones((2, 128), np.float32)
    large[1] = 1e30
    moderate = np.ones((2, 128), np.float32)
    moderate[1] = 1e3
    scale = np.array([1, 1e-30], np.float32)
    ones = np.ones((2, 128), np.int8)
    huge = np.concatenate([small[:1], np.full((1, 128), 3e38, np.float32)])
    return [
        (scaled_ones(1e30), large),  # the scales together
        (scaled_ones(-1e30), large),
        (scaled_ones(1e36), moderate),  # the scale of the matrix nearly alone
        (scaled_ones(1e-30), huge),  # already the sum, though the output would fit
        (scaled_ones(0.0), huge),
        (scaled_ones(1e30, rows=20_000), large),
        (scaled_ones(1e30), (ones, scale)),
        (scaled_ones(1.0), (ones, np.array([1, 1e-45], np.float32))),
    ]


def check_overflow(backend: str, there: Callable[[np.ndarray], object] = lambda array: array) -> None:
    """What float32 cannot hold is refused, and nothing else: not what is just below, nor what is next to nothing."""
    for matrix, x in overflowing():
        given = tuple(map(there, x)) if isinstance(x, tuple) else there(x)
        with pytest.raises(InputError, match=r"^output \[1, 0\] overflows float32; make"):
            matmul(matrix, given, backend=backend)
        sums = matmul(matrix, given, backend=backend, accumulate_only=True)
        assert (sums[1, 0], sums[1, -1]) in ((128 * 127, 0), (128, 0))
    for scale, x in ((LARGEST / 128, 1.0), (LARGEST / 128 / 2**60, 2.0**60), (1e-38, 1e-3), (1e-44, 1.0)):
        matrix = scaled_ones(scale)
        given = np.full((1, 128), x, np.float32)
        (q,), (factor,) = quantize_activations(given)
        y = matmul(matrix, there(given), backend=backend)
        assert float(y[0, 0]) == float(np.float32(q.sum(dtype=int)) / factor * matrix.scale)
        assert 0 < float(y[0, 0]) <= LARGEST
