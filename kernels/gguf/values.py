"""Metadata values as they lie in the file: bounded while they are read, and left there when they are long.

A string is a u64 length and UTF-8. An array is a u32 type, a u64 count and its items; items may be arrays again. Arrays
of numbers become views of the file, arrays of strings a `Strings`, which decodes an item when it is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from gguf.constants import GGUFValueType

from kernels.gguf.errors import BadMetadata, LimitExceeded, Truncated, plain

ValueType = GGUFValueType
"""The types of values, 0 to 12."""

MAX_STRING = 2**24
"""Bytes of one string; chat templates have a few thousand."""

MAX_ITEMS = 2**23
"""Strings in all arrays of a file; the largest vocabularies have below a million tokens and merges."""

MAX_NESTED = 2**16
"""Arrays inside arrays, in a file."""

MAX_DEPTH = 4
"""Arrays around a value."""

NUMBERS: dict[ValueType, np.dtype[Any]] = {
    ValueType.UINT8: np.dtype("<u1"),
    ValueType.INT8: np.dtype("<i1"),
    ValueType.UINT16: np.dtype("<u2"),
    ValueType.INT16: np.dtype("<i2"),
    ValueType.UINT32: np.dtype("<u4"),
    ValueType.INT32: np.dtype("<i4"),
    ValueType.FLOAT32: np.dtype("<f4"),
    ValueType.UINT64: np.dtype("<u8"),
    ValueType.INT64: np.dtype("<i8"),
    ValueType.FLOAT64: np.dtype("<f8"),
    ValueType.BOOL: np.dtype("<u1"),
}
"""How numbers lie in a file; a bool is a byte."""

_MARK = 256
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A typed metadata value.

    Parameters
    ----------
    type : of the value.
    data : bool, int, float or str; of an array, a read-only NumPy array (bools as uint8), a `Strings` or a tuple of
        `Value`.
    item : type of the items of an array.
    """

    type: ValueType
    data: Any
    item: ValueType | None = None

    def __repr__(self) -> str:
        if self.item is None:
            return f"{self.type.name} {plain(repr(self.data))}"
        return f"{self.item.name}[{len(self.data)}]"


class Strings(Sequence[str]):
    """An array of strings in the file. Bytes that are not UTF-8 become surrogates, as in file names.

    Examples
    --------
    >>> cursor = Cursor(b"".join(_LENGTH.pack(len(one)) + one for one in (b"a", b"", b"bc")))
    >>> strings = read_strings(cursor, 3, "tokens")
    >>> len(strings), list(strings), strings[2], strings[-3]
    (3, ['a', '', 'bc'], 'bc', 'a')
    """

    def __init__(self, data: Any, marks: list[int], count: int) -> None:
        self._data, self._marks, self._count = data, marks, count

    def __len__(self) -> int:
        return self._count

    def raw(self, start: int = 0) -> Iterator[bytes]:
        """The items from ``start`` on, undecoded."""
        if start >= self._count:
            return
        data, unpack, at = self._data, _LENGTH.unpack_from, self._marks[start // _MARK]
        for _ in range(start % _MARK):
            at += 8 + unpack(data, at)[0]
        for _ in range(start, self._count):
            begin = at + 8
            at = begin + unpack(data, at)[0]
            yield bytes(data[begin:at])

    def __iter__(self) -> Iterator[str]:
        for one in self.raw():
            yield one.decode("utf-8", "surrogateescape")

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._count))]
        place = index + self._count if index < 0 else index
        if not 0 <= place < self._count:
            raise IndexError(index)
        return next(self.raw(place)).decode("utf-8", "surrogateescape")


class Cursor:
    """A place in the file that never passes its end."""

    __slots__ = ("at", "data", "end", "items", "nested")

    def __init__(self, data: Any, at: int = 0) -> None:
        self.data, self.at, self.end = data, at, len(data)
        self.items, self.nested = MAX_ITEMS, MAX_NESTED

    def take(self, count: int, what: str) -> int:
        """Step over ``count`` bytes; gives where they start."""
        if count > self.end - self.at:
            raise Truncated(
                f"{what} needs {count} bytes, {self.end - self.at} are left",
                where=f"byte {self.at}",
                hint="the file is cut short or damaged",
            )
        start, self.at = self.at, self.at + count
        return start

    def number(self, kind: ValueType, what: str) -> Any:
        """One number, as Python has it."""
        dtype = NUMBERS[kind]
        start = self.take(dtype.itemsize, what)
        return np.frombuffer(self.data, dtype, 1, start)[0].item()

    def u32(self, what: str) -> int:
        """A u32."""
        return int(struct.unpack_from("<I", self.data, self.take(4, what))[0])

    def u64(self, what: str) -> int:
        """A u64."""
        return int(_LENGTH.unpack_from(self.data, self.take(8, what))[0])

    def string(self, what: str, limit: int = MAX_STRING) -> bytes:
        """A length and as many bytes."""
        start = self.at
        length = self.u64(f"the length of {what}")
        if length > limit:
            raise LimitExceeded(
                f"{what} says it has {length} bytes", where=f"byte {start}", expected=f"at most {limit}"
            )
        begin = self.take(length, what)
        return bytes(self.data[begin : begin + length])


def read_value(cursor: Cursor, key: str, number: int) -> Value:
    """The value of a key, of the type with this number."""
    kind = _value_type(cursor, key, number)
    if kind is ValueType.STRING:
        return Value(kind, cursor.string(f"the value of {key}").decode("utf-8", "surrogateescape"))
    if kind is ValueType.ARRAY:
        return _read_array(cursor, key, 1)
    value = cursor.number(kind, f"the value of {key}")
    if kind is not ValueType.BOOL:
        return Value(kind, value)
    if value > 1:
        raise BadMetadata(f"the bool is {value}", where=f"key {key}", expected="0 or 1")
    return Value(kind, bool(value))


def read_strings(cursor: Cursor, count: int, key: str) -> Strings:
    """Step over ``count`` strings, and remember where they lie."""
    _spend(cursor, "items", count, key)
    data, at, end, marks = cursor.data, cursor.at, cursor.end, []
    unpack = _LENGTH.unpack_from
    for index in range(count):
        if index % _MARK == 0:
            marks.append(at)
        stop = at + 8
        if stop <= end:
            stop += unpack(data, at)[0]
        if stop > end:
            raise Truncated(f"string {index} of {count} in {key} passes the end of the file", where=f"byte {at}")
        if stop - at > MAX_STRING:
            raise LimitExceeded(
                f"string {index} in {key} has {stop - at - 8} bytes",
                where=f"byte {at}",
                expected=f"at most {MAX_STRING}",
            )
        at = stop
    cursor.at = at
    return Strings(data, marks, count)


def _read_array(cursor: Cursor, key: str, depth: int) -> Value:
    item = _value_type(cursor, key, cursor.u32(f"the item type of {key}"))
    count = cursor.u64(f"the length of {key}")
    least = 8 if item is ValueType.STRING else 12 if item is ValueType.ARRAY else NUMBERS[item].itemsize
    if count * least > cursor.end - cursor.at:
        raise Truncated(
            f"{key} says it has {count} items of {least} bytes or more, {cursor.end - cursor.at} bytes are left",
            where=f"byte {cursor.at}",
        )
    if item is ValueType.STRING:
        return Value(ValueType.ARRAY, read_strings(cursor, count, key), item)
    if item is ValueType.ARRAY:
        if depth == MAX_DEPTH:
            raise LimitExceeded("arrays in arrays", where=f"key {key}", expected=f"at most {MAX_DEPTH} deep")
        _spend(cursor, "nested", count, key)
        return Value(ValueType.ARRAY, tuple(_read_array(cursor, key, depth + 1) for _ in range(count)), item)
    start = cursor.take(count * least, key)
    return Value(ValueType.ARRAY, np.frombuffer(cursor.data, NUMBERS[item], count, start), item)


def _spend(cursor: Cursor, purse: str, count: int, key: str) -> None:
    left = getattr(cursor, purse) - count
    if left < 0:
        limit = MAX_ITEMS if purse == "items" else MAX_NESTED
        raise LimitExceeded(f"{count} {purse} make too many", where=f"key {key}", expected=f"at most {limit} in a file")
    setattr(cursor, purse, left)


def _value_type(cursor: Cursor, key: str, number: int) -> ValueType:
    try:
        return ValueType(number)
    except ValueError:
        raise BadMetadata(
            f"a value of type {number}", where=f"key {key}, before byte {cursor.at}", expected="a type from 0 to 12"
        ) from None
