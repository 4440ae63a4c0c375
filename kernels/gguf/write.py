"""Writing GGUF files, and converting the ternary tensors of one into another format.

A file is written beside its place and moved there when it is whole: a reader sees the old one or the new one.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from gguf.constants import GGUF_DEFAULT_ALIGNMENT
from numpy.typing import NDArray

from kernels import formats
from kernels.errors import FormatError, InputError
from kernels.gguf.errors import BadTensor, BadWeights, NotReadable, plain
from kernels.gguf.header import MAX_DIMENSIONS, MAX_NAME, MAX_TENSOR_NAME
from kernels.gguf.model import Layouts, ModelFile, Tensor
from kernels.gguf.values import NUMBERS, Strings, Value, ValueType
from kernels.packed import PackedMatrix

TYPE_IDS = {"i2_s": 36, "tl1": 38, "tl2": 39, "tq1_0": 34, "tq2_0": 35}
"""Type numbers of the ternary families."""

FILE_TYPES = {"i2_s": 40, "tl1": 38, "tl2": 39, "tq1_0": 36, "tq2_0": 37}
"""What `general.file_type` says of a file in that family."""

_FLOAT_IDS = {"<f4": 0, "<f2": 1, "<f8": 28, "|i1": 24, "<i2": 25, "<i4": 26, "<i8": 27}
_CHUNK = 2**24


@dataclass(frozen=True, slots=True, eq=False)
class NewTensor:
    """A tensor to be written.

    Parameters
    ----------
    name : at most 63 bytes of UTF-8.
    data : an array of float16, 32, 64 or int8 to 64; a `PackedMatrix`; or raw bytes, with ``shape`` and ``type_id``.

    Examples
    --------
    >>> NewTensor("w", np.zeros((2, 3), np.float16)).type_id
    1
    >>> NewTensor("w", PackedMatrix.from_float(np.ones((1, 256)), "tl2"))
    Traceback (most recent call last):
    kernels.errors.FormatError: tl2 cannot hold 1 x 256; want rows in multiples of 32, and columns that leave a \
multiple of 32 behind multiples of 96
    """

    name: str
    data: NDArray[Any] | PackedMatrix
    shape: tuple[int, ...] = ()
    type_id: int = -1

    def __post_init__(self) -> None:
        where, shape = f"tensor {plain(self.name)}", self.shape
        if isinstance(self.data, PackedMatrix):
            object.__setattr__(self, "data", self.data.to(self.data.format))  # with its factor in the bytes
            known, shape = TYPE_IDS[self.data.format.partition(":")[0]], self.data.shape
        elif self.type_id >= 0:
            known = self.type_id
        else:
            known, shape = _FLOAT_IDS.get(self.data.dtype.newbyteorder("<").str, -1), self.data.shape
            if known < 0:
                raise InputError(f"{where}: GGUF has no type for {self.data.dtype}")
        if not 1 <= len(shape) <= MAX_DIMENSIONS or not all(shape):
            raise InputError(f"{where}: shape {shape}; want 1 to {MAX_DIMENSIONS} dimensions, none of them 0")
        if not 0 < len(self.name.encode()) <= MAX_TENSOR_NAME:
            raise InputError(f"{where}: {len(self.name.encode())} bytes of name; want 1 to {MAX_TENSOR_NAME}")
        object.__setattr__(self, "type_id", known)
        object.__setattr__(self, "shape", tuple(shape))

    @property
    def raw(self) -> NDArray[np.uint8]:
        """The bytes of the file."""
        if isinstance(self.data, PackedMatrix):
            return self.data.packed
        little = self.data.astype(self.data.dtype.newbyteorder("<"), copy=False)
        return np.ascontiguousarray(little).reshape(-1).view(np.uint8)


def value_of(data: Any) -> Value:
    """The value a plain Python or NumPy object stands for; give a `Value` where another type is wanted.

    Examples
    --------
    >>> value_of(7), value_of(-7), value_of(0.5), value_of(["a"]), value_of(np.zeros(3, np.int32))
    (UINT32 7, INT32 -7, FLOAT32 0.5, STRING[1], INT32[3])
    """
    if isinstance(data, Value):
        return data
    if isinstance(data, bool | np.bool_):
        return Value(ValueType.BOOL, bool(data))
    if isinstance(data, str):
        return Value(ValueType.STRING, data)
    if isinstance(data, int):
        fit = {ValueType.UINT32: (0, 2**32), ValueType.INT32: (-(2**31), 0), ValueType.UINT64: (0, 2**64)}
        kind = next((kind for kind, (low, high) in fit.items() if low <= data < high), ValueType.INT64)
        return Value(kind, data)
    if isinstance(data, float):
        return Value(ValueType.FLOAT32, data)
    if isinstance(data, np.ndarray | np.generic):
        want = np.dtype("<u1") if data.dtype == np.bool_ else data.dtype.newbyteorder("<")
        item = next(
            (k for k, t in NUMBERS.items() if t == want and (k is ValueType.BOOL) == (data.dtype == np.bool_)), None
        )
        if item is not None and data.ndim == 0:
            return Value(item, data.item())
        if item is not None and data.ndim == 1:
            return Value(ValueType.ARRAY, data.astype(want), item)
    if isinstance(data, Sequence) and len(data):
        items = [value_of(one) for one in data]
        kinds = {one.type for one in items}
        if kinds == {ValueType.STRING}:
            return Value(ValueType.ARRAY, tuple(data), ValueType.STRING)
        if kinds == {ValueType.ARRAY}:
            return Value(ValueType.ARRAY, tuple(items), ValueType.ARRAY)
        if kinds <= set(NUMBERS):
            wide = ValueType.INT64 if kinds > {ValueType.INT32} else kinds.pop()
            if len(kinds) <= 1 or ValueType.FLOAT32 not in kinds:
                return Value(ValueType.ARRAY, np.array([one.data for one in items], NUMBERS[wide]), wide)
    raise InputError(f"no type of GGUF metadata fits {type(data).__name__}; give a Value")


def write(
    path: str | os.PathLike[str],
    metadata: Mapping[str, Any],
    tensors: Iterable[NewTensor],
    *,
    alignment: int | None = None,
) -> Path:
    """Write a GGUF file of version 3.

    Parameters
    ----------
    metadata : keys and values; `value_of` says which types plain objects become.
    tensors : in the order of the file.
    alignment : of the data, a power of two from 8; what ``metadata`` says, else 32.

    Returns
    -------
    path : of the file, whole.

    Raises
    ------
    InputError
        A key, value or tensor GGUF cannot hold.
    NotReadable
        The place cannot be written.
    """
    kept = list(tensors)
    return _write(
        Path(path), metadata, [(one, one.raw.nbytes, partial(getattr, one, "raw")) for one in kept], alignment
    )


def convert(
    source: str | os.PathLike[str] | ModelFile,
    target: str | os.PathLike[str],
    format: str,
    *,
    layouts: Layouts = None,
    nearest_scale: bool = False,
    architecture: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a model again with its ternary matrices in another format; everything else stays as it is.

    Parameters
    ----------
    format : a name `kernels.formats.get` knows; with its tile or layout where it has one.
    layouts : how the source's matrices are read, where it is not the default.
    nearest_scale : allow a scale to be rounded, which TQ1_0 and TQ2_0 do to float16; else it is refused.
    architecture : name the model anew, and the keys that begin with its name: ``bitnet`` for llama.cpp, which then
        computes SiLU where a ``bitnet-b1.58`` has ReLU².
    progress : told of bytes done and bytes in all.

    Raises
    ------
    BadWeights
        A matrix the format cannot hold, named.
    """
    model = source if isinstance(source, ModelFile) else ModelFile(source)
    family, layout = format.partition(":")[0], formats.get(format)
    planned: list[tuple[NewTensor, int, Callable[[], NDArray[np.uint8]]]] = []
    total, done = sum(tensor.nbytes for tensor in model.tensors.values()), 0

    def contents(tensor: Tensor) -> NDArray[np.uint8]:
        nonlocal done
        raw = _repacked(tensor, layout, layouts, nearest_scale) if tensor.type.ternary else tensor.raw
        done += tensor.nbytes
        if progress is not None:
            progress(done, total)
        return raw

    for tensor in model.tensors.values():
        number, size = tensor.type.id, tensor.nbytes
        if tensor.type.ternary:
            try:
                number, size = TYPE_IDS[family], layout.nbytes(tensor.shape[0], tensor.shape[-1])
            except FormatError as error:
                raise BadWeights(str(error), where=f"tensor {plain(tensor.name)}") from None
        new = NewTensor(tensor.name, tensor.raw, tensor.shape, number)
        planned.append((new, size, partial(contents, tensor)))
    metadata = _renamed(model, architecture) | {"general.file_type": Value(ValueType.UINT32, FILE_TYPES[family])}
    return _write(Path(target), metadata, planned, model.header.alignment)


def _repacked(tensor: Tensor, layout: formats.Format, layouts: Layouts, nearest: bool) -> NDArray[np.uint8]:
    matrix = tensor.matrix(layouts)
    if matrix.format == layout.name:
        return matrix.packed
    where = f"tensor {plain(tensor.name)}"
    try:
        scale = layout.nearest_scale(matrix.scale)
        if scale == matrix.scale or nearest:
            return layout.pack(matrix.unpack(), scale)
    except FormatError as error:
        raise BadWeights(str(error), where=where) from None
    said = f"{layout.name} keeps scales in fewer digits, and has {scale:.9g} for {matrix.scale:.9g}"
    raise BadWeights(said, where=where, hint="--nearest-scale (nearest_scale=True) rounds them")


def _renamed(model: ModelFile, architecture: str | None) -> dict[str, Any]:
    if architecture is None or not model.architecture:
        return dict(model.metadata)
    old = model.architecture + "."
    kept = {
        architecture + "." + key.removeprefix(old) if key.startswith(old) else key: value
        for key, value in model.metadata.items()
    }
    return kept | {"general.architecture": Value(ValueType.STRING, architecture)}


def _write(
    path: Path,
    metadata: Mapping[str, Any],
    tensors: list[tuple[NewTensor, int, Callable[[], NDArray[np.uint8]]]],
    alignment: int | None,
) -> Path:
    values = {key: value_of(data) for key, data in metadata.items()}
    if alignment is None:
        alignment = values["general.alignment"].data if "general.alignment" in values else GGUF_DEFAULT_ALIGNMENT
    elif alignment != GGUF_DEFAULT_ALIGNMENT or "general.alignment" in values:
        values["general.alignment"] = Value(ValueType.UINT32, alignment)
    if not isinstance(alignment, int) or alignment < 8 or alignment & (alignment - 1):
        raise InputError(f"alignment {alignment}; want a power of two from 8")
    if len({new.name for new, _, _ in tensors}) < len(tensors):
        raise InputError("two tensors have the same name")
    with _whole(path) as file:
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(values)))
        for key, value in values.items():
            if not 0 < len(key.encode()) <= MAX_NAME:
                raise InputError(f"key {plain(key)}: {len(key.encode())} bytes; want 1 to {MAX_NAME}")
            file.write(_text(key) + struct.pack("<I", value.type))
            file.writelines(_encoded(value, plain(key)))
        offset = 0
        for new, size, _ in tensors:
            file.write(_text(new.name) + struct.pack(f"<I{len(new.shape)}Q", len(new.shape), *new.shape[::-1]))
            file.write(struct.pack("<IQ", new.type_id, offset))
            offset += size + -size % alignment
        file.write(bytes(-file.tell() % alignment))
        for new, size, contents in tensors:
            raw = contents()
            if raw.nbytes != size:
                raise BadTensor(f"{raw.nbytes} bytes", where=f"tensor {plain(new.name)}", expected=str(size))
            for start in range(0, size, _CHUNK):
                file.write(raw[start : start + _CHUNK].data)
            file.write(bytes(-size % alignment))
    return path


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes its place when all went well, and leaves nothing when it did not."""
    beside = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        with open(beside, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise NotReadable(f"cannot be written: {error.strerror}", where=plain(str(path), 400)) from None
    finally:
        with suppress(OSError):  # where nothing could be written, nothing can be taken away
            beside.unlink(missing_ok=True)


def _text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(raw)) + raw


def _encoded(value: Value, key: str) -> Iterator[bytes]:
    if value.type is ValueType.STRING:
        yield _text(value.data)
    elif value.type is not ValueType.ARRAY:
        try:
            yield np.array(value.data, NUMBERS[value.type]).tobytes()
        except (OverflowError, ValueError, TypeError):
            raise InputError(f"key {key}: {plain(repr(value.data))} is no {value.type.name}") from None
    else:
        item = value.item
        assert item is not None
        yield struct.pack("<IQ", item, len(value.data))
        if item is ValueType.STRING:
            raw = (
                value.data.raw()
                if isinstance(value.data, Strings)
                else (one.encode("utf-8", "surrogateescape") for one in value.data)
            )
            for one in raw:
                yield struct.pack("<Q", len(one)) + one
        elif item is ValueType.ARRAY:
            for one in value.data:
                yield from _encoded(one, key)
        else:
            yield np.ascontiguousarray(value.data, NUMBERS[item]).tobytes()
