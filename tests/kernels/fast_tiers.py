"""The tiers of the fast backend, for tests: those this CPU executes, made once a session."""

from dataclasses import replace
from functools import cache

import llvmlite.binding as llvm
import pytest
from amx_in_words import InWords
from llvmlite import ir

from kernels.cpu.fast import amx, tile
from kernels.cpu.fast.backend import FastBackend
from kernels.cpu.fast.build import assemble
from kernels.cpu.fast.host import arch, denied
from kernels.cpu.fast.ir import splat
from kernels.cpu.fast.load import Code, load
from kernels.cpu.fast.tiers import TIERS, Tier, named

NAMES = [tier.name for tier in TIERS]

_MACHINES = {"x86_64": ["x86_64-linux-gnu"], "aarch64": ["aarch64-linux-gnu", "aarch64-apple-darwin"]}
_ANY = ["x86_64-linux-gnu", "aarch64-linux-gnu", "riscv64-linux-gnu", "powerpc64le-linux-gnu"]
TRIPLES = [(tier.name, triple) for tier in TIERS for triple in _MACHINES.get(tier.arch, _ANY)]
"""Machines a tier's code can be compiled for, here or not."""
SLOW = [("portable", triple) for triple in _ANY if not triple.startswith("aarch64")]
"""Of those, what takes longest to compile: one of its kind stays, and the tests that compute compile their own."""


def spelled_out(instruction: str):
    """Four products a lane as vpdpbusd and sdot define them, in words every CPU knows."""

    def dot(b: ir.IRBuilder, sums, codes, q):
        shift = b.lshr if instruction == "vpdpbusd" else b.ashr  # one of the operands has no sign there
        for byte in range(4):
            left, right = splat(sums.type, 24 - 8 * byte), splat(sums.type, 24)
            u = shift(b.shl(codes, left), right)
            x = b.ashr(b.shl(q, left), right)
            sums = b.add(sums, b.mul(u, x))
        return sums

    return dot


@cache
def code(name: str) -> tuple[Code, Tier]:
    """A tier's code; where this CPU lacks its instruction, with that spelled out and all else as it is."""
    tier = named(name)
    if tier.runs_on(arch(), llvm.get_host_cpu_features()) and not denied(tier):
        return load(assemble(tier)), tier
    if tier.narrow:
        pytest.skip(f"missing-cpu: {', '.join(tier.needs)}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tile.DOTS, tier.instruction, spelled_out(tier.instruction))
        patch.setattr(amx, "AMX", InWords())
        everywhere = replace(tier, needs=(), arch="")
        return load(assemble(everywhere)), everywhere


@cache
def backend(name: str, threads: int = 1) -> FastBackend:
    return FastBackend(*code(name), threads)


@cache
def assembly(tier: str, triple: str) -> str:
    """What a tier is compiled to for any machine."""
    try:
        return assemble(named(tier), triple, text=True).decode()
    except RuntimeError as error:
        pytest.skip(f"missing-tool: LLVM without this target ({error})")
