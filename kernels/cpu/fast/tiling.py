"""Rows of a matrix times rows of input, in tiles that share what they read, as code.

One row of input is worth a tile of many rows of the matrix: their sums hide each other's waiting. More of them are
worth a tile of both, so that what is loaded meets several.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from kernels.cpu.fast.ir import I32, I64, POINTER, VOID, Value, at, function, intrinsic, larger, loop, number, smaller

TILE = dict.fromkeys(("weights", "x", "y"), POINTER)
TILE |= dict.fromkeys(("cols", "row_bytes", "x_bytes", "stride", "rows"), I64)
"""What a tile is called with: bytes from row to row of the matrix and of the input, 4-byte results from row to row.

Of the matrix it does as many rows as the last says, a whole number of its height.
"""

ROOM = 2**14
"""Bytes of the matrix that stay in the nearest cache while all of the input goes past."""

Shapes = tuple[tuple[int, int], tuple[int, int]]
"""Rows of the matrix and of the input: of a tile for one row of input, and of one for more."""


def emit(
    module: ir.Module, name: str, shapes: Shapes, size: int, tile: Callable[[str, int, int], ir.Function]
) -> ir.Function:
    """Add ``name(…TILE, tokens)``: all rows of the matrix times all of the input.

    Parameters
    ----------
    size : bytes of an element of the matrix.
    tile : adds the function of this name that does so many rows at a time with so many of the input.
    """
    single, many = shapes
    needed = {single, many, (many[0], 1), (1, 1)}
    tiles = {shape: tile(f"{name}_{shape[0]}x{shape[1]}", *shape) for shape in sorted(needed)}
    b, *given, tokens = function(module, name, VOID, TILE | {"tokens": I64})
    b.function.linkage = "internal"
    weights, x, y, cols, row_bytes, x_bytes, stride, rows = given

    def run(shape: tuple[int, int], row: Value, end: Value, token: Value) -> None:
        """The rows from one to another."""
        where = at(b, weights, b.mul(row, row_bytes)), at(b, x, b.mul(token, x_bytes))
        goal = at(b, y, b.add(b.mul(token, stride), row), 4)
        b.call(tiles[shape], [*where, goal, cols, row_bytes, x_bytes, stride, b.sub(end, row)])

    def sweep(shape: tuple[int, int], row: Value, end: Value, start: Value, stop: Value) -> None:
        def one(token: Value, _: list[Value]) -> list[Value]:
            run(shape, row, end, token)
            return []

        loop(b, start, stop, number(shape[1]), [], one)

    with b.if_else(b.icmp_signed("==", tokens, number(1))) as (one, more):
        with one:
            end = _whole(b, rows, number(single[0]))
            run(single, number(0), end, number(0))
            run((1, 1), end, rows, number(0))
        with more:
            end, tokens_end = _whole(b, rows, number(many[0])), _whole(b, tokens, number(many[1]))
            step = larger(b, _whole(b, b.udiv(number(ROOM // size), cols), number(many[0])), number(many[0]))

            def some_rows(row: Value, _: list[Value]) -> list[Value]:
                stop = smaller(b, b.add(row, step), end)
                sweep(many, row, stop, number(0), tokens_end)
                sweep((many[0], 1), row, stop, tokens_end, tokens)
                return []

            loop(b, number(0), end, step, [], some_rows)
            sweep((1, 1), end, rows, number(0), tokens)
    b.ret_void()
    return b.function


def down(b: ir.IRBuilder, given: dict[str, Value], height: int, tile: Callable[[Value, Value], None]) -> None:
    """``tile(weights, y)`` for all rows of `TILE`, so many at a time, where they begin."""

    def one(row: Value, _: list[Value]) -> list[Value]:
        tile(at(b, given["weights"], b.mul(row, given["row_bytes"])), at(b, given["y"], row, 4))
        return []

    loop(b, number(0), given["rows"], number(height), [], one)


def _whole(b: ir.IRBuilder, count: Value, step: Value) -> Value:
    """The largest multiple up to a count."""
    return b.mul(b.udiv(count, step), step)


def ask_ahead(b: ir.IRBuilder, place: Value) -> None:
    """Ask for a line of memory that will be read: the same place of the next tile."""
    intrinsic(b, "llvm.prefetch.p0", VOID, [place, number(0, I32), number(3, I32), number(1, I32)])


def panels(b: ir.IRBuilder, batch: Value, panel: Value, body: Callable[[Value, Value], None]) -> None:
    """``body(start, count)`` for as many tokens at a time as the cache holds."""

    def one(start: Value, _: list[Value]) -> list[Value]:
        body(start, smaller(b, panel, b.sub(batch, start)))
        return []

    loop(b, number(0), batch, panel, [], one)
