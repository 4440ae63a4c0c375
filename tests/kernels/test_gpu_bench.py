"""The benchmark runs from end to end, checks what it times, and says where it cannot."""

import subprocess
import sys
from pathlib import Path

import pytest

from kernels.backend import why_not
from kernels.gpu import bench

pytest_plugins = ["gpu_on_cpu"]

ROOT = Path(__file__).parents[2]


def test_gpu_bench_gives_a_figure_and_its_yardstick(stand_in):
    stand_in("forward")
    rows = list(bench.measure(((32, 256),), cold=4096, repeats=2))
    assert [(row.what, row.batch) for row in rows] == [
        *(
            (what, batch)
            for batch in (1, 4, 8)
            for what in ("a launch a layer", "quantizing too", "one launch for all layers")
        ),
        ("a launch a layer", 256),
        ("quantizing too", 256),
    ]
    assert all(row.us > 0 and row.value > 0 for row in rows)
    assert all(row.share for row in rows[:9])
    assert all(row.yardstick is None for row in rows[9:])  # no cuBLAS here


def test_gpu_bench_does_not_time_a_wrong_product(stand_in):
    stand_in("forward").edit = lambda code: code.replace("- (unsigned)sums[token]", "")
    with pytest.raises(AssertionError):
        list(bench.measure(((32, 256),), cold=4096, repeats=2))


def test_gpu_bench_decodes(stand_in):
    stand_in("forward")
    row = bench.decode(ROOT / "tests/data/tiny-i2_s.gguf", tokens=8, cold=4096)
    assert (row.unit, row.batch) == ("GB/s", 1)
    assert row.us > 0
    assert row.value > 0


@pytest.mark.skipif(why_not("gpu") is None, reason="a CUDA device is here")
def test_gpu_bench_says_that_there_is_no_device():
    command = [sys.executable, "benchmarks/gpu.py", "--json"]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": "."}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 5
    assert done.stdout == ""
    assert done.stderr.startswith("no device: CuPy")
