"""The instruction sets there is code for, best first, and which of them this CPU has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from kernels.errors import BackendError

OVERRIDE = "BITNET_KERNELS_TIER"
"""Environment variable that names the tier to use."""

MOST_TOKENS = 256
"""Tokens a pass takes at most where there is a unit: their sums wait on the stack."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One way to multiply four codes with four activations in every 32-bit lane.

    Parameters
    ----------
    lanes : 32-bit lanes of a vector, each of them a row of the matrix.
    tile : columns of activations that share a decoded weight, as many as the registers hold.
    needs : features of the CPU, in LLVM's names; the code is compiled for these and no others.
    arch : how the machine's triple begins; empty: any machine.
    narrow : sums are kept in 16 bits for a span of 256 columns, else in 32 throughout.
    instruction : what the assembly must show; empty: nothing in particular.
    unit : there is a unit that multiplies small matrices: see `unit`.
    panel : bytes of activations a pass over the matrix takes, about half an L2 cache.
    ahead : bytes between what is read of a matrix and what is asked for from memory.
    """

    name: str
    lanes: int
    tile: int
    needs: tuple[str, ...] = ()
    arch: str = ""
    narrow: bool = False
    instruction: str = ""
    unit: bool = False
    panel: int = 2**18
    ahead: int = 8192

    @property
    def halves(self) -> bool:
        """Whether there is an instruction that widens float16."""
        return any(feature in self.needs for feature in ("f16c", "neon"))

    @property
    def features(self) -> str:
        """For LLVM's target machine."""
        return ",".join(f"+{feature}" for feature in self.needs)

    def tokens(self, width: int) -> int:
        """Tokens a pass takes, of so many bytes each; where there is a unit, as many as whole `pieces` have."""
        fit = self.panel // max(1, width)
        return min(max(fit // 32, 1) * 32, MOST_TOKENS) if self.unit else max(fit, self.tile)

    def runs_on(self, arch: str, features: Mapping[str, bool]) -> bool:
        """Whether a CPU of this architecture and these features executes it."""
        return arch.startswith(self.arch) and all(features.get(feature) for feature in self.needs)


VNNI = "avx512f", "avx512bw", "avx512vl", "avx512vnni", "f16c"

TIERS = (
    Tier("amx", 16, 8, (*VNNI, "amx-tile", "amx-int8"), "x86_64", instruction="vpdpbusd", unit=True, panel=2**20),
    Tier("avx512-vnni", 16, 8, VNNI, "x86_64", instruction="vpdpbusd"),
    Tier("avx-vnni", 8, 5, ("avx2", "avxvnni", "f16c"), "x86_64", instruction="vpdpbusd"),
    Tier("avx2", 8, 4, ("avx2", "f16c"), "x86_64", narrow=True, instruction="vpmaddubsw"),
    Tier("sdot", 4, 8, ("neon", "dotprod"), "aarch64", instruction="sdot"),
    Tier("portable", 4, 4, narrow=True),
)


def named(name: str) -> Tier:
    """The tier of this name.

    Examples
    --------
    >>> named("avx2").lanes
    8
    """
    for tier in TIERS:
        if tier.name == name:
            return tier
    raise BackendError(f"{OVERRIDE}={name!r} is no tier; known: {', '.join(tier.name for tier in TIERS)}")


def candidates(arch: str, features: Mapping[str, bool]) -> tuple[Tier, ...]:
    """The tiers this CPU executes, best first; the one the environment names alone, if it names one.

    Raises
    ------
    BackendError
        The environment names a tier that is none, or that this CPU does not execute.

    Examples
    --------
    >>> [tier.name for tier in candidates("x86_64", {"avx2": True, "f16c": True})]
    ['avx2', 'portable']
    """
    wanted = os.environ.get(OVERRIDE)
    if not wanted:
        return tuple(tier for tier in TIERS if tier.runs_on(arch, features))
    tier = named(wanted)
    if not tier.runs_on(arch, features):
        lacking = [feature for feature in tier.needs if not features.get(feature)]
        raise BackendError(f"{OVERRIDE}={wanted!r}, but this {arch} CPU lacks {', '.join(lacking) or tier.arch}")
    return (tier,)
