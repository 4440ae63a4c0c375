"""The product as code: a range of row groups times any number of columns of activations.

GEMV and GEMM are one function. Few columns are worth one pass over the packed bytes, decoded in registers by each tile.
Where many share them and decoding takes its time from the products, some blocks of a group are decoded once, into a
room that stays in the nearest cache, and all columns go past them.
"""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast import pieces, tile, unit
from kernels.cpu.fast.ir import I8, I32, I64, VOID, Value, at, function, load, loop, number, smaller, spread
from kernels.cpu.fast.lanes import VECTORS
from kernels.cpu.fast.memory import LINE
from kernels.cpu.fast.tiers import Tier
from kernels.formats.i2_s import BLOCK

MANY = 24
"""Columns from which decoding once pays."""

ROOM = 2**14
"""Bytes of decoded weights: half of the smallest first-level cache there is."""


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``product`` to a module, and the tiles it is made of.

    ``product(weights, q, bias, sums, blocks, first, last, batch, stride, scale, weight_scale)`` computes the row groups
    first to last of (batch, stride) int32 sums from (batch, 128 blocks) int8 activations and their (batch,) int32
    biases; with (batch,) float32 scales of the activations it makes them float32. Where there is a unit, activations of
    `unit.FEW` tokens and more lie in `pieces`.
    """
    chunk = ROOM // tile.decoded_bytes(tier)
    if tier.narrow or tier.unit:
        tile.emit_decode(module, tier)
    if tier.unit:
        pieces.emit(module)
        unit.emit(module, tier)
    packed = [tile.emit(module, tier, width) for width in range(1, tier.tile + 1)]
    wide = tier.tile * 3 // 2 if tier.narrow else 0  # no registers are needed for decoding
    decoded = [tile.emit(module, tier, width, decoded=True) for width in range(1, wide + 1)]
    b, weights, q, bias, sums, blocks, first, last, batch, stride, scale, weight_scale = function(
        module, "product", VOID, unit.PRODUCT
    )
    width = b.mul(blocks, number(BLOCK))

    def pass_by(tiles: list[ir.Function], body: Value, q: Value, sums: Value, blocks: Value) -> None:
        """Add the products of some blocks of a group with all columns, in tiles of nearly equal width."""
        count = b.udiv(b.add(batch, number(len(tiles) - 1)), number(len(tiles)))

        def one_tile(index: Value, _: list[Value]) -> list[Value]:
            start = b.udiv(b.mul(index, batch), count)
            columns = b.sub(b.udiv(b.mul(b.add(index, number(1)), batch), count), start)
            where = at(b, q, b.mul(start, width)), at(b, sums, b.mul(start, stride), 4)
            _call(b, tiles, columns, (body, *where, blocks, width, stride))
            return []

        loop(b, number(0), count, number(1), [], one_tile)

    def begin(column: Value, sums: Value) -> list[Value]:
        start = spread(b, load(b, I32, at(b, bias, column, 4), 4), tier.lanes)
        for vector in range(VECTORS):
            place = at(b, at(b, sums, b.mul(column, stride), 4), vector * tier.lanes, 4)
            b.store(start, place, align=4)
        return []

    room = b.alloca(ir.ArrayType(I8, ROOM), name="room")
    room.align = LINE

    def one_group(group: Value, _: list[Value]) -> list[Value]:
        body = at(b, weights, b.mul(group, blocks), tile.block_bytes(tier))
        rows = at(b, sums, group, VECTORS * tier.lanes * 4)
        loop(b, number(0), batch, number(1), [], lambda column, _: begin(column, rows))
        if not tier.narrow:
            pass_by(packed, body, q, rows, blocks)
            return []

        def some_blocks(start: Value, _: list[Value]) -> list[Value]:
            some = smaller(b, number(chunk), b.sub(blocks, start))
            b.call(module.globals["decode"], (at(b, body, start, tile.block_bytes(tier)), room, some))
            pass_by(decoded, room, at(b, q, start, BLOCK), rows, some)
            return []

        with b.if_else(b.icmp_signed(">=", batch, number(MANY))) as (many, few):
            with many:
                loop(b, number(0), blocks, number(chunk), [], some_blocks)
            with few:
                pass_by(packed, body, q, rows, blocks)
        return []

    if tier.unit:
        with b.if_then(b.icmp_signed(">=", batch, number(unit.FEW))):
            b.call(module.globals["unit"], b.function.args)
            b.ret_void()
    loop(b, first, last, number(1), [], one_group)
    with b.if_then(b.icmp_unsigned("!=", b.ptrtoint(scale, I64), number(0))):
        height = number(VECTORS * tier.lanes)
        edges = b.mul(first, height), b.mul(last, height)
        b.call(module.globals["rescale"], (sums, scale, weight_scale, batch, stride, *edges))
    b.ret_void()


def _call(b: ir.IRBuilder, tiles: list[ir.Function], columns: Value, arguments: tuple[Value, ...]) -> None:
    """Call the tile of so many columns, the first of one."""
    done = b.append_basic_block("done")
    choice = b.switch(columns, done)
    for width, tile_ in enumerate(tiles, 1):
        case = b.append_basic_block(f"columns{width}")
        choice.add_case(number(width), case)
        with b.goto_block(case):
            b.call(tile_, arguments)
            b.branch(done)
    b.position_at_end(done)
