"""The product on a CUDA device: the bodies of the CPU tests, and what is the device's own.

Each runs on the device where there is one, and everywhere as CUDA source on the CPU, under three schedules.
"""

import matmul_checks as checks
import numpy as np
import pytest

from kernels import InputError, PackedMatrix, formats, matmul, quantize_activations
from kernels.gpu import Plan
from kernels.gpu import matmul as device_matmul
from kernels.gpu.plan import choose
from kernels.reference import ReferenceBackend

pytest_plugins = ["gpu_on_cpu"]

SHAPES = [
    (1, 128, 1),
    (7, 256, 2),
    (33, 384, 9),
    (31, 640, 16),
    (17, 1152, 32),
    (5, 128, 33),
    (129, 896, 64),
    (130, 512, 65),
]


def test_gpu_matmul_equals_the_goldens(gpu, golden):
    checks.check_golden("gpu", golden)


@pytest.mark.parametrize(("rows", "cols", "batch"), [*SHAPES, *((19, 384, batch) for batch in range(1, 18))])
def test_gpu_matmul_is_exact(gpu, rows, cols, batch):
    checks.check_random("gpu", rows, cols, batch)


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("rows", "cols", "batch"), [(2560, 2560, 1), (6912, 2560, 8), (2560, 6912, 100), (640, 2560, 17)]
)
def test_gpu_matmul_is_exact_at_the_size_of_a_model(rows, cols, batch):
    checks.check_random("gpu", rows, cols, batch)


@pytest.mark.parametrize("cols", [2560, 6912])
def test_gpu_matmul_of_the_worst_case_does_not_wrap(gpu, cols):
    checks.check_worst_case("gpu", cols)


@pytest.mark.parametrize("weight", [1, -1])
def test_gpu_matmul_of_the_worst_case_does_not_wrap_on_tensor_cores(gpu, weight):
    q = np.array([[127], [-128]] * 18, np.int8).repeat(6912, axis=1)
    expected = [[127 * 6912 * weight] * 3, [-128 * 6912 * weight] * 3] * 18
    assert checks.exact_sums("gpu", checks.constant_matrix(3, 6912, weight), q).tolist() == expected


def test_gpu_matmul_stays_exact_where_one_float32_sum_would_round(gpu):
    checks.check_wide("gpu")


def test_gpu_matmul_pairs_each_column_with_its_activation(gpu):
    checks.check_one_hot("gpu")


def test_gpu_matmul_of_nothing(gpu):
    checks.check_empty("gpu")
    _, matrix = checks.random_matrix(4, 128)
    assert device_matmul(matrix, gpu.asarray(np.zeros((0, 128), np.float32))).shape == (0, 4)
    for shape in ((0, 128), (3, 0)):
        empty = PackedMatrix.from_float(np.zeros(shape))
        y = gpu.asnumpy(device_matmul(empty, gpu.asarray(np.ones((2, shape[1]), np.float32))))
        assert y.tolist() == [[0.0] * shape[0]] * 2


def test_gpu_matmul_takes_strided_activations(gpu):
    checks.check_strided("gpu")


def test_gpu_matmul_of_zero_rows_is_zero(gpu):
    checks.check_zero_rows("gpu")


def test_gpu_matmul_never_gives_infinity(gpu):
    checks.check_overflow("gpu")
    for matrix, x in checks.overflowing():
        given = tuple(map(gpu.asarray, x)) if isinstance(x, tuple) else gpu.asarray(x)
        for multiply in (device_matmul, lambda *args: matmul(*args, backend="gpu")):
            with pytest.raises(InputError, match=r"output \[1, 0\] overflows float32"):
                multiply(matrix, given)
        device_matmul(matrix, given, accumulate_only=True)
        plan = Plan([matrix, checks.scaled_ones(1.0, matrix.shape[0])], 2)
        both = [gpu.asarray(np.stack([one] * 2)) for one in (x if isinstance(x, tuple) else (x,))]
        plan(tuple(both) if isinstance(x, tuple) else both[0])
        with pytest.raises(InputError, match=r"output \[0, 1, 0\] overflows float32"):
            plan.check()


def test_gpu_matmul_downloads_no_output_to_look_at(stand_in):
    gpu = stand_in("forward")
    _, matrix = checks.random_matrix(4, 128)
    x = np.ones((2, 128), np.float32)
    q, scale = quantize_activations(x)
    for given in (gpu.asarray(x), (gpu.asarray(q), gpu.asarray(scale))):
        gpu.calls.clear()
        device_matmul(matrix, given)
        assert gpu.calls.count("download") == 1  # the scales


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_gpu_matmul_refuses_scales_that_no_activations_have(gpu, bad):
    _, matrix = checks.random_matrix(4, 128)
    given = gpu.asarray(np.ones((2, 128), np.int8)), gpu.asarray(np.array([1, bad], np.float32))
    with pytest.raises(InputError, match="activation scales are not all finite and above 0"):
        device_matmul(matrix, given)


@pytest.mark.parametrize("batch", [1, 9, 20, 70])
def test_gpu_matmul_on_the_device_gives_the_bits_of_the_cpu(gpu, batch):
    ternary, _ = checks.random_matrix(21, 640)
    matrix = PackedMatrix(formats.get("i2_s").pack(ternary, 0.37), ternary.shape)
    x = np.random.default_rng(batch).normal(size=(batch, 640)).astype(np.float32)
    q, scale = quantize_activations(x)
    sums = ReferenceBackend().accumulate(matrix, q)
    y = sums.astype(np.float32) / scale[:, np.newaxis] * matrix.scale
    for given in (gpu.asarray(x), (gpu.asarray(q), gpu.asarray(scale))):
        for multiply in (device_matmul, lambda *args, **more: matmul(*args, backend="gpu", **more)):
            found = multiply(matrix, given)
            assert type(found) is type(gpu.asarray(x))
            np.testing.assert_array_equal(gpu.asnumpy(found).view(np.uint32), y.view(np.uint32))
            np.testing.assert_array_equal(gpu.asnumpy(multiply(matrix, given, accumulate_only=True)), sums)


def test_gpu_matmul_writes_where_it_is_told(gpu):
    _, matrix = checks.random_matrix(9, 256)
    x = gpu.asarray(np.random.default_rng(0).normal(size=(3, 256)).astype(np.float32))
    out = gpu.empty((3, 9), np.float32)
    assert device_matmul(matrix, x, out=out) is out
    np.testing.assert_array_equal(gpu.asnumpy(out), gpu.asnumpy(device_matmul(matrix, x)))


def test_gpu_matmul_takes_views_and_other_floats(gpu):
    _, matrix = checks.random_matrix(9, 128)
    wide = np.random.default_rng(0).normal(size=(3, 256)).astype(np.float32)
    q, scale = quantize_activations(wide[:, 1:129])
    y = matmul(matrix, (q, scale), backend="gpu")
    there = gpu.asarray(wide)
    np.testing.assert_array_equal(gpu.asnumpy(device_matmul(matrix, there[:, 1:129])), y)
    doubles = gpu.asarray(wide[:, 1:129].astype(np.float64))
    np.testing.assert_array_equal(gpu.asnumpy(device_matmul(matrix, doubles)), y)
    odd = gpu.asarray(np.concatenate([[0], q.reshape(-1)]).astype(np.int8))[1:].reshape(3, 128)
    np.testing.assert_array_equal(gpu.asnumpy(device_matmul(matrix, (odd, gpu.asarray(scale)))), y)


@pytest.mark.parametrize("batch", [1, 8, 40])
def test_gpu_plan_computes_several_matrices_at_once(gpu, batch):
    rng = np.random.default_rng(batch)
    matrices = [PackedMatrix.from_float(rng.normal(size=(37, 384)) * size) for size in (1, 3, 10)]
    x = rng.normal(size=(3, batch, 384)).astype(np.float32)
    y = gpu.asnumpy(Plan(matrices, batch)(gpu.asarray(x)))
    for one, matrix in enumerate(matrices):
        np.testing.assert_array_equal(y[one], gpu.asnumpy(device_matmul(matrix, gpu.asarray(x[one]))))


def test_gpu_plan_can_be_called_again(gpu):
    ternary, matrix = checks.random_matrix(19, 256)
    plan = Plan(matrix, 2, accumulate_only=True)
    scale = gpu.asarray(np.ones(2, np.float32))
    for seed in (1, 2):
        q = np.random.default_rng(seed).integers(-128, 128, (2, 256)).astype(np.int8)
        assert plan((gpu.asarray(q), scale)) is plan.out
        np.testing.assert_array_equal(gpu.asnumpy(plan.out), q.astype(int) @ ternary.T)


def test_gpu_plan_shows_what_is_not_finite(gpu):
    _, matrix = checks.random_matrix(5, 128)
    x = np.ones((3, 128), np.float32)
    plan = Plan(matrix, 3)
    plan(gpu.asarray(x))
    plan.check()
    x[1, 7] = np.inf
    y = gpu.asnumpy(plan(gpu.asarray(x)))
    assert np.isnan(y[1]).all()
    assert np.isfinite(y[[0, 2]]).all()
    with pytest.raises(ValueError, match=r"activations\[1\] are not finite"):
        plan.check()
    sums = gpu.asnumpy(Plan(matrix, 3, accumulate_only=True)(gpu.asarray(x)))
    assert (sums[1] == -(2**31)).all()
    assert (np.abs(sums[[0, 2]]) <= 127 * 128).all()


@pytest.mark.parametrize("batch", [1, 64])
def test_gpu_plan_is_recorded_by_a_graph(gpu, batch):
    ternary, matrix = checks.random_matrix(50, 512)
    plan = Plan(matrix, batch, accumulate_only=True)
    q = gpu.asarray(np.zeros((batch, 512), np.int8))
    stream = gpu.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        plan((q, None))
        graph = stream.end_capture()
    for seed in (1, 2):
        host = np.random.default_rng(seed).integers(-128, 128, (batch, 512)).astype(np.int8)
        with stream:
            q.set(host)
        graph.launch(stream)
        stream.synchronize()
        np.testing.assert_array_equal(gpu.asnumpy(plan.out), host.astype(int) @ ternary.T)


@pytest.mark.gpu
def test_gpu_plan_is_called_on_another_stream_than_it_was_made_on():
    import cupy

    _, matrix = checks.random_matrix(64, 256)
    host = np.random.default_rng(0).normal(size=(4, 256)).astype(np.float32)
    x, (first, second) = cupy.asarray(host), (cupy.cuda.Stream(non_blocking=True) for _ in range(2))
    expected = matmul(matrix, host, backend="numpy")
    for _ in range(20):
        with first:
            busy = cupy.ones((4, 64), np.float32)
            wide = cupy.ones((4096, 4096), np.float32)
            busy += (wide @ wide)[:4, :64]  # long after the memory of both is free for others
            del busy, wide
            plan = Plan(matrix, 4)
        with second:
            y = plan(x)
        second.synchronize()
        np.testing.assert_array_equal(cupy.asnumpy(y), expected)
        first.synchronize()
        np.testing.assert_array_equal(cupy.asnumpy(y), expected)


@pytest.mark.gpu
def test_gpu_matmul_runs_on_the_stream_of_its_caller():
    import cupy

    _, matrix = checks.random_matrix(64, 256)
    host = np.random.default_rng(0).normal(size=(4, 256)).astype(np.float32)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        y = device_matmul(matrix, cupy.asarray(host) * np.float32(2))
    stream.synchronize()
    np.testing.assert_array_equal(cupy.asnumpy(y), matmul(matrix, host * 2, backend="numpy"))


@pytest.mark.parametrize("rows", [1, 16, 17, 640, 2560, 128_256])
@pytest.mark.parametrize("cols", [0, 128, 2560, 6912, 2**23 - 128])
@pytest.mark.parametrize("batch", [1, 8, 9, 32, 33, 64, 512, 10**6])
def test_gpu_launches_stay_inside_what_a_device_can(rows, cols, batch):
    for tensor_cores in (False, True):
        launch = choose((rows, cols), batch, 1, tensor_cores)
        assert 0 < launch.grid[0] < 2**31
        assert launch.block[0] * launch.block[1] <= 1024
        assert launch.shared <= 48 * 1024
