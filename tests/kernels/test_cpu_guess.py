"""A format is told from bytes where they leave no doubt, and refused where they do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import FormatError, formats
from kernels.formats.sniff import Reading


def random_bytes(name, shape, scale=0.5, seed=0):
    ternary = np.random.default_rng(seed).integers(-1, 2, shape).astype(np.int8)
    return formats.get(name).pack(ternary, scale)


@pytest.mark.parametrize("name", ["tq1_0", "tq2_0"])
def test_cpu_guess_knows_what_has_a_size_or_codes_of_its_own(name):
    assert formats.guess(random_bytes(name, (64, 512)), (64, 512)).name == name


@pytest.mark.parametrize(
    ("name", "shape"), [("i2_s:arm-64", (3, 64)), ("i2_s:x86-1x4", (4, 100)), ("i2_s:x86-1x4", (8, 1))]
)
def test_cpu_guess_knows_i2s_where_one_layout_alone_holds_the_shape(name, shape):
    assert formats.guess(random_bytes(name, shape), shape).name == name


@pytest.mark.parametrize("name", ["i2_s", "i2_s:arm-64", "i2_s:x86-1x4"])
def test_cpu_guess_refuses_to_choose_between_the_layouts_of_i2s(name):
    with pytest.raises(FormatError) as refused:
        formats.guess(random_bytes(name, (128, 256)), (128, 256))
    said = str(refused.value)
    assert "these bytes can be i2_s (scale 0.5;" in said
    assert "or i2_s:arm-64 (scale 0.5;" in said
    assert "or i2_s:x86-1x4 (scale 0.5;" in said
    assert "tl1" not in said  # its nibbles have meanings that these have not
    assert said.endswith("name the one they are, as the program that wrote them does")


def test_cpu_guess_says_what_each_would_read():
    ternary = np.array([[1, -1, -1, -1, 0, 0, 0, 0]] * 4, np.int8)
    packed = formats.get("i2_s:x86-1x4").pack(ternary, 0.25)
    assert formats.guess(packed, (4, 8)).name == "i2_s:x86-1x4"
    with pytest.raises(FormatError, match=r"i2_s:x86-1x4 \(scale 0.25; -1 / 0 / \+1: 38% / 50% / 12%\), or i2_s:x86"):
        formats.guess(packed, (4, 8), among=("i2_s:x86-1x4", "i2_s:x86-1x4"))


@pytest.mark.parametrize("seed", range(8))
def test_cpu_guess_prefers_a_scale_that_some_model_has(seed):
    shape = (1, 4096)  # 1056 bytes in i2_s and in tq2_0
    packed = random_bytes("tq2_0", shape, seed=seed)
    assert len(packed) == formats.get("i2_s").nbytes(*shape)
    as_i2s = formats.get("i2_s").scale(packed, shape)  # codes, really
    assert not 2.0**-40 <= as_i2s <= 2.0**40
    assert formats.guess(packed, shape, among=("i2_s", "tq2_0")).name == "tq2_0"


def test_cpu_guess_is_not_made_where_every_scale_is_unlikely():
    for scale in (-1.0, 0.0, 2.0**-41, 2.0**41):
        with pytest.raises(FormatError, match=r"can be i2_s .*, or i2_s:arm-64"):
            formats.guess(random_bytes("i2_s", (1, 128), scale), (1, 128))


@pytest.mark.parametrize(
    ("scale", "shares", "likely"),
    [
        (0.5, (0.3, 0.4, 0.3), True),
        (2.0**-40, (0.3, 0.4, 0.3), True),
        (2.0**40, (0.3, 0.4, 0.3), True),
        (2.0**-41, (0.3, 0.4, 0.3), False),
        (2.0**41, (0.3, 0.4, 0.3), False),
        (-0.5, (0.3, 0.4, 0.3), False),
        (0.0, (0.3, 0.4, 0.3), False),
        (0.0, (0.0, 1.0, 0.0), True),
        (0.0, (), True),
        (-1.0, (0.0, 1.0, 0.0), False),
    ],
)
def test_cpu_guess_knows_unlikely_scales(scale, shares, likely):
    assert Reading(formats.get("i2_s"), scale, shares).likely is likely


def test_cpu_guess_of_no_weights_says_none():
    with pytest.raises(FormatError, match=r"i2_s \(scale 0; -1 / 0 / \+1: none\)"):
        formats.guess(formats.get("i2_s").pack(np.zeros((0, 128), np.int8), 0), (0, 128), among=("i2_s", "i2_s:arm-64"))


def test_cpu_guess_says_why_none_can_be_it():
    packed = random_bytes("i2_s", (64, 128))
    packed[0] = 0xFF
    with pytest.raises(FormatError) as refused:
        formats.guess(packed, (64, 128))
    said = str(refused.value)
    assert said.startswith("these bytes are in none of the formats; i2_s: 1 bytes hold the code 3")
    for name in formats.names()[1:]:
        assert f"; {name}: " in said


@pytest.mark.parametrize("name", ["tl1:128,128,32", "tl2:128,96"])
def test_cpu_guess_takes_tiles_where_they_are_named_and_makes_up_none(name, golden):
    shape = golden["ternary"].shape
    packed = formats.get(name).pack(golden["ternary"], golden["scale"])
    assert formats.guess(packed, shape, among=("i2_s", name)).name == name
    for among in (formats.names(), (name[:3],)):
        with pytest.raises(FormatError) as refused:
            formats.guess(packed, shape, among=among)
        said = str(refused.value)
        assert said.startswith(f"these bytes can be {name[:3]} (scale 0.0299988; -1 / 0 / +1: ")
        assert said.endswith("); name the one they are, with its tile, as the program that wrote them does")


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(0, 3),
    cols=st.integers(0, 9),
    name=st.sampled_from([*formats.names(), "tl1:32,8,32", "tl2:32,24"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_cpu_guess_is_right_or_refused(rows, cols, name, seed):
    shape = (32 * rows, 64 * cols)
    try:
        packed = random_bytes(name, shape, seed=seed)
        found = formats.guess(packed, shape)
    except FormatError:
        return
    assert found.name == name
