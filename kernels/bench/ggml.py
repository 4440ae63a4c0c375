"""Time products of ggml in a process of their own: ``python -m kernels.bench.ggml``, which `peers` runs.

``BUILD types`` prints the ternary types of a build; ``BUILD TYPE ROWS COLS BATCH THREADS cold|hot`` the microseconds of
a product, a line a round. A round is a graph of many products, as a model has them, so that threads that are started
with every graph do not count. BUILD is a folder with shared libraries of ggml, or a program or library in it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import POINTER, Structure, c_bool, c_char_p, c_float, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from kernels.bench.measure import COLD_BYTES, ternary
from kernels.errors import InputError, KernelError

TYPES = {"tq1_0": 34, "tq2_0": 35, "i2_s": 36}
"""Ternary types and their numbers: what a build has under such a number, its name tells."""

IK = "iqk_mul_mat"
"""A function of builds of ik_llama.cpp, which read i2_s only to make something else of it."""

IK_TYPES = {"iq1_bn": 134, "iq2_bn": 135, "iq2_bn_r4": 335}
"""Asking other builds for the names of such numbers would read past the end of a table."""

F32 = 0
"""float32 among the types of every build."""

ROUNDS = 15
LEAST_NODES = 24
"""Products in a graph."""

SPARE = 2**20
"""Bytes of a context beyond those that are counted: alignment, and names of tensors."""


class _Room(Structure):
    """What a context of ggml is made of."""

    _fields_ = (("size", c_size_t), ("buffer", c_void_p), ("no_alloc", c_bool))


_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "build_forward_expand": (None, c_void_p, c_void_p),
    "free": (None, c_void_p),
    "get_data": (c_void_p, c_void_p),
    "graph_compute_with_ctx": (c_int, c_void_p, c_void_p, c_int),
    "graph_overhead_custom": (c_size_t, c_size_t, c_bool),
    "init": (c_void_p, _Room),
    "mul_mat": (c_void_p, c_void_p, c_void_p, c_void_p),
    "new_graph_custom": (c_void_p, c_void_p, c_size_t, c_bool),
    "new_tensor_2d": (c_void_p, c_void_p, c_int, c_int64, c_int64),
    "quantize_chunk": (c_size_t, c_int, POINTER(c_float), c_void_p, c_int64, c_int64, c_int64, c_void_p),
    "row_size": (c_size_t, c_int, c_int64),
    "tensor_overhead": (c_size_t,),
    "type_name": (c_char_p, c_int),
}


def libraries(build: Path) -> list[Path]:
    """The shared libraries of ggml in a folder, beside a file, or around a ``bin`` the file is in."""
    build = build.absolute()
    folder = build if build.is_dir() else build.parent.parent if build.parent.name == "bin" else build.parent
    if folder in (build.parent, folder.parent):  # beside a file; around that of the system would be everything
        found = list(build.parent.glob("libggml*"))
    else:
        found = [Path(root, name) for root, _, names in os.walk(folder) for name in names if name.startswith("libggml")]
    return sorted({path.resolve() for path in found if path.suffix in (".so", ".dylib")})


def functions(build: Path) -> dict[str, Any]:
    """The functions of a build, by their names without ``ggml_``."""
    waiting, loaded, said = libraries(build), [], "no shared library of ggml lies there"
    for _ in range(len(waiting)):  # one may need another that comes later
        for path in tuple(waiting):
            try:
                loaded.append(ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL))
                waiting.remove(path)
            except OSError as error:
                said = str(error)
    found = {}
    for name, (result, *arguments) in _SIGNATURES.items():
        homes = [library for library in loaded if hasattr(library, f"ggml_{name}")]
        if not homes:
            raise InputError(f"{build}: no ggml_{name}: {said}")
        found[name] = getattr(homes[0], f"ggml_{name}")
        found[name].restype, found[name].argtypes = result, arguments
    if any(hasattr(library, IK) for library in loaded):
        found[IK] = None
    return found


def types(call: dict[str, Any]) -> dict[str, int]:
    """The ternary types a build multiplies with, and their numbers."""
    numbers = IK_TYPES if IK in call else TYPES
    return {name: number for name, number in numbers.items() if call["type_name"](number) == name.encode()}


def times(build: Path, name: str, shape: tuple[int, int], batch: int, threads: int, cold: bool) -> list[float]:
    """Microseconds of a product, by round; the first, which touches and wakes, is left out."""
    call = functions(build)
    known = types(call)
    if name not in known:
        raise InputError(f"{build} has no type {name}; ternary ones it has: {', '.join(known) or 'none'}")
    rows, cols = shape
    size = call["row_size"](known[name], cols) * rows
    copies = -(-COLD_BYTES * 4 // (rows * cols)) if cold else 1
    nodes = max(copies, LEAST_NODES)
    tensors = (copies + nodes + 1) * (call["tensor_overhead"]() + 64)
    held = copies * (size + 64) + (nodes * rows + cols) * batch * 4 + call["graph_overhead_custom"](2 * nodes, False)
    room = call["init"](_Room(tensors + held + SPARE, None, False))
    matrices = [call["new_tensor_2d"](room, known[name], cols, rows) for _ in range(copies)]
    weights = ternary(rows, cols).astype(np.float32)
    data = call["get_data"](matrices[0])
    call["quantize_chunk"](known[name], weights.ctypes.data_as(POINTER(c_float)), data, 0, rows, cols, None)
    for matrix in matrices[1:]:
        ctypes.memmove(call["get_data"](matrix), data, size)
    x = np.random.default_rng(0).normal(size=(batch, cols)).astype(np.float32)
    tokens = call["new_tensor_2d"](room, F32, cols, batch)
    ctypes.memmove(call["get_data"](tokens), x.ctypes.data, x.nbytes)
    graph = call["new_graph_custom"](room, 2 * nodes, False)
    for node in range(nodes):
        call["build_forward_expand"](graph, call["mul_mat"](room, matrices[node % copies], tokens))
    found = [_round(call, graph, threads, cols * batch * 4) / nodes * 1e6 for _ in range(ROUNDS + 1)]
    call["free"](room)
    return found[1:]


def _round(call: dict[str, Any], graph: int, threads: int, size: int) -> float:
    """Seconds of a graph; its scratch memory goes with its context."""
    room = call["init"](_Room(2 * size * threads + SPARE, None, False))
    started = perf_counter()
    call["graph_compute_with_ctx"](room, graph, threads)
    taken = perf_counter() - started
    call["free"](room)
    return taken


def main(arguments: list[str]) -> int:
    """Types or times; 2 where the build cannot."""
    try:
        if arguments[1:] == ["types"]:
            sys.stdout.write("".join(f"{name}\n" for name in types(functions(Path(arguments[0])))))
        else:
            build, name, rows, cols, batch, threads, where = arguments
            shape = int(rows), int(cols)
            for one in times(Path(build), name, shape, int(batch), int(threads), where == "cold"):
                sys.stdout.write(f"{one}\n")
    except KernelError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
