"""Packing: which bits a weight lands in, and that nothing is lost."""

import numpy as np
import pytest

from ternary import pack, packed_width, unpack


@pytest.mark.parametrize(("cols", "width"), [(4, 1), (8, 2), (5, 2)])
def test_cpu_packed_width_counts_a_partly_used_byte(cols, width):
    assert packed_width(cols) == width


def test_cpu_pack_puts_the_first_column_in_the_low_bits():
    ternary = np.array([[1, -1, 0, 1], [-1, -1, -1, 1]], np.int8)
    assert pack(ternary).tolist() == [[0b10_01_00_10], [0b10_00_00_00]]


def test_cpu_pack_stores_zero_weights_as_code_one():
    assert pack(np.zeros((2, 8), np.int8)).tolist() == [[0x55, 0x55]] * 2


def test_cpu_pack_pads_the_tail_with_zero_weights():
    assert pack(np.zeros((3, 6), np.int8)).tolist() == [[0x55, 0x55]] * 3


def test_cpu_pack_refuses_other_values():
    with pytest.raises(ValueError, match="-1, 0 or"):
        pack(np.array([[0, 1, 2, -1]], np.int8))


def test_cpu_unpack_reads_every_lane():
    packed = np.array([[0b10_01_00_10, 0b00_00_01_10]], np.uint8)
    assert unpack(packed, 8).tolist() == [[1, -1, 0, 1, 1, 0, -1, -1]]


def test_cpu_unpack_drops_the_padding():
    packed = np.array([[0b10_01_00_10, 0b01_01_01_00]], np.uint8)
    assert unpack(packed, 5).tolist() == [[1, -1, 0, 1, -1]]


@pytest.mark.parametrize("cols", [4, 9])
def test_cpu_unpack_refuses_a_width_that_does_not_fit(cols):
    with pytest.raises(ValueError, match="cannot hold"):
        unpack(np.zeros((1, 2), np.uint8), cols)


@pytest.mark.parametrize("cols", [8, 13])
def test_cpu_round_trip_is_exact(cols):
    ternary = np.random.default_rng(cols).integers(-1, 2, (5, cols)).astype(np.int8)
    np.testing.assert_array_equal(unpack(pack(ternary), cols), ternary)
