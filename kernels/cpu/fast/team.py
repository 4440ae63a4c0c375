"""Several threads at one product, as code: a word of tickets, from which they take ranges of row groups.

A job lies in memory all threads see. Its ticket holds the job's number in the high half and the ranges nobody has
taken in the low one; who exchanges it for one less has a range, and may read the job until it has counted that range
as done. The leader writes a job only when the last one is done, and works on it too: a thread that comes late finds
nothing to take, and one that never comes is not missed.
"""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast.ir import I1, I32, I64, POINTER, VOID, Value, at, function, intrinsic, load, loop, number, smaller
from kernels.cpu.fast.job import CLOSED, DONE, FIELDS, TICKET, WORK
from kernels.cpu.fast.tiers import Tier

PATIENCE = 64
"""Looks for something to do, or to be done, before a thread offers its processor to others; a power of two."""


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``lead``, for who wants a product, and ``serve``, for who helps, to a module that has ``product``."""
    take = _take(module)
    _lead(module, tier, take)
    _serve(module, tier, take)


def _take(module: ir.Module) -> ir.Function:
    """``take(job)``: compute one range of the job; gives whether there was one."""
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
    arrays = [b.inttoptr(field[name], POINTER) for name in FIELDS[:4]]
    b.call(module.globals["product"], [*arrays, field["blocks"], first, last, field["batch"], field["stride"]])
    b.atomic_rmw("add", at(b, job, DONE), number(1), "release")
    b.ret(number(1, I1))
    return b.function


def _lead(module: ir.Module, tier: Tier, take: ir.Function) -> None:
    """``lead(job, …FIELDS)``: publish a job, work on it until nothing is left, wait for what others have taken."""
    b, job, *fields = function(module, "lead", VOID, {"job": POINTER} | dict.fromkeys(FIELDS, I64))
    for n, value in enumerate(fields):
        b.store(value, at(b, job, WORK + 8 * n), align=8)
    groups, share = fields[FIELDS.index("groups")], fields[FIELDS.index("share")]
    ranges = b.udiv(b.sub(b.add(groups, share), number(1)), share)
    # llvmlite has no atomic store to an opaque pointer: exchange and forget.
    b.atomic_rmw("xchg", at(b, job, DONE), number(0), "monotonic")
    before = b.lshr(b.load_atomic(at(b, job, TICKET), "monotonic", 8, typ=I64), number(32))
    ticket = b.or_(b.shl(b.add(before, number(1)), number(32)), ranges)
    b.atomic_rmw("xchg", at(b, job, TICKET), ticket, "release")
    work, wait, look_again, done = (b.append_basic_block(name) for name in ("work", "wait", "look_again", "done"))
    b.branch(work)
    b.position_at_end(work)
    b.cbranch(b.call(take, [job]), work, wait)
    b.position_at_end(wait)
    looks = b.phi(I64)
    looks.add_incoming(number(0), work)
    finished = b.load_atomic(at(b, job, DONE), "acquire", 8, typ=I64)
    b.cbranch(b.icmp_signed("==", finished, ranges), done, look_again)
    b.position_at_end(look_again)
    _pause(b, tier, looks)
    looks.add_incoming(b.add(looks, number(1)), b.block)
    b.branch(wait)
    b.position_at_end(done)
    b.ret_void()


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
