"""Attention as code: a unit of work is one token and the queries that share its keys.

Their scores are dots; softmax goes over them three times, for the largest, the powers and the shares; the values are
added position after position, some of them at a time for all queries, so that they are read from the nearest cache.
"""

from __future__ import annotations

from llvmlite import ir

from kernels.cpu.fast import team
from kernels.cpu.fast.floats import SINGLE, V16, Stored, exp, half, halved, total
from kernels.cpu.fast.ir import (
    F32,
    I32,
    I64,
    POINTER,
    VOID,
    Value,
    at,
    function,
    load,
    loop,
    number,
    several,
    smaller,
    splat,
    spread,
    sweep,
)
from kernels.cpu.fast.tiers import Tier
from kernels.ops.order import LANES

TOGETHER = 4
"""Queries that share what is loaded of the values."""

SOME = 32
"""Positions whose values stay in the nearest cache while all queries take them."""


def emit(module: ir.Module, tier: Tier) -> None:
    """Add ``attention_f32`` and ``attention_f16`` to a module that has dots of both."""
    softmax = _softmax(module)
    for bits, stored in ((32, SINGLE), (16, half(tier))):
        weigh = {count: _weigh(module, tier, f"weigh{count}_f{bits}", stored, count) for count in (TOGETHER, 1)}
        dots = module.globals[f"dots_f{bits}"]
        team.operation(module, f"attention_f{bits}", _attention(stored, dots, softmax, weigh))


def _attention(stored: Stored, dots: ir.Function, softmax: ir.Function, weigh: dict[int, ir.Function]) -> team.Body:
    def body(b: ir.IRBuilder, first: Value, last: Value, given: dict[str, Value]) -> None:
        size, group, tokens, served = (given[name] for name in ("size", "group", "tokens", "served"))
        query_bytes, head_bytes = b.mul(size, number(4)), b.mul(size, number(stored.size))
        row_bytes = b.mul(served, head_bytes)
        stride = b.and_(b.add(b.add(given["start"], tokens), number(LANES - 1)), number(-LANES))
        scores = at(b, given["room"], b.mul(b.udiv(first, given["share"]), b.mul(group, stride)), 4)

        def one_unit(unit: Value, _: list[Value]) -> list[Value]:
            token, head = b.urem(unit, tokens), b.udiv(unit, tokens)
            positions = b.add(b.add(given["start"], token), number(1))
            mine = b.mul(b.add(b.mul(token, served), head), b.mul(group, query_bytes))
            q, y = at(b, given["q"], mine), at(b, given["y"], mine)
            k, v = (at(b, given[name], b.mul(head, head_bytes)) for name in ("k", "v"))
            b.call(dots, [k, q, scores, size, row_bytes, query_bytes, stride, positions, group])

            def one_query(query: Value, _: list[Value]) -> list[Value]:
                b.call(softmax, [at(b, scores, b.mul(query, stride), 4), positions, given["scale"]])
                return []

            loop(b, number(0), group, number(1), [], one_query)

            def clear(index: Value, _: list[Value], count: int) -> list[Value]:
                b.store(splat(several(F32, count), 0), at(b, y, index, 4), align=4)
                return []

            sweep(b, b.mul(group, size), LANES, [], clear)

            def some_positions(start: Value, _: list[Value]) -> list[Value]:
                stop = smaller(b, b.add(start, number(SOME)), positions)

                def queries(count: int, begin: Value, end: Value) -> None:
                    def one(query: Value, _: list[Value]) -> list[Value]:
                        shares = at(b, scores, b.mul(query, stride), 4)
                        goal = at(b, y, b.mul(query, query_bytes))
                        b.call(weigh[count], [v, shares, goal, start, stop, size, row_bytes, stride])
                        return []

                    loop(b, begin, end, number(count), [], one)

                whole = b.and_(group, number(-TOGETHER))
                queries(TOGETHER, number(0), whole)
                queries(1, whole, group)
                return []

            loop(b, number(0), positions, number(SOME), [], some_positions)
            return []

        loop(b, first, last, number(1), [], one_unit)

    return body


def _softmax(module: ir.Module) -> ir.Function:
    """``softmax(scores, count, scale)``: scores → shares, in place, in whole vectors; shares behind the last are 0."""
    arguments = {"scores": POINTER, "count": I64, "scale": F32}
    b, scores, count, scale = function(module, "softmax", VOID, arguments)
    b.function.linkage = "internal"
    whole = b.and_(count, number(-LANES))
    lowest = splat(V16, float("-inf"))

    def scaled(index: Value) -> Value:
        return b.fmul(SINGLE.load(b, at(b, scores, index, 4)), spread(b, scale, LANES))

    def larger(one: Value, other: Value) -> Value:
        return b.select(b.fcmp_ordered(">", one, other), one, other)

    def find(index: Value, state: list[Value]) -> list[Value]:
        values = scaled(index)
        b.store(values, at(b, scores, index, 4), align=4)
        return [larger(values, state[0])]

    def find_last(index: Value, state: list[Value]) -> list[Value]:
        left = spread(b, b.trunc(b.sub(count, index), I32), LANES)
        there = b.icmp_signed("<", ir.Constant(ir.VectorType(I32, LANES), list(range(LANES))), left)
        values = b.select(there, scaled(index), lowest)
        b.store(values, at(b, scores, index, 4), align=4)
        return [larger(values, state[0])]

    state = loop(b, number(0), whole, number(LANES), [lowest], find)
    (found,) = loop(b, whole, count, number(LANES), state, find_last)
    largest = spread(b, halved(b, found, larger), LANES)

    def power(index: Value, state: list[Value]) -> list[Value]:
        values = exp(b, b.fsub(SINGLE.load(b, at(b, scores, index, 4)), largest))
        b.store(values, at(b, scores, index, 4), align=4)
        return [b.fadd(state[0], values)]

    (sums,) = loop(b, number(0), count, number(LANES), [splat(V16, 0)], power)
    factor = spread(b, b.fdiv(splat(F32, 1), total(b, sums)), LANES)

    def share(index: Value, _: list[Value]) -> list[Value]:
        place = at(b, scores, index, 4)
        b.store(b.fmul(SINGLE.load(b, place), factor), place, align=4)
        return []

    loop(b, number(0), count, number(LANES), [], share)
    b.ret_void()
    return b.function


def _weigh(module: ir.Module, tier: Tier, name: str, stored: Stored, queries: int) -> ir.Function:
    """``name(v, shares, y, first, last, size, row_bytes, stride)``: add these positions to the sums of each query."""
    arguments = dict.fromkeys(("v", "shares", "y"), POINTER)
    arguments |= dict.fromkeys(("first", "last", "size", "row_bytes", "stride"), I64)
    b, v, shares, y, first, last, size, row_bytes, stride = function(module, name, VOID, arguments)
    b.function.linkage = "internal"
    rows = [at(b, shares, b.mul(number(query), stride), 4) for query in range(queries)]
    sums = [at(b, y, b.mul(number(query), size), 4) for query in range(queries)]

    def columns(width: int, start: Value) -> Value:
        """As many whole vectors of this width as there are; gives where the rest begins."""

        def some(column: Value, _: list[Value]) -> list[Value]:
            kind = several(F32, width)

            def add(position: Value, state: list[Value]) -> list[Value]:
                values = stored.load(b, at(b, at(b, v, b.mul(position, row_bytes)), column, stored.size), width)
                weights = [spread(b, load(b, F32, at(b, row, position, 4), 4), width) for row in rows]
                return [b.fadd(now, b.fmul(weight, values)) for now, weight in zip(state, weights, strict=True)]

            places = [at(b, place, column, 4) for place in sums]
            state = loop(b, first, last, number(1), [load(b, kind, place, 4) for place in places], add)
            for place, value in zip(places, state, strict=True):
                b.store(value, place, align=4)
            return []

        end = b.add(start, b.and_(b.sub(size, start), number(-width)))
        loop(b, start, end, number(width), [], some)
        return end

    chains = LANES * max(1, 8 * tier.lanes // LANES // queries)  # as many as hide an addition's time
    end = number(0)
    for width in dict.fromkeys((chains, LANES, 1)):
        end = columns(width, end)
    b.ret_void()
    return b.function
