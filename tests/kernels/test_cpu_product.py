"""What `matmul` asks of a backend, and of activations that come quantized."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

import kernels.product
from kernels import FormatError, InputError, PackedMatrix, formats, matmul, select_backend
from kernels.packed import MAX_COLS

MATRIX = PackedMatrix.from_float(np.ones((2, 128)))


class Scripted:
    """A backend that says what it was asked for."""

    def __init__(self, name="scripted", **more):
        self.name = name
        self.asked = []
        self.__dict__.update(more)

    def accumulate(self, matrix, q):
        self.asked.append((matrix, q))
        return np.full((len(q), matrix.shape[0]), 7, np.int32)


class OnDevice:
    __cuda_array_interface__ = None


def refused(says):
    return pytest.raises(InputError, match=f"^{re.escape(says)}$")


def test_cpu_product_takes_a_backend_as_it_is():
    backend = Scripted()
    q = np.ones((3, 128), np.int8)
    assert matmul(MATRIX, (q, np.ones(3)), backend=backend).tolist() == [[7.0, 7.0]] * 3
    assert backend.asked[0][0] is MATRIX
    assert backend.asked[0][1] is q


def test_cpu_product_leaves_floats_to_a_backend_that_takes_them():
    given, whole = [], np.ones((1, 2), np.float32)
    floats = Scripted(multiply=lambda *both: given.append(both) or whole)
    x = np.ones((1, 128))
    assert matmul(MATRIX, x, backend=floats) is whole
    assert given == [(MATRIX, x)]
    assert floats.asked == []
    assert matmul(MATRIX, x, backend=floats, accumulate_only=True).tolist() == [[7, 7]]
    assert matmul(MATRIX, (x.astype(np.int8), np.ones(1)), backend=floats).tolist() == [[7.0, 7.0]]
    assert select_backend("fast").multiply(MATRIX, x).tolist() == [[128.0, 128.0]]


@pytest.mark.parametrize("x", [OnDevice(), (OnDevice(), OnDevice())])
def test_cpu_product_computes_arrays_of_the_gpu_there_or_nowhere(x, monkeypatch):
    says = "x lies on the GPU, where the backend 'numpy' does not compute"
    with refused(says + '; take backend="gpu", or bring x to the host with x.get()'):
        matmul(MATRIX, x, backend="numpy")
    loaded = []
    gpu = SimpleNamespace(matmul=lambda *given, **options: (given, options))
    monkeypatch.setattr(kernels.product, "import_module", lambda name: loaded.append(name) or gpu)
    for only in (False, True):
        given = matmul(MATRIX, x, backend=Scripted("gpu"), accumulate_only=only)
        assert given == ((MATRIX, x), {"accumulate_only": only})
    assert loaded == ["kernels.gpu"] * 2


@pytest.mark.parametrize(
    ("x", "says"),
    [
        ((), "a tuple of 0; want (q, scale), or one array of floats"),
        ((1, 2, 3), "a tuple of 3; want (q, scale), or one array of floats"),
        ((np.ones((2, 128)), np.ones(2)), "activations are float64 of shape (2, 128); the matrix takes int8 (B, 128)"),
        ((np.ones(128, np.int8), np.ones(1)), "activations are int8 of shape (128,); the matrix takes int8 (B, 128)"),
        ((np.ones((2, 64), np.int8), [1, 1]), "activations are int8 of shape (2, 64); the matrix takes int8 (B, 128)"),
        (
            (np.ones((2, 128, 1), np.int8), [1, 1]),
            "activations are int8 of shape (2, 128, 1); the matrix takes int8 (B, 128)",
        ),
        ((np.ones((2, 128), np.int8), 1.0), "activation scales have the shape (); want (2,)"),
        ((np.ones((2, 128), np.int8), np.ones((2, 1))), "activation scales have the shape (2, 1); want (2,)"),
        *(
            ((np.ones((2, 128), np.int8), [1.0, bad]), "activation scales are not all finite and above 0")
            for bad in (0.0, -1.0, np.nan, np.inf, -np.inf)
        ),
    ],
)
def test_cpu_product_says_what_is_wrong_with_quantized_activations(x, says):
    with refused(says):
        matmul(MATRIX, x, backend="numpy")


@pytest.mark.parametrize("backend", ["reference", "numpy", "fast"])
def test_cpu_product_divides_by_scales_in_float32(backend):
    scale = np.array([0.1, 3.0], np.float64)
    y = matmul(MATRIX, (np.ones((2, 128), np.int8), scale), backend=backend)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y[:, 0], np.float32(128) / scale.astype(np.float32))


def test_cpu_product_takes_the_widest_rows_there_may_be():
    shape = (0, MAX_COLS // 128 * 128)
    assert PackedMatrix(formats.get("i2_s").pack(np.zeros(shape, np.int8), 1.0), shape).shape == shape
    shape = (0, MAX_COLS)
    assert PackedMatrix(formats.get("i2_s:x86-1x4").pack(np.zeros(shape, np.int8), 1.0), shape, "i2_s:x86-1x4")


def test_cpu_product_takes_a_factor_that_lies_beside_the_bytes():
    """As models do that keep a scale a tensor: the bytes stay, the scale is both, and a copy has it in its bytes."""
    matrix = PackedMatrix(MATRIX.packed, MATRIX.shape, factor=-0.25)
    assert matrix.scale == np.float32(-0.25) * MATRIX.scale
    np.testing.assert_array_equal(matmul(matrix, np.ones((1, 128))), -0.25 * matmul(MATRIX, np.ones((1, 128))))
    copy = matrix.to("i2_s")
    assert (copy.factor, copy.scale) == (1, matrix.scale)
    np.testing.assert_array_equal(copy.unpack(), MATRIX.unpack())
    assert MATRIX.to("i2_s") is MATRIX


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", [np.inf, np.nan, 1e39, 3e38])
def test_cpu_product_refuses_a_factor_that_no_scale_can_take(factor):
    large = PackedMatrix(formats.get("i2_s").pack(MATRIX.unpack(), 2.0), MATRIX.shape)
    with pytest.raises(FormatError, match="finite"):
        PackedMatrix(large.packed, large.shape, factor=factor)
