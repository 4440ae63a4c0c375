"""A model file is hostile: every lie in it has an error of its own that says where, and nothing else happens."""

import os
import re
import struct
import tracemalloc

import gguf_bytes as raw
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels import KernelError
from kernels.gguf import (
    Ambiguous,
    BadMetadata,
    BadTensor,
    LimitExceeded,
    ModelFile,
    ModelFileError,
    NewTensor,
    NotAModelFile,
    NotReadable,
    Overlap,
    Truncated,
    UnsupportedVersion,
    write,
)
from kernels.gguf.picture import Style, as_json, lines
from kernels.gguf.types import meanings
from kernels.gguf.verify import verify

ONE = raw.tensor(b"w", (8,))
DATA = bytes(32)
ARCH = raw.word(b"general.architecture", b"llama")
BITNET = raw.word(b"general.architecture", b"bitnet")

LIES = {
    "nothing": (b"", NotAModelFile, "the file is empty"),
    "three bytes": (b"GGU", NotAModelFile, "byte 0"),
    "a zip": (b"PK\x03\x04" + bytes(100), NotAModelFile, "zip archive"),
    "a pickle": (b"\x80\x04\x95" + bytes(100), NotAModelFile, "a pickle"),
    "an LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", NotAModelFile, "Git LFS pointer"),
    "safetensors": (struct.pack("<Q", 9) + b'{"a":{}}', NotAModelFile, "safetensors"),
    "version 0": (raw.file(version=0), UnsupportedVersion, "version 0; want 2 or 3"),
    "version 1": (raw.file(version=1), UnsupportedVersion, "version 1; want 2 or 3; it has 32-bit lengths"),
    "version 4": (raw.file(version=4), UnsupportedVersion, "byte 4: version 4; want 2 or 3"),
    "big-endian": (raw.file(order=">"), UnsupportedVersion, "version 3, big-endian"),
    "magic alone": (b"GGUF", Truncated, "the version needs 4 bytes, 0 are left"),
    "half a header": (raw.file()[:20], Truncated, "the number of keys needs 8 bytes"),
    "tensors without end": (raw.file(counts=(2**63, 0)), LimitExceeded, "9223372036854775808 tensors"),
    "keys without end": (raw.file(counts=(0, 2**64 - 1)), LimitExceeded, "18446744073709551615 keys"),
    "a long key": (raw.file([raw.text(b"k", 2**40)], counts=(0, 1), data=bytes(64)), LimitExceeded, "at most 65535"),
    "a cut key": (raw.file([raw.text(b"k", 60000)], counts=(0, 1), data=bytes(64)), Truncated, "needs 60000 bytes"),
    "a key not UTF-8": (raw.file([raw.word(b"\xff\xfe", b"")]), BadMetadata, r"\\xff\\xfe; want UTF-8"),
    "no name": (raw.file([raw.word(b"", b"x")]), BadMetadata, "a key without a name"),
    "a key twice": (raw.file([ARCH, ARCH]), BadMetadata, "key general.architecture, byte .*: the key is there twice"),
    "a type 13": (raw.file([raw.key(b"a.b", 13, bytes(8))]), BadMetadata, "of type 13; want a type from 0 to 12"),
    "a bool 2": (raw.file([raw.key(b"a.b", raw.BOOL, b"\2")]), BadMetadata, "the bool is 2; want 0 or 1"),
    "a huge string": (
        raw.file([raw.key(b"a.b", raw.STRING, raw.text(b"x", 2**62))]), LimitExceeded, "the value of a.b says it has"),
    "a huge array": (
        raw.file([raw.key(b"a.b", raw.ARRAY, raw.array(raw.U32, 2**61))]), Truncated, "has 2305843009213693952 items"),
    "strings without end": (
        raw.file([raw.key(b"a.b", raw.ARRAY, raw.array(raw.STRING, 2**63))]), Truncated, "items of 8 bytes or more"),
    "a cut string": (
        raw.file([raw.key(b"a.b", raw.ARRAY, raw.array(raw.STRING, 1, raw.text(b"", 2**63)))]), Truncated,
        "string 0 of 1 in a.b passes the end"),
    "arrays in arrays": (
        raw.file([raw.key(b"a.b", raw.ARRAY, raw.array(raw.ARRAY, 1) * 5000)]), LimitExceeded, "at most 4 deep"),
    "an item type 99": (raw.file([raw.key(b"a.b", raw.ARRAY, raw.array(99, 0))]), BadMetadata, "a value of type 99"),
    "alignment 0": (raw.file([raw.key(b"general.alignment", raw.U32, bytes(4))]), BadMetadata, "a power of two from 8"),
    "alignment 48": (
        raw.file([raw.key(b"general.alignment", raw.U32, struct.pack("<I", 48))]), BadMetadata, "UINT32 48"),
    "alignment a word": (raw.file([raw.word(b"general.alignment", b"32")]), BadMetadata, "STRING '32'"),
    "no dimensions": (raw.file([], [raw.tensor(b"w", ())]), BadTensor, "tensor w: 0 dimensions; want 1 to 4"),
    "many dimensions": (
        raw.file([], [raw.text(b"w") + struct.pack("<I", 2**32 - 1) + bytes(99)]), BadTensor, "4294967295 dimensions"),
    "a dimension 0": (raw.file([], [raw.tensor(b"w", (4, 0))]), BadTensor, "tensor w: 0 x 4 elements"),
    "elements that overflow": (
        raw.file([], [raw.tensor(b"w", (2**33, 2**33))]), BadTensor, "8589934592 x 8589934592 elements"),
    "a long tensor name": (raw.file([], [raw.tensor(b"w" * 64, (4,))]), LimitExceeded, "at most 63"),
    "a tensor twice": (raw.file([], [ONE, ONE], DATA), BadTensor, "tensor w, byte .*: the name is there twice"),
    "an unknown type": (raw.file([], [raw.tensor(b"w", (8,), 999)], DATA), BadTensor, "type 999: not known"),
    "a removed type": (raw.file([], [raw.tensor(b"w", (8,), 4)], DATA), BadTensor, "the size of q4_2 is not known"),
    "data cut": (raw.file([], [ONE], DATA[:-1]), Truncated, "32 bytes from offset 0 on pass the end of the file; want"),
    "a far offset": (raw.file([], [raw.tensor(b"w", (8,), 0, 2**64 - 32)], DATA), Truncated, "want a file of"),
    "a crooked offset": (
        raw.file([], [raw.tensor(b"w", (4,), 0, 8)], DATA), BadTensor, "offset 8; want a multiple of 32"),
    "shared bytes": (
        raw.file([], [raw.tensor(b"a", (16,)), raw.tensor(b"b", (8,), 0, 32)], bytes(64)), Overlap,
        "tensor b: it shares 32 bytes with a; want an offset from 64 on"),
    "the same bytes": (raw.file([], [ONE, raw.tensor(b"v", (8,))], DATA), Overlap, "shares 32 bytes"),
    "a type of two minds": (
        raw.file([BITNET], [raw.tensor(b"w", (256, 32), 39)], bytes(9999)), Ambiguous, "type 39 means tl2 or mxfp4"),
    "escapes in a name": (
        raw.file([], [raw.tensor(b"\x1b]0;x\x07\r\n", (8,), 999)], DATA), BadTensor,
        re.escape(r"\x1b]0;x\x07\r\n: type 999")),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_cpu_gguf_refuses(lie, tmp_path):
    path, (content, error, said) = tmp_path / "a.gguf", LIES[lie]
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(error, match=said) as caught:
            ModelFile(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20, "more was allocated than the file is large"
    finally:
        tracemalloc.stop()
    assert type(caught.value) is error
    assert caught.value.where
    assert str(caught.value).isprintable()
    report = verify(path)  # the same as a finding
    assert type(caught.value) in [type(one) for severity, one in report.findings if severity == "error"]


def test_cpu_gguf_refuses_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, said in [
        (tmp_path, "no regular file"),
        (tmp_path / "pipe", "no regular file"),
        ("/dev/zero", "no regular"),
    ]:
        with pytest.raises(NotReadable, match=said):
            ModelFile(path)
    with pytest.raises(NotReadable, match="No such file"):
        ModelFile(tmp_path / "none\x1b[2J")
    with pytest.raises(NotReadable, match="null"):
        ModelFile("a\0b")


@pytest.mark.parametrize("cut", [*range(64), 100, 1000, 13_000, 13_770, 13_771, 14_000, 300_000, 582_559])
def test_cpu_gguf_cut_anywhere_is_truncated(cut, model_path, tmp_path):
    path = tmp_path / "cut.gguf"
    path.write_bytes(model_path("tiny-i2_s").read_bytes()[:cut])
    with pytest.raises(NotAModelFile if cut < 4 else (Truncated, LimitExceeded)):
        ModelFile(path)


NASTY = [0, 1, 2, 7, 8, 9, 31, 255, 2**16, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
numbers = st.one_of(
    st.sampled_from(NASTY).map(lambda number: struct.pack("<Q", number)),
    st.sampled_from(NASTY).map(lambda number: struct.pack("<Q", number)[:4]),
    st.binary(min_size=1, max_size=12),
    st.sampled_from([b"\x1b[2J", b"\xff\xff\xff\xff", b"\x00\x00\xc0\x7f", "\u202e".encode()]),
)
places = st.one_of(st.integers(0, 1500), st.integers(0, 14_000), st.integers(0, 600_000))
actions = st.sampled_from(["over", "over", "over", "insert", "delete", "copy"])
changes = st.lists(st.tuples(actions, places, numbers), min_size=1, max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["tiny-i2_s", "tiny-tl2", "tiny-TQ2_0-bitnet"]), changes=changes, cut=st.none() | places)
def test_cpu_gguf_mutations_are_refused_or_harmless(name, changes, cut, model_path, tmp_path):
    content = bytearray(model_path(name).read_bytes())
    for action, place, change in changes:
        if action == "over":
            content[place : place + len(change)] = change
        elif action == "insert":
            content[place:place] = change
        elif action == "delete":
            del content[place : place + len(change)]
        else:
            content[place : place + 64] = content[: 64 + len(change)]
    path = tmp_path / "mutated.gguf"
    path.write_bytes(content[:cut])
    tracemalloc.start()
    try:
        check_harmless(path)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


def check_harmless(path):
    report = verify(path, deep=True)
    for style in (Style(40), Style(120, unicode=False)):
        assert all(line.isprintable() for line in lines(report, style, every=True))
    as_json(report, strict=True)
    assert all(isinstance(error, ModelFileError) for _, error in report.findings)
    said = []
    try:
        for tensor in ModelFile(path).tensors.values():
            try:
                tensor.array()
            except KernelError as error:
                said.append(str(error))
    except KernelError as error:
        said.append(str(error))
    assert all(one.isprintable() for one in said)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", sorted({*range(50), 134, 135, 335}))
def test_cpu_gguf_noise_in_every_type_is_harmless(number, tmp_path):
    random = np.random.default_rng(number)
    for kind in meanings(number):
        try:
            size = kind.nbytes((256, 512))
        except KernelError:
            continue
        noise = random.integers(0, 256, size, np.uint8)
        path = write(tmp_path / f"{kind.name}.gguf", {}, [NewTensor("w", noise, (256, 512), number)])
        assert ModelFile(path).tensors["w"].type == kind
        check_harmless(path)


def test_cpu_gguf_views_cannot_be_written(model_path):
    with pytest.raises(ValueError, match="read-only"):
        ModelFile(model_path("tiny-i2_s")).tensors["output_norm.weight"].array()[0] = np.nan
