"""What another program gave for some tokens: arrays in a file, checked before anything is compared with them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kernels.errors import InputError

LOGITS = "result_output"
"""What the C++ programs call them."""

MOST_BYTES = 2**32


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
        meet may become another one, for a token here and there.
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
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: larger than {MOST_BYTES} bytes")
        with np.load(path, allow_pickle=False) as file:
            if "tokens" not in file.files or (key and key not in file.files):
                raise InputError(f"{path}: no array {key or 'tokens'!r}; it has {', '.join(file.files[:40])}")
            names = [key] if key else [name for name in file.files if name != "tokens"]
            arrays = {name: file[name] for name in names}
            tokens = file["tokens"]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{path}: no arrays can be read: {error}") from None
    known = {LOGITS if name in (key, "logits") else name: array for name, array in arrays.items()}
    return of(str(path), tokens, known)


def of(name: str, tokens: NDArray[np.generic], tensors: Mapping[str, NDArray[np.generic]], **more: object) -> Reference:
    """A reference, with what makes it worthless noted."""
    faults = [] if tokens.ndim == 1 and tokens.size and tokens.dtype.kind in "iu" else ["tokens: none"]
    kept: dict[str, NDArray[np.float32]] = {}
    for each, array in tensors.items():
        if array.dtype.kind != "f":
            faults.append(f"{each}: {array.dtype}, not floats")
        elif not array.size or array.shape[0] == 0:
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
