"""What importing the package costs, seen in a child: NumPy, and neither CuPy nor the other packages."""

import subprocess
import sys

PROBE = """
import sys
import numpy
before = set(sys.modules)
import kernels
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""


def test_cpu_import_of_kernels_needs_numpy_alone():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60)
    assert set(done.stdout.split()) <= {"kernels", "numpy"}, done.stdout
