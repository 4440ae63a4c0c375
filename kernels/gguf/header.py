"""The front of a GGUF file: magic, version, metadata, the list of tensors. Reads nothing behind it.

::

    "GGUF"  version u32  tensors u64  keys u64
    keys    × (name string, type u32, value)
    tensors × (name string, dimensions u32, each u64, fastest first; type u32; offset u64 from the start of the data)
    padding to `general.alignment` (32 where the file does not say), then the data

Source: the GGUF specification of ggml. Versions 2 and 3 are read, little-endian.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gguf.constants import GGUF_DEFAULT_ALIGNMENT

from kernels.gguf.errors import (
    BadMetadata,
    BadTensor,
    LimitExceeded,
    ModelFileError,
    NotAModelFile,
    UnsupportedVersion,
    plain,
)
from kernels.gguf.values import Cursor, Value, ValueType, read_value

MAX_KEYS = 2**16
MAX_TENSORS = 2**16
MAX_NAME = 2**16 - 1
"""Bytes of the name of a key, by the specification."""
MAX_TENSOR_NAME = 63
"""Bytes of the name of a tensor, by the specification."""
MAX_DIMENSIONS = 4
LARGEST = 2**63 - 1

_OTHERS = {
    b"PK\x03\x04": "a zip archive, as PyTorch writes",
    b"\x1f\x8b": "compressed with gzip",
    b"version https://git-lfs": "a Git LFS pointer, not the file it points to",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"FUGG": "GGUF with its magic turned round",
    b"\x80": "a pickle",
    b"lmgg": "a ggml file of the time before GGUF",
    b"fmgg": "a ggml file of the time before GGUF",
    b"tjgg": "a ggml file of the time before GGUF",
}


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A tensor as the list declares it.

    Parameters
    ----------
    name : printable or not; at most 63 bytes.
    shape : slowest dimension first, as NumPy has it; (M, K) of a matrix.
    type_id : what the number means depends on who wrote the file.
    offset : bytes from the start of the data.
    """

    name: str
    shape: tuple[int, ...]
    type_id: int
    offset: int


@dataclass(frozen=True, slots=True)
class Header:
    """Everything before the data; `faults` are the ones one can read past."""

    version: int
    metadata: Mapping[str, Value]
    entries: tuple[TensorEntry, ...]
    alignment: int
    data_start: int
    faults: tuple[ModelFileError, ...] = field(default=())


def read_header(data: Any) -> Header:
    """The header of a file in memory, or mapped into it.

    Raises
    ------
    NotAModelFile, UnsupportedVersion, Truncated, LimitExceeded, BadMetadata, BadTensor
        Each says at which byte or key.

    Examples
    --------
    >>> read_header(b"GGUF" + bytes([3, 0, 0, 0]) + bytes(16) + bytes(8)).data_start
    32
    >>> read_header(b"PK\\x03\\x04")
    Traceback (most recent call last):
    kernels.gguf.errors.NotAModelFile: byte 0: a zip archive, as PyTorch writes; want the magic GGUF
    """
    cursor = Cursor(data)
    version = _version(cursor)
    tensors = _count(cursor, "tensors", MAX_TENSORS, least=8 + 4 + 4 + 8)
    keys = _count(cursor, "keys", MAX_KEYS, least=8 + 4 + 1)
    faults: list[ModelFileError] = []
    metadata: dict[str, Value] = {}
    for _ in range(keys):
        start = cursor.at
        name = _name(cursor, "a key", MAX_NAME, BadMetadata)
        shown = plain(name)
        value = read_value(cursor, shown, cursor.u32(f"the type of {shown}"))
        if name in metadata:
            faults.append(BadMetadata("the key is there twice", where=f"key {shown}, byte {start}", expected="it once"))
        metadata.setdefault(name, value)
    entries: dict[str, TensorEntry] = {}
    for _ in range(tensors):
        start = cursor.at
        entry = _entry(cursor)
        if entry.name in entries:
            where = f"tensor {plain(entry.name)}, byte {start}"
            faults.append(BadTensor("the name is there twice", where=where, expected="it once"))
        entries.setdefault(entry.name, entry)
    alignment = _alignment(metadata)
    start = -(-cursor.at // alignment) * alignment
    return Header(version, metadata, tuple(entries.values()), alignment, start, tuple(faults))


def _version(cursor: Cursor) -> int:
    start = bytes(cursor.data[:32])
    if start[:4] != b"GGUF":
        found = next((what for magic, what in _OTHERS.items() if start.startswith(magic)), "")
        if not found:
            found = f"the file starts with {start[:4].hex(' ')}" if start else "the file is empty"
            if start[8:10] == b'{"':
                found = "a safetensors file"
        raise NotAModelFile(found, where="byte 0", expected="the magic GGUF")
    cursor.take(4, "the magic")
    version = cursor.u32("the version")
    if version in (2, 3):
        return version
    hint = ""
    if version & 0xFFFF == 0 and version:
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
        raise UnsupportedVersion(
            f"version {version}, big-endian", where="byte 4", expected="a little-endian file",
            hint="gguf-convert-endian, of the package gguf, turns it round",
        )  # fmt: skip
    if version == 1:
        hint = "it has 32-bit lengths; convert the model anew"
    raise UnsupportedVersion(f"version {version}", where="byte 4", expected="2 or 3", hint=hint)


def _count(cursor: Cursor, what: str, limit: int, least: int) -> int:
    start = cursor.at
    count = cursor.u64(f"the number of {what}")
    limit = min(limit, (cursor.end - cursor.at) // least)
    if count > limit:
        raise LimitExceeded(
            f"{count} {what}", where=f"byte {start}", expected=f"at most {limit} in a file of this size"
        )
    return count


def _name(cursor: Cursor, what: str, limit: int, error: type[ModelFileError]) -> str:
    start = cursor.at
    raw = cursor.string(f"the name of {what}", limit)
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise error(f"the name of {what} is {plain(raw)}", where=f"byte {start}", expected="UTF-8") from None
    if not name:
        raise error(f"{what} without a name", where=f"byte {start}")
    return name


def _entry(cursor: Cursor) -> TensorEntry:
    name = _name(cursor, "a tensor", MAX_TENSOR_NAME, BadTensor)
    where = f"tensor {plain(name)}"
    dimensions = cursor.u32(f"the dimensions of {plain(name)}")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise BadTensor(f"{dimensions} dimensions", where=where, expected=f"1 to {MAX_DIMENSIONS}")
    shape = tuple(cursor.u64(f"a dimension of {plain(name)}") for _ in range(dimensions))[::-1]
    elements = 1
    for length in shape:
        elements *= length
    if not 0 < elements <= LARGEST:
        raise BadTensor(f"{_times(shape)} elements", where=where, expected="from 1 to 2**63 - 1")
    return TensorEntry(
        name, shape, cursor.u32(f"the type of {plain(name)}"), cursor.u64(f"the offset of {plain(name)}")
    )


def _alignment(metadata: Mapping[str, Value]) -> int:
    value = metadata.get("general.alignment")
    if value is None:
        return GGUF_DEFAULT_ALIGNMENT
    size = value.data
    if value.type is not ValueType.UINT32 or size < 8 or size & (size - 1):
        raise BadMetadata(f"{value!r}", where="key general.alignment", expected="a UINT32, a power of two from 8")
    return int(size)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
