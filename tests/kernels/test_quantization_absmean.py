"""Weights to ternary: the rounding, the scale, and the matrices that have no obvious answer."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kernels import FormatError, InputError, PackedMatrix, formats, matmul, quantize_weights

pytestmark = pytest.mark.filterwarnings("error")

matrices = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.floats(-100, 100, width=32))


def test_quantization_absmean_by_hand():
    ternary, scale = quantize_weights([[2.0, -2.0, 0.5, -0.5], [0.75, -0.25, 1.5, 0.5]])
    assert (ternary.dtype, scale.dtype) == (np.int8, np.float32)
    assert scale == 1.0
    assert ternary.tolist() == [[1, -1, 0, 0], [1, 0, 1, 0]]  # 0.5 is a tie and goes to the even 0


def test_quantization_absmean_keeps_weights_that_are_ternary(golden):
    some = golden["ternary"] != 0
    ternary, scale = quantize_weights(golden["ternary"] * golden["scale"])
    np.testing.assert_array_equal(ternary, golden["ternary"])
    assert scale == pytest.approx(golden["scale"] * some.mean(), rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(w=matrices)
def test_quantization_absmean_is_the_nearest_of_three(w):
    ternary, scale = quantize_weights(w)
    assert float(scale) == pytest.approx(np.abs(w.astype(float)).mean(), rel=1e-6, abs=1e-44)
    assert set(np.unique(ternary)) <= {-1, 0, 1}
    ratio = w.astype(float) / float(scale) if scale else np.zeros(w.shape)
    chosen = np.abs(ratio - ternary)
    for other in (-1, 0, 1):
        assert (chosen <= np.abs(ratio - other) * (1 + 1e-6) + 1e-6).all()


@settings(max_examples=50, deadline=None)
@given(w=matrices, power=st.integers(-8, 8))
def test_quantization_absmean_follows_a_factor_and_a_sign(w, power):
    w[np.abs(w) < 2.0**-100] = 0  # stay clear of subnormals, where a factor of two is not exact
    ternary, scale = quantize_weights(w)
    scaled, its_scale = quantize_weights(-w * np.float32(2.0**power))
    np.testing.assert_array_equal(scaled, -ternary)
    assert its_scale == scale * np.float32(2.0**power)


def test_quantization_absmean_of_zeros_is_zeros_with_the_scale_zero():
    ternary, scale = quantize_weights(np.zeros((3, 4)))
    assert not ternary.any()
    assert scale == 0


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
def test_quantization_absmean_of_nothing_is_nothing(shape):
    ternary, scale = quantize_weights(np.zeros(shape))
    assert ternary.shape == shape
    assert (scale, scale.dtype) == (0, np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_quantization_absmean_names_the_first_that_is_not_finite(bad):
    w = np.ones((3, 4))
    w[1, 2:] = bad
    with pytest.raises(InputError, match=r"weights\[1, 2\] is"):
        quantize_weights(w)


def test_quantization_absmean_survives_the_ends_of_float32():
    huge = np.full((2, 3), np.finfo(np.float32).max)
    assert quantize_weights(huge)[0].all()
    assert quantize_weights(huge)[1] == np.finfo(np.float32).max
    tiny = np.float32(2.0**-149)
    ternary, scale = quantize_weights([[tiny, -tiny, np.float32(1.0)]])
    assert ternary.tolist() == [[0, 0, 1]]
    assert scale == np.float32(1 / 3)
    ternary, scale = quantize_weights([[tiny, 0, 0]])  # the mean is no float32 any more
    assert (ternary.tolist(), scale) == ([[0, 0, 0]], 0)
    assert quantize_weights([[tiny, -tiny, 0]])[0].tolist() == [[1, -1, 0]]


def test_quantization_absmean_wants_a_matrix():
    with pytest.raises(InputError, match=r"^weights have the shape \(3,\); want a matrix; add an axis: x\[None, :\]$"):
        quantize_weights(np.ones(3))


@settings(max_examples=50, deadline=None)
@given(w=matrices)
def test_quantization_absmean_per_row_is_that_of_each_row(w):
    ternary, scale = quantize_weights(w, per_row=True)
    assert (ternary.dtype, scale.dtype, scale.shape) == (np.int8, np.float32, (len(w),))
    for row in range(len(w)):
        alone, its_scale = quantize_weights(w[row : row + 1])
        np.testing.assert_array_equal(ternary[row], alone[0])
        assert scale[row] == its_scale


def test_quantization_absmean_per_row_decides_for_every_row():
    tiny, huge = np.float32(2.0**-149), np.finfo(np.float32).max
    rows = [[huge, -huge, huge], [0, 0, 0], [tiny, 0, 0], [tiny, -tiny, tiny], [-0.5, 1.0, 0.25]]
    ternary, scale = quantize_weights(rows, per_row=True)
    assert ternary.tolist() == [[1, -1, 1], [0, 0, 0], [0, 0, 0], [1, -1, 1], [-1, 1, 0]]
    assert scale.tolist() == [float(huge), 0, 0, float(tiny), float(np.float32(1.75 / 3))]


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
def test_quantization_absmean_per_row_of_nothing_is_nothing(shape):
    ternary, scale = quantize_weights(np.zeros(shape), per_row=True)
    assert (ternary.shape, ternary.dtype) == (shape, np.int8)
    assert (scale.tolist(), scale.dtype) == ([0] * shape[0], np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_quantization_absmean_per_row_names_the_first_that_is_not_finite(bad):
    w = np.ones((3, 4))
    w[1, 2:] = bad
    with pytest.raises(InputError, match=r"weights\[1, 2\] is"):
        quantize_weights(w, per_row=True)


@settings(max_examples=50, deadline=None)
@given(
    ternary=arrays(np.int8, (5, 7), elements=st.integers(-1, 1)),
    factor=st.floats(2.0**-60, 2.0**60, width=32),
    per_row=st.booleans(),
)
def test_quantization_absmean_gives_ternary_weights_back(ternary, factor, per_row):
    again, scale = quantize_weights(ternary * np.float32(factor), per_row=per_row)
    np.testing.assert_array_equal(again, ternary)
    share = np.mean(ternary != 0, axis=1 if per_row else None)
    np.testing.assert_allclose(scale, np.float32(factor) * share, rtol=1e-6)


@pytest.mark.parametrize("per_row", [False, True])
def test_quantization_absmean_reproduces_weights_without_zeros(per_row):
    signs = np.random.default_rng(0).choice([-1, 1], (33, 65)).astype(np.float32)
    w = signs * np.float32(0.1)
    ternary, scale = quantize_weights(w, per_row=per_row)
    np.testing.assert_array_equal(ternary * np.reshape(scale, (-1, 1)), w)


def snr(w, per_row):
    """Of ternary times scale as a stand-in for the weights, in decibels."""
    ternary, scale = quantize_weights(w, per_row=per_row)
    w = w.astype(float)
    return 10 * np.log10((w**2).sum() / ((w - ternary * np.reshape(scale, (-1, 1)).astype(float)) ** 2).sum())


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("seed", range(3))
def test_quantization_absmean_of_gaussian_weights_keeps_its_promise(per_row, spread, seed):
    cols = 2**16
    w = (spread * np.random.default_rng(seed).standard_normal((4, cols))).astype(np.float32)
    assert 5.6 < snr(w, per_row) < 6.0


def test_quantization_absmean_of_gaussian_weights_loses_what_the_integral_says():
    # s = sqrt(2/π) is the mean magnitude and s/2 where rounding begins: E(w - s t)² = 1 - 2 s E(|w|; |w| > s/2)
    # + s² P(|w| > s/2), with E = 2 φ(s/2) and P = erfc(s/2 / √2).
    s = math.sqrt(2 / math.pi)
    density = math.exp(-((s / 2) ** 2) / 2) / math.sqrt(2 * math.pi)
    lost = 1 - 4 * s * density + s**2 * math.erfc(s / 2 / math.sqrt(2))
    assert lost == pytest.approx(0.2634, abs=1e-4)
    w = np.random.default_rng(0).standard_normal((1024, 2048)).astype(np.float32)
    assert snr(w, per_row=False) == pytest.approx(-10 * math.log10(lost), abs=0.02)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (np.ones((2, 2), complex), "complex128; want real numbers"),
        ([["a", "b"]], "<U1; want real numbers"),
        ([[None, 1.0]], "object; want real numbers"),
        ([[1.0], [1.0, 2.0]], "are no array"),
    ],
)
def test_quantization_absmean_refuses_what_is_not_real_numbers(weights, says):
    with pytest.raises(InputError, match=says):
        quantize_weights(weights)


@pytest.mark.parametrize("name", ["i2_s", "tq1_0", "tq2_0"])
def test_quantization_absmean_per_row_is_multiplied_behind_the_product(name):
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((5, 256)), rng.standard_normal((3, 256))
    ternary, scale = quantize_weights(w, per_row=True)
    with pytest.raises(FormatError, match=r"scales of the shape \(5,\); a format keeps one"):
        formats.get(name).pack(ternary, scale)
    y = matmul(PackedMatrix(formats.get(name).pack(ternary, 1.0), w.shape, name), x) * scale
    for row in range(5):
        alone = PackedMatrix(formats.get("i2_s").pack(ternary[row : row + 1], scale[row]), (1, 256))
        np.testing.assert_array_equal(y[:, row], matmul(alone, x)[:, 0])
