"""Dots of float rows in the fixed order, as code: a dense matrix times tokens, and keys times queries."""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast import team, tiling
from kernels.cpu.fast.floats import SINGLE, V16, Reader, Stored, half, lanes, reader, total
from kernels.cpu.fast.ir import VOID, Value, at, function, loop, number, splat
from kernels.cpu.fast.memory import LINE
from kernels.cpu.fast.tiers import Tier
from kernels.ops.order import LANES

SHAPES = {16: ((6, 1), (4, 4)), 8: ((6, 1), (2, 2)), 4: ((2, 1), (1, 2))}
"""By the lanes of a vector, as many as registers hold. Six streams at once read memory faster than one."""


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``dense_f32`` and ``dense_f16``, and ``dots``, of float32 rows, to a module."""
    dots = _dots(module, "dots", tier, SINGLE)
    _dense(module, "dense_f32", dots, SINGLE)
    stored = half(tier)
    _dense(module, "dense_f16", _dots(module, "dots_f16", tier, stored), stored)


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
    return tiling.emit(
        module,
        name,
        SHAPES[tier.lanes],
        stored.size,
        lambda name, rows, tokens: _tile(module, name, stored, rows, tokens),
    )


def _tile(module: ir.Module, name: str, stored: Stored, rows: int, tokens: int) -> ir.Function:
    b, *arguments = function(module, name, VOID, tiling.TILE)
    b.function.linkage = "internal"
    b.function.attributes.add("noinline")
    given = dict(zip(tiling.TILE, arguments, strict=True))
    cols, row_bytes = given["cols"], given["row_bytes"]
    input_ = [at(b, given["x"], b.mul(number(token), given["x_bytes"])) for token in range(tokens)]
    ahead = b.mul(number(rows), row_bytes)
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

        def one_line(index: Value, state: list[Value]) -> list[Value]:
            for row in matrix:
                tiling.ask_ahead(b, at(b, at(b, row, ahead), index, stored.size))
            for part in range(0, per_line, LANES):
                state = products(state, reader(b, b.add(index, number(part))))
            return state

        state = loop(b, number(0), end, number(per_line), [splat(V16, 0)] * (rows * tokens), one_line)
        state = lanes(b, cols, state, lambda _, now, read: products(now, read), start=end)
        for n, sums in enumerate(state):
            place = b.add(b.mul(number(n % tokens), given["stride"]), number(n // tokens))
            b.store(total(b, sums), at(b, y, place, 4), align=4)

    tiling.down(b, given, rows, one_tile)
    b.ret_void()
    return b.function
