"""A head of floats rounded to int8, as code: each row by its largest magnitude, as `kernels.ops.head` does it."""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast import team
from kernels.cpu.fast.floats import SINGLE, Stored, half
from kernels.cpu.fast.ir import F32, I8, I32, Value, at, larger, loop, number, several, splat, spread, sweep
from kernels.cpu.fast.tiers import Tier
from kernels.ops.head import LEAST_UNIT
from kernels.ops.order import LANES, MAGIC, bits


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``round_f32`` and ``round_f16``; the scale of a row that is not finite is NaN."""
    team.operation(module, "round_f32", _round(SINGLE))
    team.operation(module, "round_f16", _round(half(tier)))


def _round(stored: Stored) -> team.Body:
    def body(b: ir.IRBuilder, first: Value, last: Value, given: dict[str, Value]) -> None:
        cols = given["cols"]

        def one_row(row: Value, _: list[Value]) -> list[Value]:
            here, there = (
                at(b, given["weights"], b.mul(row, cols), stored.size),
                at(b, given["rounded"], b.mul(row, cols)),
            )

            def largest(index: Value, state: list[Value], count: int) -> list[Value]:
                kind = several(I32, count)  # the bits of positive floats are ordered as the floats are
                values = b.bitcast(stored.load(b, at(b, here, index, stored.size), count), kind)
                return [larger(b, state[0], b.and_(values, splat(kind, 0x7FFF_FFFF)))]

            (found,) = sweep(b, cols, LANES, [splat(several(I32, LANES), 0)], largest, join="smax")
            unit = b.fdiv(b.bitcast(found, F32), splat(F32, 127))
            small = b.fcmp_ordered("<", unit, splat(F32, LEAST_UNIT))
            divisor = b.select(small, splat(F32, float("inf")), unit)

            def apply(index: Value, _: list[Value], count: int) -> list[Value]:
                kind, integers = several(F32, count), several(I32, count)
                values = stored.load(b, at(b, here, index, stored.size), count)
                shifted = b.fadd(b.fdiv(values, spread(b, divisor, count)), splat(kind, MAGIC))
                rounded = b.sub(b.bitcast(shifted, integers), splat(integers, bits(MAGIC)))
                b.store(b.trunc(rounded, several(I8, count)), at(b, there, index), align=1)
                return []

            sweep(b, cols, LANES, [], apply)
            finite = b.icmp_signed("<", found, number(bits(float("inf")), I32))
            scale = b.select(finite, b.select(small, splat(F32, 0), unit), splat(F32, float("nan")))
            b.store(scale, at(b, given["scale"], row, 4), align=4)
            return []

        loop(b, first, last, number(1), [], one_row)

    return body
