"""Dots of float rows in the fixed order, as code: a dense matrix times tokens, and keys times queries."""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast import team, tiling
from kernels.cpu.fast.floats import SINGLE, Reader, Stored, half, lanes, reader, total
from kernels.cpu.fast.ir import F32, VOID, Value, at, function, loop, number, several, splat
from kernels.cpu.fast.memory import LINE
from kernels.cpu.fast.tiers import Tier
from kernels.ops.order import LANES

SHAPES = {16: {4: 4, 2: 4, 1: 6}, 8: {4: 2, 2: 4, 1: 6}, 4: {4: 2, 2: 4, 1: 2}}
"""By the lanes of a vector, as many as registers hold. Six streams at once read memory faster than one."""


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``dense_f32`` and ``dense_f16``, and the ``dots_f32`` and ``dots_f16`` they are made of."""
    for bits, stored in ((32, SINGLE), (16, half(tier))):
        _dense(module, f"dense_f{bits}", _dots(module, f"dots_f{bits}", tier, stored), stored)


def _dense(module: ir.Module, name: str, dots: ir.Function, stored: Stored) -> None:
    """(batch, cols) float32 times rows of a matrix, a range of these at a time."""

    def body(b: ir.IRBuilder, first: Value, last: Value, given: dict[str, Value]) -> None:
        cols, stride = given["cols"], given["groups"]
        row_bytes, x_bytes = b.mul(cols, number(stored.size)), b.mul(cols, number(4))
        weights = at(b, given["weights"], b.mul(first, row_bytes))

        def some_tokens(start: Value, count: Value) -> None:
            x = at(b, given["x"], b.mul(start, x_bytes))
            y = at(b, given["y"], b.add(b.mul(start, stride), first), 4)
            b.call(dots, [weights, x, y, cols, row_bytes, x_bytes, stride, b.sub(last, first), count])

        tiling.panels(b, given["batch"], given["panel"], some_tokens)

    team.operation(module, name, body)


def _dots(module: ir.Module, name: str, tier: Tier, stored: Stored) -> ir.Function:
    """Rows as `Stored` times rows of float32; see `tiling`."""

    def tile(name: str, rows: int, tokens: int) -> ir.Function:
        return _tile(module, tier, name, stored, rows, tokens)

    return tiling.emit(module, name, SHAPES[tier.lanes], stored.size, tile)


def _tile(module: ir.Module, tier: Tier, name: str, stored: Stored, rows: int, tokens: int) -> ir.Function:
    """One token takes its lanes together, line by line; more of them a vector of lanes at a time, for its registers."""
    b, *arguments = function(module, name, VOID, tiling.TILE)
    b.function.linkage = "internal"
    b.function.attributes.add("noinline")
    given = dict(zip(tiling.TILE, arguments, strict=True))
    cols, row_bytes = given["cols"], given["row_bytes"]
    input_ = [at(b, given["x"], b.mul(number(token), given["x_bytes"])) for token in range(tokens)]
    ahead = b.mul(number(rows), row_bytes)
    width = LANES if tokens == 1 else tier.lanes
    per_line = LINE // stored.size
    end = b.and_(cols, number(-per_line))

    def one_tile(weights: Value, y: Value) -> None:
        matrix = [at(b, weights, b.mul(number(row), row_bytes)) for row in range(rows)]

        def products(state: list[Value], read: Reader) -> list[Value]:
            wide = [read(stored, row) for row in matrix]
            for token, place in enumerate(input_):
                values = read(SINGLE, place)
                for row, weight in enumerate(wide):
                    n = row * tokens + token
                    state[n] = b.fadd(state[n], b.fmul(weight, values))
            return state

        def some_lanes(first: int) -> list[Value]:
            def one_line(index: Value, state: list[Value]) -> list[Value]:
                for row in matrix if first == 0 else ():
                    tiling.ask_ahead(b, at(b, at(b, row, ahead), index, stored.size))
                for part in range(first, per_line, LANES):
                    state = products(state, reader(b, b.add(index, number(part)), width))
                return state

            state = [splat(several(F32, width), 0)] * (rows * tokens)
            state = loop(b, number(0), end, number(per_line), state, one_line)
            taken = slice(first, first + width)
            return lanes(b, cols, state, lambda _, now, read: products(now, read), start=end, taken=taken)

        parts = [some_lanes(first) for first in range(0, LANES, width)]
        for n, sums in enumerate(zip(*parts, strict=True)):
            place = b.add(b.mul(number(n % tokens), given["stride"]), number(n // tokens))
            b.store(total(b, *sums), at(b, y, place, 4), align=4)

    tiling.down(b, given, rows, one_tile)
    b.ret_void()
    return b.function
