"""Rows of a matrix times rows of input, in tiles that share what they read, as code.

One row of input is worth a tile of many rows of the matrix: their sums hide each other's waiting. More of them are
worth a tile of both, so that what is loaded meets several.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from kernels.cpu.fast.ir import I32, I64, POINTER, VOID, Value, at, function, intrinsic, loop, number, smaller

TILE = dict.fromkeys(("weights", "x", "y"), POINTER)
TILE |= dict.fromkeys(("cols", "row_bytes", "x_bytes", "stride"), I64)
"""What a tile is called with: bytes from row to row of the matrix and of the input, 4-byte results from row to row."""

Shapes = tuple[tuple[int, int], tuple[int, int]]
"""Rows of the matrix and of the input: of a tile for one row of input, and of one for more."""


def emit(module: ir.Module, name: str, shapes: Shapes, tile: Callable[[str, int, int], ir.Function]) -> ir.Function:
    """Add ``name(…TILE, rows, tokens)``: all rows of the matrix times all of the input.

    Parameters
    ----------
    tile : adds the function of this name that does so many rows times so many.
    """
    single, many = shapes
    needed = {single, many, (many[0], 1), (1, 1)}
    tiles = {shape: tile(f"{name}_{shape[0]}x{shape[1]}", *shape) for shape in sorted(needed)}
    b, *given, rows, tokens = function(module, name, VOID, TILE | {"rows": I64, "tokens": I64})
    b.function.linkage = "internal"
    weights, x, y, cols, row_bytes, x_bytes, stride = given

    def run(shape: tuple[int, int], row: Value, token: Value) -> list[Value]:
        where = at(b, weights, b.mul(row, row_bytes)), at(b, x, b.mul(token, x_bytes))
        goal = at(b, y, b.add(b.mul(token, stride), row), 4)
        b.call(tiles[shape], [*where, goal, cols, row_bytes, x_bytes, stride])
        return []

    def whole(count: Value, step: int) -> Value:
        return b.mul(b.udiv(count, number(step)), number(step))

    def sweep(shape: tuple[int, int], row: Value, start: Value, stop: Value) -> None:
        loop(b, start, stop, number(shape[1]), [], lambda token, _: run(shape, row, token))

    def some_rows(row: Value, _: list[Value]) -> list[Value]:
        end = whole(tokens, many[1])
        sweep(many, row, number(0), end)
        sweep((many[0], 1), row, end, tokens)
        return []

    def one_row(row: Value, _: list[Value]) -> list[Value]:
        sweep((1, 1), row, number(0), tokens)
        return []

    with b.if_else(b.icmp_signed("==", tokens, number(1))) as (one, more):
        with one:
            end = whole(rows, single[0])
            loop(b, number(0), end, number(single[0]), [], lambda row, _: run(single, row, number(0)))
            loop(b, end, rows, number(1), [], one_row)
        with more:
            end = whole(rows, many[0])
            loop(b, number(0), end, number(many[0]), [], some_rows)
            loop(b, end, rows, number(1), [], one_row)
    b.ret_void()
    return b.function


def ask_ahead(b: ir.IRBuilder, place: Value) -> None:
    """Ask for a line of memory that will be read: the same place of the next tile."""
    intrinsic(b, "llvm.prefetch.p0", VOID, [place, number(0, I32), number(3, I32), number(1, I32)])


def panels(b: ir.IRBuilder, batch: Value, panel: Value, body: Callable[[Value, Value], None]) -> None:
    """``body(start, count)`` for as many tokens at a time as the cache holds."""

    def one(start: Value, _: list[Value]) -> list[Value]:
        body(start, smaller(b, panel, b.sub(batch, start)))
        return []

    loop(b, number(0), batch, panel, [], one)
