"""Many operations in one call, as code: what was recorded for a token, done again for the next."""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast.ir import I64, POINTER, Value, at, function, load, loop, number

CALL = ("operation", "words", "expected")
"""The words of a call: the address of an operation, what it is called with, and what it gives if all is well."""


def emit(module: ir.Module) -> None:
    """Add ``play(calls, count)``: the operations in their order, until one gives what is not expected; how many did."""
    b, calls, count = function(module, "play", I64, {"calls": POINTER, "count": I64})
    kind = ir.FunctionType(I64, (POINTER,)).as_pointer()

    def one(index: Value, _: list[Value]) -> list[Value]:
        row = at(b, calls, index, 8 * len(CALL))
        operation, words, expected = (load(b, I64, at(b, row, 8 * n), 8) for n in range(len(CALL)))
        got = b.call(b.inttoptr(operation, kind), [b.inttoptr(words, POINTER)])
        with b.if_then(b.icmp_signed("!=", got, expected), likely=False):
            b.ret(index)
        return []

    loop(b, number(0), count, number(1), [], one)
    b.ret(count)
