"""What this machine can do, measured by code of its own: bytes read a second, and multiplications a second.

Speeds of a shared machine change by the second: a probe is only good beside a measurement of the same moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ctypes import c_int64, c_void_p
from dataclasses import dataclass
from itertools import count
from time import perf_counter

import numpy as np
from llvmlite import ir

from kernels.cpu.fast import amx, tile
from kernels.cpu.fast.build import compiled
from kernels.cpu.fast.ir import (
    I8,
    I16,
    I32,
    I64,
    POINTER,
    VOID,
    Value,
    at,
    function,
    intrinsic,
    load,
    loop,
    number,
    room,
    splat,
)
from kernels.cpu.fast.load import Signatures, functions
from kernels.cpu.fast.memory import LINE, aligned
from kernels.cpu.fast.tiers import Tier

STRIDE = 4 * LINE
"""Bytes that are read together."""

TURNS = 1_000_000
"""Turns of the loops that multiply: some milliseconds."""

UNIT_SUMS = 4
"""Matrices of sums of a unit that do not wait for each other."""


@dataclass(frozen=True, slots=True)
class Probes:
    """Rates of this machine with some threads at once, measured when asked."""

    read: Callable[[int], float]
    """Bytes a second from memory, past all caches, reading about so many of them (or, with threads, all there are)."""

    multiply: Callable[[], float]
    """int8 products a second of the tier, each added up in 32 bits."""

    multiply_best: Callable[[], float] | None
    """The same as the products of the tier do them, with 16-bit sums or a matrix unit; None: as above."""


@contextmanager
def probes(tier: Tier, threads: int, size: int) -> Iterator[Probes]:
    """Probes that go round in ``size`` bytes, for as long as the context lasts."""
    signatures: Signatures = dict.fromkeys(("read", "read_ahead"), (c_int64, c_void_p, c_int64))
    signatures |= dict.fromkeys(("wide", "best"), (c_int64, c_int64))
    code = functions(compiled(_source(tier), tier), signatures)
    share = size // threads // STRIDE * STRIDE
    turn = count()
    memory = aligned((share * threads,), np.uint8)
    memory[:] = 1
    products = _sums(tier) * tier.lanes * 4 * TURNS * threads
    unit_products = amx.ROWS * amx.ROWS * amx.ROW * TURNS * threads
    with ThreadPoolExecutor(threads) as pool:

        def rate(work: float, call: Callable[[int], object]) -> float:
            started = perf_counter()
            list((map if threads == 1 else pool.map)(call, range(threads)))
            return work / (perf_counter() - started)

        def reading(name: str, size: int) -> float:
            # Several threads read all: waking them would show in less.
            part = min(max(size // STRIDE, 1) * STRIDE, share) if threads == 1 else share
            start = memory.ctypes.data + next(turn) * part % (share - part + STRIDE) // STRIDE * STRIDE
            return rate(part * threads, lambda n: code[name](start + n * share, part))

        better = max(("read", "read_ahead"), key=lambda name: max(reading(name, size) for _ in range(3)))

        def wide() -> float:
            return rate(products, lambda _: code["wide"](TURNS))

        def best() -> float:
            return rate(unit_products if tier.unit else products, lambda _: code["best"](TURNS))

        yield Probes(lambda some: reading(better, some), wide, best if tier.narrow or tier.unit else None)


def _source(tier: Tier) -> str:
    module = ir.Module("probes")
    _read(module, "read", 0)
    _read(module, "read_ahead", tier.ahead)
    _multiply(module, tier, "wide")
    _unit(module) if tier.unit else _multiply(module, tier, "best")
    return str(module)


def _read(module: ir.Module, name: str, distance: int) -> None:
    """``read(start, size)`` and ``read_ahead``, which asks for them ahead as the products do: touch every byte."""
    b, start, size = function(module, name, I64, {"start": POINTER, "size": I64})
    kind = ir.VectorType(I64, LINE // 8)

    def lines(offset: Value, state: list[Value]) -> list[Value]:
        for line, total in enumerate(state):
            here = at(b, start, offset)
            if distance:
                ahead = at(b, here, distance + line * LINE)
                intrinsic(b, "llvm.prefetch.p0", VOID, [ahead, number(0, I32), number(3, I32), number(1, I32)])
            state[line] = b.or_(total, load(b, kind, at(b, here, line * LINE), LINE))
        return state

    totals = loop(b, number(0), size, number(STRIDE), [splat(kind, 0)] * (STRIDE // LINE), lines)
    _give(b, totals)


def _multiply(module: ir.Module, tier: Tier, name: str) -> None:
    """``wide(turns)`` and ``best(turns)``: products on registers alone, each of an earlier result."""
    b, turns = function(module, name, I64, {"turns": I64})
    narrow = ir.VectorType(I16, 2 * tier.lanes)
    kind = narrow if tier.narrow and name == "best" else ir.VectorType(I32, tier.lanes)
    dot = tile.DOTS[tier.instruction]
    q = splat(ir.VectorType(I32, tier.lanes), 0x01_02_03_04)

    def turn(_: Value, state: list[Value]) -> list[Value]:
        if kind is narrow or not tier.narrow:
            return [dot(b, total, b.bitcast(total, q.type), q) for total in state]
        return [b.add(total, tile.widened(b, tier, dot(b, splat(narrow, 0), total, q))) for total in state]

    _give(b, loop(b, number(0), turns, number(1), [splat(kind, n) for n in range(_sums(tier))], turn))


def _unit(module: ir.Module) -> None:
    """``best(turns)`` for a matrix unit: each turn four products of full matrices."""
    b, turns = function(module, "best", I64, {"turns": I64})
    settings = room(b, I8, amx.SETTINGS)
    b.store(splat(ir.VectorType(I8, amx.SETTINGS), 0), settings, align=1)
    amx.AMX.set(b, settings, [number(amx.ROWS, I8)] * amx.MATRICES)

    def turn(_: Value, state: list[Value]) -> list[Value]:
        for sums in range(UNIT_SUMS):
            amx.AMX.multiply(b, sums, UNIT_SUMS, UNIT_SUMS + 1)
        return state

    loop(b, number(0), b.udiv(turns, number(UNIT_SUMS)), number(1), [], turn)
    amx.AMX.release(b)
    b.ret(number(0))


def _sums(tier: Tier) -> int:
    """Sums that do not wait for each other, as many as registers hold."""
    return 12 if tier.lanes == 8 else 8 if tier.narrow else 16


def _give(b: ir.IRBuilder, values: list[Value]) -> None:
    """Return something that depends on all of them, so that none is left out."""
    total = values[0]
    for value in values[1:]:
        total = b.xor(total, value)
    whole = b.bitcast(total, ir.VectorType(I8, total.type.count * total.type.element.width // 8))
    b.ret(b.zext(b.extract_element(whole, number(0, I32)), I64))
