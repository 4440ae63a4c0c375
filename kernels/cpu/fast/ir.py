"""Words for writing LLVM's language: loops, vectors, addresses. Emits text; compiles nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
F16, F32, F64 = ir.HalfType(), ir.FloatType(), ir.DoubleType()
VOID, POINTER = ir.VoidType(), ir.PointerType()
Value = Any
"""A value of llvmlite's builder, which has no types of its own."""


def function(module: ir.Module, name: str, result: Any, arguments: dict[str, Any]) -> tuple[Any, ...]:
    """A new function: its builder at the start, then its arguments."""
    made = ir.Function(module, ir.FunctionType(result, tuple(arguments.values())), name)
    for argument, label in zip(made.args, arguments, strict=True):
        argument.name = label
    return (ir.IRBuilder(made.append_basic_block("start")), *made.args)


def number(value: int, kind: Any = I64) -> Value:
    return ir.Constant(kind, value)


def several(kind: Any, count: int) -> Any:
    """The type of ``count`` elements: a vector, or the element's own."""
    return ir.VectorType(kind, count) if count > 1 else kind


def splat(kind: Any, value: float) -> Value:
    """A constant, a vector of equal elements if the type is one."""
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def spread(b: ir.IRBuilder, value: Value, count: int) -> Value:
    """One value, ``count`` times."""
    if count == 1:
        return value
    kind = ir.VectorType(value.type, count)
    first = b.insert_element(ir.Constant(kind, ir.Undefined), value, number(0, I32))
    return b.shuffle_vector(first, ir.Constant(kind, ir.Undefined), splat(ir.VectorType(I32, count), 0))


def at(b: ir.IRBuilder, base: Value, offset: Value | int, size: int = 1) -> Value:
    """The address of an element, ``size`` bytes each."""
    index = number(offset) if isinstance(offset, int) else offset
    return b.gep(base, [b.mul(index, number(size)) if size != 1 else index], source_etype=I8)


def room(b: ir.IRBuilder, kind: Any, count: int = 1) -> Value:
    """The address of so many values that are the function's own, wherever in it they are wanted."""
    with b.goto_entry_block():
        made = b.alloca(ir.ArrayType(kind, count))
    made.align, made.type = 64, POINTER  # llvmlite would have it point to the array alone
    return made


def load(b: ir.IRBuilder, kind: Any, address: Value, align: int = 1) -> Value:
    return b.load(address, typ=kind, align=align)


def smaller(b: ir.IRBuilder, one: Value, other: Value) -> Value:
    return b.select(b.icmp_signed("<", one, other), one, other)


def larger(b: ir.IRBuilder, one: Value, other: Value) -> Value:
    return b.select(b.icmp_signed(">", one, other), one, other)


def intrinsic(b: ir.IRBuilder, name: str, result: Any, arguments: Sequence[Value]) -> Value:
    """Call a function of LLVM or of the machine by its full name."""
    known = b.module.globals.get(name)
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return b.call(known or ir.Function(b.module, kind, name), arguments)


def loop(
    b: ir.IRBuilder,
    start: Value,
    stop: Value,
    step: Value,
    state: Sequence[Value],
    body: Callable[[Value, list[Value]], Sequence[Value]],
) -> list[Value]:
    """``for index in range(start, stop, step): state = body(index, state)``; gives the last state."""
    before = b.block
    head, inside, after = (b.append_basic_block(name) for name in ("head", "body", "after"))
    b.branch(head)
    b.position_at_end(head)
    index, *carried = (b.phi(value.type) for value in (start, *state))
    b.cbranch(b.icmp_signed("<", index, stop), inside, after)
    b.position_at_end(inside)
    results = body(index, list(carried))
    values = (b.add(index, step), *results)
    for phi, first, again in zip((index, *carried), (start, *state), values, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(again, b.block)
    b.branch(head)
    b.position_at_end(after)
    return carried


def sweep(
    b: ir.IRBuilder,
    stop: Value,
    step: int,
    state: Sequence[Value],
    body: Callable[[Value, list[Value], int], Sequence[Value]],
    join: str = "",
) -> list[Value]:
    """``body(index, state, count)`` for ``step`` elements at a time, then one at a time, up to ``stop``.

    In between, the vectors of the state are joined to one value each by LLVM's reduction of this name.
    """
    whole = b.and_(stop, number(-step))
    many = loop(b, number(0), whole, number(step), state, lambda index, now: body(index, now, step))
    one = [intrinsic(b, f"llvm.vector.reduce.{join}.v{step}i32", I32, [value]) for value in many]
    return loop(b, whole, stop, number(1), one, lambda index, now: body(index, now, 1))
