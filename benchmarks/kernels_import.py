"""What ``import kernels`` costs beside ``import numpy``, inside fresh interpreters, one of each in turn.

Run: ``python benchmarks/kernels_import.py [--repeats 40]``. Goal: under 120 ms.
"""

import argparse
import statistics
import subprocess
import sys

CASES = {
    "import numpy": "import numpy",
    "import kernels": "import kernels",
    "all its names": "from kernels import *",
    "a product": "from kernels import *; x = [[1.0] * 128]; matmul(PackedMatrix.from_float(x), x, backend='numpy')",
}
TIMED = "from time import perf_counter as now; start = now(); exec({!r}); print((now() - start) * 1e3)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=40)
    repeats = parser.parse_args().repeats
    took: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(repeats + 1):
        for case, code in CASES.items():
            argv = [sys.executable, "-c", TIMED.format(code)]
            took[case].append(float(subprocess.run(argv, capture_output=True, text=True, check=True).stdout))
    for case, times in took.items():
        times = sorted(times[1:])  # the first reads the files from the disk
        print(f"{case:16} median {statistics.median(times):6.1f} ms   best {times[0]:6.1f}   worst {times[-1]:6.1f}")


if __name__ == "__main__":
    main()
