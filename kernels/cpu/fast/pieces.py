"""Where the activations of a panel lie: row after row, or in pieces, as the matrix unit reads them.

A piece is 16 rows by 64 columns, row after row; those of the same rows follow each other. Rows at a distance of a
power of two would drive each other out of the cache, and a piece is read as one stream.
"""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast.amx import MATRIX, ROW, ROWS
from kernels.cpu.fast.ir import I8, I64, POINTER, VOID, Value, at, function, load, loop, number


class Pieces:
    """Addresses in rows of ``width`` bytes, that lie in pieces if ``cut`` is not 0."""

    def __init__(self, b: ir.IRBuilder, width: Value, cut: Value) -> None:
        chosen = b.icmp_signed("!=", cut, number(0))
        self._b, self._width = b, width
        self._row = b.select(chosen, number(ROW), width)
        self._piece = b.select(chosen, number(MATRIX), number(ROW))

    def row(self, start: Value, index: Value) -> Value:
        """The beginning of a row."""
        b = self._b
        whole, rest = b.and_(index, number(-ROWS)), b.and_(index, number(ROWS - 1))
        return at(b, at(b, start, b.mul(whole, self._width)), b.mul(rest, self._row))

    def column(self, row: Value, index: Value) -> Value:
        """A column of that row, and those behind it up to the next multiple of 64."""
        b = self._b
        piece = b.mul(b.udiv(index, number(ROW)), self._piece)
        return at(b, at(b, row, piece), b.and_(index, number(ROW - 1)))


def emit(module: ir.Module) -> None:
    """Add ``cut(q, pieces, rows, width)``: rows of activations in pieces."""
    arguments = dict.fromkeys(("q", "pieces"), POINTER) | dict.fromkeys(("rows", "width"), I64)
    b, q, pieces, rows, width = function(module, "cut", VOID, arguments)
    b.function.linkage = "internal"
    to, kind = Pieces(b, width, number(1)), ir.VectorType(I8, ROW)

    def one_row(row: Value, _: list[Value]) -> list[Value]:
        here, there = at(b, q, b.mul(row, width)), to.row(pieces, row)

        def some_columns(index: Value, _: list[Value]) -> list[Value]:
            b.store(load(b, kind, at(b, here, index)), to.column(there, index), align=ROW)
            return []

        loop(b, number(0), width, number(ROW), [], some_columns)
        return []

    loop(b, number(0), rows, number(1), [], one_row)
    b.ret_void()
