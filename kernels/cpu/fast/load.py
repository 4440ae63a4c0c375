"""An object file in memory, and its functions as Python may call them. Compiles nothing."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_float, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm

P, N, F = c_void_p, c_int64, c_float
_SIGNATURES: dict[str, tuple[Any, ...]] = {
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
    """Put the bytes of an object file where they can be run."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    functions = {
        name: CFUNCTYPE(*signature)(engine.get_function_address(name)) for name, signature in _SIGNATURES.items()
    }
    engine.detach()  # a thread may still be in the code when the interpreter ends: it stays until the process does
    return Code(**functions)
