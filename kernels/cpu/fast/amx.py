"""The words of Intel's AMX: eight matrices of up to 16 rows of 64 bytes, and products of two of them.

A row of the first factor holds the activations of a token, of the second, four neighbouring codes of each of 16 rows
of weights; their product is added to a matrix of int32 sums, a row a token. How many tokens there are is set before.
"""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast.ir import I8, I16, VOID, Value, at, intrinsic, number

MATRICES, ROWS, ROW = 8, 16, 64
"""How many matrices there are, how many rows each may have, and bytes of a row."""

MATRIX = ROWS * ROW
"""Bytes of a whole matrix."""

SETTINGS = 64
"""Bytes that say how large the matrices are: a one, then at 16 their bytes a row, at 48 their rows."""

_BYTES_A_ROW, _ROWS = 16, 48


class Amx:
    """The instructions; a test may put something else in their place."""

    def set(self, b: ir.IRBuilder, settings: Value, rows: list[Value]) -> None:
        """Give each matrix its rows, 1 to 16 as 8-bit values; what the matrices held is lost."""
        b.store(number(1, I8), settings, align=1)
        for n, count in enumerate(rows):
            b.store(number(ROW, I16), at(b, settings, _BYTES_A_ROW + 2 * n), align=2)
            b.store(count, at(b, settings, _ROWS + n), align=1)
        intrinsic(b, "llvm.x86.ldtilecfg", VOID, [settings])

    def rows(self, b: ir.IRBuilder, settings: Value, which: int) -> Value:
        """How many rows a matrix was given last, 0 in settings that are all zero."""
        return b.load(at(b, settings, _ROWS + which), typ=I8, align=1)

    def clear(self, b: ir.IRBuilder, which: int) -> None:
        """Make a matrix zero."""
        intrinsic(b, "llvm.x86.tilezero", VOID, [number(which, I8)])

    def load(self, b: ir.IRBuilder, which: int, place: Value, stride: int) -> None:
        """Read a matrix, its rows so many bytes from each other."""
        intrinsic(b, "llvm.x86.tileloadd64", VOID, [number(which, I8), place, number(stride)])

    def stream(self, b: ir.IRBuilder, which: int, place: Value, stride: int) -> None:
        """Read a matrix that will not be read again soon."""
        intrinsic(b, "llvm.x86.tileloaddt164", VOID, [number(which, I8), place, number(stride)])

    def store(self, b: ir.IRBuilder, which: int, place: Value, stride: int) -> None:
        """Write a matrix."""
        intrinsic(b, "llvm.x86.tilestored64", VOID, [number(which, I8), place, number(stride)])

    def multiply(self, b: ir.IRBuilder, sums: int, tokens: int, codes: int) -> None:
        """Add the products of signed activations with unsigned codes."""
        intrinsic(b, "llvm.x86.tdpbsud", VOID, [number(which, I8) for which in (sums, tokens, codes)])

    def release(self, b: ir.IRBuilder) -> None:
        """Leave the matrices empty: the system need not keep them when threads change."""
        intrinsic(b, "llvm.x86.tilerelease", VOID, [])


AMX = Amx()
