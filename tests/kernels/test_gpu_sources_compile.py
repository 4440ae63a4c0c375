"""The CUDA sources compile, without warnings and without spilled registers, on a machine without a GPU."""

import re
import shutil
import subprocess

import pytest

from kernels.gpu.cupy_backend import SOURCE

NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


@pytest.mark.skipif(NVCC is None, reason="missing-tool: nvcc")
@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
def test_gpu_source_compiles_without_spills(architecture, tmp_path):
    warnings = ["-Werror", "all-warnings", "-Xptxas", "-v"]
    done = subprocess.run(
        [NVCC, "-cubin", f"-arch={architecture}", "--std=c++17", *warnings, "-o", tmp_path / "w2a8.cubin", SOURCE],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    spills = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", done.stderr)
    assert spills == [("0", "0")] * 2  # one line a kernel
