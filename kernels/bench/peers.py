"""Other programs, timed in the same run where the caller has them.

A peer is a program that is called with ROWS COLS BATCH THREADS and ``cold`` or ``hot`` and prints the microseconds of
one product a line. Nothing is linked or loaded; what is not given is said to be absent.
"""

from __future__ import annotations

import statistics
import subprocess

from kernels.errors import InputError

KNOWN = ("bitnet.cpp", "llama.cpp", "ik_llama.cpp")
"""Whose absence is said."""

PATIENCE_S = 300.0
"""Seconds a peer may take for one kind of product."""


def parse(given: list[str]) -> dict[str, str]:
    """NAME=PATH, each, as names and paths.

    Examples
    --------
    >>> parse(["llama.cpp=./peer"])
    {'llama.cpp': './peer'}
    """
    peers = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not (name and equals and path):
            raise InputError(f"--peer {one}: want NAME=PATH, as in bitnet.cpp=./peer")
        peers[name] = path
    return peers


def median_us(path: str, rows: int, cols: int, batch: int, threads: int, cold: bool) -> float:
    """What a peer says it takes."""
    command = [path, *map(str, (rows, cols, batch, threads)), "cold" if cold else "hot"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        return statistics.median(float(line) for line in done.stdout.split())
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise InputError(f"the peer {path} gives no times: {error}") from error
