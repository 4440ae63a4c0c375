"""What formats refuse, word for word: a message names what was given, what is wanted, and what to do."""

# ruff: noqa: E501, whole messages are longer than lines

import re

import numpy as np
import pytest

from kernels import BackendError, FormatError, InputError, PackedMatrix, formats, matmul, select_backend
from kernels.formats.i2_s import I2S
from kernels.formats.places import I2SPlaces, TL1Places, TL2Places

OTHER_TILE = "the bytes are of another tile or damaged"
OTHER_LAYOUT = "the bytes are of another layout or damaged"
SOME_TILES = ["i2_s", "i2_s:arm-64", "i2_s:x86-1x4", "tl1", "tl1:64,8,32", "tl2", "tl2:32,96", "tq1_0", "tq2_0"]


def exactly(message):
    return pytest.raises(FormatError, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        ("i2_s", (1, 130), "i2_s cannot hold 1 x 130; want columns in multiples of 128; pad the columns to 256 with zeros"),
        ("i2_s", (-1, 130), "i2_s cannot hold -1 x 130; want columns in multiples of 128"),
        ("i2_s", (0, 130), "i2_s cannot hold 0 x 130; want columns in multiples of 128; pad the columns to 256 with zeros"),
        ("i2_s", (1, -1), "i2_s cannot hold 1 x -1; want columns in multiples of 128"),
        ("i2_s:arm-64", (1, 1), "i2_s:arm-64 cannot hold 1 x 1; want columns in multiples of 64; pad the columns to 64 with zeros"),
        ("i2_s:x86-1x4", (6, 4), "i2_s:x86-1x4 cannot hold 6 x 4; want rows in multiples of 4"),
        ("tq1_0", (1, 128), "tq1_0 cannot hold 1 x 128; want columns in multiples of 256; pad the columns to 256 with zeros"),
        ("tq2_0", (1, 257), "tq2_0 cannot hold 1 x 257; want columns in multiples of 256; pad the columns to 512 with zeros"),
        ("tl1", (33, 8), "tl1 cannot hold 33 x 8; want multiples of 32 x 8"),
        ("tl1", (32, 9), "tl1 cannot hold 32 x 9; want multiples of 32 x 8"),
        ("tl1:64,16,32", (32, 16), "tl1:64,16,32 cannot hold 32 x 16; want multiples of 64 x 16"),
        ("tl2", (33, 96), "tl2 cannot hold 33 x 96; want rows in multiples of 32, and columns that leave a multiple of 32 behind multiples of 96"),
        ("tl2", (32, 100), "tl2 cannot hold 32 x 100; want rows in multiples of 32, and columns that leave a multiple of 32 behind multiples of 96"),
        ("tl2:32,312", (32, 288), "tl2:32,312 cannot hold 32 x 288: its size formula leaves 2261 bytes for 2304; take a tile that leaves fewer columns over"),
        ("tl2:32,216", (32, 600), "tl2:32,216 cannot hold 32 x 600; want rows in multiples of 32, and columns that leave a multiple of 32 behind multiples of 216"),
    ],
)  # fmt: skip
def test_cpu_formats_say_which_shapes_they_hold(name, shape, says):
    with exactly(says):
        formats.get(name).nbytes(*shape)


@pytest.mark.parametrize("name", SOME_TILES)
@pytest.mark.parametrize("shape", [(-64, 768), (64, -768), (-64, -768)])
def test_cpu_formats_hold_no_negative_shapes(name, shape):
    with pytest.raises(FormatError, match=f"^{name} cannot hold {shape[0]} x {shape[1]}"):
        formats.get(name).nbytes(*shape)


@pytest.mark.parametrize("name", SOME_TILES)
@pytest.mark.parametrize("shape", [(0, 0), (0, 768), (64, 0)])
def test_cpu_formats_hold_nothing(name, shape):
    layout = formats.get(name)
    packed = layout.pack(np.zeros(shape, np.int8), 0.5)
    assert len(packed) == layout.nbytes(*shape)
    ternary, scale = layout.unpack(packed, shape)
    assert (ternary.shape, ternary.dtype, scale.dtype) == (shape, np.int8, np.float32)


def test_cpu_tl2_needs_what_its_three_parts_take():
    # 32 rows of 632 columns in tiles of 600: 3,200 bytes of indices, 800 of signs, 256 of pairs
    assert formats.get("tl2", tile=(32, 600)).nbytes(32, 632) == 4608
    with exactly(
        "tl2:32,600 cannot hold 32 x 1176: its size formula leaves 8181 bytes for 8608; "
        "take a tile that leaves fewer columns over"
    ):
        formats.get("tl2", tile=(32, 600)).nbytes(32, 600 + 576)


@pytest.mark.parametrize(
    ("make", "tile"),
    [
        *((TL1Places, tile) for tile in [(64, 8), (48, 8, 32), (0, 8, 32), (32, 0, 32), (32, 12, 32), (64, 6, 64)]),
        *((TL1Places, tile) for tile in [(32, 8, 16), (64, 2, 64), (128, 8, 128), (-32, 8, 32), (32, -8, 32)]),
        *((TL2Places, tile) for tile in [(0, 96), (32, 0), (48, 96), (32, 100), (32, 96, 32), (-32, 24), (32, -24)]),
    ],
)
def test_cpu_formats_refuse_tiles_of_no_program(make, tile):
    want = {
        TL1Places: "(BM, BK, bm): bm 32 or 64, BM in bm, BK in 256 / bm",
        TL2Places: "(BM, BK): multiples of 32 and 24",
    }[make]
    with exactly(f"{'tl1' if make is TL1Places else 'tl2'} has no tile {tile}; want {want}"):
        make(tile)


@pytest.mark.parametrize(("name", "tile"), [("tl1", (32.0, 8, 32)), ("tl2", (32.0, 96)), ("tl2", "ab"), ("tl2", 32)])
def test_cpu_formats_refuse_tiles_of_no_whole_numbers(name, tile):
    with exactly(f"{name} has no tile {tile!r}; want whole numbers"):
        formats.get(name, tile)


@pytest.mark.parametrize("name", SOME_TILES)
@pytest.mark.parametrize("shape", [None, 5, (5,), (64, 768, 1), ("64", 768), (64.0, 768), (64, None)])
def test_cpu_formats_refuse_what_is_no_shape(name, shape):
    layout = formats.get(name)
    packed = layout.pack(np.zeros((64, 768), np.int8), 0.5)
    for read in (layout.unpack, layout.check, lambda packed, shape: PackedMatrix(packed, shape, name)):
        with exactly(f"the shape is {shape}; want (M, K), two whole numbers"):
            read(packed, shape)
    assert layout.unpack(packed, tuple(np.array([64, 768])))[0].shape == (64, 768)


@pytest.mark.parametrize("name", SOME_TILES)
def test_cpu_formats_pack_lists_and_nothing_that_is_masked(name):
    ternary = np.random.default_rng(0).integers(-1, 2, (64, 768))
    np.testing.assert_array_equal(formats.get(name).pack(ternary.tolist(), 0.5), formats.get(name).pack(ternary, 0.5))
    with exactly(f"{name} packs every weight, and some are masked; fill them: ternary.filled(0)"):
        formats.get(name).pack(np.ma.masked_equal(ternary, 1), 0.5)


@pytest.mark.parametrize("scale", [["a"], [1j], [None], ["1"]])
def test_cpu_matmul_refuses_scales_that_are_no_real_numbers(scale):
    matrix = PackedMatrix.from_float(np.ones((1, 128)))
    with pytest.raises(InputError, match=r"^activation scales are .*; want float32 \(B,\)$"):
        matmul(matrix, (np.ones((1, 128), np.int8), scale))


@pytest.mark.parametrize("backend", [None, 5, b"fast", ["fast"]])
def test_cpu_matmul_refuses_what_is_no_backend(backend):
    with pytest.raises(BackendError, match=r"^the backend is .*; want a name"):
        matmul(PackedMatrix.from_float(np.ones((1, 128))), np.ones((1, 128)), backend=backend)
    with pytest.raises(BackendError, match=r"^the backend is .*; want a name"):
        select_backend(backend)


def test_cpu_formats_take_the_smallest_tiles():
    assert TL1Places((32, 8, 32)).name == "tl1:32,8,32"
    assert TL1Places((64, 4, 64)).name == "tl1:64,4,64"
    assert TL2Places((32, 24)).name == "tl2:32,24"
    assert (TL1Places().name, TL2Places().name, I2SPlaces().name, I2S().name) == ("tl1", "tl2", "i2_s", "i2_s")


@pytest.mark.parametrize(
    ("shape", "tile"),
    [
        ((256, 256), (256, 256, 32)),
        ((512, 512), (256, 256, 32)),
        ((160, 384), (160, 128, 32)),
        ((128, 64), (128, 64, 32)),
        ((64, 96), (64, 32, 32)),
        ((96, 16), (32, 16, 32)),
        ((32, 8), (32, 8, 32)),
        ((640, 2560), (160, 256, 32)),
    ],
)
def test_cpu_tl_takes_the_largest_tiles_that_divide_the_shape(shape, tile):
    ternary = np.random.default_rng(0).integers(-1, 2, shape)
    packed = formats.get("tl1").pack(ternary, 0.5)
    np.testing.assert_array_equal(packed, formats.get("tl1", tile=tile).pack(ternary, 0.5))
    wide = np.random.default_rng(0).integers(-1, 2, (shape[0], 672))
    packed = formats.get("tl2").pack(wide, 0.5)
    np.testing.assert_array_equal(packed, formats.get("tl2", tile=(tile[0], 96)).pack(wide, 0.5))


@pytest.mark.parametrize("name", SOME_TILES)
def test_cpu_formats_say_what_they_pack_and_what_they_read(name):
    layout = formats.get(name)
    with exactly(
        f"{name} packs an integer matrix, not float64 of shape (64, 768); quantize_weights makes one from floats"
    ):
        layout.pack(np.zeros((64, 768)), 1.0)
    with exactly("weights run from -2 to 1; want -1, 0 and +1"):
        layout.pack(np.array([[-2, 1] * 384] * 64), 1.0)
    size = layout.nbytes(64, 768)
    for wrong in (np.zeros(size - 1, np.uint8), np.zeros(size, np.int8), np.zeros((size, 1), np.uint8)):
        with exactly(f"{name} of 64 x 768 is uint8 of shape ({size},), not {wrong.dtype} of {wrong.shape}"):
            layout.check(wrong, (64, 768))
    with exactly("packed bytes are a list; want an array; np.frombuffer(data, np.uint8)"):
        layout.check([0] * size, (64, 768))
    for scale, said in ((np.nan, "nan"), (-np.inf, "-inf"), (1e39, "inf")):
        with exactly(f"the scale is {said} in float32; want a finite number"):
            layout.pack(np.zeros((64, 768), int), scale)
    for strange in ("x", None, 1j):
        with exactly(f"the scale is {strange!r}; want a real number"):
            layout.pack(np.zeros((64, 768), int), strange)
    with exactly(
        "scales of the shape (64,); a format keeps one for the whole matrix; "
        "pack the scale 1, and multiply what matmul gives by those of the rows"
    ):
        layout.pack(np.zeros((64, 768), int), np.ones(64))


@pytest.mark.parametrize(
    ("name", "shape", "at", "value", "says"),
    [
        ("i2_s", (1, 128), 0, 0b11, f"1 bytes hold the code 3, which no weight has; {OTHER_LAYOUT}"),
        ("tq2_0", (1, 256), 0, 0b11, f"1 bytes hold the code 3, which no weight has; {OTHER_LAYOUT}"),
        ("tq1_0", (1, 256), 0, 0x01, f"1 bytes stand for no five weights; {OTHER_LAYOUT}"),
        ("tl1", (32, 8), 0, 0x49, f"tl1: 1 nibbles are 9 or more, which no weights have; {OTHER_TILE}"),
        ("tl1", (32, 8), 0, 0xFF, f"tl1: 2 nibbles are 9 or more, which no weights have; {OTHER_TILE}"),
        ("tl2", (32, 288), 0, 0x0E, f"tl2: 1 nibbles are 14 or more, which no weights have; {OTHER_TILE}"),
        ("tl2", (32, 288), 32 * 288 // 6, 1, f"tl2: 1 triples of zeros have a sign; {OTHER_TILE}"),
        ("tl2", (32, 320), 32 * 288 * 5 // 24, 0x49, f"tl2: 1 nibbles are 9 or more, which no weights have; {OTHER_TILE}"),
        ("tq1_0", (1, 512), 107, 0x7C, "the scale of block 1 is not finite"),
    ],
)  # fmt: skip
def test_cpu_formats_say_what_is_wrong_with_bytes(name, shape, at, value, says):
    packed = formats.get(name).pack(np.zeros(shape, np.int8), 0.0)
    packed[at] = value
    with exactly(says):
        formats.get(name).check(packed, shape)


@pytest.mark.parametrize(("name", "block"), [("tq1_0", 54), ("tq2_0", 66)])
def test_cpu_tq_has_the_scale_zero_for_a_block_of_zeros(name, block):
    ternary = np.zeros((2, 512), np.int8)
    ternary[1, 300] = 1
    packed = formats.get(name).pack(ternary, 0.5)
    assert packed.reshape(4, block)[:, -2:].copy().view("<f2").ravel().tolist() == [0, 0, 0, 0.5]
    assert formats.get(name).scale(packed, (2, 512)) == 0.5
    for only in (np.ones, np.zeros):  # no block of zeros, and nothing else
        packed = formats.get(name).pack(only((1, 512), np.int8), 0.5)
        assert packed.reshape(2, block)[:, -2:].copy().view("<f2").ravel().tolist() == [0.5, 0.5]


@pytest.mark.parametrize(("name", "block"), [("tq1_0", 54), ("tq2_0", 66)])
def test_cpu_tq_names_scales_that_differ_and_those_it_has_not(name, block):
    packed = formats.get(name).pack(np.ones((1, 768), np.int8), 0.5)
    packed.reshape(3, block)[1, -2:] = np.array([0.25], "<f2").view(np.uint8)
    says = "different scales, from {}; a ternary matrix of BitNet has one; this one was quantized block by block"
    with exactly(f"{name}: blocks have 2 " + says.format("0.25 to 0.5")):
        formats.get(name).check(packed, (1, 768))
    packed.reshape(3, block)[2, -2:] = np.array([2.0], "<f2").view(np.uint8)
    with exactly(f"{name}: blocks have 3 " + says.format("0.25 to 2.0")):
        formats.get(name).check(packed, (1, 768))
    nearest = np.float32(np.float16(0.1))
    with exactly(
        f"{name} keeps its scale in float16, which has no {np.float32(0.1)!r}; take {nearest!r}, the nearest it has"
    ):
        formats.get(name).pack(np.ones((1, 256), np.int8), 0.1)


@pytest.mark.parametrize("name", ["i2_s", "tl1", "tl2"])
def test_cpu_formats_round_a_scale_to_float32(name):
    assert formats.get(name).nearest_scale(0.1) == np.float32(0.1)
    assert formats.get(name).nearest_scale(0.1).dtype == np.float32


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["tq1_0", "tq2_0"])
def test_cpu_tq_refuses_a_scale_that_float16_has_not(name):
    with exactly("the scale is inf in float32; want a finite number"):
        formats.get(name).nearest_scale(1e6)


@pytest.mark.parametrize("name", [None, 7, b"i2_s"])
def test_cpu_formats_are_asked_for_by_name(name):
    with pytest.raises(FormatError, match="want its name"):
        formats.get(name)


def test_cpu_matmul_refuses_numbers_that_are_hidden():
    matrix = PackedMatrix.from_float(np.ones((2, 128)))
    with pytest.raises(InputError, match="masked"):
        matmul(matrix, np.ma.masked_array(np.ones((1, 128)), mask=True), backend="numpy")
