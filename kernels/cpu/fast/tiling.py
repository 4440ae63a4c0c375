"""Rows of a matrix times rows of input, in tiles that share what they read, as code.

One row of input is worth a tile of many rows of the matrix: their sums hide each other's waiting. More of them are
worth a tile of both, so that what is loaded meets several.
"""

from __future__ import annotations

from collections.abc import Callable
from math import lcm

from llvmlite import ir

from kernels.cpu.fast.ir import I32, I64, POINTER, VOID, Value, at, function, intrinsic, larger, loop, number, smaller

TILE = dict.fromkeys(("weights", "x", "y"), POINTER)
TILE |= dict.fromkeys(("cols", "row_bytes", "x_bytes", "stride", "rows"), I64)
"""What a tile is called with: bytes from row to row of the matrix and of the input, 4-byte results from row to row.

Of the matrix it does as many rows as the last says, a whole number of its height.
"""

ROOM = 2**14
"""Bytes of the matrix that stay in the nearest cache while all of the input goes past."""

Shapes = dict[int, int]
"""By rows of the input that a tile takes, most first and 1 at last: the rows of the matrix it meets them with."""


def emit(
    module: ir.Module, name: str, shapes: Shapes, size: int, tile: Callable[[str, int, int], ir.Function]
) -> ir.Function:
    """Add ``name(…TILE, tokens)``: all rows of the matrix times all of the input.

    Parameters
    ----------
    size : bytes of an element of the matrix.
    tile : adds the function of this name that does so many rows at a time with so many of the input.
    """
    needed = {*shapes.items(), *((tokens, 1) for tokens in shapes)}
    tiles = {(tokens, rows): tile(f"{name}_{rows}x{tokens}", rows, tokens) for tokens, rows in sorted(needed)}
    b, *arguments, tokens = function(module, name, VOID, TILE | {"tokens": I64})
    b.function.linkage = "internal"
    given = dict(zip(TILE, arguments, strict=True))
    rows = given["rows"]

    def run(width: int, height: int, row: Value, end: Value, token: Value) -> None:
        """The rows from one to another."""
        weights = at(b, given["weights"], b.mul(row, given["row_bytes"]))
        x = at(b, given["x"], b.mul(token, given["x_bytes"]))
        y = at(b, given["y"], b.add(b.mul(token, given["stride"]), row), 4)
        call = given | {"weights": weights, "x": x, "y": y, "rows": b.sub(end, row)}
        b.call(tiles[width, height], [call[name] for name in TILE])

    def go_past(width: int, row: Value, stop: Value, start: Value) -> Value:
        """Tiles of one width, from this row of the input on; gives where the rest begins."""
        middle = b.add(row, _whole(b, b.sub(stop, row), shapes[width]))

        def some_tokens(token: Value, _: list[Value]) -> list[Value]:
            run(width, shapes[width], row, middle, token)
            run(width, 1, middle, stop, token)
            return []

        end = _whole(b, tokens, width)
        loop(b, start, end, number(width), [], some_tokens)
        return end

    def some_rows(row: Value, _: list[Value]) -> list[Value]:
        stop, start = smaller(b, b.add(row, step), rows), number(0)
        for width in shapes:
            start = go_past(width, row, stop, start)
        return []

    least = lcm(*shapes.values())
    kept = larger(b, _whole(b, b.udiv(number(ROOM // size), given["cols"]), least), number(least))
    step = b.select(b.icmp_signed("==", tokens, number(1)), larger(b, rows, number(1)), kept)
    loop(b, number(0), rows, step, [], some_rows)
    b.ret_void()
    return b.function


def down(b: ir.IRBuilder, given: dict[str, Value], height: int, tile: Callable[[Value, Value], None]) -> None:
    """``tile(weights, y)`` for all rows of `TILE`, so many at a time, where they begin."""

    def one(row: Value, _: list[Value]) -> list[Value]:
        tile(at(b, given["weights"], b.mul(row, given["row_bytes"])), at(b, given["y"], row, 4))
        return []

    loop(b, number(0), given["rows"], number(height), [], one)


def _whole(b: ir.IRBuilder, count: Value, step: int) -> Value:
    """The largest multiple up to a count."""
    return b.mul(b.udiv(count, number(step)), number(step))


def ask_ahead(b: ir.IRBuilder, place: Value) -> None:
    """Ask for a line of memory that will be read: the same place of the next tile."""
    intrinsic(b, "llvm.prefetch.p0", VOID, [place, number(0, I32), number(3, I32), number(1, I32)])


def panels(b: ir.IRBuilder, batch: Value, panel: Value, body: Callable[[Value, Value], None]) -> None:
    """``body(start, count)`` for as many tokens at a time as the cache holds."""

    def one(start: Value, _: list[Value]) -> list[Value]:
        body(start, smaller(b, panel, b.sub(batch, start)))
        return []

    loop(b, number(0), batch, panel, [], one)
