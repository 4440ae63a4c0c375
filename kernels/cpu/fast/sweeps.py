"""What is done to values where they stand, as code: a norm, turns, gates and sums, a range of tokens at a time."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from kernels.cpu.fast import team
from kernels.cpu.fast.floats import SINGLE, Reader, exp, lanes, total
from kernels.cpu.fast.ir import (
    F32,
    F64,
    Value,
    at,
    intrinsic,
    loop,
    number,
    splat,
    spread,
    sweep,
)
from kernels.ops.order import LANES

Fields = dict[str, Value]


def emit(module: ir.Module) -> None:
    """Add these operations."""
    team.operation(module, "rms_norm", _rms_norm)
    team.operation(module, "rope", _rope)
    team.operation(module, "relu2", _each("gate", "up", _relu2))
    team.operation(module, "silu", _each("gate", "up", _silu))
    team.operation(module, "add", _each("a", "b", lambda b, one, other: b.fadd(one, other)))
    team.operation(module, "keep", _keep)


def _rms_norm(b: ir.IRBuilder, first: Value, last: Value, given: Fields) -> None:
    cols = given["cols"]
    wide = ir.VectorType(F64, LANES)

    def one_token(token: Value, _: list[Value]) -> list[Value]:
        x, y = (at(b, given[name], b.mul(token, cols), 4) for name in ("x", "y"))

        def square(_: Value, state: list[Value], read: Reader) -> list[Value]:
            values = read(SINGLE, x)
            return [b.fadd(state[0], b.fpext(b.fmul(values, values), wide))]

        (sums,) = lanes(b, cols, [splat(wide, 0)], square)
        mean = b.fptrunc(b.fdiv(total(b, sums), b.sitofp(cols, F64)), F32)
        root = intrinsic(b, "llvm.sqrt.f32", F32, [b.fadd(mean, given["eps"])])
        factor = b.fdiv(splat(F32, 1), root)

        def apply(index: Value, _: list[Value], count: int) -> list[Value]:
            values, weights = (SINGLE.load(b, at(b, base, index, 4), count) for base in (x, given["weight"]))
            b.store(b.fmul(b.fmul(values, spread(b, factor, count)), weights), at(b, y, index, 4), align=1)
            return []

        sweep(b, cols, LANES, [], apply)
        return []

    loop(b, first, last, number(1), [], one_token)


def _rope(b: ir.IRBuilder, first: Value, last: Value, given: Fields) -> None:
    heads, size, half = (given[name] for name in ("heads", "size", "half"))
    turned = b.mul(half, number(2))

    def one_token(token: Value, _: list[Value]) -> list[Value]:
        angles = [at(b, given[name], b.mul(token, half), 4) for name in ("cos", "sin")]

        def one_head(head: Value, _: list[Value]) -> list[Value]:
            start = b.mul(b.add(b.mul(token, heads), head), size)
            x, y = (at(b, given[name], start, 4) for name in ("x", "y"))
            copied(b, at(b, x, turned, 4), at(b, y, turned, 4), b.sub(size, turned))

            def turn(index: Value, _: list[Value], count: int) -> list[Value]:
                other = b.add(index, half)
                one, two = (SINGLE.load(b, at(b, x, place, 4), count) for place in (index, other))
                cos, sin = (SINGLE.load(b, at(b, base, index, 4), count) for base in angles)
                b.store(b.fsub(b.fmul(one, cos), b.fmul(two, sin)), at(b, y, index, 4), align=1)
                b.store(b.fadd(b.fmul(one, sin), b.fmul(two, cos)), at(b, y, other, 4), align=1)
                return []

            sweep(b, half, LANES, [], turn)
            return []

        loop(b, number(0), heads, number(1), [], one_head)
        return []

    loop(b, first, last, number(1), [], one_token)


def _keep(b: ir.IRBuilder, first: Value, last: Value, given: Fields) -> None:
    cols = given["cols"]
    x = at(b, given["x"], b.mul(first, cols), 4)
    kept = at(b, given["kept"], b.mul(b.add(given["start"], first), cols), 4)
    copied(b, x, kept, b.mul(b.sub(last, first), cols))


def copied(b: ir.IRBuilder, x: Value, y: Value, count: Value) -> None:
    """Copy so many floats."""

    def copy(index: Value, _: list[Value], some: int) -> list[Value]:
        b.store(SINGLE.load(b, at(b, x, index, 4), some), at(b, y, index, 4), align=1)
        return []

    sweep(b, count, LANES, [], copy)


def _each(left: str, right: str, formula: Callable[[ir.IRBuilder, Value, Value], Value]) -> team.Body:
    """A formula of two values, for each of two arrays."""

    def body(b: ir.IRBuilder, first: Value, last: Value, given: Fields) -> None:
        cols = given["cols"]
        one, other, y = (at(b, given[name], b.mul(first, cols), 4) for name in (left, right, "y"))

        def apply(index: Value, _: list[Value], count: int) -> list[Value]:
            values = (SINGLE.load(b, at(b, base, index, 4), count) for base in (one, other))
            b.store(formula(b, *values), at(b, y, index, 4), align=1)
            return []

        sweep(b, b.mul(b.sub(last, first), cols), LANES, [], apply)

    return body


def _relu2(b: ir.IRBuilder, gate: Value, up: Value) -> Value:
    zero = splat(gate.type, 0)
    positive = b.select(b.fcmp_ordered("<", gate, zero), zero, gate)  # NaN stays
    return b.fmul(b.fmul(positive, positive), up)


def _silu(b: ir.IRBuilder, gate: Value, up: Value) -> Value:
    power = exp(b, b.fneg(gate))
    return b.fmul(b.fdiv(gate, b.fadd(splat(gate.type, 1), power)), up)
