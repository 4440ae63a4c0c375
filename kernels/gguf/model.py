"""A model file, mapped into memory: its metadata, and its tensors by name. Nothing is copied before it is asked for."""

from __future__ import annotations

import mmap
import os
import stat
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gguf import quants
from numpy.typing import NDArray

from kernels.errors import FormatError
from kernels.gguf.errors import (
    BadMetadata,
    BadTensor,
    BadWeights,
    ModelFileError,
    NotAModelFile,
    NotReadable,
    Overlap,
    Truncated,
    plain,
)
from kernels.gguf.header import Header, TensorEntry, read_header
from kernels.gguf.types import TensorType, dequantizable, resolve
from kernels.gguf.values import Value, ValueType
from kernels.packed import PackedMatrix

FLOATS = {
    "f32": "<f4", "f16": "<f2", "f64": "<f8", "i8": "<i1", "i16": "<i2", "i32": "<i4", "i64": "<i8",
}  # fmt: skip
"""Types NumPy has."""

Layouts = str | Mapping[tuple[int, int], str] | None
"""A name `kernels.formats.get` knows, for all matrices of its family or by their shapes."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor in a file, known to lie inside it.

    Parameters
    ----------
    shape : slowest dimension first; (M, K), outputs by inputs, of a matrix.
    offset : bytes from the start of the file.
    raw : (nbytes,) uint8, a read-only view of the file.
    """

    name: str
    shape: tuple[int, ...]
    type: TensorType
    offset: int
    raw: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        """Bytes it takes, padding behind it not included."""
        return self.raw.nbytes

    @property
    def elements(self) -> int:
        """The product of the shape."""
        return int(np.prod(self.shape, dtype=object))

    def layout(self, layouts: Layouts = None) -> str:
        """The format its bytes are read in.

        Neither the file nor the bytes tell the layouts of I2_S or the tiles of TL1 and TL2 apart: all of them hold
        the same codes in another order. Without a word from the caller it is that of the published files, ``i2_s``,
        and the default tile for the shape.
        """
        named = layouts.get((self.shape[0], self.shape[-1])) if isinstance(layouts, Mapping) else layouts
        return named if named is not None and named.partition(":")[0] == self.type.name else self.type.name

    def matrix(self, layouts: Layouts = None, factor: float = 1.0) -> PackedMatrix:
        """The ternary matrix, its bytes still in the file; refuses bytes that are none.

        Parameters
        ----------
        layouts : see `layout`.
        factor : what its scale is multiplied by.

        Raises
        ------
        BadTensor
            It is not stored as a ternary matrix.
        BadWeights
            Codes that stand for no weight, a scale that is not finite, several scales.
        """
        where = f"tensor {plain(self.name)}"
        if not self.type.ternary:
            raise BadTensor(f"{self.type.name} is no ternary type", where=where, hint="`array` reads it")
        try:
            return PackedMatrix(self.raw, (self.shape[0], self.shape[1]), self.layout(layouts), factor)
        except FormatError as error:
            raise BadWeights(str(error), where=where) from None

    def array(self, layouts: Layouts = None) -> NDArray[Any]:
        """The numbers: a view where NumPy has the type, else float32, dequantized.

        Returns
        -------
        numbers : of the tensor's shape; float32, float16 or as stored.
        """
        if self.type.name in FLOATS:
            return self.raw.view(FLOATS[self.type.name]).reshape(self.shape)
        if self.type.ternary and self.type.name not in ("tq1_0", "tq2_0"):
            matrix = self.matrix(layouts)
            return matrix.unpack().astype(np.float32) * matrix.scale
        return dequantized(self, self.raw).reshape(self.shape)


def dequantized(tensor: Tensor, raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Whole blocks of a tensor as numbers, by the package gguf."""
    kind = dequantizable(tensor.type)
    try:
        if kind is None:
            raise NotImplementedError
        with np.errstate(all="ignore"):
            numbers: NDArray[np.float32] = quants.dequantize(raw.reshape(-1, tensor.type.size), kind)
    except NotImplementedError:
        raise BadTensor(
            f"{tensor.type.name} cannot be dequantized here", where=f"tensor {plain(tensor.name)}"
        ) from None
    return numbers.reshape(-1)


class ModelFile:
    """A GGUF file, open.

    Parameters
    ----------
    path : a regular file.
    tolerate : keep what is wrong with single tensors and keys in `faults`, where one can read on, instead of raising.

    Attributes
    ----------
    metadata : Mapping[str, Value]
    tensors : Mapping[str, Tensor], in the order of the file, without those that are wrong.
    entries : tuple[TensorEntry, ...], as declared.

    Raises
    ------
    NotReadable
        There is no such file, or it is a directory, a pipe, a device.
    ModelFileError
        See `kernels.gguf.header.read_header`; and of tensors: `Truncated`, `Overlap`, `BadTensor`, `Ambiguous`.

    Notes
    -----
    Views of the file keep it mapped. A file that another program cuts short meanwhile ends this one with SIGBUS.

    Examples
    --------
    >>> import tempfile
    >>> from kernels.gguf import NewTensor, write
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write(Path(folder, "a.gguf"), {"a.b": 7}, [NewTensor("w", np.ones((2, 3), np.float32))])
    ...     model = ModelFile(path)
    >>> model.metadata["a.b"].data, model.tensors["w"].array().tolist()
    (7, [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    """

    def __init__(self, path: str | os.PathLike[str], *, tolerate: bool = False) -> None:
        self.path = Path(path)
        self._map = mapped(self.path)
        self.size = len(self._map)
        self.header: Header = read_header(self._map)
        self.metadata = self.header.metadata
        self.entries = self.header.entries
        self.tensors: dict[str, Tensor] = {}
        self.faults: list[ModelFileError] = list(self.header.faults)
        self._place()
        if self.faults and not tolerate:
            raise self.faults[0]

    @property
    def architecture(self) -> str:
        """What `general.architecture` says; empty where it says nothing."""
        value = self.metadata.get("general.architecture")
        return value.data if value is not None and value.type is ValueType.STRING else ""

    def value(self, key: str, kinds: tuple[ValueType, ...]) -> Any:
        """The data of a key; None where it is absent.

        Raises
        ------
        BadMetadata
            It is of none of these types.
        """
        value: Value | None = self.metadata.get(key)
        if value is None:
            return None
        if value.type not in kinds:
            names = " or ".join(kind.name for kind in kinds)
            raise BadMetadata(f"{value!r}", where=f"key {plain(key)}", expected=names)
        return value.data

    def release(self, raw: NDArray[Any]) -> None:
        """Give back the memory of a part that was read; reading it again fetches it from the file.

        Parameters
        ----------
        raw : a view of the file, as `Tensor.raw`, `Tensor.array` and `Tensor.matrix` have it; else nothing happens.
        """
        first = raw.ctypes.data - np.frombuffer(self._map, np.uint8).ctypes.data
        start, stop = -(-first // mmap.PAGESIZE) * mmap.PAGESIZE, (first + raw.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        if 0 <= start < stop <= self.size and hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_DONTNEED, start, stop - start)

    def room(self, entry: TensorEntry) -> int:
        """Bytes from a tensor to the next one, or to the end of the file."""
        following = bisect_right(self._offsets, entry.offset)
        end = self._offsets[following] if following < len(self._offsets) else self.size - self.header.data_start
        return max(0, end - entry.offset)

    def padded(self, size: int) -> int:
        """A size with its padding."""
        return -(-size // self.header.alignment) * self.header.alignment

    def _fills(self, room: int, last: bool, size: int) -> bool:
        return self.padded(size) == room or (last and size == room)

    def _place(self) -> None:
        """Find every tensor's type and bytes, and what is wrong with them."""
        start, self._offsets = self.header.data_start, sorted({entry.offset for entry in self.entries})
        end, before = 0, ""
        for entry in sorted(self.entries, key=lambda entry: entry.offset):
            where, room = f"tensor {plain(entry.name)}", self.room(entry)
            fills = partial(self._fills, room, entry.offset == self._offsets[-1])
            try:
                kind = resolve(entry, room, fills, self.architecture)
                size = kind.nbytes(entry.shape)
            except ModelFileError as error:
                self.faults.append(error)
                continue
            except FormatError as error:
                self.faults.append(BadTensor(str(error), where=where))
                continue
            if entry.offset % self.header.alignment:
                expected = f"a multiple of {self.header.alignment}"
                self.faults.append(BadTensor(f"offset {entry.offset}", where=where, expected=expected))
            elif entry.offset + size > self.size - start:
                self.faults.append(
                    Truncated(
                        f"{size} bytes from offset {entry.offset} on pass the end of the file",
                        where=where,
                        expected=f"a file of {start + entry.offset + size} bytes or more; this one has {self.size}",
                    )
                )
            elif entry.offset < end:
                said = f"it shares {min(end - entry.offset, size)} bytes with {plain(before)}"
                self.faults.append(Overlap(said, where=where, expected=f"an offset from {end} on"))
            else:
                raw = np.frombuffer(self._map, np.uint8, size, start + entry.offset)
                self.tensors[entry.name] = Tensor(entry.name, entry.shape, kind, start + entry.offset, raw)
            if entry.offset + size > end:
                end, before = entry.offset + size, entry.name


def mapped(path: Path) -> mmap.mmap:
    """The whole file, read-only; no pipe is waited for."""
    where = plain(str(path), 400)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        raise NotReadable(getattr(error, "strerror", None) or str(error), where=where) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotReadable("no regular file", where=where, expected="a GGUF file")
        if found.st_size == 0:
            raise NotAModelFile("the file is empty", where="byte 0", expected="the magic GGUF")
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise NotReadable(error.strerror or str(error), where=where) from None
    finally:
        os.close(descriptor)
