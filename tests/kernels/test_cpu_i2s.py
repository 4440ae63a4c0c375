"""I2_S: every byte where the published files have it, and nothing but good bytes read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import FormatError, PackedMatrix, formats
from kernels.formats.i2_s import CHUNK

I2S = formats.get("i2_s")


def test_cpu_i2s_packs_the_golden_bytes(golden):
    packed = I2S.pack(golden["ternary"], golden["scale"])
    assert packed.dtype == np.uint8
    assert packed.shape == (I2S.nbytes(128, 256),)
    np.testing.assert_array_equal(packed, np.concatenate([golden["i2s_x86_data"], golden["i2s_x86_tail"]]))


def test_cpu_i2s_unpacks_the_golden_bytes(golden):
    packed = np.concatenate([golden["i2s_x86_data"], golden["i2s_x86_tail"]])
    ternary, scale = I2S.unpack(packed, (128, 256))
    assert (ternary.dtype, scale.dtype) == (np.int8, np.float32)
    np.testing.assert_array_equal(ternary, golden["ternary"])
    assert scale == golden["scale"]


def test_cpu_i2s_worked_example():
    ternary = np.zeros((1, 256), np.int8)
    ternary[0, :8] = 1, -1, 0, 1, 1, -1, -1, 0
    ternary[0, 32:36] = -1, 1, 1, -1
    ternary[0, [64, 96, 128, 255]] = 1, -1, 1, -1
    first = "88 25 65 85 95 15 15 55" + "55" * 24
    second = "95" + "55" * 30 + "54"
    tail = "00 00 00 3f" + "00" * 28
    assert I2S.pack(ternary, 0.5).tobytes() == bytes.fromhex(first + second + tail)


def test_cpu_i2s_of_zeros_is_0x55_with_the_scale_zero(edges):
    packed = I2S.pack(np.zeros((8, 256), np.int8), 0.0)
    assert set(packed[:-32]) == {0x55}
    np.testing.assert_array_equal(packed[:-28], edges["zw_i2s"][:-28])  # the padding is anyone's


def test_cpu_i2s_reads_what_the_cpp_quantizer_writes(edges):
    w = edges["nw_w"]  # Gaussian; that quantizer keeps the sign and the largest magnitude
    ternary, scale = I2S.unpack(edges["nw_i2s"], w.shape)
    np.testing.assert_array_equal(ternary, np.sign(w) * (np.abs(w) >= 1e-6))
    assert scale == np.abs(w).max()


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 9),
    blocks=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(allow_nan=False, allow_infinity=False, width=32),
)
def test_cpu_i2s_round_trip_is_exact(rows, blocks, seed, scale):
    ternary = np.random.default_rng(seed).integers(-1, 2, (rows, 128 * blocks)).astype(np.int8)
    packed = I2S.pack(ternary, scale)
    again, scale_again = I2S.unpack(packed, ternary.shape)
    np.testing.assert_array_equal(again, ternary)
    assert scale_again.tobytes() == np.float32(scale).tobytes()
    np.testing.assert_array_equal(I2S.pack(again, scale_again), packed)


def test_cpu_i2s_ignores_the_padding_of_the_tail(golden):
    packed = I2S.pack(golden["ternary"], 0.25)
    packed[-28:] = 0xFF
    ternary, scale = I2S.unpack(packed, (128, 256))
    np.testing.assert_array_equal(ternary, golden["ternary"])
    assert scale == 0.25


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
def test_cpu_i2s_packs_any_integers_and_any_strides(dtype):
    ternary = np.random.default_rng(0).integers(-1, 2, (256, 6)).astype(dtype).T
    np.testing.assert_array_equal(I2S.unpack(I2S.pack(ternary, 1.0), (6, 256))[0], ternary)


@pytest.mark.parametrize(
    ("ternary", "scale", "says"),
    [
        (np.full((1, 128), 2), 1.0, "want -1, 0 and"),
        (np.full((1, 128), 257), 1.0, "want -1, 0 and"),
        (np.zeros((1, 128)), 1.0, "quantize_weights"),
        (np.zeros(128, int), 1.0, "integer matrix"),
        (np.zeros((1, 130), int), 1.0, "pad the columns to 256"),
        (np.zeros((1, 128), int), np.nan, "scale is nan"),
        (np.zeros((1, 128), int), 1e39, "scale is inf"),
    ],
)
def test_cpu_i2s_refuses_to_pack(ternary, scale, says):
    with pytest.raises(FormatError, match=says):
        I2S.pack(ternary, scale)


def test_cpu_i2s_refuses_damaged_bytes():
    packed = I2S.pack(np.zeros((2, 128), np.int8), 1.0)
    with pytest.raises(FormatError, match=r"shape \(64,\)"):
        I2S.unpack(packed, (1, 128))
    for shift in (0, 2, 4, 6):
        broken = packed.copy()
        broken[5] |= 3 << shift
        with pytest.raises(FormatError, match="1 bytes hold the code 3"):
            PackedMatrix(broken, (2, 128))
    packed[-32:-28] = 0xFF
    with pytest.raises(FormatError, match="scale is nan"):
        I2S.unpack(packed, (2, 128))


def test_cpu_packed_matrix_cannot_be_written_through():
    matrix = PackedMatrix.from_float(np.ones((2, 128)))
    with pytest.raises(ValueError, match="read-only"):
        matrix.packed[0] = 0


def test_cpu_packed_matrix_refuses_rows_whose_sums_could_leave_int32():
    with pytest.raises(FormatError, match="at most 8388607"):
        PackedMatrix(I2S.pack(np.zeros((0, 2**23), np.int8), 1.0), (0, 2**23))


@pytest.mark.parametrize("shape", [(2,), (2, 128, 1), (2.0, 128), ("2", 128)])
def test_cpu_packed_matrix_refuses_shapes_that_are_none(shape):
    with pytest.raises(FormatError, match=r"want .M, K., two whole numbers"):
        PackedMatrix(I2S.pack(np.zeros((2, 128), np.int8), 1.0), shape)


def test_cpu_packed_matrix_refuses_bytes_that_are_no_array():
    with pytest.raises(FormatError, match=r"packed bytes are a bytes; want an array; np.frombuffer"):
        PackedMatrix(bytes(96), (2, 128))


def test_cpu_formats_names_the_nearest():
    with pytest.raises(FormatError, match="unknown format 'I2_s'; did you mean 'i2_s'"):
        formats.get("I2_s")
    with pytest.raises(FormatError, match="unknown format 'q4'; known: i2_s, i2_s:arm-64, i2_s:x86-1x4, tq1_0, tq2_0"):
        formats.get("q4")


def test_cpu_i2s_arm_packs_the_golden_bytes(golden):
    arm = formats.get("i2_s:arm-64")
    packed = arm.pack(golden["ternary"], golden["scale"])
    np.testing.assert_array_equal(packed, np.concatenate([golden["i2s_arm64blk_data"], golden["i2s_x86_tail"]]))
    np.testing.assert_array_equal(arm.unpack(packed, (128, 256))[0], golden["ternary"])


def test_cpu_i2s_of_four_rows_has_a_column_in_a_byte():
    ternary = np.array([[1, 0, 0], [-1, 0, 1], [0, 0, -1], [1, 1, 0]], np.int8)
    packed = formats.get("i2_s:x86-1x4").pack(ternary, 2.0)
    assert packed[:-32].tolist() == [0b10_00_01_10, 0b01_01_01_10, 0b01_10_00_01]
    np.testing.assert_array_equal(formats.get("i2_s:x86-1x4").unpack(packed, (4, 3))[0], ternary)


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [("i2_s:arm-64", (1, 96), "pad the columns to 128"), ("i2_s:x86-1x4", (6, 4), "rows in multiples of 4")],
)
def test_cpu_i2s_layouts_refuse_shapes_they_cannot_hold(name, shape, says):
    with pytest.raises(FormatError, match=says):
        formats.get(name).pack(np.zeros(shape, int), 1.0)


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(0, 3), blocks=st.integers(0, 3), seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize(("name", "tall", "wide"), [("i2_s:arm-64", 1, 64), ("i2_s:x86-1x4", 4, 5)])
def test_cpu_i2s_layouts_round_trip_is_exact(name, tall, wide, rows, blocks, seed):
    shape = (rows * tall, blocks * wide)
    ternary = np.random.default_rng(seed).integers(-1, 2, shape).astype(np.int8)
    again, scale = formats.get(name).unpack(formats.get(name).pack(ternary, 0.1), shape)
    np.testing.assert_array_equal(again, ternary)
    assert scale == np.float32(0.1)


@pytest.mark.parametrize("offset", [0, 1])
def test_cpu_i2s_counts_codes_3_wherever_they_are(offset):
    shape = 70, 128 * 128  # more than a chunk, and a rest
    packed = np.concatenate([np.zeros(offset, np.uint8), I2S.pack(np.ones(shape, np.int8), 1.0)])[offset:]
    places = [0, 7, 8, CHUNK - 1, CHUNK, len(packed) - 33]
    for place, byte in zip(places, (0b11, 0b1100, 0b11_0000, 0b1100_0000, 0xFF, 0b10_11_01_10), strict=True):
        packed[place] = byte
    packed[9] = 0b01_10_01_10  # neighbours whose bits meet, and no 3
    with pytest.raises(FormatError, match="6 bytes hold the code 3"):
        PackedMatrix(packed, shape)
