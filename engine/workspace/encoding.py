"""The encoding of a Python file, by the language's own rule: a byte order mark, a declaration, else UTF-8 (PEP 263)."""

from __future__ import annotations

import tokenize
from io import BytesIO


def declared(data: bytes) -> str:
    """What the first two lines say; UTF-8 where what they say is nothing Python knows.

    >>> declared(b"# -*- coding: latin-1 -*-")
    'iso-8859-1'
    """
    try:
        return tokenize.detect_encoding(BytesIO(data).readline)[0]
    except SyntaxError:
        return "utf-8"


def decoded(data: bytes) -> str:
    """The text of a Python file, a byte order mark included.

    Raises
    ------
    UnicodeDecodeError
        It is not in the encoding it declares.
    """
    return data.decode(_with_mark(data))


def encoded(text: str) -> bytes:
    """The bytes of a text that :func:`decoded` gave, edited or not.

    >>> encoded("# coding: latin-1\\nname = 'é'\\n")[-4:]
    b"'\\xe9'\\n"

    Raises
    ------
    UnicodeEncodeError
        It has characters that the encoding it declares cannot write.
    """
    return text.encode(encoding_of(text))


def encoding_of(text: str) -> str:
    """The encoding in which :func:`encoded` writes a text."""
    return _with_mark(text.encode("utf-8", "replace"))


def _with_mark(data: bytes) -> str:
    """The encoding in which a byte order mark is a character of the text."""
    encoding = declared(data)
    return "utf-8" if encoding == "utf-8-sig" else encoding
