"""What can be wrong with a model file: each error says what, where and what was expected, in text safe to print."""

from __future__ import annotations

from typing import ClassVar

from kernels.errors import KernelError

SHOWN = 120
"""Characters of a foreign text that a message repeats."""


def plain(text: str | bytes, limit: int = SHOWN) -> str:
    r"""A text from a file as one printable piece: no escape, no line break, no turn of direction, no flood.

    Examples
    --------
    >>> plain("blk.0\x1b[2J\n")
    'blk.0\\x1b[2J\\n'
    >>> plain("x" * 200, 5)
    'xxxxx…'
    """
    if isinstance(text, bytes):
        text = text[: 4 * limit + 4].decode("utf-8", "backslashreplace")
    kept = text[:limit]
    if not kept.isprintable():
        kept = "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in kept)
    return kept + "…" if len(text) > limit else kept


class ModelFileError(KernelError, ValueError):
    """The root of what is wrong with a model file.

    Parameters
    ----------
    what : what was found.
    where : the file, key, tensor or byte it was found at.
    expected : what a good file has there.
    """

    code: ClassVar[str] = "file"

    def __init__(self, what: str, *, where: str = "", expected: str = "", hint: str = "") -> None:
        said = f"{where}: {what}" if where else what
        super().__init__(f"{said}; want {expected}" if expected else said, hint)
        self.what, self.where, self.expected = what, where, expected


class NotReadable(ModelFileError):
    """The path is no file that can be read."""

    code = "unreadable"


class NotAModelFile(ModelFileError):
    """The file does not start as a GGUF file does."""

    code = "magic"


class UnsupportedVersion(ModelFileError):
    """A version or byte order that is not read."""

    code = "version"


class Truncated(ModelFileError):
    """Something reaches beyond the end of the file."""

    code = "truncated"


class LimitExceeded(ModelFileError):
    """A count or length that no model has."""

    code = "limit"


class BadMetadata(ModelFileError):
    """A key or value that contradicts the format or another one."""

    code = "metadata"


class BadTensor(ModelFileError):
    """A tensor whose name, shape, type or place is wrong."""

    code = "tensor"


class Overlap(BadTensor):
    """Two tensors share bytes."""

    code = "overlap"


class Ambiguous(BadTensor):
    """A type id with several meanings, and nothing in the file that decides."""

    code = "ambiguous"


class BadWeights(BadTensor):
    """Bytes that are no weights of their type, or numbers that are not finite."""

    code = "weights"


class BadTokenizer(ModelFileError):
    """A tokenizer that contradicts itself or the model."""

    code = "tokenizer"
