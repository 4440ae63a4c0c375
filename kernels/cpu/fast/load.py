"""An object file in memory, and its functions as Python may call them. Compiles nothing."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_char_p, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm

from kernels.cpu.fast.words import OPERATIONS

Signatures = dict[str, tuple[Any, ...]]
"""By name: the type of the result, then those of the arguments."""

_SIGNATURES: Signatures = dict.fromkeys(OPERATIONS, (c_int64, c_char_p)) | {
    "serve": (None, c_void_p, c_int64), "play": (c_int64, c_void_p, c_int64),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Code:
    """The functions of a tier; they check nothing, and let other threads run."""

    serve: Callable[..., None]
    """As `team` describes it."""

    play: Callable[..., int]
    """As `play` describes it."""

    operations: dict[str, Callable[[bytes], int]]
    """By their names in `words`, called with such words."""


def load(code: bytes) -> Code:
    """The functions of a tier, from the bytes of its object file."""
    found = functions(code, _SIGNATURES)
    return Code(found.pop("serve"), found.pop("play"), found)


def functions(code: bytes, signatures: Signatures) -> dict[str, Callable[..., Any]]:
    """Put the bytes of an object file where they can be run, and give these functions of it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    found: dict[str, Callable[..., Any]] = {
        name: CFUNCTYPE(*types)(engine.get_function_address(name)) for name, types in signatures.items()
    }
    engine.detach()  # a thread may still be in the code when the interpreter ends: it stays until the process does
    return found
