"""Model files read, written and converted: the bytes of the C++ programs, the numbers of the package gguf."""

import gguf
import gguf_bytes as raw
import numpy as np
import pytest

from kernels import FormatError, InputError, PackedMatrix, formats
from kernels.gguf import (
    Ambiguous,
    BadTensor,
    BadWeights,
    ModelFile,
    NewTensor,
    Value,
    ValueType,
    convert,
    write,
)
from kernels.gguf.bitnet import sizes

NAMES = ["tiny-i2_s", "tiny-tl2", "tiny-TQ2_0-bitnet"]
TILE = "tl2:128,96"  # of the program that wrote tiny-tl2


@pytest.fixture
def i2s(model_path):
    return ModelFile(model_path("tiny-i2_s"))


def ternary(model):
    return {name: tensor for name, tensor in model.tensors.items() if tensor.type.ternary}


@pytest.mark.parametrize("name", NAMES)
def test_cpu_gguf_files_of_the_cpp_programs_hold_the_same_weights(name, model_path, i2s):
    model = ModelFile(model_path(name))
    assert set(model.tensors) == set(i2s.tensors)
    assert len(ternary(model)) == 14
    for key, tensor in ternary(model).items():
        ours, theirs = i2s.tensors[key].matrix(), tensor.matrix(TILE)
        assert (theirs.unpack() == ours.unpack()).all()
        assert theirs.scale == ours.scale
    for key in set(model.tensors) - set(ternary(model)):
        assert (model.tensors[key].array() == i2s.tensors[key].array()).all()


@pytest.mark.parametrize("name", NAMES)
def test_cpu_gguf_sizes_come_from_keys_of_both_traditions(name, model_path):
    found = sizes(ModelFile(model_path(name)))
    assert (found.layers, found.hidden, found.feed_forward, found.heads, found.kv_heads) == (2, 256, 512, 4, 2)
    assert (found.vocabulary, found.context, found.rope_dimensions, found.rope_base) == (512, 512, 64, 10000)
    assert found.activation == ("silu" if name.endswith("bitnet") else "relu2")


@pytest.mark.parametrize(("source", "target", "layouts"), [
    ("tiny-i2_s", "tiny-tl2", None),
    ("tiny-tl2", "tiny-i2_s", TILE),
    ("tiny-TQ2_0-bitnet", "tiny-i2_s", None),
    ("tiny-i2_s", "tiny-TQ2_0-bitnet", None),
])  # fmt: skip
def test_cpu_gguf_converting_gives_the_bytes_of_the_cpp_programs(source, target, layouts, model_path, tmp_path):
    wanted = ModelFile(model_path(target))
    kind = {"tiny-i2_s": "i2_s", "tiny-tl2": TILE, "tiny-TQ2_0-bitnet": "tq2_0"}[target]
    made = ModelFile(convert(model_path(source), tmp_path / "a.gguf", kind, layouts=layouts))
    for key, tensor in wanted.tensors.items():
        end = -28 if kind != "tq2_0" and tensor.type.ternary else None  # the padding is not defined
        assert made.tensors[key].raw[:end].tobytes() == tensor.raw[:end].tobytes(), key
    assert made.metadata["general.file_type"].data == wanted.metadata["general.file_type"].data


@pytest.mark.parametrize("format", ["tl1", "tl2", "tq1_0", "tq2_0", "i2_s:arm-64", "i2_s:x86-1x4"])
def test_cpu_gguf_converting_there_and_back_changes_no_byte(format, i2s, tmp_path):
    there = convert(i2s, tmp_path / "there.gguf", format)
    back = convert(there, tmp_path / "back.gguf", "i2_s", layouts=format)
    for key, tensor in ModelFile(back).tensors.items():
        end = -28 if tensor.type.ternary else None  # the padding is not defined
        assert tensor.raw[:end].tobytes() == i2s.tensors[key].raw[:end].tobytes(), key
    assert ModelFile(back).metadata.keys() == i2s.metadata.keys()


def test_cpu_gguf_converting_can_rename_the_architecture(i2s, tmp_path):
    made = ModelFile(convert(i2s, tmp_path / "a.gguf", "tq2_0", architecture="bitnet"))
    assert made.architecture == "bitnet"
    assert sizes(made).activation == "silu"
    assert not [key for key in made.metadata if key.startswith("bitnet-b1.58")]


def test_cpu_gguf_converting_rounds_no_scale_unasked(tmp_path):
    matrix = PackedMatrix(formats.get("i2_s").pack(np.ones((1, 256), np.int8), 0.1), (1, 256), "i2_s")
    source = write(tmp_path / "a.gguf", {}, [NewTensor("w", matrix)])
    with pytest.raises(BadWeights, match=r"tensor w: tq2_0 keeps scales in fewer digits"):
        convert(source, tmp_path / "b.gguf", "tq2_0")
    assert [one.name for one in tmp_path.iterdir()] == ["a.gguf"], "nothing half-written is left"
    made = ModelFile(convert(source, tmp_path / "b.gguf", "tq2_0", nearest_scale=True))
    assert made.tensors["w"].matrix().scale == np.float32(np.float16(0.1))


def test_cpu_gguf_writing_puts_the_factor_into_the_bytes(tmp_path):
    packed = formats.get("tq2_0").pack(np.ones((1, 256), np.int8), 0.5)
    matrix = PackedMatrix(packed, (1, 256), "tq2_0", factor=0.25)
    assert matrix.scale == matrix.i2s.scale == 0.125
    made = ModelFile(write(tmp_path / "a.gguf", {}, [NewTensor("w", matrix)])).tensors["w"].matrix()
    assert (made.scale, made.factor) == (0.125, 1)
    with pytest.raises(FormatError, match="float16"):
        NewTensor("w", PackedMatrix(packed, (1, 256), "tq2_0", factor=0.1))


@pytest.mark.parametrize("factor", [np.nan, np.inf, 1e39])
def test_cpu_gguf_a_factor_is_a_finite_number(factor):
    with pytest.raises(FormatError, match="finite"):
        PackedMatrix(formats.get("i2_s").pack(np.ones((1, 128), np.int8), 2.0), (1, 128), factor=factor)


def test_cpu_gguf_converting_names_the_matrix_that_does_not_fit(tmp_path):
    matrix = PackedMatrix(formats.get("i2_s").pack(np.ones((1, 128), np.int8), 1), (1, 128), "i2_s")
    source = write(tmp_path / "a.gguf", {}, [NewTensor("odd", matrix)])
    with pytest.raises(BadWeights, match=r"tensor odd: tq1_0 cannot hold 1 x 128"):
        convert(source, tmp_path / "b.gguf", "tq1_0")
    with pytest.raises(FormatError, match="unknown format"):
        convert(source, tmp_path / "b.gguf", "tq9")


def test_cpu_gguf_what_we_write_the_public_package_reads(i2s, tmp_path):
    theirs = gguf.GGUFReader(convert(i2s, tmp_path / "a.gguf", "tq2_0"))
    assert theirs.fields["general.architecture"].contents() == "bitnet-b1.58"
    assert theirs.fields["tokenizer.ggml.tokens"].contents() == list(i2s.metadata["tokenizer.ggml.tokens"].data)
    for tensor in theirs.tensors:
        own = i2s.tensors[tensor.name]
        numbers = gguf.dequantize(tensor.data, tensor.tensor_type)
        assert (numbers.reshape(own.shape) == own.array().astype(np.float32)).all(), tensor.name


def test_cpu_gguf_what_the_public_package_writes_we_read(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_custom_alignment(64)
    writer.add_array("a.words", ["ä", "", "𝄞"])
    writer.add_float64("a.double", 0.1)
    numbers = np.random.default_rng(0).normal(size=(4, 256)).astype(np.float32)
    kinds = [gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.TQ1_0]
    for kind in kinds:
        writer.add_tensor(kind.name, gguf.quantize(numbers, kind), raw_dtype=kind)
    for step in ("header", "kv_data", "tensors"):
        getattr(writer, f"write_{step}_to_file")()
    writer.close()
    model = ModelFile(tmp_path / "a.gguf")
    assert (model.architecture, model.header.alignment, model.metadata["a.double"].data) == ("llama", 64, 0.1)
    assert list(model.metadata["a.words"].data) == ["ä", "", "𝄞"]
    for kind in kinds:
        wanted = gguf.dequantize(gguf.quantize(numbers, kind), kind)
        got = model.tensors[kind.name]
        assert got.shape == (4, 256)
        if kind.name != "TQ1_0":  # many scales: no matrix of BitNet, but numbers all the same
            assert (got.array() == wanted).all()
        else:
            assert (got.array() == wanted).all()
            with pytest.raises(BadWeights, match="different scales"):
                got.matrix()


VALUES = {
    "uint8": Value(ValueType.UINT8, 255), "int8": Value(ValueType.INT8, -128),
    "uint16": Value(ValueType.UINT16, 2**16 - 1),
    "int16": Value(ValueType.INT16, -(2**15)), "uint32": Value(ValueType.UINT32, 2**32 - 1),
    "int32": Value(ValueType.INT32, -(2**31)), "float32": Value(ValueType.FLOAT32, 0.5),
    "bool": Value(ValueType.BOOL, True),
    "string": Value(ValueType.STRING, "ü\0\udcff"), "uint64": Value(ValueType.UINT64, 2**64 - 1),
    "int64": Value(ValueType.INT64, -(2**63)), "float64": Value(ValueType.FLOAT64, 1e300),
}  # fmt: skip


def test_cpu_gguf_every_type_of_value_survives(tmp_path):
    arrays = {f"of.{name}": Value(ValueType.ARRAY, (one.data,) * 300, one.type) for name, one in VALUES.items()}
    inner = Value(ValueType.ARRAY, (1, 2), ValueType.INT8)
    arrays["nested"] = Value(ValueType.ARRAY, (inner, inner), ValueType.ARRAY)
    read = ModelFile(write(tmp_path / "a.gguf", VALUES | arrays, [])).metadata
    again = ModelFile(write(tmp_path / "b.gguf", read, [])).metadata
    for found in (read, again):
        for name, one in VALUES.items():
            assert (found[name].type, found[name].data) == (one.type, one.data)
            items = found[f"of.{name}"]
            assert items.item is one.type
            assert list(items.data) == [one.data] * 300
            assert items.data[299] == one.data
        assert [list(inner.data) for inner in found["nested"].data] == [[1, 2], [1, 2]]
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


@pytest.mark.parametrize("alignment", [8, 32, 64, 4096])
def test_cpu_gguf_alignment_comes_from_the_file(alignment, tmp_path):
    path = write(tmp_path / "a.gguf", {}, [NewTensor(n, np.arange(3.0)) for n in "abc"], alignment=alignment)
    model = ModelFile(path)
    assert model.header.alignment == alignment
    assert all(tensor.offset % alignment == 0 for tensor in model.tensors.values())
    assert [one.array().tolist() for one in model.tensors.values()] == [[0, 1, 2]] * 3


def test_cpu_gguf_version_2_is_read(model_path, tmp_path):
    content = bytearray(model_path("tiny-i2_s").read_bytes())
    content[4] = 2
    (tmp_path / "a.gguf").write_bytes(content)
    assert len(ModelFile(tmp_path / "a.gguf").tensors) == 24


@pytest.mark.parametrize("wrong", [
    {"a": object()}, {"a": []}, {"a": [1, "b"]}, {"a": Value(ValueType.UINT8, 256)}, {"": 1}, {"general.alignment": 12},
    {"a": 2**64}, {"a": np.zeros((2, 2))},
])  # fmt: skip
def test_cpu_gguf_writing_refuses_what_no_file_can_hold(wrong, tmp_path):
    with pytest.raises(InputError):
        write(tmp_path / "a.gguf", wrong, [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "dims", "data", "architecture", "meant"), [
    (39, (512, 256), 30080, b"llama", "tl2"),
    (39, (512, 256), 512 * 256 // 32 * 17, b"bitnet-b1.58", "mxfp4"),
    (39, (512, 256), 99_968, b"bitnet-b1.58", "tl2"),
    (39, (512, 256), 99_968, b"llama", "mxfp4"),
    (36, (512, 256), 32800, b"bitnet", "i2_s"),
    (36, (512, 256), 512 * 256 // 32 * 18, b"bitnet", "iq4_nl_4_4"),
    (38, (512, 256), 32800, b"bitnet-b1.58", "tl1"),
    (42, (512, 256), 30080, b"bitnet-b1.58", "tl2"),
    (42, (512, 256), 512 * 256 // 64 * 18, b"llama", "q2_0"),
])  # fmt: skip
def test_cpu_gguf_a_type_with_two_meanings_is_told_by_its_room(kind, dims, data, architecture, meant, tmp_path):
    keys = [raw.word(b"general.architecture", architecture)]
    path = tmp_path / "a.gguf"
    path.write_bytes(raw.file(keys, [raw.tensor(b"w", dims, kind)], bytes(data)))
    assert ModelFile(path).tensors["w"].type.name == meant


@pytest.mark.parametrize(("kind", "architecture"), [(39, b"bitnet"), (42, b"bitnet"), (36, b"llama"), (38, b"bitnet")])
def test_cpu_gguf_is_refused_where_nothing_tells_the_type(kind, architecture, tmp_path):
    keys = [raw.word(b"general.architecture", architecture)]
    path = tmp_path / "a.gguf"
    path.write_bytes(raw.file(keys, [raw.tensor(b"w", (512, 256), kind)], bytes(99_968)))
    with pytest.raises(Ambiguous, match="do not tell which"):
        ModelFile(path)


def test_cpu_gguf_a_float_tensor_is_no_matrix(i2s):
    with pytest.raises(BadTensor, match="f16 is no ternary type; `array` reads it"):
        i2s.tensors["token_embd.weight"].matrix()
