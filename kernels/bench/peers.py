"""Other programs, timed in the same run where the caller has them.

A peer is a build of ggml with shared libraries, given as its folder or a program in it: each of its ternary types is
one. Or it is a program that is called with ROWS COLS BATCH THREADS and ``cold`` or ``hot``, and prints the
microseconds of one product a line. Both run in children; what is not given is said to be absent.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

from kernels.bench.ggml import libraries
from kernels.errors import InputError

KNOWN = ("bitnet.cpp", "llama.cpp", "ik_llama.cpp")
"""Whose absence is said."""

DIED = "died"
"""In place of what a program prints, if a signal ended it."""

PATIENCE_S = 300.0
"""Seconds a peer may take for one kind of product."""

Peers = dict[str, list[str]]
"""By name, how a program begins that times a kind of product."""


def parse(given: list[str]) -> Peers:
    """NAME=PATH, each, as names and programs.

    Examples
    --------
    >>> parse(["llama.cpp=./peer"])
    {'llama.cpp': ['./peer']}
    """
    peers: Peers = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not (name and equals and path):
            raise InputError(f"--peer {one}: want NAME=PATH, as in llama.cpp=build/bin")
        build = [sys.executable, "-m", "kernels.bench.ggml", path]
        types = _said([*build, "types"], path).split() if libraries(Path(path)) else []
        peers |= {f"{name} {kind}": [*build, kind] for kind in types} or {name: [path]}
    return peers


def absent(peers: Peers) -> list[str]:
    """Those of `KNOWN` that are not there."""
    return [name for name in KNOWN if name not in {one.partition(" ")[0] for one in peers}]


def median_us(peer: list[str], rows: int, cols: int, batch: int, threads: int, cold: bool) -> float | None:
    """What a peer says it takes; None where it dies of such a product, as some do of large ones."""
    command = [*peer, *map(str, (rows, cols, batch, threads)), "cold" if cold else "hot"]
    said = _said(command, " ".join(peer))
    try:
        return statistics.median(float(line) for line in said.split()) if said != DIED else None
    except ValueError as error:
        raise InputError(f"the peer {' '.join(peer)} gives no times: {error}") from error


def _said(command: list[str], name: str) -> str:
    """What a program prints, or that a signal ended it."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(f"the peer {name} gives no times: {error}") from error
    if done.returncode > 0:
        last = done.stderr.strip().rpartition("\n")[2]
        raise InputError(f"the peer {name} gives no times: it ended with {done.returncode}: {last}")
    return done.stdout if not done.returncode else DIED
