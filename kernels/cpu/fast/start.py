"""Find the best tier of this machine that works, and its code: from the disk, or made and tried in a child."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter

import llvmlite
import llvmlite.binding as llvm

from kernels.cpu.fast import disk
from kernels.cpu.fast.host import arch, denied, fitted
from kernels.cpu.fast.load import Code, load
from kernels.cpu.fast.tiers import Tier, candidates
from kernels.errors import BackendError

PATIENCE_S = 120.0
"""Seconds a child may take to compile a tier; one takes about one."""


@dataclass(frozen=True, slots=True)
class Started:
    """Code that runs here, and how it came about."""

    code: Code
    tier: Tier
    cached: bool
    compile_ms: float
    passed_over: tuple[str, ...] = ()
    """Better tiers, each with the reason why it is not used."""


@cache
def start() -> Started:
    """The first tier that can be had, found once a process.

    Raises
    ------
    BackendError
        None can, with the reason of each.
    """
    features = dict(llvm.get_host_cpu_features())
    machine = arch(), llvm.get_host_cpu_name(), repr(sorted(features.items())), llvmlite.__version__
    reasons: list[str] = []
    for tier in map(fitted, candidates(arch(), features)):
        why = denied(tier)
        if why:
            reasons.append(f"tier {tier.name}: {why}")
            continue
        name = disk.key(tier.name, *machine)
        began = perf_counter()
        kept = disk.read(name)
        try:
            code = kept or _build(tier)
        except BackendError as error:
            reasons.append(str(error))
            continue
        taken = (perf_counter() - began) * 1000
        if kept is None:
            disk.write(name, code)
        return Started(load(code), tier, kept is not None, taken, tuple(reasons))
    raise BackendError("; ".join(reasons))


def _build(tier: Tier) -> bytes:
    """Machine code a child has made and tried."""
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "kernels.cpu.fast.build", tier.name],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"tier {tier.name}: {error}") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2] or "nothing"
        raise BackendError(f"tier {tier.name}: the child that made it ended with {done.returncode} and said {said}")
    return done.stdout
