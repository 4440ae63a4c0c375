"""The words of AMX spelled out for CPUs that lack it: matrices in memory, products in loops."""

from typing import Any

from llvmlite import ir

from kernels.cpu.fast.amx import MATRICES, MATRIX, ROW, ROWS, Amx
from kernels.cpu.fast.ir import I8, I32, at, load, loop, number, room, spread

_ROW = ir.VectorType(I8, ROW)


class InWords(Amx):
    """The same matrices, those of a function its own; rows that were not set are not there."""

    def __init__(self) -> None:
        self._memory: dict[Any, Any] = {}

    def set(self, b, settings, rows) -> None:
        for n, count in enumerate(rows):
            b.store(count, at(b, settings, 48 + n), align=1)

    def _place(self, b, which: int):
        if b.function not in self._memory:
            self._memory[b.function] = room(b, I8, MATRICES * MATRIX)
        return at(b, self._memory[b.function], which * MATRIX)

    def _each_row(self, b, which: int, body) -> None:
        settings = b.function.args[-1]
        loop(b, number(0), b.zext(self.rows(b, settings, which), number(0).type), number(1), [], body)

    def clear(self, b, which: int) -> None:
        place = self._place(b, which)
        loop(b, number(0), number(ROWS), number(1), [], lambda row, _: self._copy(b, None, at(b, place, row, ROW)))

    def load(self, b, which: int, place, stride: int) -> None:
        mine = self._place(b, which)
        self._each_row(b, which, lambda row, _: self._copy(b, at(b, place, row, stride), at(b, mine, row, ROW)))

    def stream(self, b, which: int, place, stride: int) -> None:
        self.load(b, which, place, stride)

    def store(self, b, which: int, place, stride: int) -> None:
        mine = self._place(b, which)
        self._each_row(b, which, lambda row, _: self._copy(b, at(b, mine, row, ROW), at(b, place, row, stride)))

    def _copy(self, b, from_, to) -> list[Any]:
        value = ir.Constant(_ROW, [0] * ROW) if from_ is None else load(b, _ROW, from_)
        b.store(value, to, align=1)
        return []

    def multiply(self, b, sums: int, tokens: int, codes: int) -> None:
        s, t, c = (self._place(b, which) for which in (sums, tokens, codes))
        kind = ir.VectorType(I32, ROWS)

        def one_token(row, _):
            def one_row(column, state):
                total = state[0]
                words = load(b, kind, at(b, c, column, ROW))
                for byte in range(4):
                    q = b.sext(load(b, I8, at(b, at(b, at(b, t, row, ROW), column, 4), byte)), I32)
                    mask = ir.Constant(kind, [255] * ROWS)
                    code = b.and_(b.lshr(words, ir.Constant(kind, [8 * byte] * ROWS)), mask)
                    total = b.add(total, b.mul(code, spread(b, q, ROWS)))
                return [total]

            place = at(b, s, row, ROW)
            (total,) = loop(b, number(0), number(ROWS), number(1), [load(b, kind, place)], one_row)
            b.store(total, place, align=1)
            return []

        self._each_row(b, tokens, one_token)

    def release(self, b) -> None:
        pass
