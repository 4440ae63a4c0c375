"""The package in WebAssembly, by Pyodide in Node: without NumPy where every weight lies, with it the NumPy backend.

Runs where there is Node and the npm package: ``npm install --no-save --prefix .venv pyodide``, or the environment's
``PYODIDE`` names its folder. NumPy comes from Pyodide's own server, or as the wheel that the package's
pyodide-lock.json names, put into its folder.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kernels import formats

ROOT = Path(__file__).parents[2]
RUNNER = Path(__file__).with_name("pyodide.mjs")
FOLDERS = [
    Path(os.environ.get("PYODIDE", "/nonexistent")),
    *(ROOT / at / "node_modules/pyodide" for at in (".venv", "")),
]
NAMES = ["i2_s", "i2_s:arm-64", "i2_s:x86-1x4", "tl1", "tl2:128,96", "tq1_0", "tq2_0"]
ROWS = range(0, 128, 9)

PLAIN = """
import sys
import kernels
import kernels.backend
from kernels.formats.places import I2SPlaces, TL1Places, TL2Places, TQ1Places, TQ2Places

places = [
    I2SPlaces(), I2SPlaces("i2_s:arm-64", 16), I2SPlaces("i2_s:x86-1x4", 0), TL1Places(), TL2Places((128, 96)),
    TQ1Places(), TQ2Places(),
]
given = json.loads(data)
result = {"names": [place.name for place in places], "sizes": [], "weights": [], "refused": []}
for place, packed in zip(places, given["packed"]):
    codes = bytes.fromhex(packed)
    result["sizes"].append(place.nbytes(128, 256))
    result["weights"].append([[place.weight(codes, (128, 256), row, column) for column in range(256)]
                              for row in given["rows"]])
    try:
        place.nbytes(130, 130)
    except kernels.FormatError as error:
        result["refused"].append(str(error))
result["loaded"] = sorted(name for name in ("numpy", "llvmlite", "cupy") if name in sys.modules)
"""

NUMPY = """
import hashlib
import sys
import numpy as np
from kernels import PackedMatrix, backend_report, formats, matmul, quantize_activations, quantize_weights

def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()

random = np.random.default_rng(7)
w, x = random.integers(-999, 1000, (128, 512)) / 512, random.integers(-999, 1000, (5, 512)) / 256
ternary, scale = quantize_weights(w)
result = {
    "weights": digest(ternary, scale),
    "weights per row": digest(*quantize_weights(w, per_row=True)),
    "activations": digest(*quantize_activations(x)),
}
for name in formats.names():
    layout = formats.get(name)
    packed = layout.pack(ternary, layout.nearest_scale(scale))
    matrix = PackedMatrix(packed, w.shape, name)
    result[name] = digest(packed, *layout.unpack(packed, w.shape))
    result["product of " + name] = digest(matmul(matrix, x, backend="numpy"))
odd = PackedMatrix.from_float(w[:8, :131], "i2_s:x86-1x4")
result["product of odd rows"] = digest(matmul(odd, x[:, :131], backend="numpy"))
result["the reference agrees"] = digest(matmul(odd, x[:, :131], backend="reference"))
"""


@pytest.fixture(scope="module")
def said(golden):
    node = shutil.which("node")
    folder = next((folder for folder in FOLDERS if (folder / "pyodide.mjs").is_file()), None)
    if node is None or folder is None:
        lacking = "Node" if node is None else "Pyodide (npm install --no-save --prefix .venv pyodide)"
        pytest.skip(f"missing-tool: {lacking}")
    packed = [formats.get(name).pack(golden["ternary"], golden["scale"]).tobytes().hex() for name in NAMES]
    given = {"data": {"packed": packed, "rows": list(ROWS)}, "plain": PLAIN, "numpy": NUMPY}
    argv = [node, str(RUNNER), str(folder / "pyodide.mjs"), str(ROOT)]
    done = subprocess.run(argv, input=json.dumps(given), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_cpu_wasm_finds_every_weight_without_numpy(said, golden):
    plain = said["plain"]
    assert plain["names"] == NAMES
    assert plain["sizes"] == [formats.get(name).nbytes(128, 256) for name in NAMES]
    for weights in plain["weights"]:
        np.testing.assert_array_equal(weights, golden["ternary"][list(ROWS)])
    assert len(plain["refused"]) == len(NAMES)
    assert all("cannot hold 130 x 130" in message for message in plain["refused"])
    assert plain["loaded"] == []


def test_cpu_wasm_numpy_computes_what_it_does_here(said):
    if "lacking" in said:
        pytest.skip(f"missing-tool: NumPy for Pyodide, from its server or as a wheel in its folder ({said['lacking']})")
    here: dict = {}
    exec(NUMPY, here)
    assert said["numpy"] == here["result"]
