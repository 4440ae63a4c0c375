"""TQ1_0 and TQ2_0: ggml's bytes, one scale, and nothing but good bytes read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import FormatError, PackedMatrix, formats, matmul

BYTES = {"tq1_0": ("tq1", 54), "tq2_0": ("tq2", 66)}


@pytest.fixture(params=BYTES)
def layout(request):
    return formats.get(request.param)


def test_cpu_tq_packs_the_golden_bytes(layout, golden, edges):
    short, block = BYTES[layout.name]
    packed = layout.pack(golden["ternary"], golden["scale"])
    assert packed.shape == (layout.nbytes(128, 256),) == (128 * block,)
    np.testing.assert_array_equal(packed, golden[f"{short}_bytes"])
    np.testing.assert_array_equal(layout.pack(edges["ex_ternary"], 0.5), edges[f"ex_{short}"])
    np.testing.assert_array_equal(layout.pack(np.zeros((8, 256), np.int8), 0.0), edges[f"zw_{short}"])


def test_cpu_tq_unpacks_the_golden_bytes(layout, golden):
    ternary, scale = layout.unpack(golden[f"{BYTES[layout.name][0]}_bytes"], (128, 256))
    assert (ternary.dtype, scale.dtype) == (np.int8, np.float32)
    np.testing.assert_array_equal(ternary, golden["ternary"])
    assert scale == golden["scale"]


def test_cpu_tq_refuses_scales_of_their_own(layout, edges):
    with pytest.raises(FormatError, match="16 different scales"):
        layout.unpack(edges[f"nw_{BYTES[layout.name][0]}"], edges["nw_w"].shape)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(BYTES)),
    rows=st.integers(0, 5),
    blocks=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
    density=st.sampled_from([0.0, 0.01, 0.7]),
    scale=st.floats(min_value=2**-20, max_value=60000, width=16),
)
def test_cpu_tq_round_trip_is_exact(name, rows, blocks, seed, density, scale):
    rng = np.random.default_rng(seed)
    ternary = (rng.choice([-1, 1], (rows, 256 * blocks)) * (rng.random((rows, 256 * blocks)) < density)).astype(np.int8)
    layout = formats.get(name)
    packed = layout.pack(ternary, scale)
    again, scale_again = layout.unpack(packed, ternary.shape)
    np.testing.assert_array_equal(again, ternary)
    assert scale_again == (np.float32(scale) if ternary.size else 0)
    np.testing.assert_array_equal(layout.pack(again, scale_again), packed)


@pytest.mark.parametrize("name", formats.names())
def test_cpu_every_weight_is_found_by_itself(name):
    ternary = np.random.default_rng(3).integers(-1, 2, (32, 512)).astype(np.int8)
    layout = formats.get(name)
    packed = layout.pack(ternary, 0.5)
    found = [[layout.weight(packed, (32, 512), row, column) for column in range(512)] for row in range(32)]
    np.testing.assert_array_equal(found, ternary)


@pytest.mark.parametrize("start", formats.names())
@pytest.mark.parametrize("through", formats.names())
def test_cpu_converting_loses_nothing(start, through, golden):
    matrix = PackedMatrix(formats.get(start).pack(golden["ternary"], golden["scale"]), (128, 256), start)
    other = matrix.to(through)
    assert (other.format, other.scale) == (through, matrix.scale)
    assert other.to(start).packed.tobytes() == matrix.packed.tobytes()


@pytest.mark.parametrize("backend", ["reference", "numpy"])
def test_cpu_products_are_the_same_in_every_format(layout, backend, golden):
    matrix = PackedMatrix(layout.pack(golden["ternary"], golden["scale"]), (128, 256), layout.name)
    activations = (golden["act_q"], golden["act_scale"])
    sums = matmul(matrix, activations, backend=backend, accumulate_only=True)
    np.testing.assert_array_equal(sums, golden["int_dot"])
    np.testing.assert_array_equal(matmul(matrix, activations, backend=backend), golden["y_i2s"])


def test_cpu_tq_takes_floats_with_the_nearest_scale(layout):
    matrix = PackedMatrix.from_float(np.full((1, 256), 0.1), layout.name)
    assert matrix.scale == np.float32(np.float16(0.1))


@pytest.mark.parametrize(
    ("ternary", "scale", "says"),
    [
        (np.full((1, 256), 2), 1.0, "want -1, 0 and"),
        (np.zeros((1, 256)), 1.0, "quantize_weights"),
        (np.zeros((1, 128), int), 1.0, "pad the columns to 256"),
        (np.zeros((1, 256), int), 0.1, "the nearest it has"),
        (np.zeros((1, 256), int), 1e6, "not|inf"),
        (np.zeros((1, 256), int), np.nan, "scale is nan"),
    ],
)
def test_cpu_tq_refuses_to_pack(layout, ternary, scale, says):
    with pytest.raises(FormatError, match=says):
        layout.pack(ternary, scale)


def test_cpu_tq_refuses_damaged_bytes(layout):
    packed = layout.pack(np.ones((1, 256), np.int8), 1.0)
    for at, value, says in ((0, {"tq1_0": 0x01, "tq2_0": 0xFF}[layout.name], "damaged"), (-1, 0x7C, "not finite")):
        bad = packed.copy()
        bad[at] = value
        with pytest.raises(FormatError, match=says):
            layout.check(bad, (1, 256))
    with pytest.raises(FormatError, match="is uint8 of shape"):
        layout.check(packed[:-1], (1, 256))
