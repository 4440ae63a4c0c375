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


WITHOUT_EXTRAS = """
import sys
for name in ("llvmlite", "cupy", "ctypes"):
    sys.modules[name] = None  # importing it fails
import numpy
before = set(sys.modules)
from kernels import PackedMatrix, formats, matmul
for name in formats.names():
    matrix = PackedMatrix.from_float(numpy.ones((32, 768)), name)
    assert matmul(matrix, numpy.ones((2, 768)), backend="numpy").tolist() == [[768.0] * 32] * 2
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""

WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None
import kernels
from kernels.backend import NAMES
from kernels.formats import names
from kernels.formats.places import TQ1Places
assert TQ1Places().nbytes(2, 256) == 108
try:
    kernels.nothing
except AttributeError as error:
    assert "has no attribute 'nothing'" in str(error)
assert {*kernels.__all__} <= {*dir(kernels)}
try:
    kernels.matmul
except ImportError:
    print("numpy is wanted now")
"""


def in_child(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_cpu_import_of_the_numpy_backend_needs_no_compiled_extras():
    assert in_child(WITHOUT_EXTRAS).split() == ["kernels", "numpy"]


def test_cpu_import_of_the_places_needs_no_numpy():
    assert in_child(WITHOUT_NUMPY) == "numpy is wanted now\n"


def test_cpu_import_gives_every_public_name():
    import kernels

    assert all(getattr(kernels, name) is not None for name in kernels.__all__)
