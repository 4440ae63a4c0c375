"""Rows of int8 times tokens rounded to int8, as code: exact, at one multiplication a byte or less.

Machines multiply bytes without a sign by bytes with one. Where four products are added in 32 bits at once, the tokens
are taken 128 too large, and 128 times the weights' sum is taken off again. Where two are added in 16 bits, that would
overflow: there the magnitude of a token meets the weight with the token's sign, at most ``2 · 128 · 127`` together.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from kernels.cpu.fast import team, tile, tiling
from kernels.cpu.fast.ir import (
    F32,
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
    several,
    splat,
    spread,
    sweep,
)
from kernels.cpu.fast.memory import LINE
from kernels.cpu.fast.tiers import Tier
from kernels.cpu.fast.words import ADDRESS, COUNT, HEAD, OPERATIONS

PANEL = dict.fromkeys(("weights", "scale", "q", "factor", "y"), ADDRESS)
PANEL |= dict.fromkeys(("start", "count", "cols", "stride"), COUNT)
"""The words of the products of a panel of tokens."""

AHEAD = 1024
"""Bytes between what a single row reads and what it asks for from memory; further ahead measured slower."""

STEP = 16
"""Results that are scaled at a time."""


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``dense_int8(words)``: gives the tokens done; the next one holds what is not finite.

    ``room`` is that of a panel: (panel, cols) int8, then (panel,) float32 and (panel,) int32.
    """
    shapes = {4: 4, 1: 1} if tier.lanes == 16 else {2: 4, 1: 1}

    def tile(name: str, rows: int, tokens: int) -> ir.Function:
        return _tile(module, tier, name, rows, tokens)

    dots = tiling.emit(module, "dots_int8", shapes, 1, tile)
    worker = team.work(module, "dense_int8_range", lambda *given: _range(dots, *given))
    b, words = function(module, "dense_int8", I64, {"words": POINTER})
    given = team.unpack(b, words, HEAD | OPERATIONS["dense_int8"])
    cols = given["cols"]
    factor = at(b, given["room"], b.mul(given["panel"], cols))
    unused = at(b, factor, given["panel"], 4)

    def some_tokens(start: Value, count: Value) -> None:
        x = at(b, given["x"], b.mul(start, cols), 4)
        head = [given[name] for name in HEAD]
        done = b.call(
            module.globals["quantize"], [*head, x, given["room"], factor, unused, count, cols, cols, number(0)]
        )
        with b.if_then(b.icmp_signed("<", done, count), likely=False):
            b.ret(b.add(start, done))
        arrays = given["weights"], given["scale"], given["room"], factor, given["y"]
        team.together(b, given, worker, [*arrays, start, count, cols, given["groups"]])

    tiling.panels(b, given["batch"], given["panel"], some_tokens)
    b.ret(given["batch"])


def _range(dots: ir.Function, b: ir.IRBuilder, words: Value, first: Value, last: Value) -> None:
    """Of `PANEL`: the rows first to last of the matrix, sums and then results."""
    given = team.unpack(b, words, PANEL)
    cols, stride, rows = given["cols"], given["stride"], b.sub(last, first)
    weights = at(b, given["weights"], b.mul(first, cols))
    y = at(b, given["y"], b.add(b.mul(given["start"], stride), first), 4)
    b.call(dots, [weights, given["q"], y, cols, cols, cols, stride, rows, given["count"]])
    scales = at(b, given["scale"], first, 4)

    def one_token(token: Value, _: list[Value]) -> list[Value]:
        here = at(b, y, b.mul(token, stride), 4)
        divisor = load(b, F32, at(b, given["factor"], token, 4), 4)

        def apply(index: Value, _: list[Value], count: int) -> list[Value]:
            place = at(b, here, index, 4)
            value = b.sitofp(load(b, several(I32, count), place, 4), several(F32, count))
            scale = load(b, several(F32, count), at(b, scales, index, 4))
            b.store(b.fmul(b.fdiv(value, spread(b, divisor, count)), scale), place, align=4)
            return []

        sweep(b, rows, STEP, [], apply)
        return []

    loop(b, number(0), given["count"], number(1), [], one_token)


def _tile(module: ir.Module, tier: Tier, name: str, rows: int, tokens: int) -> ir.Function:
    b, *arguments = function(module, name, VOID, tiling.TILE)
    b.function.linkage = "internal"
    b.function.attributes.add("noinline")
    given = dict(zip(tiling.TILE, arguments, strict=True))
    cols, row_bytes = given["cols"], given["row_bytes"]
    input_ = [at(b, given["x"], b.mul(number(token), given["x_bytes"])) for token in range(tokens)]
    ahead = number(AHEAD) if rows == tokens == 1 else b.mul(number(rows), row_bytes)
    kind, size = ir.VectorType(I32, tier.lanes), 4 * tier.lanes
    lines, vectors = b.and_(cols, number(-LINE)), b.and_(cols, number(-size))
    shifted = tier.instruction == "vpdpbusd"
    count = rows * tokens

    def one_tile(weights: Value, y: Value) -> None:
        matrix = [at(b, weights, b.mul(number(row), row_bytes)) for row in range(rows)]

        def products(index: Value, state: list[Value]) -> list[Value]:
            values = [load(b, kind, at(b, place, index)) for place in input_]
            for row, place in enumerate(matrix):
                weight = load(b, kind, at(b, place, index))
                for token, value in enumerate(values):
                    n = row * tokens + token
                    state[n] = _DOTS[tier.instruction](b, tier, state[n], value, weight)
                if shifted:
                    state[count + row] = _shifted(b, tier, state[count + row], splat(kind, 0), weight)
            return state

        def one_line(index: Value, state: list[Value]) -> list[Value]:
            for place in matrix:
                tiling.ask_ahead(b, at(b, place, b.add(index, ahead)))
            for part in range(0, LINE, size):
                state = products(b.add(index, number(part)), state)
            return state

        state = [splat(kind, 0)] * (count + rows * shifted)
        state = loop(b, number(0), lines, number(LINE), state, one_line)
        state = loop(b, lines, vectors, number(size), state, products)
        sums = [intrinsic(b, f"llvm.vector.reduce.add.v{tier.lanes}i32", I32, [value]) for value in state]
        if shifted:
            sums = [b.sub(value, sums[count + n // tokens]) for n, value in enumerate(sums[:count])]

        def one(index: Value, state: list[Value]) -> list[Value]:
            left, right = ([b.sext(load(b, I8, at(b, base, index)), I32) for base in each] for each in (matrix, input_))
            return [b.add(value, b.mul(left[n // tokens], right[n % tokens])) for n, value in enumerate(state)]

        for n, value in enumerate(loop(b, vectors, cols, number(1), sums, one)):
            place = b.add(b.mul(number(n % tokens), given["stride"]), number(n // tokens))
            b.store(value, at(b, y, place, 4), align=4)

    tiling.down(b, given, rows, one_tile)
    b.ret_void()
    return b.function


def _shifted(b: ir.IRBuilder, tier: Tier, sums: Value, q: Value, weights: Value) -> Value:
    return tile.DOTS[tier.instruction](b, sums, b.xor(q, splat(q.type, 0x80_80_80_80 - 2**32)), weights)


def _signs_moved(b: ir.IRBuilder, tier: Tier, sums: Value, q: Value, weights: Value) -> Value:
    bytes_, pairs = ir.VectorType(I8, 4 * tier.lanes), ir.VectorType(I16, 2 * tier.lanes)
    q, weights = b.bitcast(q, bytes_), b.bitcast(weights, bytes_)
    size = intrinsic(b, f"llvm.abs.v{bytes_.count}i8", bytes_, [q, ir.Constant(ir.IntType(1), 0)])
    turned = intrinsic(b, "llvm.x86.avx2.psign.b", bytes_, [weights, q])
    products = intrinsic(b, "llvm.x86.avx2.pmadd.ub.sw", pairs, [size, turned])
    return b.add(sums, tile.widened(b, tier, products))


def _signed(b: ir.IRBuilder, tier: Tier, sums: Value, q: Value, weights: Value) -> Value:
    return tile.DOTS[tier.instruction](b, sums, weights, q)


def _plain(b: ir.IRBuilder, tier: Tier, sums: Value, q: Value, weights: Value) -> Value:
    pairs = ir.VectorType(I16, 2 * tier.lanes)
    byte = splat(pairs, 8)
    q, weights = b.bitcast(q, pairs), b.bitcast(weights, pairs)
    low = b.mul(*(b.ashr(b.shl(value, byte), byte) for value in (q, weights)))
    high = b.mul(*(b.ashr(value, byte) for value in (q, weights)))
    return b.add(sums, tile.widened(b, tier, b.add(low, high)))


_DOTS: dict[str, Callable[[ir.IRBuilder, Tier, Value, Value, Value], Value]] = {
    "vpdpbusd": _shifted,
    "vpmaddubsw": _signs_moved,
    "sdot": _signed,
    "": _plain,
}
"""By instruction: (sums, tokens, weights) → sums with four products added in every lane."""
