"""Threads of the fast backend: the same numbers, whoever helps, forks, leaves or calls at the same time."""

import gc
import os
import subprocess
import sys
import threading

import fast_tiers
import matmul_checks as checks
import numpy as np
import pytest

from kernels import matmul
from kernels.cpu.fast import crew
from kernels.cpu.fast.backend import FastBackend


def some_product(rows: int = 200, cols: int = 640, batch: int = 3):
    ternary, matrix = checks.random_matrix(rows, cols)
    q = np.random.default_rng(7).integers(-128, 128, (batch, cols)).astype(np.int8)
    return matrix, q, q.astype(np.int64) @ ternary.T.astype(np.int64)


def team(threads: int, tier: str = "portable") -> FastBackend:
    """A backend of its own, whose helpers go when it does."""
    return FastBackend(*fast_tiers.code(tier), threads)


def helpers() -> int:
    return sum(thread._target is crew._help for thread in threading.enumerate())


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_cpu_fast_is_the_same_with_any_number_of_threads(threads):
    backend = team(threads)
    matrix, q, expected = some_product()
    x = np.random.default_rng(0).normal(size=(3, 640))
    alone = matmul(matrix, x, backend=team(1))
    for _ in range(200):
        np.testing.assert_array_equal(backend.accumulate(matrix, q), expected)
        np.testing.assert_array_equal(matmul(matrix, x, backend=backend), alone)


def test_cpu_fast_wakes_helpers_that_fell_asleep(monkeypatch):
    monkeypatch.setattr(crew, "LOOKS", 1)
    backend = team(2)
    matrix, q, expected = some_product()
    for _ in range(300):
        np.testing.assert_array_equal(backend.accumulate(matrix, q), expected)


def test_cpu_fast_serves_callers_in_many_threads():
    backend = team(2)
    wrong = []

    def call(rows: int) -> None:
        matrix, q, expected = some_product(rows)
        wrong.extend(n for n in range(60) if not (backend.accumulate(matrix, q) == expected).all())

    callers = [threading.Thread(target=call, args=(100 + n,)) for n in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert not any(caller.is_alive() for caller in callers)
    assert wrong == []


def test_cpu_fast_starts_helpers_when_wanted_and_lets_them_go():
    before = helpers()
    backend = team(4)
    assert helpers() == before
    matrix, q, _ = some_product()
    backend.accumulate(matrix, q)
    assert helpers() == before + 3
    del backend
    gc.collect()
    assert helpers() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="missing-tool: fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_cpu_fast_goes_on_in_the_child_of_a_fork():
    backend = team(3)
    matrix, q, expected = some_product()
    backend.accumulate(matrix, q)
    child = os.fork()
    if not child:
        good = all((backend.accumulate(matrix, q) == expected).all() for _ in range(20))
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(backend.accumulate(matrix, q), expected)


ENDINGS = {
    "plain": "",
    "exit": "sys.exit(0)",
    "busy": "threading.Thread(target=forever, daemon=True).start(); time.sleep(0.2)",
    "fork": "pid = os.fork()\nif pid: sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\nforever(3)",
    "late": "atexit.register(forever, 3); forever(3)",
}

PROGRAM = """
import atexit, os, sys, threading, time
import numpy as np
from kernels import PackedMatrix, matmul, select_backend
backend = select_backend("fast", threads=3)
matrix = PackedMatrix.from_float(np.ones((256, 1280)))
def forever(times=10**9):
    for _ in range(times):
        assert (matmul(matrix, np.ones((2, 1280)), backend=backend) == 1280).all()
forever(5)
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_cpu_fast_never_holds_a_process_back(ending):
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM + ENDINGS[ending]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
