"""Several threads at one piece of work, as code: a word of tickets, from which they take ranges of it.

A job lies in memory all threads see. Its ticket holds the job's number in the high half and the ranges nobody has
taken in the low one; who exchanges it for one less has a range, and may read the job until it has counted that range
as done. The leader writes a job only when the last one is done, and works on it too: a thread that comes late finds
nothing to take, and one that never comes is not missed.

Work is a function ``(words, first, last)`` that does the groups first to last, whatever they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

from kernels.cpu.fast.ir import (
    F32,
    F64,
    I1,
    I32,
    I64,
    POINTER,
    VOID,
    Value,
    at,
    function,
    intrinsic,
    load,
    loop,
    number,
    room,
    smaller,
)
from kernels.cpu.fast.job import CLOSED, DONE, FIELDS, TICKET, WORK
from kernels.cpu.fast.tiers import Tier
from kernels.cpu.fast.words import ADDRESS, FLOAT, HEAD, OPERATIONS

PATIENCE = 64
"""Looks for something to do, or to be done, before a thread offers its processor to others; a power of two."""

HEAD_TYPES = {"job": POINTER, "share": I64, "groups": I64}

Body = Callable[[ir.IRBuilder, Value, Value, dict[str, Value]], None]
"""Writes what is done for a range: from the first group, to the last, with the words by name."""

RANGE = {"words": POINTER, "first": I64, "last": I64}


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``lead``, for who wants something done, and ``serve``, for who helps."""
    take = _take(module)
    _lead(module, tier, take)
    _serve(module, tier, take)


def unpack(b: ir.IRBuilder, words: Value, fields: dict[str, str], skip: int = 0) -> dict[str, Value]:
    """The words of a row by name, ``skip`` of them left out."""

    def word(n: int, kind: str) -> Value:
        place = at(b, words, 8 * (n + skip))
        if kind == FLOAT:
            return b.fptrunc(load(b, F64, place), F32)
        return load(b, POINTER if kind == ADDRESS else I64, place)

    return {name: word(n, kind) for n, (name, kind) in enumerate(fields.items())}


def together(b: ir.IRBuilder, head: dict[str, Value], function: ir.Function, words: Sequence[Value]) -> None:
    """Have a function do all groups, with the team of this head if there is one, on a row of these words."""
    row = room(b, I64, len(words))
    for n, value in enumerate(words):
        b.store(value, at(b, row, 8 * n), align=8)
    b.call(b.module.globals["lead"], [*(head[name] for name in HEAD), b.ptrtoint(function, I64), row])


def work(module: ir.Module, name: str, body: Callable[[ir.IRBuilder, Value, Value, Value], None]) -> ir.Function:
    """Add ``name(words, first, last)``; ``body`` writes it."""
    b, *arguments = function(module, name, VOID, RANGE)
    b.function.linkage = "internal"
    body(b, *arguments)
    b.ret_void()
    return b.function


def operation(module: ir.Module, name: str, body: Body) -> None:
    """Add the operation of this name, ``name(words)``."""

    def with_names(b: ir.IRBuilder, words: Value, first: Value, last: Value) -> None:
        body(b, first, last, unpack(b, words, HEAD | OPERATIONS[name]))

    worker = work(module, f"{name}_range", with_names)
    b, words = function(module, name, I64, {"words": POINTER})
    head = unpack(b, words, HEAD)
    b.call(module.globals["lead"], [*head.values(), b.ptrtoint(worker, I64), words])
    b.ret(number(0))


def _take(module: ir.Module) -> ir.Function:
    """``take(job)``: do one range of the job; gives whether there was one."""
    b, job = function(module, "take", I1, {"job": POINTER})
    b.function.linkage = "internal"
    again, some, mine, none = (b.append_basic_block(name) for name in ("again", "some", "mine", "none"))
    b.branch(again)
    b.position_at_end(again)
    ticket = b.load_atomic(at(b, job, TICKET), "acquire", 8, typ=I64)
    left = b.and_(ticket, number(0xFFFF_FFFF))
    b.cbranch(b.icmp_signed("==", left, number(0)), none, some)
    b.position_at_end(none)
    b.ret(number(0, I1))
    b.position_at_end(some)
    taken = b.cmpxchg(at(b, job, TICKET), ticket, b.sub(ticket, number(1)), "acq_rel", "acquire")
    b.cbranch(b.extract_value(taken, 1), mine, again)
    b.position_at_end(mine)
    field = {name: load(b, I64, at(b, job, WORK + 8 * n), 8) for n, name in enumerate(FIELDS)}
    first = b.mul(b.sub(left, number(1)), field["share"])
    last = smaller(b, b.add(first, field["share"]), field["groups"])
    _call(b, field["function"], b.inttoptr(field["words"], POINTER), first, last)
    b.atomic_rmw("add", at(b, job, DONE), number(1), "release")
    b.ret(number(1, I1))
    return b.function


def _lead(module: ir.Module, tier: Tier, take: ir.Function) -> None:
    """``lead(job, share, groups, function, words)``: publish a job, work on it until nothing is left, wait for others.

    Without a job, or with no more than one range, the caller does it all.
    """
    arguments = HEAD_TYPES | {"function": I64, "words": POINTER}
    b, job, share, groups, worker, words = function(module, "lead", VOID, arguments)
    b.function.linkage = "internal"
    nobody = b.icmp_unsigned("==", b.ptrtoint(job, I64), number(0))
    with b.if_then(b.or_(nobody, b.icmp_signed("<=", groups, share))):
        _call(b, worker, words, number(0), groups)
        b.ret_void()
    described = {"function": worker, "words": words, "groups": groups, "share": share}
    for n, name in enumerate(FIELDS):
        b.store(described[name], at(b, job, WORK + 8 * n), align=8)
    ranges = b.udiv(b.sub(b.add(groups, share), number(1)), share)
    # llvmlite has no atomic store to an opaque pointer: exchange and forget.
    b.atomic_rmw("xchg", at(b, job, DONE), number(0), "monotonic")
    before = b.lshr(b.load_atomic(at(b, job, TICKET), "monotonic", 8, typ=I64), number(32))
    ticket = b.or_(b.shl(b.add(before, number(1)), number(32)), ranges)
    b.atomic_rmw("xchg", at(b, job, TICKET), ticket, "release")
    busy, wait, look_again, done = (b.append_basic_block(name) for name in ("busy", "wait", "look_again", "done"))
    b.branch(busy)
    b.position_at_end(busy)
    b.cbranch(b.call(take, [job]), busy, wait)
    b.position_at_end(wait)
    looks = b.phi(I64)
    looks.add_incoming(number(0), busy)
    finished = b.load_atomic(at(b, job, DONE), "acquire", 8, typ=I64)
    b.cbranch(b.icmp_signed("==", finished, ranges), done, look_again)
    b.position_at_end(look_again)
    _pause(b, tier, looks)
    looks.add_incoming(b.add(looks, number(1)), b.block)
    b.branch(wait)
    b.position_at_end(done)
    b.ret_void()


def _call(b: ir.IRBuilder, worker: Value, words: Value, first: Value, last: Value) -> None:
    """Call a function by its address."""
    kind = ir.FunctionType(VOID, tuple(RANGE.values()))
    b.call(b.inttoptr(worker, kind.as_pointer()), [words, first, last])


def _serve(module: ir.Module, tier: Tier, take: ir.Function) -> None:
    """``serve(job, looks)``: take ranges until there was none for so many looks, or the job is closed."""
    b, job, looks = function(module, "serve", VOID, {"job": POINTER, "looks": I64})
    top = b.append_basic_block("top")
    b.branch(top)
    b.position_at_end(top)

    def look(index: Value, _: list[Value]) -> list[Value]:
        closed = b.load_atomic(at(b, job, CLOSED), "acquire", 8, typ=I64)
        with b.if_then(b.icmp_signed("!=", closed, number(0)), likely=False):
            b.ret_void()
        with b.if_then(b.call(take, [job])):
            b.branch(top)
        _pause(b, tier, index)
        return []

    loop(b, number(0), looks, number(1), [], look)
    b.ret_void()


def _pause(b: ir.IRBuilder, tier: Tier, looks: Value) -> None:
    """Let the other thread of a core go first, where there is an instruction for that, and now and then any other."""
    if tier.arch == "x86_64":
        intrinsic(b, "llvm.x86.sse2.pause", VOID, [])
    elif tier.arch == "aarch64":
        intrinsic(b, "llvm.aarch64.hint", VOID, [number(1, I32)])
    often = b.and_(looks, number(PATIENCE - 1))
    with b.if_then(b.icmp_signed("==", often, number(PATIENCE - 1)), likely=False):
        intrinsic(b, "sched_yield", I32, [])
