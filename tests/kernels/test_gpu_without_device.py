"""What a machine without a device can show: what is allocated, copied and refused, and that the tests would notice."""

import re

import matmul_checks as checks
import numpy as np
import pytest
from often import every
from ops_checks import equal, normal

import kernels.gpu
from kernels import BackendError, InputError, PackedMatrix, formats, matmul, select_backend
from kernels.backend import why_not
from kernels.errors import NoDevice
from kernels.gpu import Plan
from kernels.gpu.ops import GpuOps
from kernels.ops import select
from kernels.ops.head import Head

pytest_plugins = ["gpu_on_cpu"]

SCHEDULES = ("forward", "reverse", "random")


@pytest.mark.skipif(why_not("gpu") is None, reason="a CUDA device is here")
@pytest.mark.parametrize(
    "call",
    [
        lambda: kernels.gpu.matmul(checks.random_matrix(4, 128)[1], None),
        lambda: Plan(checks.random_matrix(4, 128)[1], 1),
        lambda: kernels.gpu.pack(None, 1.0),
        lambda: kernels.gpu.unpack(None, (1, 128)),
        lambda: kernels.gpu.quantize_activations(None),
    ],
)
def test_gpu_functions_say_that_there_is_no_device(call):
    with pytest.raises(NoDevice, match="no CUDA device: CuPy") as caught:
        call()
    assert caught.value.reason == why_not("gpu")
    assert isinstance(caught.value, BackendError)


@pytest.mark.parametrize(("rows", "cols", "batch"), [(1, 128, 1), (9, 2176, 8), (33, 384, 9), (3, 640, 17)])
def test_gpu_without_tensor_cores_is_exact_too(stand_in, schedule, rows, cols, batch):
    gpu = stand_in(schedule, compute_capability="75")
    checks.check_random("gpu", rows, cols, batch)
    assert gpu.launched == ["sum_rows", "portable"]


@pytest.mark.parametrize(("batch", "kernel"), [(1, "gemv_8"), (9, "gemv_16"), (32, "gemv_32"), (33, "gemm")])
def test_gpu_kernels_are_chosen_by_the_batch(stand_in, batch, kernel):
    gpu = stand_in("forward")
    checks.check_random("gpu", 5, 256, batch)
    assert gpu.launched == ["sum_rows", kernel]


def test_gpu_plan_neither_allocates_nor_copies_nor_waits_when_called(stand_in):
    gpu = stand_in("forward")
    plan = Plan([checks.random_matrix(9, 256)[1]] * 2, 3)
    x, out = gpu.asarray(np.ones((2, 3, 256), np.float32)), gpu.empty((2, 3, 9), np.float32)
    q, scale = gpu.asarray(np.ones((2, 3, 256), np.int8)), gpu.asarray(np.ones((2, 3), np.float32))
    gpu.calls.clear()
    plan(x, out=out)
    plan((q, scale))
    assert gpu.calls == []
    assert gpu.launched == ["quantize_rows", "gemv_8", "sum_rows", "gemv_8"]


@pytest.mark.parametrize("several", [False, True])
def test_gpu_plan_waits_where_it_is_made_as_it_may_be_called_on_any_stream(stand_in, several):
    gpu = stand_in("forward")
    matrix = checks.random_matrix(9, 256)[1]
    kernels.gpu.device.current().weights(matrix)  # waits too, once
    gpu.calls.clear()
    plan = Plan([matrix] * 2 if several else matrix, 3)
    assert gpu.calls[-1] == "wait"  # when all memory is taken
    assert gpu.calls.count("wait") == 1
    x = gpu.asarray(np.ones((2, 3, 256)[not several :], np.float32))
    gpu.calls.clear()
    with gpu.cuda.Stream(non_blocking=True):
        plan(x)
    Plan(matrix, 3, wait=False)
    kernels.gpu.matmul(matrix, gpu.asarray(np.ones((3, 256), np.float32)))
    assert "wait" not in gpu.calls


def test_gpu_weights_are_uploaded_once_and_forgotten_with_their_matrix(stand_in):
    gpu = stand_in("forward")
    matrix = checks.random_matrix(9, 256)[1]
    here = kernels.gpu.device.current()
    checks.exact_sums("gpu", matrix, np.ones((1, 256), np.int8))
    first = here.weights(matrix)
    checks.exact_sums("gpu", matrix, np.ones((2, 256), np.int8))
    assert here.weights(matrix) is first
    assert len(here._weights) == 1
    del matrix
    assert len(here._weights) == 0
    assert gpu.calls.count("wait") == 1


def test_gpu_matmul_on_the_device_downloads_nothing_but_the_scales(stand_in):
    gpu = stand_in("forward")
    matrix = checks.random_matrix(9, 256)[1]
    Plan(matrix, 1)
    x = gpu.asarray(np.ones((2, 256), np.float32))
    gpu.calls.clear()
    kernels.gpu.matmul(matrix, x)
    assert set(gpu.calls) == {"empty", "download"}
    assert gpu.calls.count("download") == 1


def test_gpu_matmul_refuses_to_be_captured(stand_in):
    gpu = stand_in("forward")
    matrix = checks.random_matrix(9, 256)[1]
    x = gpu.asarray(np.ones((2, 256), np.float32))
    gpu.cuda.get_current_stream().begin_capture()
    with pytest.raises(BackendError, match="capture the call of a Plan"):
        kernels.gpu.matmul(matrix, x)
    with pytest.raises(BackendError, match="before the capture begins"):
        Plan(matrix, 2)


def test_gpu_arrays_are_refused_by_the_backends_of_the_cpu(stand_in, monkeypatch):
    gpu = stand_in("forward")
    x = gpu.asarray(np.ones((2, 256), np.float32))
    monkeypatch.undo()
    with pytest.raises(InputError, match="x lies on the GPU, where the backend 'numpy' does not"):
        matmul(checks.random_matrix(9, 256)[1], x, backend="numpy")


def strided(gpu, dtype):
    return gpu.asarray(np.ones((2, 512), dtype))[:, ::2]


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (lambda gpu: np.ones((2, 256), np.float32), "x is a ndarray; want an array on the device"),
        (lambda gpu: gpu.asarray(np.ones((2, 256))), r"x is float64 of shape \(2, 256\); want float32 of \(2, 256\)"),
        (lambda gpu: gpu.asarray(np.ones((3, 256), np.float32)), r"shape \(3, 256\)"),
        (lambda gpu: gpu.asarray(np.ones(256, np.float32)), r"shape \(256,\)"),
        (lambda gpu: strided(gpu, np.float32), "x is not contiguous"),
        (lambda gpu: (gpu.asarray(np.ones((2, 256), np.int8)),), "a tuple of 1"),
        (lambda gpu: (gpu.asarray(np.ones((2, 256), np.int16)), None), "q is int16"),
        (lambda gpu: (strided(gpu, np.int8), None), "q is not contiguous"),
        (lambda gpu: (gpu.asarray(np.ones((2, 256), np.int8)), 1.0), "scale is a float"),
        (
            lambda gpu: (gpu.asarray(np.ones((2, 256), np.int8)), gpu.asarray(np.ones(3, np.float32))),
            r"want float32 of \(2,\)",
        ),
        (lambda gpu: (gpu.asarray(np.ones(513, np.int8))[1:].reshape(2, 256), None), "want a multiple of 16"),
    ],
)
def test_gpu_plan_refuses_what_a_kernel_would_misread(stand_in, x, says):
    gpu = stand_in("forward")
    plan = Plan(checks.random_matrix(9, 256)[1], 2)
    with pytest.raises(InputError, match=says):
        plan(x(gpu))
    assert gpu.launched == []


def test_gpu_plan_refuses_a_wrong_out(stand_in):
    gpu = stand_in("forward")
    plan = Plan(checks.random_matrix(9, 256)[1], 2)
    x = gpu.asarray(np.ones((2, 256), np.float32))
    for out in (np.empty((2, 9), np.float32), gpu.empty((9, 2), np.float32), gpu.empty((2, 9), np.int32)):
        with pytest.raises(InputError, match="out is"):
            plan(x, out=out)


@pytest.mark.parametrize("x", [(1.0, 2.0), (1,), (), "x", None])
def test_gpu_matmul_refuses_what_is_no_array(stand_in, x):
    stand_in("forward")
    with pytest.raises(InputError):
        kernels.gpu.matmul(checks.random_matrix(9, 256)[1], x)


def test_gpu_plan_refuses_arrays_of_another_device(stand_in):
    gpu = stand_in("forward")
    x = gpu.asarray(np.ones((2, 256), np.float32))
    x.device.id = 1
    with pytest.raises(InputError, match="x lies on device 1, not on the current one"):
        Plan(checks.random_matrix(9, 256)[1], 2)(x)


@pytest.mark.parametrize("batch", [-1, 2**31])
def test_gpu_plan_refuses_a_batch_it_cannot_count(stand_in, batch):
    stand_in("forward")
    with pytest.raises(InputError, match=f"a batch of {batch}"):
        Plan(checks.random_matrix(9, 256)[1], batch)


@pytest.mark.parametrize("matrices", [[], [(4, 128), (5, 128)]])
def test_gpu_plan_wants_matrices_of_one_shape(stand_in, matrices):
    stand_in("forward")
    with pytest.raises(InputError, match="want matrices of one shape"):
        Plan([checks.random_matrix(*shape)[1] for shape in matrices], 1)


def test_gpu_products_are_the_same_in_every_format(stand_in, golden):
    stand_in("forward")
    for name in formats.names():
        matrix = PackedMatrix(formats.get(name).pack(golden["ternary"], golden["scale"]), (128, 256), name)
        np.testing.assert_array_equal(checks.exact_sums("gpu", matrix, golden["act_q"]), golden["int_dot"])


BARRIER = "__syncthreads();"

# What a schedule, a page or a red zone has to notice: the text of a source, what it becomes, and what then runs.

GUARDS = {
    "store": ("if (row >= rows || token >= batch) return;", ""),
    "gemv rows": ("min(row + 8, rows - 1)", "row + 8"),
    "gemv pieces": ("min(chunk * 4 + quarter, pieces - 1)", "chunk * 4 + quarter"),
    "gemv tokens": ("if (token < batch && piece < pieces)", ""),
    "gemm lines": ("first + line < lines && column < width", "column < width"),
    "gemm columns": ("first + line < lines && column < width", "first + line < lines"),
    "gemm waits": ("finish_copies();", ""),
    "portable rows": ("if (row >= rows) return;", ""),
    "portable tokens": ("if (first + token >= batch) break;", ""),
    "quantize columns": ("i < cols; i += THREADS) largest", "i < cols + 1; i += THREADS) largest"),
    "pack words": ("if (word < words + TAIL_WORDS) packed", "packed"),
    "unpack words": ("if (word >= words) return;", ""),
}


OPS_GUARDS = {
    "elements": ("if (i >= count) return", ""),
    "rope's rest": ("if (at >= 2 * pairs) {", "if (false) {"),
    "keep": ("*start >= 0 && position < (size_t)capacity", "true"),
    "scores of positions": ("lane == 0 && position <= last", "lane == 0"),
    "scores of keys": ("min(position, last)", "position"),
    "weighed positions": ("min(first + i * 8 + (int)threadIdx.y, count - 1)", "first + i * 8 + (int)threadIdx.y"),
    "weighed dimensions": ("min(dimension, size - 1)", "dimension"),
    "weighed sums": ("threadIdx.y == 0 && dimension < size", "threadIdx.y == 0"),
    "dense rows": ("min(row, rows - 1)", "row"),
    "dense sums": ("row < rows && first + token < batch", "first + token < batch"),
    "dense tokens": ("if (first + token >= batch) break;", ""),
    "dense columns": ("if (column + i < cols) got", "got"),
    "int8 rows": ("if (row >= rows) return;", ""),
    "int8 tokens": ("min(SOME, batch - first)", "SOME"),
}


def everything(stand_in, schedule, edit):
    """Run every kernel on odd sizes, its source changed by ``edit``; an AssertionError is what we hope for."""
    stand_in(schedule).edit = edit
    for batch in (3, 40):
        checks.check_random("gpu", 37, 1152, batch)
    x = np.random.default_rng(0).normal(size=(2, 700)).astype(np.float32)
    gpu = kernels.gpu.device.current().cupy
    q, _ = kernels.gpu.quantize_activations(gpu.asarray(x))
    np.testing.assert_array_equal(gpu.asnumpy(q), kernels.quantize_activations(x)[0])
    ternary = checks.random_matrix(3, 128)[0]
    packed = kernels.gpu.pack(gpu.asarray(ternary), 1.0)
    np.testing.assert_array_equal(gpu.asnumpy(kernels.gpu.unpack(packed, ternary.shape)[0]), ternary)
    stand_in(schedule, "75").edit = edit
    checks.check_random("gpu", 37, 640, 3)


def arithmetic(stand_in, schedule, edit):
    """The same for the kernels of a forward pass."""
    stand_in(schedule).edit = edit
    ops, plain = GpuOps(), select(select_backend("numpy"))

    def check(operation, *arrays, **others):
        got = getattr(ops, operation)(*map(ops.put, arrays), **others)
        equal(ops.get(got), getattr(plain, operation)(*arrays, **others))

    check("rms_norm", normal(0, 1, 4200), normal(1, 4200), eps=1e-5)
    check("rope", normal(0, 2, 3, 10), normal(1, 2, 3), normal(2, 2, 3))
    check("gate", normal(0, 3, 100), normal(1, 3, 100), kind="silu")
    q, k, v = normal(0, 2, 4, 20), normal(1, 151, 2, 20), normal(2, 151, 2, 20)
    check("attention", q, k, v, start=149, scale=0.3)
    check("attention", q, k.astype(np.float16), v.astype(np.float16), start=3, scale=0.3)
    for size in (48, 50):
        x, head = normal(0, 5, size), Head(normal(1, 11, size))
        for kept in (head, head.to_int8()):
            equal(ops.get(ops.dense(ops.put(x), kept)), plain.dense(x, kept))
    cache = ops.put(normal(1, 5, 3, 4))
    ops.keep(ops.put(normal(0, 2, 3, 4)), cache, 4)
    equal(ops.get(cache)[4], normal(0, 2, 3, 4)[0])


def noticed(stand_in, edit, run=everything) -> list[str]:
    found = []
    for schedule in SCHEDULES:
        try:
            run(stand_in, schedule, edit)
        except AssertionError:
            found.append(schedule)
    return found


def test_gpu_checks_find_nothing_where_nothing_is_wrong(stand_in):
    assert noticed(stand_in, lambda code: code) == []
    assert noticed(stand_in, lambda code: code, arithmetic) == []


@pytest.mark.parametrize("guard", every(3, list(GUARDS)))
def test_gpu_checks_notice_a_missing_guard(stand_in, guard):
    there, instead = GUARDS[guard]
    assert any(there in kernels.gpu.device.source(file.name) for file in kernels.gpu.device.FOLDER.glob("*.cu"))
    assert noticed(stand_in, lambda code: code.replace(there, instead))


@pytest.mark.parametrize("guard", every(3, list(OPS_GUARDS)))
def test_gpu_checks_notice_a_missing_guard_of_the_arithmetic(stand_in, guard):
    there, instead = OPS_GUARDS[guard]
    assert any(there in kernels.gpu.device.source(f"{name}.cu") for name in ("ops", "attention", "dense"))
    assert noticed(stand_in, lambda code: code.replace(there, instead), arithmetic)


BARRIERS = {"gemv.cu": 1, "gemm.cu": 3, "block.cuh": 2, "order.cuh": 4, "attention.cu": 2}


@pytest.mark.parametrize(
    ("file", "which"), every(2, [(file, i) for file, count in BARRIERS.items() for i in range(count)])
)
def test_gpu_checks_notice_a_missing_barrier(stand_in, file, which):
    text = (kernels.gpu.device.FOLDER / file).read_text("utf-8")
    own = re.split(r"#include .*\n", text)[-1]
    run = arithmetic if file in ("order.cuh", "attention.cu") else everything
    parts = own.split(BARRIER)
    without = BARRIER.join(parts[:which]) + BARRIER * (which > 0) + parts[which] + BARRIER.join(parts[which + 1 :])
    assert without.count(BARRIER) == own.count(BARRIER) - 1
    assert any(own in kernels.gpu.device.source(name.name) for name in kernels.gpu.device.FOLDER.glob("*.cu"))
    assert noticed(stand_in, lambda code: code.replace(own, without), run)


def test_gpu_checks_cover_every_barrier():
    counts = {file.name: file.read_text("utf-8").count(BARRIER) for file in kernels.gpu.device.FOLDER.glob("*.cu*")}
    assert {name: count for name, count in counts.items() if count} == BARRIERS


REACHES = """
extern "C" __global__ void reach(int* x, int at) { x[at] = 7; }
extern "C" __global__ void part(int* x) { if (threadIdx.x) __syncthreads(); else while (x) __shfl_xor_sync(~0u, 0, 1); }
"""


@pytest.mark.parametrize("edit", [lambda code: code, lambda code: f"{code}\n"])
def test_gpu_stand_in_says_what_a_launch_died_of_and_goes_on(stand_in, edit):
    """In a child that shares all memory, as sources are; and in a copy, as changed ones are."""
    gpu = stand_in("forward")
    gpu.edit = edit
    module, x = gpu.RawModule(code=REACHES, options=()), gpu.zeros(4, np.int32)
    reach = module.get_function("reach")
    for at in (4, -2000):
        with pytest.raises(AssertionError, match="reach ended by SIGSEGV"):
            reach((1,), (1,), (x, np.int32(at)))
    with pytest.raises(AssertionError, match="reach wrote beside an array"):
        reach((1,), (1,), (x, np.int32(-1)))
    x = gpu.zeros(4, np.int32)
    with pytest.raises(AssertionError, match="part ended by a deadlock"):
        module.get_function("part")((1,), (2,), (x,))
    reach((1,), (1,), (x, np.int32(3)))
    assert gpu.asnumpy(x).tolist() == [0, 0, 0, 7]


def test_gpu_checks_notice_threads_that_wait_for_each_other_for_ever(stand_in):
    gpu = stand_in("forward")
    line = "int* partial = (int*)shared_memory;"
    gpu.edit = lambda code: code.replace(line, f"if (threadIdx.x == 5) return value; {line}")
    with pytest.raises(AssertionError, match="deadlock"):
        kernels.gpu.quantize_activations(gpu.asarray(np.ones((1, 4), np.float32)))
