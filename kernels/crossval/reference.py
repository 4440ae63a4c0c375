"""What another program gave for some tokens: arrays in a file, checked before anything is compared with them."""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kernels.errors import InputError
from kernels.gguf.errors import plain

LOGITS = "result_output"
"""What the C++ programs call them."""

MOST_BYTES = 2**32

DAMAGED = (
    OSError, EOFError, ValueError, LookupError, TypeError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error,
    lzma.LZMAError,
)  # fmt: skip
"""What reading a damaged archive ends with, by zipfile, by what unpacks its members, and by NumPy."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Numbers to compare with.

    Parameters
    ----------
    name : where they are from.
    tokens : (T,) that went in.
    tensors : by name (T, …) float32: intermediates as the C++ programs name them, logits as `LOGITS`.
    greedy : tokens that came after them, each the likeliest.
    pieces : how many tokens it ran together; 1 for one at a time.
    edges : whether it rounds what it computed itself to integers: then an activation that lies where two roundings
        meet may become another one, for its token and those that attend to it.
    """

    name: str
    tokens: NDArray[np.int64]
    tensors: Mapping[str, NDArray[np.float32]]
    greedy: tuple[int, ...] = ()
    pieces: int = 2**31 - 1
    edges: bool = False
    faults: tuple[str, ...] = field(default=())
    """What makes it worthless, in words: empty arrays, numbers that are none."""


def stored(path: str | os.PathLike[str], key: str = "") -> Reference:
    """From an ``.npz`` with ``tokens``, and intermediates and logits by name.

    Parameters
    ----------
    key : the array that holds the logits, where it is not called ``result_output`` or ``logits``; then only that one
        is compared.

    Raises
    ------
    InputError
        There is no such file or array.
    """
    path = Path(path)
    try:
        arrays = _arrays(path, key)
    except (InputError, MemoryError) as error:
        raise InputError(f"{path}: {str(error) or 'it takes more memory than there is'}") from None
    except DAMAGED as error:
        raise InputError(f"{path}: no arrays can be read: {plain(str(error) or type(error).__name__, 200)}") from None
    tokens = arrays.pop("tokens")
    known = {LOGITS if name in (key, "logits") else name: array for name, array in arrays.items()}
    return of(str(path), tokens, known)


def _arrays(path: Path, key: str) -> dict[str, NDArray[np.generic]]:
    """Tokens, and the array of this name or all there are."""
    if path.is_file() and not zipfile.is_zipfile(path):
        raise InputError("no archive of arrays", hint="numpy.savez writes one")
    with np.load(path, allow_pickle=False) as file:
        if sum(each.file_size for each in file.zip.infolist()) > MOST_BYTES:
            raise InputError(f"more than {MOST_BYTES} bytes of arrays")
        for wanted in ("tokens", key or "tokens"):
            if wanted not in file.files:
                raise InputError(f"no array {wanted!r}; it has {plain(', '.join(file.files[:40]), 400)}")
        arrays = {name: file[name] for name in (["tokens", key] if key else file.files)}
    strange = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if strange:
        raise InputError(f"{plain(strange[0])} is no array")
    return arrays


def of(name: str, tokens: NDArray[np.generic], tensors: Mapping[str, NDArray[np.generic]], **more: object) -> Reference:
    """A reference, with what makes it worthless noted."""
    faults = [] if tokens.ndim == 1 and tokens.size and tokens.dtype.kind in "iu" else ["tokens: none"]
    kept: dict[str, NDArray[np.float32]] = {}
    for each, array in tensors.items():
        if array.dtype.kind != "f":
            faults.append(f"{plain(each)}: {array.dtype}, not floats")
        elif not array.size or not array.ndim:
            faults.append(f"{each}: no rows")
        elif not np.isfinite(array).all():
            faults.append(f"{each}: holds what is not finite")
        elif not array.any():
            faults.append(f"{each}: all zero")
        else:
            kept[each] = array.astype(np.float32, copy=False)
    if not kept and not more.get("greedy"):
        faults.append("nothing to compare with")
    return Reference(name, tokens.astype(np.int64) if not faults else np.zeros(0, np.int64), kept,
                     faults=tuple(faults), **more)  # type: ignore[arg-type]  # fmt: skip
