"""The products Python calls, as code: all steps in one call, over panels of tokens whose activations stay in the cache.

Several matrices with the same input are one piece of work: their groups are counted on from one to the next.
"""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast import team, unit
from kernels.cpu.fast.ir import I64, POINTER, Value, at, function, larger, loop, number, smaller
from kernels.cpu.fast.lanes import VECTORS
from kernels.cpu.fast.tiers import Tier
from kernels.cpu.fast.words import ADDRESS, COUNT, HEAD, MATRIX, OPERATIONS
from kernels.formats.i2_s import BLOCK

PANEL = dict.fromkeys(("table", "q", "bias", "scale"), ADDRESS)
PANEL |= dict.fromkeys(("matrices", "blocks", "start", "count"), COUNT)
"""The words of the products of a panel; without scales its sums stay integers."""


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``accumulate`` and ``multiply`` to a module that has everything else.

    Their words are followed by a table of matrices, laid as `lanes` says; a row of their results is as long as their
    groups are high together.
    """
    worker = _products(module, number(VECTORS * tier.lanes))
    _accumulate(module, tier, worker)
    _multiply(module, tier, worker)


def _products(module: ir.Module, height: Value) -> ir.Function:
    """Of `PANEL`: the range first to last of the groups of all matrices."""

    def body(b: ir.IRBuilder, words: Value, first: Value, last: Value) -> None:
        panel = team.unpack(b, words, PANEL)

        def one_matrix(index: Value, state: list[Value]) -> list[Value]:
            before, matrix = state[0], team.unpack(b, at(b, panel["table"], index, 8 * len(MATRIX)), MATRIX)
            low = larger(b, b.sub(first, before), number(0))
            high = smaller(b, b.sub(last, before), matrix["groups"])
            stride = b.mul(matrix["groups"], height)
            y = at(b, matrix["y"], b.mul(panel["start"], stride), 4)
            with b.if_then(b.icmp_signed("<", low, high)):
                given = [panel[name] for name in ("q", "bias")]
                sizes = [panel["blocks"], low, high, panel["count"], stride]
                scales = panel["scale"], matrix["scale"]
                b.call(module.globals["product"], [matrix["weights"], *given, y, *sizes, *scales])
            return [b.add(before, matrix["groups"])]

        loop(b, number(0), panel["matrices"], number(1), [number(0)], one_matrix)

    return team.work(module, "products", body)


def _accumulate(module: ir.Module, tier: Tier, worker: ir.Function) -> None:
    """``accumulate(words)``: (batch, 128 blocks) int8 → (batch, 2 L groups) int32.

    ``room`` holds (panel,) int32, and behind them a panel of activations, where there is a unit that wants them in
    `pieces`.
    """
    b, words = function(module, "accumulate", I64, {"words": POINTER})
    given = team.unpack(b, words, HEAD | OPERATIONS["accumulate"])
    table = at(b, words, 8 * len(given))
    width = b.mul(given["blocks"], number(BLOCK))

    def one_panel(start: Value, _: list[Value]) -> list[Value]:
        count = smaller(b, given["panel"], b.sub(given["batch"], start))
        q = at(b, given["q"], b.mul(start, width))
        b.call(module.globals["negative_sums"], [q, given["room"], count, width])
        if tier.unit:
            many, cut = b.icmp_signed(">=", count, number(unit.FEW)), at(b, given["room"], given["panel"], 4)
            with b.if_then(many):
                b.call(module.globals["cut"], [q, cut, count, width])
            q = b.select(many, cut, q)
        nothing = ir.Constant(POINTER, None)
        team.together(b, given, worker, [table, q, given["room"], nothing, number(1), given["blocks"], start, count])
        return []

    loop(b, number(0), given["batch"], given["panel"], [], one_panel)
    b.ret(given["batch"])


def _multiply(module: ir.Module, tier: Tier, worker: ir.Function) -> None:
    """``multiply(words)``: (batch, cols) float32 → (batch, 2 L groups) float32 for every matrix.

    ``room`` is that of a panel: (panel, 128 blocks) int8, then (panel,) float32 and (panel,) int32. Gives the number
    of tokens done; the next one holds what is not finite. One more than there are: float32 may not hold a product.
    """
    b, words = function(module, "multiply", I64, {"words": POINTER})
    given = team.unpack(b, words, HEAD | OPERATIONS["multiply"])
    table = at(b, words, 8 * len(given))
    width = b.mul(given["blocks"], number(BLOCK))
    scale = at(b, given["room"], b.mul(given["panel"], width))
    bias = at(b, scale, given["panel"], 4)

    def one_panel(start: Value, large: list[Value]) -> list[Value]:
        count = smaller(b, given["panel"], b.sub(given["batch"], start))
        x = at(b, given["x"], b.mul(start, given["cols"]), 4)
        head = [given[name] for name in HEAD]
        cut = b.zext(b.icmp_signed(">=", count, number(unit.FEW)), I64) if tier.unit else number(0)
        sizes = [count, given["cols"], width, cut]
        done = b.call(module.globals["quantize"], [*head, x, given["room"], scale, bias, *sizes])
        with b.if_then(b.icmp_signed("<", done, count), likely=False):
            b.ret(b.add(start, done))
        sizes = [given["matrices"], given["blocks"], start, count]
        team.together(b, given, worker, [table, given["room"], bias, scale, *sizes])
        return [larger(b, large[0], b.sub(done, count))]

    (large,) = loop(b, number(0), given["batch"], given["panel"], [number(0)], one_panel)
    b.ret(b.add(given["batch"], large))
