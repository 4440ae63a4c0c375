"""An object file in memory, and its functions as Python may call them. Compiles nothing."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_float, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm

P, N, F = c_void_p, c_int64, c_float
Signatures = dict[str, tuple[Any, ...]]
"""By name: the type of the result, then those of the arguments."""

_SIGNATURES: Signatures = {
    "accumulate": (None, P, P, P, P, N, N, N, N, P, N),
    "multiply": (N, P, P, P, P, N, N, N, N, N, N, F, P, N),
    "serve": (None, P, N),
}


@dataclass(frozen=True, slots=True)
class Code:
    """The functions of a tier, as `calls` and `team` describe them; they check nothing, and let other threads run."""

    accumulate: Callable[..., None]
    multiply: Callable[..., int]
    serve: Callable[..., None]


def load(code: bytes) -> Code:
    """The functions of a tier, from the bytes of its object file."""
    return Code(**functions(code, _SIGNATURES))


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
