"""GGUF files byte by byte, as wrong as a test wants them."""

import struct

U8, U32, I32, F32, BOOL, STRING, ARRAY = 0, 4, 5, 6, 7, 8, 9


def text(raw: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(raw) if length is None else length) + raw


def key(name: bytes, kind: int, payload: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + payload


def word(name: bytes, value: bytes) -> bytes:
    return key(name, STRING, text(value))


def array(item: int, count: int, payload: bytes = b"") -> bytes:
    return struct.pack("<IQ", item, count) + payload


def tensor(name: bytes, dims: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def file(keys=(), tensors=(), data=b"", *, magic=b"GGUF", version=3, counts=None, alignment=32, order="<") -> bytes:
    number = counts or (len(tensors), len(keys))
    front = magic + struct.pack(f"{order}IQQ", version, *number) + b"".join(keys) + b"".join(tensors)
    return front + bytes(-len(front) % alignment) + data
