"""The bench as it goes: a JSON object a line, one before each kind of work and one after it, for whoever watches.

Unlike the table it goes on where a result is wrong, and says so in its place; it times several backends beside each
other, and packing and unpacking too.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels import formats
from kernels.backend import Backend, BackendReport, backend_report, select_backend
from kernels.bench.measure import fault, ternary, time
from kernels.errors import BackendError, FormatError

if TYPE_CHECKING:
    from kernels.bench.probes import Probes  # which loads llvmlite

COLD_BATCHES = 8
"""Tokens up to which a product waits for memory, and is timed with weights that come from there."""

LONGEST_S = 0.5
"""Seconds of packing after which no further round begins."""

Line = dict[str, Any]
Look = Callable[[BackendReport, int], AbstractContextManager["Probes | None"]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is timed in one go."""

    op: str
    format: str
    backend: str
    rows: int
    cols: int
    batch: int
    threads: int
    cold: bool


def lines(asked: argparse.Namespace, look: Look, machine: dict[str, str]) -> Iterator[Line]:
    """All there is to say: ``about``, ``absent``, then ``begins`` and ``result`` or ``wrong`` by turns, ``end``."""
    reports, absent = _reports(asked.backend.split(","))
    kinds = list(_kinds(asked, [r.used for r in reports]))
    yield {"type": "about", "machine": machine, "backends": [asdict(r) for r in reports], "kinds": len(kinds)}
    yield from absent
    wrong = 0
    for threads in asked.threads:
        with ExitStack() as stack:
            probes = stack.enter_context(look(reports[0], threads))
            for kind in (k for k in kinds if k.threads == threads):
                yield {"type": "begins", **asdict(kind)}
                said = _timed(kind, probes, asked.rounds)
                wrong += said["type"] == "wrong"
                yield said
    yield {"type": "end", "kinds": len(kinds), "wrong": wrong}


def _reports(names: list[str]) -> tuple[list[BackendReport], list[Line]]:
    """The backends there are, each once, and those that cannot run here with the reason."""
    found: dict[str, BackendReport] = {}
    absent: list[Line] = []
    for name in names:
        try:
            report = backend_report(name)
        except BackendError as error:
            absent.append({"type": "absent", "backend": name, "why": str(error)})
        else:
            found.setdefault(report.used, report)
    if not found:
        raise BackendError(absent[0]["why"])
    return list(found.values()), absent


def _kinds(asked: argparse.Namespace, backends: list[str]) -> Iterator[Kind]:
    """Products by every backend; packing and unpacking are NumPy's."""
    for threads in asked.threads:
        for rows, cols in asked.shape:
            for batch in asked.batch:
                for backend in backends:
                    yield Kind("matmul", "i2_s", backend, rows, cols, batch, threads, batch <= COLD_BATCHES)
            if threads == asked.threads[0]:
                for op in ("pack", "unpack"):
                    for name in asked.format:
                        yield Kind(op, name, "numpy", rows, cols, 0, 1, False)


def _timed(kind: Kind, probes: Probes | None, rounds: int) -> Line:
    """What it takes, or how it is wrong: never both."""
    try:
        said = _product(kind, probes, rounds) if kind.op == "matmul" else _packing(kind, probes, rounds)
    except (FormatError, BackendError) as error:
        said = {"type": "wrong", "why": str(error)}
    return asdict(kind) | said


def _product(kind: Kind, probes: Probes | None, rounds: int) -> Line:
    backend: Backend = select_backend(kind.backend, threads=kind.threads)
    if why := fault(backend, kind.rows, kind.cols, kind.batch):
        return {"type": "wrong", "why": why}
    # What this processor can do says nothing of another device.
    seen = None if kind.backend == "gpu" else probes
    timing = time(backend, kind.rows, kind.cols, kind.batch, kind.threads, kind.cold, seen, rounds)
    return {"type": "result", **timing.as_dict()}


def _packing(kind: Kind, probes: Probes | None, rounds: int) -> Line:
    """Bytes are those that must be read and written: the int8 weights and the packed ones."""
    layout, weights = formats.get(kind.format), ternary(kind.rows, kind.cols)
    shape = kind.rows, kind.cols
    packed = layout.pack(weights, 1.0)
    back, scale = layout.unpack(packed, shape)
    if lost := int((back != weights).sum()) or scale != 1:
        return {"type": "wrong", "why": f"{lost} of {weights.size} weights do not come back"}
    seconds: list[float] = []
    read: list[float] = []
    ended = perf_counter() + LONGEST_S
    while len(seconds) < rounds and (not seconds or perf_counter() < ended):
        if probes is not None:
            read.append(probes.read(weights.nbytes) / 1e9)
        started = perf_counter()
        if kind.op == "pack":
            layout.pack(weights, 1.0)
        else:
            layout.unpack(packed, shape)
        seconds.append(perf_counter() - started)
    low, middle, high = (float(value) for value in np.percentile(seconds, [10, 50, 90]))
    rate = (weights.nbytes + packed.nbytes) / middle / 1e9
    machine = {"read": float(np.median(read))} if read else {}
    return {
        "type": "result", "calls": len(seconds), "median_us": middle * 1e6, "p10_us": low * 1e6, "p90_us": high * 1e6,
        "packed_gb_s": rate, "giga_macs_s": 0.0, "machine": machine,
        "shares": {"read": rate / machine["read"]} if machine else {},
    }  # fmt: skip
