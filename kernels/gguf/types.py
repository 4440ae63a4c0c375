"""Tensor types by number, what they take in bytes, and which is meant where a number has several meanings.

The numbers 36 to 39 and 42 were given twice::

    id   in Microsoft's fork      in ggml and its other forks
    36   I2_S (also ik_llama)     IQ4_NL_4_4, since removed
    37   I8_S                     IQ4_NL_4_8, since removed
    38   TL1                      IQ4_NL_8_8, since removed
    39   TL2, to January 2026     MXFP4
    42   TL2, since July 2026     Q2_0

A file lists tensors one behind the other, so the room a tensor has up to the next one tells which meaning is right;
where two would fill the room, or none, the architecture decides, or nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from kernels import formats
from kernels.errors import FormatError
from kernels.gguf.errors import Ambiguous, BadTensor, plain
from kernels.gguf.header import TensorEntry

MICROSOFT = ("bitnet-b1.58", "bitnet-25")
"""Architectures that Microsoft's fork writes."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """A meaning of a number.

    Parameters
    ----------
    id : the number in the file.
    name : in lower case; of a ternary type, what `kernels.formats.get` knows.
    block, size : elements and bytes of a block of a row; 0 where the type has no blocks.
    ternary : whether it is one of `kernels.formats`.
    """

    id: int
    name: str
    block: int
    size: int
    ternary: bool = False

    def nbytes(self, shape: tuple[int, ...]) -> int:
        """Bytes of a tensor; refuses a shape the type cannot hold.

        Examples
        --------
        >>> meanings(36)[0].nbytes((256, 512))
        32800
        """
        rows = 1
        for length in shape[:-1]:
            rows *= length
        if self.ternary:
            if len(shape) != 2:
                raise FormatError(f"{self.name} holds matrices, not {len(shape)} dimensions")
            return formats.get(self.name).nbytes(*shape)
        if self.block == 0:
            raise FormatError(f"the size of {self.name} is not known here")
        if shape[-1] % self.block:
            raise FormatError(f"{self.name} cannot hold rows of {shape[-1]}; want multiples of {self.block}")
        return rows * (shape[-1] // self.block) * self.size


_FORK = {
    36: TensorType(36, "i2_s", 0, 0, ternary=True),
    37: TensorType(37, "i8_s", 1, 1),
    38: TensorType(38, "tl1", 0, 0, ternary=True),
    39: TensorType(39, "tl2", 0, 0, ternary=True),
    42: TensorType(42, "tl2", 0, 0, ternary=True),
}
_GONE = {
    31: "q4_0_4_4", 32: "q4_0_4_8", 33: "q4_0_8_8",
    36: "iq4_nl_4_4", 37: "iq4_nl_4_8", 38: "iq4_nl_8_8",
}  # fmt: skip
_UNSIZED = {4: "q4_2", 5: "q4_3", 134: "iq1_bn", 135: "iq2_bn", 335: "iq2_bn_r4"}  # known by name alone
_GGML = {
    **{number: TensorType(number, name, 0, 0) for number, name in _UNSIZED.items()},
    **{number: TensorType(number, name, 32, 18) for number, name in _GONE.items()},
    42: TensorType(42, "q2_0", 64, 18),
    **{
        kind.value: TensorType(kind.value, kind.name.lower(), *sizes, ternary=kind.name in ("TQ1_0", "TQ2_0"))
        for kind, sizes in GGML_QUANT_SIZES.items()
    },
}


def meanings(number: int) -> tuple[TensorType, ...]:
    """What a type number can mean; empty for one that nobody gave out.

    Examples
    --------
    >>> [meaning.name for meaning in meanings(39)], meanings(1000)
    (['tl2', 'mxfp4'], ())
    """
    return tuple(table[number] for table in (_FORK, _GGML) if number in table)


def dequantizable(kind: TensorType) -> GGMLQuantizationType | None:
    """The type by which the package gguf knows it, unless it takes it for another one."""
    return next((one for one in GGML_QUANT_SIZES if one == kind.id and one.name.lower() == kind.name), None)


def resolve(entry: TensorEntry, room: int, fills: Callable[[int], bool], architecture: str) -> TensorType:
    """The type of a tensor.

    Parameters
    ----------
    entry : the tensor.
    room : bytes up to the next tensor, or to the end of the file.
    fills : whether so many bytes, with padding, take the whole room.
    architecture : decides where the room does not.

    Raises
    ------
    BadTensor
        No program gave out the number, or the type cannot hold the shape.
    Ambiguous
        Two meanings are as good.
    """
    where, found, refused = f"tensor {plain(entry.name)}", [], []
    for meaning in meanings(entry.type_id):
        try:
            found.append((meaning, meaning.nbytes(entry.shape)))
        except FormatError as error:
            refused.append(str(error))
    if not found:
        raise BadTensor(f"type {entry.type_id}: {' / '.join(refused) or 'not known'}", where=where)
    if len(meanings(entry.type_id)) == 1:
        return found[0][0]
    exact = [meaning for meaning, size in found if fills(size)]
    possible = exact or [meaning for meaning, size in found if size <= room]
    if len(exact) == 1:
        return exact[0]
    fork = entry.type_id in _FORK and architecture in MICROSOFT
    current = not architecture.startswith("bitnet") and entry.type_id not in _GONE
    chosen = [meaning for meaning in possible if (_FORK.get(meaning.id) is meaning) == fork] if fork or current else []
    if len(chosen) == 1:
        return chosen[0]
    names = " or ".join(meaning.name for meaning, _ in found)
    raise Ambiguous(
        f"type {entry.type_id} means {names}, and {room} bytes up to the next tensor do not tell which", where=where
    )
