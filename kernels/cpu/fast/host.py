"""What this machine executes, and what its system lets a process execute."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import replace
from functools import cache

import llvmlite.binding as llvm

from kernels.cpu.fast.tiers import Tier

NEAR = 2048
"""Bytes ahead on CPUs of Intel, which ask for the rest of a page themselves; four times as many cost half again."""

_ARCH_PRCTL, _ASK, _MATRICES = 158, 0x1023, 18
"""On Linux for x86-64: the system call, its request for more state to be kept, and the state of a matrix unit."""


def arch() -> str:
    """This machine's architecture, as LLVM's triples begin on Linux."""
    triple: str = llvm.get_process_triple()
    return triple.partition("-")[0].replace("arm64", "aarch64")


def fitted(tier: Tier) -> Tier:
    """A tier as it suits the caches of this CPU."""
    ahead = tier.ahead if arch() != "x86_64" or llvm.get_host_cpu_name().startswith("znver") else NEAR
    return replace(tier, ahead=ahead)


def denied(tier: Tier) -> str:
    """Why the system does not let this process use what a tier needs; empty if it does. Asks it, where it must."""
    if not tier.unit or _matrices():
        return ""
    return "this system keeps no state of a matrix unit for this process"


@cache
def _matrices() -> bool:
    """Ask that the state of the matrix unit is kept for this process, its threads and its forks."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        answer: int = ctypes.CDLL(None).syscall(_ARCH_PRCTL, _ASK, _MATRICES)
    except (OSError, AttributeError):
        return False
    return answer == 0
