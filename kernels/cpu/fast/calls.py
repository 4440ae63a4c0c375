"""What Python calls, as code: all steps in one call, over panels of tokens whose activations stay in the cache."""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast.ir import F32, I64, POINTER, VOID, Value, at, function, loop, number, smaller
from kernels.cpu.fast.lanes import VECTORS
from kernels.cpu.fast.tiers import Tier
from kernels.formats.i2_s import BLOCK


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``accumulate`` and ``multiply`` to a module that has everything else.

    Both take a matrix as `lanes` lays it, ``blocks`` wide and ``groups`` high, and the job of a team with the groups
    of a ``share``, or no job.
    """
    height = number(VECTORS * tier.lanes)
    compute = _compute(module, height)
    _accumulate(module, height, compute)
    _multiply(module, height, compute)


def _compute(module: ir.Module, height: Value) -> ir.Function:
    """``compute(weights, q, bias, sums, batch, blocks, groups, job, share)``: alone, or as the leader of a team."""
    arguments = dict.fromkeys(("weights", "q", "bias", "sums"), POINTER)
    arguments |= dict.fromkeys(("batch", "blocks", "groups"), I64) | {"job": POINTER, "share": I64}
    b, *arrays, batch, blocks, groups, job, share = function(module, "compute", VOID, arguments)
    b.function.linkage = "internal"
    stride = b.mul(groups, height)
    with b.if_else(b.icmp_unsigned("==", b.ptrtoint(job, I64), number(0))) as (alone, together):
        with alone:
            b.call(module.globals["product"], [*arrays, blocks, number(0), groups, batch, stride])
        with together:
            addresses = [b.ptrtoint(array, I64) for array in arrays]
            b.call(module.globals["lead"], [job, *addresses, blocks, groups, batch, stride, share])
    b.ret_void()
    return b.function


def _accumulate(module: ir.Module, height: Value, compute: ir.Function) -> None:
    """``accumulate(weights, q, bias, sums, batch, panel, blocks, groups, job, share)``.

    (batch, 128 blocks) int8 → (batch, 2 L groups) int32; ``bias`` is room for (panel,) int32.
    """
    arguments = dict.fromkeys(("weights", "q", "bias", "sums"), POINTER)
    arguments |= dict.fromkeys(("batch", "panel", "blocks", "groups"), I64) | {"job": POINTER, "share": I64}
    b, weights, q, bias, sums, batch, panel, blocks, groups, job, share = function(
        module, "accumulate", VOID, arguments
    )
    width, stride = b.mul(blocks, number(BLOCK)), b.mul(groups, height)

    def one_panel(start: Value, _: list[Value]) -> list[Value]:
        count = smaller(b, panel, b.sub(batch, start))
        some, goal = at(b, q, b.mul(start, width)), at(b, sums, b.mul(start, stride), 4)
        b.call(module.globals["negative_sums"], [some, bias, count, width])
        b.call(compute, [weights, some, bias, goal, count, blocks, groups, job, share])
        return []

    loop(b, number(0), batch, panel, [], one_panel)
    b.ret_void()


def _multiply(module: ir.Module, height: Value, compute: ir.Function) -> None:
    """``multiply(weights, x, room, y, batch, panel, blocks, groups, rows, cols, weight_scale, job, share)``.

    (batch, cols) float32 → (batch, rows) float32, at the start of ``y``, which has room for (batch, 2 L groups);
    ``room`` is that of a panel: (panel, 128 blocks) int8, then (panel,) float32 and (panel,) int32. Gives the number
    of tokens done; the next one holds what is not finite.
    """
    arguments = dict.fromkeys(("weights", "x", "room", "y"), POINTER)
    arguments |= dict.fromkeys(("batch", "panel", "blocks", "groups", "rows", "cols"), I64)
    arguments |= {"weight_scale": F32, "job": POINTER, "share": I64}
    b, *given = function(module, "multiply", I64, arguments)
    weights, x, room, y, batch, panel, blocks, groups, rows, cols, weight_scale, job, share = given
    width, stride = b.mul(blocks, number(BLOCK)), b.mul(groups, height)
    scale = at(b, room, b.mul(panel, width))
    bias = at(b, scale, panel, 4)

    def one_panel(start: Value, _: list[Value]) -> list[Value]:
        count = smaller(b, panel, b.sub(batch, start))
        some = at(b, x, b.mul(start, cols), 4)
        # Sums of a panel begin behind the floats of the panels before it, and behind its own.
        sums, goal = at(b, y, b.mul(start, stride), 4), at(b, y, b.mul(start, rows), 4)
        done = b.call(module.globals["quantize"], [some, room, scale, bias, count, cols, width])
        with b.if_then(b.icmp_signed("<", done, count), likely=False):
            b.ret(b.add(start, done))
        b.call(compute, [weights, room, bias, sums, count, blocks, groups, job, share])
        b.call(module.globals["rescale"], [sums, goal, scale, weight_scale, count, stride, rows])
        return []

    loop(b, number(0), batch, panel, [], one_panel)
    b.ret(batch)
