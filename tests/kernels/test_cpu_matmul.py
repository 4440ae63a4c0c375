"""The product on the CPU: exact, whatever the shape, and equal to the C++ programs."""

import tracemalloc

import matmul_checks as checks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import BackendError, InputError, NoDevice, PackedMatrix, matmul, quantize_activations, select_backend
from kernels.backend import why_not
from kernels.cpu import numpy_backend

both = pytest.mark.parametrize("backend", ["reference", "numpy", "fast"])


@both
def test_cpu_matmul_equals_the_goldens(backend, golden):
    checks.check_golden(backend, golden)


@both
@pytest.mark.parametrize(("rows", "cols", "batch"), [(1, 128, 1), (7, 256, 2), (33, 384, 9)])
def test_cpu_matmul_is_exact(backend, rows, cols, batch):
    checks.check_random(backend, rows, cols, batch)


@both
@pytest.mark.parametrize("cols", [2560, 6912])
def test_cpu_matmul_of_the_worst_case_does_not_wrap(backend, cols):
    checks.check_worst_case(backend, cols)


@both
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("i2_s:arm-64", (3, 64)),
        ("i2_s:arm-64", (5, 192)),
        ("i2_s:x86-1x4", (4, 1)),
        ("i2_s:x86-1x4", (8, 131)),
        ("tl1", (32, 8)),
        ("tl1", (64, 200)),
        ("tl2", (32, 288)),
        ("tl2", (64, 320)),
        ("tq1_0", (3, 256)),
        ("tq2_0", (3, 512)),
    ],
)
def test_cpu_matmul_takes_every_shape_a_format_holds(backend, name, shape):
    checks.check_format(backend, name, shape)


def test_cpu_matmul_stays_exact_where_one_float32_sum_would_round():
    checks.check_wide("numpy")


@both
def test_cpu_matmul_pairs_each_column_with_its_activation(backend):
    checks.check_one_hot(backend)


@both
def test_cpu_matmul_of_nothing(backend):
    checks.check_empty(backend)


@both
def test_cpu_matmul_takes_strided_activations(backend):
    checks.check_strided(backend)


@both
def test_cpu_matmul_of_zero_rows_is_zero(backend):
    checks.check_zero_rows(backend)


@both
def test_cpu_matmul_never_gives_infinity(backend):
    checks.check_overflow(backend)


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 40), blocks=st.integers(1, 4), batch=st.integers(1, 5), tile=st.sampled_from([1, 96, 1000]))
def test_cpu_matmul_does_not_depend_on_the_tile(rows, blocks, batch, tile):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpy_backend, "TILE", tile)
        patch.setattr(numpy_backend, "EXACT_COLS", 128)
        checks.check_random("numpy", rows, blocks * 128, batch)


def test_cpu_matmul_never_decodes_the_whole_matrix():
    _, matrix = checks.random_matrix(4096, 4096)
    q = np.ones((1, 4096), np.int8)
    tracemalloc.start()
    try:
        checks.exact_sums("numpy", matrix, q)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < matrix.nbytes  # the weights alone would be 4 times that in int8, 16 times in float32


def test_cpu_matmul_uses_unquantized_activations_as_quantize_does(golden):
    matrix = PackedMatrix.from_float(golden["ternary"] * np.float32(0.25))
    x = golden["x"]
    np.testing.assert_array_equal(matmul(matrix, x), matmul(matrix, quantize_activations(x)))


@pytest.mark.parametrize(
    "x",
    [
        np.ones((2, 127)),
        np.ones(128),
        (np.ones((2, 128), np.int16), np.ones(2, np.float32)),
        (np.ones((2, 128), np.int8), np.ones(3, np.float32)),
        (np.ones((2, 128), np.int8),),
    ],
    ids=["width", "vector", "int16", "scales", "tuple"],
)
def test_cpu_matmul_refuses_what_does_not_fit(x):
    with pytest.raises(InputError):
        matmul(checks.random_matrix(4, 128)[1], x)


def test_cpu_select_backend_auto_runs_here():
    assert select_backend().name == next(name for name in ("gpu", "fast", "numpy") if why_not(name) is None)


def test_cpu_select_backend_names_the_nearest():
    with pytest.raises(BackendError, match="did you mean 'reference'"):
        select_backend("refrence")


@pytest.mark.skipif(why_not("gpu") is None, reason="a CUDA device is here")
def test_cpu_select_backend_says_why_the_gpu_cannot_run():
    with pytest.raises(NoDevice, match="no CUDA device: CuPy"):
        select_backend("gpu")


@both
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_cpu_matmul_reads_bytes_that_lie_anywhere(backend, offset):
    ternary, matrix = checks.random_matrix(6, 256)
    room = np.zeros(2 * (matrix.nbytes + offset), np.uint8)
    for there in (room[offset : offset + matrix.nbytes], room[offset::2][: matrix.nbytes]):
        there[:] = matrix.packed
        again = PackedMatrix(there, matrix.shape)
        sums = checks.exact_sums(backend, again, np.eye(256, dtype=np.int8))
        np.testing.assert_array_equal(sums, ternary.T)
    there.flags.writeable = False
    np.testing.assert_array_equal(PackedMatrix(there, matrix.shape).unpack(), ternary)
