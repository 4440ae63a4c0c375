"""What is done to a row of activations before the product, and to a row of sums behind it, as code.

The same steps, in the same order and each in float32, as `kernels.quantize_activations` and `kernels.matmul` take.
"""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast import team
from kernels.cpu.fast.ir import (
    F32,
    I8,
    I32,
    I64,
    POINTER,
    VOID,
    Value,
    at,
    function,
    larger,
    load,
    loop,
    number,
    several,
    smaller,
    splat,
    spread,
    sweep,
)
from kernels.cpu.fast.pieces import Pieces
from kernels.cpu.fast.words import ADDRESS, COUNT
from kernels.ops.order import MAGIC, bits
from kernels.product import LEAST
from kernels.ternary import ABSMAX_FLOOR

STEP = 16
"""Elements a vector holds here; LLVM splits it into what the machine has."""


def emit(module: ir.Module) -> None:
    """Add ``quantize``, ``negative_sums`` and ``rescale`` to a module."""
    _quantize(module)
    _negative_sums(module)
    _rescale(module)


def _quantize(module: ir.Module) -> None:
    """``quantize(job, share, groups, x, q, scale, bias, rows, cols, width, cut)``.

    (rows, cols) float32 → (rows, width) int8, zeros behind, and for each its scale and ``-Σ q``. Gives the number of
    rows done, less than ``rows`` where the next one holds what is not finite: its scale is 0. One more than ``rows``
    where there is a scale below `LEAST`, whose products float32 may not hold. Where ``cut`` is not 0, the integers lie
    in `pieces`.
    """
    worker = team.work(module, "quantize_range", _quantize_range)
    arguments = team.HEAD_TYPES | dict.fromkeys(("x", "q", "scale", "bias"), POINTER)
    arguments |= dict.fromkeys(("rows", "cols", "width", "cut"), I64)
    b, job, share, groups, *given = function(module, "quantize", I64, arguments)
    b.function.linkage = "internal"
    x, q, scale, bias, rows, cols, width, cut = given
    # As many ranges of tokens as there are of groups.
    share = larger(b, b.udiv(b.mul(rows, share), larger(b, groups, number(1))), number(1))
    head = {"job": job, "share": share, "groups": rows}
    team.together(b, head, worker, [x, q, scale, bias, cols, width, cut])

    def look(row: Value, state: list[Value]) -> list[Value]:
        found = load(b, I32, at(b, scale, row, 4), 4)
        with b.if_then(b.icmp_signed("==", found, number(0, I32)), likely=False):
            b.ret(row)
        return [smaller(b, state[0], found)]  # the bits of positive floats are ordered as the floats are

    (least,) = loop(b, number(0), rows, number(1), [number(bits(LEAST), I32)], look)
    b.ret(b.add(rows, b.zext(b.icmp_signed("<", least, number(bits(LEAST), I32)), I64)))


def _quantize_range(b: ir.IRBuilder, words: Value, first: Value, last: Value) -> None:
    """The rows first to last."""
    fields = dict.fromkeys(("x", "q", "scale", "bias"), ADDRESS) | dict.fromkeys(("cols", "width", "cut"), COUNT)
    x, q, scale, bias, cols, width, cut = team.unpack(b, words, fields).values()
    pieces = Pieces(b, width, cut)

    def one_row(row: Value, _: list[Value]) -> list[Value]:
        here, there = at(b, x, b.mul(row, cols), 4), pieces.row(q, row)

        def largest(index: Value, state: list[Value], count: int) -> list[Value]:
            kind = several(I32, count)  # the bits of positive floats are ordered as the floats are
            magnitude = b.and_(load(b, kind, at(b, here, index, 4)), splat(kind, 0x7FFF_FFFF))
            return [larger(b, state[0], magnitude)]

        floor = splat(several(I32, STEP), bits(ABSMAX_FLOOR))
        (absmax,) = sweep(b, cols, STEP, [floor], largest, join="smax")
        finite = b.icmp_signed("<", absmax, number(bits(float("inf")), I32))
        factor = b.fdiv(splat(F32, 127.0), b.bitcast(absmax, F32))
        factor = b.select(finite, factor, splat(F32, 0.0))

        def round_(index: Value, state: list[Value], count: int) -> list[Value]:
            floats, integers = several(F32, count), several(I32, count)
            scaled = b.fmul(load(b, floats, at(b, here, index, 4)), spread(b, factor, count))
            shifted = b.bitcast(b.fadd(scaled, splat(floats, MAGIC)), integers)
            rounded = b.sub(shifted, splat(integers, bits(MAGIC)))
            b.store(b.trunc(rounded, several(I8, count)), pieces.column(there, index), align=1)
            return [b.sub(state[0], rounded)]

        (total,) = sweep(b, cols, STEP, [splat(several(I32, STEP), 0)], round_, join="add")

        def clear(index: Value, _: list[Value]) -> list[Value]:
            b.store(number(0, I8), pieces.column(there, index))
            return []

        loop(b, cols, width, number(1), [], clear)
        b.store(factor, at(b, scale, row, 4), align=4)
        b.store(total, at(b, bias, row, 4), align=4)
        return []

    loop(b, first, last, number(1), [], one_row)


def _negative_sums(module: ir.Module) -> None:
    """``negative_sums(q, bias, rows, width)``: ``-Σ q`` of every row of (rows, width) int8."""
    arguments = dict.fromkeys(("q", "bias"), POINTER) | dict.fromkeys(("rows", "width"), I64)
    b, q, bias, rows, width = function(module, "negative_sums", VOID, arguments)

    def one_row(row: Value, _: list[Value]) -> list[Value]:
        here = at(b, q, b.mul(row, width))

        def subtract(index: Value, state: list[Value], count: int) -> list[Value]:
            values = load(b, several(I8, count), at(b, here, index))
            return [b.sub(state[0], b.sext(values, several(I32, count)))]

        (total,) = sweep(b, width, STEP, [splat(several(I32, STEP), 0)], subtract, join="add")
        b.store(total, at(b, bias, row, 4), align=4)
        return []

    loop(b, number(0), rows, number(1), [], one_row)
    b.ret_void()


def scaled(b: ir.IRBuilder, sums: Value, divisor: Value, weight_scale: Value) -> Value:
    """Sums as floats: divided by the scale of the activations, then times that of the weights."""
    count = sums.type.count if isinstance(sums.type, ir.VectorType) else 1
    value = b.fdiv(b.sitofp(sums, several(F32, count)), spread(b, divisor, count))
    return b.fmul(value, spread(b, weight_scale, count))


def _rescale(module: ir.Module) -> None:
    """``rescale(y, scale, weight_scale, batch, stride, first, last)``: columns of (batch, stride) int32 → float32."""
    arguments = {"y": POINTER, "scale": POINTER, "weight_scale": F32}
    arguments |= dict.fromkeys(("batch", "stride", "first", "last"), I64)
    b, y, scale, weight_scale, batch, stride, first, last = function(module, "rescale", VOID, arguments)
    b.function.linkage = "internal"

    def one_token(token: Value, _: list[Value]) -> list[Value]:
        here = at(b, y, b.add(b.mul(token, stride), first), 4)
        divisor = load(b, F32, at(b, scale, token, 4), 4)

        def apply(index: Value, _: list[Value], count: int) -> list[Value]:
            place = at(b, here, index, 4)
            sums = load(b, several(I32, count), place, 4)
            b.store(scaled(b, sums, divisor, weight_scale), place, align=4)
            return []

        sweep(b, b.sub(last, first), STEP, [], apply)
        return []

    loop(b, number(0), batch, number(1), [], one_token)
    b.ret_void()
