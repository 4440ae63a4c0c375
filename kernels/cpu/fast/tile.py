"""A tile as code: a group of rows times a few columns of activations, decoded in registers or before.

The matrix lies as `lanes` says: a vector is a word from each of L rows, so one load and ``(v >> shift) & 3`` give four
codes of L rows, in the lanes of their rows. They meet four activations, repeated in every lane, and are added to sums
in the same lanes. Nothing is ever summed across lanes.

A code is one more than its weight: sums start at ``-Σ q``. Where a machine multiplies bytes into 16-bit pairs, these
are added up in 16 bits over a span of two blocks and only then widened. A lane takes 64 pairs, each of them between
``2 · 2 · -128`` and ``2 · 2 · 127``: it stays between -32768 and 32512, whatever the input. A single column takes two
of the four fields four times too large, which saves shifts: 16 pairs a block, within the same bounds, then a quarter.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

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
    smaller,
    splat,
    spread,
)
from kernels.cpu.fast.lanes import VECTORS, WORDS
from kernels.cpu.fast.memory import LINE
from kernels.cpu.fast.tiers import Tier
from kernels.formats.i2_s import BLOCK, SHIFTS, STRIDE

SPAN = 2
"""Blocks whose products 16 bits can sum."""

UNROLL = 4
"""Words decoded in one turn of the innermost loop."""

CHAINS = 8
"""Sums under way at once where the machine's product takes several cycles."""


def emit(module: ir.Module, tier: Tier, width: int, *, decoded: bool = False) -> ir.Function:
    """Add ``tile(weights, q, sums, blocks, width, stride)``: (2 L rows) times ``width`` columns, added to their sums.

    Parameters
    ----------
    width : columns of activations, ``width`` bytes from each other in memory, their sums ``stride``.
    decoded : the weights are as `emit_decode` leaves them, not packed.
    """
    arguments = dict.fromkeys(("weights", "q", "sums"), POINTER) | dict.fromkeys(("blocks", "bytes", "stride"), I64)
    name = f"{'decoded' if decoded else 'packed'}{width}"
    b, weights, q, sums, blocks, bytes_, stride = function(module, name, VOID, arguments)
    b.function.linkage = "internal"
    b.function.attributes.add("noinline")
    columns = [at(b, q, b.mul(number(column), bytes_)) for column in range(width)]
    fourfold = tier.narrow and width == 1 and not decoded  # more columns need the room
    chains = 1 + fourfold if tier.narrow else max(1, CHAINS // (VECTORS * width))
    kind = ir.VectorType(I16, 2 * tier.lanes) if tier.narrow else ir.VectorType(I32, tier.lanes)
    zeros = [splat(kind, 0)] * (VECTORS * width * (1 if tier.narrow else chains))
    dot = DOTS[tier.instruction]

    def some_words(first: Value, state: list[Value], body: Value, here: list[Value]) -> list[Value]:
        words = at(b, body, first, VECTORS * tier.lanes * (16 if decoded else 4))
        for word in range(UNROLL):
            vectors = [] if decoded else _load_words(b, tier, words, word)
            for field, shift in enumerate(SHIFTS):
                high = fourfold and shift % 4
                if decoded:
                    codes = _load_codes(b, tier, words, 4 * word + field)
                else:
                    codes = [_field(b, vector, shift - high, 3 << high) for vector in vectors]
                for column in range(width):
                    four = at(b, at(b, here[column], first, 4), STRIDE * field + 4 * word)
                    many = spread(b, load(b, I32, four), tier.lanes)
                    for vector in range(VECTORS):
                        which = (column * VECTORS + vector) * chains + (3 - field) % chains
                        state[which] = dot(b, state[which], codes[vector], many)
        return state

    def one_block(block: Value, state: list[Value]) -> list[Value]:
        body = at(b, weights, block, decoded_bytes(tier) if decoded else block_bytes(tier))
        here = [at(b, column, block, BLOCK) for column in columns]
        start = [sum_ for low in state for sum_ in (low, splat(kind, 0))] if fourfold else state
        step = number(UNROLL)
        state = loop(b, number(0), number(WORDS), step, start, lambda word, now: some_words(word, now, body, here))
        if not fourfold:
            return state
        return [b.add(low, b.ashr(high, splat(kind, 2))) for low, high in zip(state[::2], state[1::2], strict=True)]

    def one_span(start: Value, state: list[Value]) -> list[Value]:
        stop = smaller(b, b.add(start, number(SPAN)), blocks)
        pairs = loop(b, start, stop, number(1), zeros, one_block)
        return [b.add(total, widened(b, tier, part)) for total, part in zip(state, pairs, strict=True)]

    places = [
        at(b, at(b, sums, b.mul(number(n // VECTORS), stride), 4), n % VECTORS * tier.lanes, 4)
        for n in range(VECTORS * width)
    ]
    totals = [load(b, ir.VectorType(I32, tier.lanes), place, 4) for place in places]
    if tier.narrow:
        totals = loop(b, number(0), blocks, number(SPAN), totals, one_span)
    else:
        for n, part in enumerate(loop(b, number(0), blocks, number(1), zeros, one_block)):
            totals[n // chains] = b.add(totals[n // chains], part)
    for total, place in zip(totals, places, strict=True):
        b.store(total, place, align=4)
    b.ret_void()
    return b.function


def emit_decode(module: ir.Module, tier: Tier) -> ir.Function:
    """Add ``decode(weights, codes, blocks)``: the packed blocks of a group as a byte a code, in the order of use."""
    arguments = {"weights": POINTER, "codes": POINTER, "blocks": I64}
    b, weights, codes, blocks = function(module, "decode", VOID, arguments)
    b.function.linkage = "internal"
    size = tier.lanes * 4

    def one_block(block: Value, _: list[Value]) -> list[Value]:
        here, there = at(b, weights, block, block_bytes(tier)), at(b, codes, block, decoded_bytes(tier))
        for word in range(WORDS):
            vectors = _load_words(b, tier, here, word)
            for field, shift in enumerate(SHIFTS):
                for n, vector in enumerate(vectors):
                    b.store(_field(b, vector, shift, 3), at(b, there, _place(tier, word, field, n) * size), align=size)
        return []

    loop(b, number(0), blocks, number(1), [], one_block)
    b.ret_void()
    return b.function


def _place(tier: Tier, word: int, field: int, vector: int) -> int:
    """Where a decoded vector lies among those of its block."""
    if tier.unit:  # those that make a matrix follow each other
        return (vector * len(SHIFTS) + field) * WORDS + word
    return (word * len(SHIFTS) + field) * VECTORS + vector


def block_bytes(tier: Tier) -> int:
    """Bytes of a block of every row of a group."""
    return VECTORS * tier.lanes * STRIDE


def decoded_bytes(tier: Tier) -> int:
    """The same, a byte a code."""
    return VECTORS * tier.lanes * BLOCK


def _load_words(b: ir.IRBuilder, tier: Tier, body: Value, word: int) -> list[Value]:
    """The vectors of one word of a group, and a call for those that come later."""
    size = tier.lanes * 4
    for line in range(word * VECTORS * size, (word + 1) * VECTORS * size, LINE):
        if line % LINE:
            continue
        ahead = at(b, body, tier.ahead + line)
        intrinsic(b, "llvm.prefetch.p0", VOID, [ahead, number(0, I32), number(3, I32), number(1, I32)])
    kind = ir.VectorType(I32, tier.lanes)
    return [load(b, kind, at(b, body, (word * VECTORS + vector) * size), size) for vector in range(VECTORS)]


def _load_codes(b: ir.IRBuilder, tier: Tier, codes: Value, which: int) -> list[Value]:
    """The vectors of one field of one word, decoded before."""
    size = tier.lanes * 4
    kind = ir.VectorType(I32, tier.lanes)
    return [load(b, kind, at(b, codes, (which * VECTORS + vector) * size), size) for vector in range(VECTORS)]


def _field(b: ir.IRBuilder, words: Value, shift: int, mask: int) -> Value:
    """The codes of one field, in the bytes of their words."""
    moved = b.lshr(words, splat(words.type, shift)) if shift else words
    return b.and_(moved, splat(words.type, 0x01_01_01_01 * mask))


def widened(b: ir.IRBuilder, tier: Tier, pairs: Value) -> Value:
    """(2 L,) int16 → (L,) int32, the two halves of every lane added."""
    kind = ir.VectorType(I32, tier.lanes)
    if tier.instruction == "vpmaddubsw":
        return intrinsic(b, "llvm.x86.avx2.pmadd.wd", kind, [pairs, splat(pairs.type, 1)])
    both, half = b.bitcast(pairs, kind), splat(kind, 16)
    return b.add(b.ashr(b.shl(both, half), half), b.ashr(both, half))


def _vpdpbusd(b: ir.IRBuilder, sums: Value, codes: Value, q: Value) -> Value:
    # The signature of LLVM up to 21; later ones read it too, but not the other way round.
    name = f"llvm.x86.avx512.vpdpbusd.{sums.type.count * 32}"
    return intrinsic(b, name, sums.type, [sums, codes, q])


def _pmaddubsw(b: ir.IRBuilder, sums: Value, codes: Value, q: Value) -> Value:
    bytes_ = ir.VectorType(I8, 2 * sums.type.count)
    operands = [b.bitcast(codes, bytes_), b.bitcast(q, bytes_)]
    more = intrinsic(b, "llvm.x86.avx2.pmadd.ub.sw", sums.type, operands)
    # Does nothing, which LLVM cannot see: it would add products to each other first, and run out of registers.
    kept = ir.InlineAsm(ir.FunctionType(sums.type, [sums.type]), "", "=x,0")
    return b.call(kept, [b.add(sums, more)])


def _sdot(b: ir.IRBuilder, sums: Value, codes: Value, q: Value) -> Value:
    bytes_ = ir.VectorType(I8, 16)
    operands = [sums, b.bitcast(codes, bytes_), b.bitcast(q, bytes_)]
    return intrinsic(b, "llvm.aarch64.neon.sdot.v4i32.v16i8", sums.type, operands)


def _plain(b: ir.IRBuilder, sums: Value, codes: Value, q: Value) -> Value:
    """pmaddubsw in words every machine knows."""
    codes, q = b.bitcast(codes, sums.type), b.bitcast(q, sums.type)
    byte = splat(sums.type, 8)
    low = b.mul(b.and_(codes, splat(sums.type, 255)), b.ashr(b.shl(q, byte), byte))
    return b.add(sums, b.add(low, b.mul(b.lshr(codes, byte), b.ashr(q, byte))))


DOTS: dict[str, Callable[[ir.IRBuilder, Value, Value, Value], Value]] = {
    "vpdpbusd": _vpdpbusd,
    "vpmaddubsw": _pmaddubsw,
    "sdot": _sdot,
    "": _plain,
}
"""By instruction: (sums, codes, activations) → sums with four products added in every lane."""
