"""Time to look for keys in lines of output, in an event, and in a log of 50 MB.

Run: python benchmarks/redact.py
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from engine.events import TestFinished
from engine.model import Purpose, TestOutcome, TestResult
from engine.records.redact import Redactor

LINES = {
    "a line of pytest": "tests/test_calc.py::test_cpu_add PASSED                          [ 12%]",
    "200 characters": "the quick brown fox jumps over the lazy dog; " * 4 + "and on it goes",
    "with addresses": "GET https://example.org/a/b?c=d 200, task-runner sk-learn https://example.org/x",
    "with a key": "login with ghp_" + "aB3" * 12 + " failed",
}


def per_call(call: Callable[[], object], rounds: int) -> float:
    """Microseconds, the best of five."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(rounds):
            call()
        best = min(best, time.perf_counter() - start)
    return best / rounds * 1e6


def main() -> None:
    redactor = Redactor.of({**os.environ, "A_TOKEN": "one-that-nobody-has", "B_SECRET": "another-of-them"})
    lines = redactor.lines()
    for name, line in LINES.items():
        taken = per_call(lambda line=line: lines(line), 20_000)  # type: ignore[misc]
        print(f"{name:18} {taken:6.2f} µs   {1e6 / taken:10,.0f} lines/s   (goal: 50,000)")
    result = TestResult(
        "cpu", "tests/test_a.py::test_b", TestOutcome.FAILED, message="assert 1 == 2", detail="E  x\n" * 60
    )
    event = TestFinished(Purpose.AUDIT, 1, result)
    print(f"{'a failed test':18} {per_call(lambda: redactor.noun(event), 5_000):6.2f} µs")
    log = "\n".join(LINES.values()) + "\n"
    log *= 50_000_000 // len(log)
    print(f"{'50 MB at once':18} {per_call(lambda: redactor.text(log), 1) / 1e6:6.2f} s")


if __name__ == "__main__":
    main()
