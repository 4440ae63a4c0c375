"""The CUDA sources compile for every architecture they are for, without warnings and without spilled registers.

Needs no device: nvcc where it is installed, and NVRTC, which CuPy compiles with, where its wheel is.
"""

import ctypes
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from often import step

from kernels.gpu.device import FOLDER, source

NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
TENSOR = (80, 86, 89, 90, 100, 120)
ARCHITECTURES = {
    "gemv.cu": TENSOR,
    "gemm.cu": TENSOR,
    "portable.cu": (75, *TENSOR),
    "quantize.cu": (75, *TENSOR),
    "pack.cu": (75, *TENSOR),
    "read.cu": (75, *TENSOR),
    "ops.cu": (75, *TENSOR),
    "attention.cu": (75, *TENSOR),
    "dense.cu": (75, *TENSOR),
}
THREADS = {"gemm": 512, "gemv_8": 1024, "gemv_16": 512, "gemv_32": 512}
"""Threads whose registers must fit a processor at once, if not 256: two blocks of gemm.cu; the largest of gemv.cu;
in decoding, where loads under way are speed, 1,024 with 64 KB of them."""


def check_log(log: str, text: str, architectures: int) -> None:
    """No spills, and registers within bounds, in what ptxas says of every kernel of a source for each architecture."""
    names = re.findall(r"__global__ void (?:__launch_bounds__\([^)]*\) )?(\w+)\(", text)
    said = re.findall(r"Compiling entry function '(\w+)'", log)
    spills = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", log)
    registers = re.findall(r"Used (\d+) registers", log)
    assert sorted(said) == sorted(names * architectures), log
    assert spills == [("0", "0", "0")] * len(said), log
    for name, used in zip(said, registers, strict=True):
        assert int(used) * THREADS.get(name, 256) <= 65536, f"{name} uses {used} registers"


def test_gpu_sources_are_all_compiled():
    assert {file.name for file in FOLDER.glob("*.cu")} == set(ARCHITECTURES)


@pytest.mark.skipif(NVCC is None, reason="missing-tool: nvcc (the CUDA toolkit)")
@pytest.mark.parametrize("file", ARCHITECTURES)
def test_gpu_sources_compile_with_nvcc(file, tmp_path):
    known = subprocess.run([NVCC, "--list-gpu-code"], capture_output=True, text=True, check=True).stdout.split()
    wanted = [number for number in ARCHITECTURES[file] if f"sm_{number}" in known][:: step(3)]
    targets = [f"-gencode=arch=compute_{number},code=sm_{number}" for number in wanted]
    strict = ["-Werror", "all-warnings", "-Xptxas", "-v"]
    command = [NVCC, "-fatbin", "--std=c++17", *targets, *strict, "-o", tmp_path / "out.fatbin", FOLDER / file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    check_log(done.stderr, (FOLDER / file).read_text("utf-8"), len(wanted))


class Nvrtc:
    """The library of the wheel, by ctypes: CuPy itself cannot compile where there is no device."""

    def __init__(self, library: Path) -> None:
        for builtins in library.parent.glob("libnvrtc-builtins.so*"):
            ctypes.CDLL(str(builtins), ctypes.RTLD_GLOBAL)
        self._library = ctypes.CDLL(str(library))

    def architectures(self) -> list[int]:
        count = ctypes.c_int()
        self._library.nvrtcGetNumSupportedArchs(ctypes.byref(count))
        numbers = (ctypes.c_int * count.value)()
        self._library.nvrtcGetSupportedArchs(numbers)
        return list(numbers)

    def compile(self, text: str, architecture: int) -> tuple[int, str]:
        """The error code and the log."""
        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        self._library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
        options = [f"--gpu-architecture=sm_{architecture}".encode(), b"--std=c++17", b"--ptxas-options=-v"]
        code = self._library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * 3)(*options))
        self._library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self._library.nvrtcGetProgramLog(program, log)
        self._library.nvrtcDestroyProgram(ctypes.byref(program))
        return code, log.value.decode()


@pytest.fixture(scope="module")
def nvrtc() -> Nvrtc:
    found = [file for folder in sys.path for file in Path(folder).glob("nvidia/*/lib/libnvrtc.so*")]
    if not found:
        pytest.skip("missing-tool: NVRTC (pip install nvidia-cuda-nvrtc)")
    return Nvrtc(found[0])


@pytest.mark.parametrize("file", ARCHITECTURES)
def test_gpu_sources_compile_with_nvrtc(file, nvrtc):
    supported = nvrtc.architectures()
    for architecture in ARCHITECTURES[file]:
        if architecture in supported:
            code, log = nvrtc.compile(source(file), architecture)
            assert code == 0, log
            assert "warning" not in log
            check_log(log, source(file), 1)
