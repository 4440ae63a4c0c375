"""The CUDA source computes the right integers, shown without a GPU: a C++ compiler runs it fiber by fiber."""

import ctypes
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import matmul_checks as checks
import numpy as np
import pytest

import kernels.product
from kernels.gpu import cupy_backend

SHIM = Path(__file__).with_name("cuda_on_cpu.h")
COMPILER = shutil.which("g++") or shutil.which("clang++")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="missing-tool: a C++ compiler")


class CupyOnCpu(SimpleNamespace):
    """What the backend uses of CuPy, with NumPy arrays for device memory and the compiled shim for a device."""

    def __init__(self, library: ctypes.CDLL, backwards: bool) -> None:
        super().__init__(asarray=np.asarray, asnumpy=np.asarray, int32=np.int32, launched=[])
        self.library, self.backwards = library, backwards

    def empty(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        return np.full(shape, 0x5EED5EED, dtype)  # whatever is not written shows

    def RawModule(self, code: str, options: tuple[str, ...]) -> "CupyOnCpu":
        assert code == cupy_backend.SOURCE.read_text("utf-8")
        return self

    def get_function(self, name: str):
        def launch(grid, block, arguments):
            self.launched.append(name)
            arrays, sizes = arguments[:4], arguments[4:]
            assert all(array.flags.c_contiguous for array in arrays)
            numbers = (self.backwards, *grid, *block, *(array.ctypes.data for array in arrays), *map(int, sizes))
            types = [ctypes.c_bool, *[ctypes.c_int] * 4, *[ctypes.c_void_p] * 4, *[ctypes.c_int] * 3]
            self.library.launch(getattr(self.library, name), *(t(n) for t, n in zip(types, numbers, strict=True)))

        return launch


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    built = tmp_path_factory.mktemp("cuda") / "w2a8.so"
    flags = ["-std=c++17", "-O1", "-shared", "-fPIC", "-Wno-unknown-pragmas"]
    command = [COMPILER, *flags, "-include", SHIM, "-x", "c++", cupy_backend.SOURCE, "-o", built]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(built))


@pytest.fixture(params=[False, True], ids=["forwards", "backwards"])
def cupy(request, library, monkeypatch) -> CupyOnCpu:
    fake = CupyOnCpu(library, request.param)
    monkeypatch.setattr(cupy_backend, "import_module", lambda name: fake)
    backend = cupy_backend.CupyBackend()
    monkeypatch.setattr(kernels.product, "select_backend", lambda name: backend)
    return fake


def test_gpu_source_on_cpu_equals_the_goldens(cupy, golden):
    checks.check_golden("gpu", golden)
    assert set(cupy.launched) == {"w2a8_gemm"}


@pytest.mark.parametrize(("rows", "cols", "batch"), [(1, 128, 1), (7, 256, 2), (33, 384, 9), (9, 2176, 1)])
def test_gpu_source_on_cpu_is_exact(cupy, rows, cols, batch):
    checks.check_random("gpu", rows, cols, batch)
    assert cupy.launched == ["w2a8_gemv" if batch == 1 else "w2a8_gemm"]


def test_gpu_source_on_cpu_keeps_the_other_promises(cupy):
    checks.check_worst_case("gpu", 6912)
    checks.check_one_hot("gpu")
    checks.check_strided("gpu")
    checks.check_zero_rows("gpu")
    launches = len(cupy.launched)
    checks.check_empty("gpu")
    assert len(cupy.launched) == launches  # an empty grid cannot be launched
