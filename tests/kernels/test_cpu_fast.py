"""Machine code: every tier exact on every shape, with any number of threads, and the instruction it is there for."""

import fast_tiers
import matmul_checks as checks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from often import some

from kernels import InputError, PackedMatrix, formats, matmul, quantize_activations
from kernels.cpu.fast import tile
from kernels.cpu.fast.build import assemble
from kernels.cpu.fast.ir import splat
from kernels.cpu.fast.load import load
from kernels.cpu.fast.memory import LINE, aligned
from kernels.cpu.fast.tiers import named
from kernels.cpu.fast.tile import SPAN
from kernels.cpu.fast.trial import differs
from kernels.formats.i2_s import BLOCK

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
tiers = pytest.mark.parametrize("tier", fast_tiers.NAMES)


@tiers
def test_cpu_fast_equals_the_goldens(tier, golden):
    checks.check_golden(fast_tiers.backend(tier), golden)


@tiers
@pytest.mark.parametrize(("rows", "cols", "batch"), [(1, 128, 1), (7, 256, 2), (65, 6912, 3), (640, 2560, 1)])
def test_cpu_fast_is_exact(tier, rows, cols, batch):
    checks.check_random(fast_tiers.backend(tier), rows, cols, batch)


@tiers
@pytest.mark.parametrize("cols", [128, 384, 2560, 6912])
def test_cpu_fast_of_the_worst_case_does_not_wrap(tier, cols):
    checks.check_worst_case(fast_tiers.backend(tier), cols)


def test_cpu_fast_16_bits_hold_a_span_whatever_the_input():
    pairs = SPAN * BLOCK // 4  # a lane is two pairs
    assert pairs * 2 * 2 * -128 >= -(2**15)
    assert pairs * 2 * 2 * 127 < 2**15
    fourfold = BLOCK // 4 // 2  # pairs of two fields of a block, four times too large
    assert fourfold * 4 * 2 * 2 * -128 >= -(2**15)
    assert fourfold * 4 * 2 * 2 * 127 < 2**15


@pytest.mark.parametrize("tokens", [3, 4, 16, 17, 33, 64, 95, 256, 257, 300])
@pytest.mark.parametrize("cols", [128, 640, 1152])
def test_cpu_fast_matrix_unit_takes_any_number_of_tokens(tokens, cols):
    """Whole and broken matrices of the unit, whole and broken pieces of a row, more tokens than a pass takes."""
    checks.check_random(fast_tiers.backend("amx"), 70, cols, tokens)


@pytest.mark.parametrize("tokens", [4, 16, 33, 300])
@pytest.mark.parametrize("cols", [37, 640])
def test_cpu_fast_matrix_unit_takes_floats_in_pieces(tokens, cols):
    ternary = np.random.default_rng(cols).integers(-1, 2, (72, cols)).astype(np.int8)
    matrix = PackedMatrix(formats.get("i2_s:x86-1x4").pack(ternary, 0.75), ternary.shape, "i2_s:x86-1x4")
    x = np.random.default_rng(tokens).normal(size=(tokens, cols)).astype(np.float32)
    y = matmul(matrix, x, backend=fast_tiers.backend("amx"))
    np.testing.assert_array_equal(y.view(np.uint32), matmul(matrix, x, backend="numpy").view(np.uint32))


def test_cpu_fast_matrix_unit_is_used():
    text = fast_tiers.assembly("amx", "x86_64-linux-gnu")
    assert text.count("tdpbsud") >= 8
    assert text.count("tileloaddt1") >= 4  # activations alone are read past the nearest cache
    assert text.count("tilerelease") == 1


@tiers
def test_cpu_fast_keeps_the_other_promises(tier):
    backend = fast_tiers.backend(tier)
    checks.check_wide(backend)
    checks.check_one_hot(backend)
    checks.check_empty(backend)
    checks.check_strided(backend)
    checks.check_zero_rows(backend)


@tiers
def test_cpu_fast_writes_nothing_behind_its_room(tier, monkeypatch):
    backend, rooms = fast_tiers.backend(tier), []

    def watched(size):
        rooms.append(aligned((size + LINE,), np.uint8))
        rooms[-1][:] = 90
        return rooms[-1].ctypes.data

    monkeypatch.setattr(backend, "room", watched)
    tokens = backend.tier.tokens(6912)
    checks.check_random(backend, 4, 6912, tokens)
    matmul(checks.random_matrix(4, 6912)[1], np.ones((tokens, 6912)), backend=backend)
    assert len(rooms) == 2
    assert all((room[-LINE:] == 90).all() for room in rooms)


@tiers
@pytest.mark.parametrize("batch", [*range(1, 20), 64, 511, 512])
def test_cpu_fast_takes_any_number_of_tokens(tier, batch):
    checks.check_random(fast_tiers.backend(tier), 33, 256, batch)


@tiers
@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 80), blocks=st.integers(1, 9), batch=st.integers(1, 20), threads=st.integers(1, 3))
def test_cpu_fast_does_not_depend_on_shape_or_threads(tier, rows, blocks, batch, threads):
    checks.check_random(fast_tiers.backend(tier, threads), rows, 128 * blocks, batch)


@tiers
@settings(max_examples=60, deadline=None)
@given(x=arrays(np.float32, (3, 37), elements=finite), rows=st.sampled_from([4, 20]))
def test_cpu_fast_rounds_as_quantize_does(tier, x, rows):
    """Bit for bit, subnormal and huge values included; and columns need not be whole blocks."""
    ternary = np.random.default_rng(rows).integers(-1, 2, (rows, 37)).astype(np.int8)
    matrix = PackedMatrix(formats.get("i2_s:x86-1x4").pack(ternary, 0.75), ternary.shape, "i2_s:x86-1x4")
    q, scale = quantize_activations(x)
    sums = (q.astype(np.int32) @ ternary.T.astype(np.int32)).astype(np.float32)
    with np.errstate(over="ignore"):
        expected = sums / scale[:, np.newaxis] * np.float32(0.75)
    if not np.isfinite(expected).all():
        with pytest.raises(InputError, match="overflows float32"):
            matmul(matrix, x, backend=fast_tiers.backend(tier))
        return
    y = matmul(matrix, x, backend=fast_tiers.backend(tier))
    np.testing.assert_array_equal(y.view(np.uint32), expected.view(np.uint32))


@tiers
def test_cpu_fast_looks_again_where_float32_might_not_hold_a_product_alone(tier, monkeypatch):
    backend = fast_tiers.backend(tier)
    _, matrix = checks.random_matrix(4, 128)
    x = np.ones((backend.tier.tokens(128) + 1, 128), np.float32)
    with monkeypatch.context() as patch:
        patch.setattr("kernels.cpu.fast.backend.refuse_overflow", lambda y: pytest.fail("looked again"))
        matmul(matrix, x, backend=backend)
    x[0] = 3e38  # of the first panel, not of the last
    with pytest.raises(InputError, match=r"output \[0, \d\] overflows float32"):
        matmul(matrix, x, backend=backend)


@pytest.mark.parametrize("name", ["i2_s", "i2_s:arm-64", "i2_s:x86-1x4", "tq1_0", "tq2_0", "tl1", "tl2"])
def test_cpu_fast_multiplies_every_format(name):
    ternary = np.random.default_rng(0).integers(-1, 2, (128, 768)).astype(np.int8)
    matrix = PackedMatrix(formats.get(name).pack(ternary, 0.5), ternary.shape, name)
    q = np.random.default_rng(1).integers(-128, 128, (3, 768)).astype(np.int8)
    np.testing.assert_array_equal(checks.exact_sums("fast", matrix, q), q.astype(int) @ ternary.T.astype(int))


def test_cpu_fast_pads_columns_that_are_no_whole_blocks():
    ternary = np.random.default_rng(0).integers(-1, 2, (8, 192)).astype(np.int8)
    matrix = PackedMatrix(formats.get("i2_s:arm-64").pack(ternary, 0.5), ternary.shape, "i2_s:arm-64")
    q = np.full((2, 192), -128, np.int8)
    np.testing.assert_array_equal(checks.exact_sums("fast", matrix, q), q.astype(int) @ ternary.T.astype(int))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0), (1, 100), (299, 127)])
def test_cpu_fast_names_the_first_that_is_not_finite(bad, at):
    x = np.ones((300, 128), np.float32)
    x[at] = bad
    with pytest.raises(InputError, match=rf"activations\[{at[0]}, {at[1]}\] is"):
        matmul(checks.random_matrix(4, 128)[1], x, backend="fast")


@pytest.mark.parametrize(
    "x", [np.ones((2, 256))[:, ::2], np.ones((2, 128), ">f4"), np.ones((2, 128), int), [[1.0] * 128] * 2]
)
def test_cpu_fast_takes_what_numpy_can_read(x):
    _, matrix = checks.random_matrix(4, 128)
    np.testing.assert_array_equal(matmul(matrix, x, backend="fast"), matmul(matrix, x, backend="numpy"))


def test_cpu_fast_takes_unaligned_and_read_only_arrays():
    _, aligned = checks.random_matrix(4, 128)
    packed = np.empty(aligned.nbytes + 1, np.uint8)[1:]
    packed[:] = aligned.packed
    x = np.frombuffer(b"\0" + np.ones((2, 128), np.float32).tobytes(), np.uint8)[1:].view(np.float32).reshape(2, 128)
    assert not x.flags.aligned
    assert not x.flags.writeable
    y = matmul(PackedMatrix(packed, (4, 128)), x, backend="fast")
    np.testing.assert_array_equal(y[0], matmul(aligned, np.ones((1, 128)), backend="numpy")[0])


@pytest.mark.parametrize(
    "q", [np.ones((2, 127), np.int8), np.ones(128, np.int8), np.ones((2, 128)), np.ones((2, 256), np.int8)[:, ::2]]
)
def test_cpu_fast_refuses_what_its_code_could_not_take(q):
    with pytest.raises(InputError, match=r"want contiguous int8 \(B, 128\)"):
        fast_tiers.backend("portable").accumulate(checks.random_matrix(4, 128)[1], q)


def test_cpu_fast_forgets_a_matrix_that_is_gone():
    backend = fast_tiers.backend("portable")
    matrix = checks.random_matrix(4, 128)[1]
    before = len(backend._repacked)
    matmul(matrix, np.ones((1, 128)), backend=backend)
    assert len(backend._repacked) == before + 1
    del matrix
    assert len(backend._repacked) == before


def test_cpu_fast_trial_finds_code_that_computes_wrong_numbers(monkeypatch):
    tier = named("portable")
    assert differs(*fast_tiers.code("portable")) == ""
    right = tile.DOTS[""]
    monkeypatch.setitem(tile.DOTS, "", lambda b, sums, codes, q: right(b, sums, codes, b.lshr(q, splat(q.type, 1))))
    assert "1 x 128, 1 tokens" in differs(load(assemble(tier)), tier)
    monkeypatch.undo()
    monkeypatch.setattr(tile, "SPAN", 3)  # wraps in the worst case alone
    assert "all weights" in differs(load(assemble(tier)), tier)


@pytest.mark.parametrize(
    ("tier", "triple"),
    some(fast_tiers.TRIPLES, [n for n, given in enumerate(fast_tiers.TRIPLES) if given not in fast_tiers.SLOW]),
)
def test_cpu_fast_compiles_to_the_instruction_it_is_there_for(tier, triple):
    """Also for machines that are not here; the rest of such a tier runs above, with its instruction spelled out."""
    text = fast_tiers.assembly(tier, triple)
    assert text.count(named(tier).instruction) >= 8
    assert all(f"{name}:" in text for name in ("accumulate", "multiply", "serve"))
