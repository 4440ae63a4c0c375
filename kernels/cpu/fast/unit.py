"""The product as code for CPUs with a unit that multiplies small matrices.

A decoded vector is a row of such a matrix: four neighbouring codes of each of 16 rows of weights. The 16 vectors of two
fields are one, their columns in the order in which the activations lie. Two of them meet two matrices of tokens, which
four matrices of sums wait for. Some blocks of a group are decoded at once, as many as stay in the nearest cache while
all tokens go past; between two times the sums wait in memory.
"""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast import amx
from kernels.cpu.fast.amx import MATRIX, ROW, ROWS
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
    room,
    smaller,
    splat,
    spread,
)
from kernels.cpu.fast.lanes import VECTORS
from kernels.cpu.fast.tiers import MOST_TOKENS, Tier
from kernels.cpu.fast.tile import block_bytes, decoded_bytes
from kernels.cpu.fast.tokens import scaled
from kernels.formats.i2_s import BLOCK

FEW = 4
"""Tokens from which the unit is worth decoding for."""

CHUNK = 4
"""Blocks decoded at once."""

HALVES = BLOCK // ROW
"""Matrices in a block of a vector's rows."""

CODES, TOKENS = (4, 5), (6, 7)
"""Numbers of matrices; those before hold sums, of tokens t with codes w number 2 t + w."""

MOST = len(TOKENS) * ROWS
"""Tokens that meet what is loaded of the codes."""

PRODUCT = dict.fromkeys(("weights", "q", "bias", "sums"), POINTER)
PRODUCT |= dict.fromkeys(("blocks", "first", "last", "batch", "stride"), I64) | {"scale": POINTER, "weight_scale": F32}
"""What a product is called with: see `product.emit`."""


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``unit``, which does what ``product`` does, of activations in `pieces` and up to `MOST_TOKENS`."""
    tile = _emit_tile(module, tier)
    b, weights, q, bias, sums, blocks, first, last, batch, stride, scale, weight_scale = function(
        module, "unit", VOID, PRODUCT
    )
    b.function.linkage = "internal"
    width, size = b.mul(blocks, number(BLOCK)), VECTORS * ROW
    settings, codes = room(b, I8, amx.SETTINGS), room(b, I8, CHUNK * decoded_bytes(tier))
    totals = room(b, I8, MOST_TOKENS * size)
    b.store(splat(ir.VectorType(I8, amx.SETTINGS), 0), settings, align=1)

    def some_blocks(start: Value, packed: Value) -> list[Value]:
        some = smaller(b, number(CHUNK), b.sub(blocks, start))
        b.call(module.globals["decode"], (at(b, packed, start, block_bytes(tier)), codes, some))
        pieces = at(b, q, start, HALVES * MATRIX)

        def some_tokens(token: Value, _: list[Value]) -> list[Value]:
            tokens = smaller(b, number(MOST), b.sub(batch, token))
            where = at(b, pieces, b.mul(token, width)), at(b, totals, token, size)
            b.call(tile, (codes, *where, some, tokens, width, start, settings))
            return []

        loop(b, number(0), batch, number(MOST), [], some_tokens)
        return []

    def one_group(group: Value, _: list[Value]) -> list[Value]:
        packed = at(b, weights, b.mul(group, blocks), block_bytes(tier))
        loop(b, number(0), blocks, number(CHUNK), [], lambda start, _: some_blocks(start, packed))
        rows = at(b, sums, group, size)

        def one_token(token: Value, _: list[Value]) -> list[Value]:
            begin = spread(b, load(b, I32, at(b, bias, token, 4), 4), tier.lanes)
            here, there = at(b, totals, token, size), at(b, rows, b.mul(token, stride), 4)
            values = [b.add(begin, load(b, begin.type, at(b, here, n * ROW), ROW)) for n in range(VECTORS)]
            with b.if_else(b.icmp_unsigned("!=", b.ptrtoint(scale, I64), number(0))) as (floats, integers):
                with floats:
                    divisor = load(b, F32, at(b, scale, token, 4), 4)
                    for n, value in enumerate(values):
                        b.store(scaled(b, value, divisor, weight_scale), at(b, there, n * ROW), align=4)
                with integers:
                    for n, value in enumerate(values):
                        b.store(value, at(b, there, n * ROW), align=4)
            return []

        loop(b, number(0), batch, number(1), [], one_token)
        return []

    loop(b, first, last, number(1), [], one_group)
    amx.AMX.release(b)
    b.ret_void()


def _emit_tile(module: ir.Module, tier: Tier) -> ir.Function:
    """Add ``unit_tile(codes, q, totals, blocks, tokens, width, start, settings)``: decoded rows times `MOST` tokens.

    Sums begin at zero where ``start`` is 0. The settings are what the unit was last set to, all zero at first.
    """
    arguments = dict.fromkeys(("codes", "q", "totals"), POINTER)
    arguments |= dict.fromkeys(("blocks", "tokens", "width", "start"), I64) | {"settings": POINTER}
    b, codes, q, totals, blocks, tokens, width, start, settings = function(module, "unit_tile", VOID, arguments)
    b.function.linkage = "internal"
    b.function.attributes.add("noinline")
    do, size = amx.AMX, VECTORS * ROW
    fresh = b.icmp_signed("==", start, number(0))
    _set(b, tokens, settings)

    def run(groups: int) -> None:
        """With so many matrices of tokens."""
        places = {
            VECTORS * t + w: at(b, totals, t * ROWS * size + w * ROW) for t in range(groups) for w in range(VECTORS)
        }
        with b.if_else(fresh) as (new, old):
            with new:
                for n in places:
                    do.clear(b, n)
            with old:
                for n, place in places.items():
                    do.load(b, n, place, size)

        def one_block(block: Value, _: list[Value]) -> list[Value]:
            body, pieces = at(b, codes, block, decoded_bytes(tier)), at(b, q, block, HALVES * MATRIX)
            for half in range(HALVES):
                for w, which in enumerate(CODES):
                    do.load(b, which, at(b, body, (HALVES * w + half) * MATRIX), ROW)
                for t, which in enumerate(TOKENS[:groups]):
                    do.stream(b, which, at(b, at(b, pieces, b.mul(width, number(t * ROWS))), half * MATRIX), ROW)
                    for w in range(VECTORS):
                        do.multiply(b, VECTORS * t + w, which, CODES[w])
            return []

        loop(b, number(0), blocks, number(1), [], one_block)
        for n, place in places.items():
            do.store(b, n, place, size)

    with b.if_else(b.icmp_signed(">", tokens, number(ROWS))) as (two, one):
        with two:
            run(2)
        with one:
            run(1)
    b.ret_void()
    return b.function


def _set(b: ir.IRBuilder, tokens: Value, settings: Value) -> None:
    """Give the matrices as many rows as there are tokens, unless they have them."""
    first = b.trunc(smaller(b, tokens, number(ROWS)), I8)
    second = b.trunc(larger(b, b.sub(tokens, number(ROWS)), number(1)), I8)  # none may be empty
    rows = [first] * VECTORS + [second] * VECTORS + [number(ROWS, I8)] * len(CODES) + [first, second]
    known = [b.icmp_signed("==", amx.AMX.rows(b, settings, n), rows[n]) for n in TOKENS]
    with b.if_then(b.not_(b.and_(*known)), likely=False):
        amx.AMX.set(b, settings, rows)
