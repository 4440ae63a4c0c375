"""Quantizing, packing and unpacking where the arrays are: the CPU's bits, and the CPU's refusals."""

import numpy as np
import pytest

from kernels import FormatError, InputError, formats, quantize_activations
from kernels import gpu as on_gpu

pytest_plugins = ["gpu_on_cpu"]


def same_as_cpu(gpu, x: np.ndarray) -> None:
    q, scale = (gpu.asnumpy(part) for part in on_gpu.quantize_activations(gpu.asarray(x)))
    expected, its_scale = quantize_activations(x)
    assert (q.dtype, scale.dtype) == (np.int8, np.float32)
    np.testing.assert_array_equal(q, expected)
    np.testing.assert_array_equal(scale.view(np.uint32), its_scale.view(np.uint32))


def test_gpu_quantize_equals_the_goldens(gpu, golden, edges):
    for x, q, scale in (
        (golden["x"], golden["act_q"], golden["act_scale"]),
        (edges["aq_x"], edges["aq_q"], edges["aq_scale"]),
    ):
        found, its_scale = (gpu.asnumpy(part) for part in on_gpu.quantize_activations(gpu.asarray(x)))
        np.testing.assert_array_equal(found, q)
        np.testing.assert_array_equal(its_scale, scale)


@pytest.mark.parametrize("cols", [1, 31, 255, 256, 257, 2560, 6913])
def test_gpu_quantize_gives_the_bits_of_the_cpu(gpu, cols):
    rng = np.random.default_rng(cols)
    same_as_cpu(gpu, (rng.normal(size=(4, cols)) * 10.0 ** rng.integers(-8, 9, (4, 1))).astype(np.float32))


def test_gpu_quantize_gives_the_bits_of_the_cpu_where_rounding_is_hard(gpu):
    halves = np.arange(-254, 255, dtype=np.float32) / 2  # the largest is 127: the scale is 1, every other a tie
    same_as_cpu(gpu, halves[np.newaxis])
    same_as_cpu(gpu, np.array([[0.0, -0.0, 0.0], [1e-5, -9e-6, 5e-6], [1e-6, 0, -1e-7], [2.0**-149, 0, 1]], np.float32))
    largest = np.finfo(np.float32).max
    same_as_cpu(gpu, np.array([[largest, -largest, 1.0], [largest / 3, largest / 254, -largest / 127]], np.float32))


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
def test_gpu_quantize_of_nothing_is_nothing(gpu, shape):
    same_as_cpu(gpu, np.zeros(shape, np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_gpu_quantize_names_the_first_that_is_not_finite(gpu, bad):
    x = np.ones((3, 400))
    x[2, 301:] = bad
    with pytest.raises(InputError, match=r"activations\[2, 301\] is"):
        on_gpu.quantize_activations(gpu.asarray(x))


@pytest.mark.parametrize("shape", [(1, 128), (3, 256), (5, 1152), (17, 128), (0, 128), (4, 0)])
def test_gpu_pack_writes_the_bytes_of_the_cpu(gpu, shape):
    ternary = np.random.default_rng(shape).integers(-1, 2, shape).astype(np.int8)
    expected = formats.get("i2_s").pack(ternary, 0.3)
    packed = on_gpu.pack(gpu.asarray(ternary), 0.3)
    assert gpu.asnumpy(packed).tobytes() == expected.tobytes()
    again, scale = on_gpu.unpack(packed, shape)
    np.testing.assert_array_equal(gpu.asnumpy(again), ternary)
    assert scale == np.float32(0.3)


def test_gpu_pack_refuses_every_byte_that_is_no_weight(stand_in):
    gpu = stand_in("forward")
    ternary = np.zeros((1, 128), np.int8)
    for value in (value for value in range(-128, 128) if value not in (-1, 0, 1)):
        ternary[0, value % 128] = value
        with pytest.raises(FormatError, match=r"want -1, 0 and \+1"):
            on_gpu.pack(gpu.asarray(ternary), 1.0)
        ternary[0, value % 128] = 0


def test_gpu_unpack_refuses_every_byte_that_holds_a_three(stand_in):
    gpu = stand_in("forward")
    packed = formats.get("i2_s").pack(np.zeros((1, 128), np.int8), 1.0)
    for value in range(256):
        packed[value % 32] = value
        threes = 3 in (value >> 6, value >> 4 & 3, value >> 2 & 3, value & 3)
        if threes:
            with pytest.raises(FormatError, match="1 bytes hold the code 3"):
                on_gpu.unpack(gpu.asarray(packed), (1, 128))
        else:
            found = gpu.asnumpy(on_gpu.unpack(gpu.asarray(packed), (1, 128))[0])
            np.testing.assert_array_equal(found, formats.get("i2_s").unpack(packed, (1, 128))[0])
        packed[value % 32] = 0x55


def test_gpu_pack_and_unpack_refuse_a_scale_that_is_not_finite(gpu):
    with pytest.raises(FormatError, match="scale is nan"):
        on_gpu.pack(gpu.asarray(np.zeros((1, 128), np.int8)), np.nan)
    packed = formats.get("i2_s").pack(np.zeros((1, 128), np.int8), 1.0)
    packed[-32:-28] = np.array([np.inf], "<f4").view(np.uint8)
    with pytest.raises(FormatError, match="scale is inf"):
        on_gpu.unpack(gpu.asarray(packed), (1, 128))


def test_gpu_pack_and_unpack_refuse_other_shapes(gpu):
    with pytest.raises(FormatError, match="multiples of 128"):
        on_gpu.pack(gpu.asarray(np.zeros((1, 64), np.int8)), 1.0)
    with pytest.raises(InputError, match=r"packed is uint8 of shape \(64,\); want uint8 of \(96,\)"):
        on_gpu.unpack(gpu.asarray(np.zeros(64, np.uint8)), (2, 128))
    with pytest.raises(InputError, match="weights is int16"):
        on_gpu.pack(gpu.asarray(np.zeros((1, 128), np.int16)), 1.0)
