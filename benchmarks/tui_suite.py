"""Stalls of the screen while a real suite runs under it: a project of thousands of tests, audited twice.

Run: python benchmarks/tui_suite.py [TESTS]
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.launch import Options, prepare
from engine.run import Run
from engine.workspace.repository import Repository
from tui.app import BitnetApp
from tui.opening import Opening

BEAT_S = 0.005
FILES = 50


def project(folder: Path, tests: int) -> None:
    """A repository of that many tests, every tenth red."""
    cases = f"import pytest\n@pytest.mark.parametrize('n', range({tests // FILES}))\ndef test_cpu_n(n):\n"
    for number in range(FILES):
        (folder / f"test_{number:02}.py").write_text(f"{cases}    print('line', n)\n    assert n % 10\n")
    Repository.create(folder, "many tests")


async def stalls(folder: Path, tests: int) -> tuple[list[float], float]:
    """How much later than asked the loop woke, each time, in ms, until the audit had run; and the seconds it took."""
    options = Options(target=folder, providers=("repair",), suites=("cpu",))
    app = BitnetApp(Opening(lambda: Run(prepare(options, dict(os.environ)))), glyphs="unicode")
    late: list[float] = []
    async with app.run_test(size=(120, 40)):
        begun = time.perf_counter()
        while app.bridge.state.audit is None and app.bridge.state.ended is None:
            asked = time.perf_counter()
            await asyncio.sleep(BEAT_S)
            late.append((time.perf_counter() - asked - BEAT_S) * 1000)
        took = time.perf_counter() - begun
        if len(app.bridge.state.tests) != tests:
            raise SystemExit(f"{len(app.bridge.state.tests)} of {tests} tests arrived: {app.bridge.state.ended}")
    return late, took


def main() -> None:
    tests = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    folder = Path(tempfile.mkdtemp(prefix="bitnet-tui-many-"))
    try:
        project(folder, tests)
        for number in range(3):
            late, took = asyncio.run(stalls(folder, tests))
            late.sort()
            middle, most = statistics.median(late), late[int(len(late) * 0.99)]
            print(f"round {number + 1}: {tests} tests twice in {took:.1f} s; stalls: median {middle:.1f} ms, ", end="")
            print(f"99 % under {most:.1f} ms, worst {late[-1]:.1f} ms   (goal: none over 100 ms)")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
