"""TL1 and TL2: bitnet.cpp's bytes for any tile, and nothing but good bytes read."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import FormatError, PackedMatrix, formats, matmul

DATA = Path(__file__).parent.parent / "data"
TILES = {"tl1": "tl1_BM_BK_bm", "tl2": "tl2_BM_BK"}


@pytest.fixture(params=["gemv_128x256_s1.npz", "gemv_256x512_s2.npz"])
def made(request):
    with np.load(DATA / request.param) as arrays:
        return dict(arrays)


@pytest.fixture(params=TILES)
def layout(request, made):
    return formats.get(request.param, tile=tuple(made[TILES[request.param]].tolist()))


def stored(layout, made):
    """The golden bytes: those of TL1 come without the tail."""
    codes = made[f"{layout.name[:3]}_bytes"]
    tail = np.zeros(32, np.uint8)
    tail[:4] = np.array([made["scale"]], "<f4").view(np.uint8)
    return codes if layout.name.startswith("tl2") else np.concatenate([codes, tail])


def test_cpu_tl_packs_and_unpacks_the_golden_bytes(layout, made):
    packed = layout.pack(made["ternary"], made["scale"])
    assert packed.shape == (layout.nbytes(*made["ternary"].shape),)
    np.testing.assert_array_equal(packed, stored(layout, made))
    ternary, scale = layout.unpack(packed, made["ternary"].shape)
    assert (ternary.dtype, scale.dtype, scale) == (np.int8, np.float32, made["scale"])
    np.testing.assert_array_equal(ternary, made["ternary"])


def test_cpu_tl_finds_every_weight_by_itself(layout, made):
    ternary = made["ternary"]
    packed = stored(layout, made)
    rows = range(0, len(ternary), 5)
    found = [[layout.weight(packed, ternary.shape, row, column) for column in range(ternary.shape[1])] for row in rows]
    np.testing.assert_array_equal(found, ternary[::5])


def test_cpu_tl_products_equal_those_of_cpp(layout, made):
    matrix = PackedMatrix(stored(layout, made), made["ternary"].shape, layout.name)
    activations = (made["act_q"], made["act_scale"])
    np.testing.assert_array_equal(matmul(matrix, activations, backend="numpy"), made[f"y_{layout.name[:3]}"])
    assert matrix.to("i2_s").to(layout.name).packed.tobytes() == matrix.packed.tobytes()


@settings(max_examples=60, deadline=None)
@given(
    bm=st.sampled_from([32, 64]),
    high=st.integers(1, 3),
    wide=st.integers(1, 4),
    tiles=st.tuples(st.integers(0, 2), st.integers(0, 3)),
    seed=st.integers(0, 2**32 - 1),
)
def test_cpu_tl1_round_trip_is_exact(bm, high, wide, tiles, seed):
    tile = (bm * high, 256 // bm * wide, bm)
    shape = (tile[0] * tiles[0], tile[1] * tiles[1])
    ternary = np.random.default_rng(seed).integers(-1, 2, shape).astype(np.int8)
    layout = formats.get("tl1", tile=tile)
    again, scale = layout.unpack(layout.pack(ternary, 0.1), shape)
    np.testing.assert_array_equal(again, ternary)
    assert scale == np.float32(0.1)


@settings(max_examples=60, deadline=None)
@given(
    tile=st.tuples(st.sampled_from([32, 64, 160]), st.sampled_from([24, 96, 192])),
    tiles=st.tuples(st.integers(0, 2), st.integers(0, 4)),
    left=st.integers(0, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_cpu_tl2_round_trip_is_exact_or_refused(tile, tiles, left, seed):
    shape = (tile[0] * tiles[0], tile[1] * tiles[1] + 32 * left)
    ternary = np.random.default_rng(seed).integers(-1, 2, shape).astype(np.int8)
    layout = formats.get("tl2", tile=tile)
    try:
        packed = layout.pack(ternary, 0.1)
    except FormatError as error:
        assert "cannot hold" in str(error)  # noqa: PT017
        return
    again, scale = layout.unpack(packed, shape)
    np.testing.assert_array_equal(again, ternary)
    assert scale == np.float32(0.1)


@pytest.mark.parametrize("shape", [(2560, 2560), (6912, 2560), (2560, 6912), (640, 2560)])
def test_cpu_tl_has_a_tile_for_the_shapes_of_the_published_model(shape):
    assert formats.get("tl1").nbytes(*shape) == shape[0] * shape[1] // 4 + 32
    assert formats.get("tl2").nbytes(*shape) < shape[0] * shape[1] * 0.22


def test_cpu_tl_names_carry_the_tile():
    assert formats.get("tl2", tile=(128, 96)).name == formats.get("tl2:128,96").name == "tl2:128,96"
    assert formats.get("tl1:64,8,32").name == "tl1:64,8,32"


@pytest.mark.parametrize(
    ("name", "tile", "says"),
    [
        ("tl1", (64, 8), "want .BM, BK, bm"),
        ("tl1", (48, 8, 32), "want .BM, BK, bm"),
        ("tl2", (128, 100), "multiples of 32 and 24"),
        ("tl2", (0, 96), "multiples of 32 and 24"),
        ("tl2:128,x", None, "names no tile"),
        ("i2_s", (1, 2), "has no tiles; tl1 and tl2 have"),
    ],
)
def test_cpu_tl_refuses_tiles(name, tile, says):
    with pytest.raises(FormatError, match=says):
        formats.get(name, tile=tile)


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        ("tl1", (33, 8), "multiples of 32 x 8"),
        ("tl2", (32, 100), "leave a multiple of 32"),
        ("tl2:32,312", (32, 288), "leaves 2261 bytes for 2304"),
    ],
)
def test_cpu_tl_refuses_shapes(name, shape, says):
    with pytest.raises(FormatError, match=says):
        formats.get(name).pack(np.zeros(shape, int), 1.0)


def test_cpu_tl_refuses_damaged_bytes(layout, made):
    shape = made["ternary"].shape
    good = stored(layout, made)
    for at, value, says in ((0, 0xFF, "no weights have"), (len(good) - 29, 0x7F, "finite")):
        bad = good.copy()
        bad[at] = value
        if says == "finite":
            bad[at - 1] = 0xC0
        with pytest.raises(FormatError, match=says):
            layout.check(bad, shape)
    with pytest.raises(FormatError, match="is uint8 of shape"):
        layout.check(good[:-1], shape)


def test_cpu_tl2_refuses_a_sign_on_zeros():
    layout = formats.get("tl2", tile=(32, 96))
    packed = layout.pack(np.zeros((32, 288), np.int8), 1.0)
    packed[32 * 288 // 6] = 1
    with pytest.raises(FormatError, match="triples of zeros have a sign"):
        layout.check(packed, (32, 288))
