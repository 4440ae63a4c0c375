"""Words for floats in the fixed order of `kernels.ops.order`: sixteen at a time, in lanes, nothing fused.

LLVM splits vectors of 16 into what the machine has. It contracts a product and a sum only where it is told that it
may, and nothing here says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from kernels.cpu.fast.ir import F16, F32, I16, I32, Value, at, load, loop, number, room, several, splat
from kernels.cpu.fast.tiers import Tier
from kernels.ops.order import EXP_BOUNDS, EXP_TERMS, LANES, LN2_HIGH, LN2_LOW, LOG2_E, MAGIC, bits

V16 = ir.VectorType(F32, LANES)


@dataclass(frozen=True, slots=True)
class Stored:
    """Floats as they lie in memory, read as float32."""

    kind: Any
    size: int
    widen: Callable[[ir.IRBuilder, Value], Value] = lambda b, value: value

    def load(self, b: ir.IRBuilder, address: Value, count: int = LANES) -> Value:
        """``count`` of them."""
        return self.widen(b, load(b, several(self.kind, count), address))

    def load_some(self, b: ir.IRBuilder, address: Value, count: Value) -> Value:
        """A vector of the first ``count``, less than 16, and zeros behind."""
        place = room(b, self.kind, LANES)
        b.store(splat(ir.VectorType(self.kind, LANES), 0), place, align=self.size)

        def copy(index: Value, _: list[Value]) -> list[Value]:
            b.store(load(b, self.kind, at(b, address, index, self.size)), at(b, place, index, self.size), align=1)
            return []

        loop(b, number(0), count, number(1), [], copy)
        return self.load(b, place)


SINGLE = Stored(F32, 4)


def half(tier: Tier) -> Stored:
    """float16, by the tier's own instruction or by integers."""
    if tier.halves:
        return Stored(F16, 2, lambda b, value: b.fpext(value, several(F32, _count(value))))
    return Stored(I16, 2, _widened)


def _widened(b: ir.IRBuilder, value: Value) -> Value:
    """float16 as integers → float32: exact, as every float16 times 2**-112 is a float32."""
    integers = several(I32, _count(value))
    wide = b.zext(value, integers)
    magnitude = b.shl(b.and_(wide, splat(integers, 0x7FFF)), splat(integers, 13))
    finite = b.icmp_signed("<", magnitude, splat(integers, 0x7C00 << 13))
    floats = several(F32, _count(value))
    number_ = b.bitcast(b.fmul(b.bitcast(magnitude, floats), splat(floats, 2.0**112)), integers)
    other = b.or_(magnitude, splat(integers, 0x7F80_0000))
    sign = b.shl(b.and_(wide, splat(integers, 0x8000)), splat(integers, 16))
    return b.bitcast(b.or_(b.select(finite, number_, other), sign), floats)


Reader = Callable[[Stored, Value], Value]
"""Gives 16 values from a base, at an index it knows."""


def reader(b: ir.IRBuilder, index: Value, count: int = LANES) -> Reader:
    """Reads what is there."""
    return lambda stored, base: stored.load(b, at(b, base, index, stored.size), count)


def lanes(
    b: ir.IRBuilder,
    stop: Value,
    state: list[Value],
    body: Callable[[Value, list[Value], Reader], list[Value]],
    start: Value | None = None,
    taken: slice = slice(0, LANES),
) -> list[Value]:
    """``body(index, state, read)`` for 16 values at a time, the last ones filled up with zeros.

    Parameters
    ----------
    taken : which of the lanes are read.
    """
    count = taken.stop - taken.start

    def whole(index: Value, now: list[Value]) -> list[Value]:
        return body(index, now, reader(b, b.add(index, number(taken.start)), count))

    def rest(index: Value, now: list[Value]) -> list[Value]:
        def read(stored: Stored, base: Value) -> Value:
            values = stored.load_some(b, at(b, base, index, stored.size), b.sub(stop, index))
            return part(b, values, taken.start, count)

        return body(index, now, read)

    end = b.and_(stop, number(-LANES))
    state = loop(b, number(0) if start is None else start, end, number(LANES), state, whole)
    return loop(b, end, stop, number(LANES), state, rest)


def total(b: ir.IRBuilder, *sums: Value) -> Value:
    """The sum of 16 lanes, in one vector or, in their order, in several."""
    while len(sums) > 1:
        half_ = len(sums) // 2
        sums = tuple(b.fadd(low, high) for low, high in zip(sums[:half_], sums[half_:], strict=True))
    return halved(b, sums[0], b.fadd)


def halved(b: ir.IRBuilder, values: Value, join: Callable[[Value, Value], Value]) -> Value:
    """Both halves of a vector joined, and so on until one value is left."""
    count = _count(values)
    while count > 2:
        count //= 2
        values = join(part(b, values, 0, count), part(b, values, count, count))
    return join(*(b.extract_element(values, number(n, I32)) for n in range(2)))


def part(b: ir.IRBuilder, values: Value, first: int, count: int) -> Value:
    """Some neighbours of a vector."""
    if count == _count(values):
        return values
    order = ir.Constant(ir.VectorType(I32, count), list(range(first, first + count)))
    return b.shuffle_vector(values, ir.Constant(values.type, ir.Undefined), order)


def exp(b: ir.IRBuilder, x: Value) -> Value:
    """e**x, as `kernels.ops.order` has it, for one value or a vector."""
    count = _count(x)
    kind, integers = several(F32, count), several(I32, count)
    low, high = (splat(kind, bound) for bound in EXP_BOUNDS)
    x = b.select(b.fcmp_ordered("<", x, low), low, x)
    x = b.select(b.fcmp_ordered(">", x, high), high, x)
    shifted = b.fadd(b.fmul(x, splat(kind, LOG2_E)), splat(kind, MAGIC))
    n = b.fsub(shifted, splat(kind, MAGIC))
    r = b.fsub(x, b.fmul(n, splat(kind, LN2_HIGH)))
    r = b.fsub(r, b.fmul(n, splat(kind, LN2_LOW)))
    result = splat(kind, EXP_TERMS[0])
    for term in EXP_TERMS[1:]:
        result = b.fadd(b.fmul(result, r), splat(kind, term))
    exponent = b.sub(b.bitcast(shifted, integers), splat(integers, bits(MAGIC)))
    one = b.ashr(exponent, splat(integers, 1))
    for part in (one, b.sub(exponent, one)):
        power = b.shl(b.add(part, splat(integers, 127)), splat(integers, 23))
        result = b.fmul(result, b.bitcast(power, kind))
    return result


def _count(value: Value) -> int:
    """Elements of a vector; 1 of any other value."""
    return value.type.count if isinstance(value.type, ir.VectorType) else 1
