"""Engine time around a suite: our runner against plain pytest, on the demo project, in alternating rounds.

The plain run uses the same interpreter, options and plug-ins; what is left over is the engine's: the plug-in's
stream, the report and its check, the process group, the confinement.

Run: python benchmarks/overhead.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine.cancel import CancelToken
from engine.config import Suite
from engine.launch import Options, prepare
from engine.suites.layout import import_roots
from engine.suites.runner import Place, SuiteRunner
from tui.demo import copy_project


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    target = copy_project()
    plan = prepare(Options(target=target), dict(os.environ))
    files = [e.path for e in plan.repository.entries("HEAD^{tree}")]
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(target, Path("/nonexistent"), "", Path(scratch), import_roots(files, ""), frozenset(files))
        runner = SuiteRunner("bench", plan.interpreter, plan.confinement, plan.environ, CancelToken())
        suite = Suite(marker="not gpu")
        env = runner.environment(place)
        plain_argv = [plan.interpreter.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not gpu"]

        def plain() -> float:
            start = time.perf_counter()
            subprocess.run(plain_argv, cwd=target, env=env, stdout=subprocess.DEVNULL, check=False)
            return time.perf_counter() - start

        def ours() -> float:
            start = time.perf_counter()
            runner.report("cpu", suite, place)
            return time.perf_counter() - start

        plain(), ours()
        pairs = [(plain(), ours()) for _ in range(rounds)]
    a, b = statistics.median(p for p, _ in pairs), statistics.median(o for _, o in pairs)
    ratio = statistics.median(o / p for p, o in pairs)
    print(f"plain pytest      {a * 1000:7.0f} ms")
    over = f"{100 * (ratio - 1):+.1f} %"
    print(f"through engine    {b * 1000:7.0f} ms   overhead {over} (median of pairs; goal: under 10 %)")


if __name__ == "__main__":
    main()
