"""The command line of the bench: what to time, and a table or JSON of it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import numpy as np

from kernels import formats
from kernels.backend import BackendReport, backend_report, select_backend, why_not
from kernels.bench import peers
from kernels.bench.measure import COLD_BYTES, check, time
from kernels.errors import FormatError

SHAPES = ("2560x2560", "6912x2560", "2560x6912")
LEGEND = """
Sums are exact; times are of whole matmul calls on floats. Beside a rate is the machine's in the same moments:
reading memory; int8 products, widened to 32 bits at once; the same where the tier has better: 16-bit sums, a unit.
    M x K     batch thr weights    median µs [p10 – p90]      GB/s of read      %  GMAC/s of peak      %  of peak      %
"""
COLD_BATCHES = 8
"""Tokens up to which a product waits for memory, and is timed with cold weights too."""


def main(arguments: list[str]) -> int:
    """Time products and say how fast they are; 1 if nothing could be."""
    asked = _parser().parse_args(arguments)
    if asked.stream:
        return _stream(asked)
    others = peers.parse(asked.peer)
    report = backend_report(asked.backend)
    for rows, cols in asked.shape:
        check(select_backend(asked.backend, threads=max(asked.threads)), rows, cols, asked.batch)
    results = []
    if not asked.json:
        sys.stdout.write(_heading(report, others))
    for result in _results(asked, report, others):
        results.append(result)
        if not asked.json:
            sys.stdout.write(_row(result) + "\n")
            sys.stdout.flush()
    if asked.json:
        about = {"backend": asdict(report), "machine": _machine(), "absent_peers": peers.absent(others)}
        sys.stdout.write(json.dumps(about | {"results": results}) + "\n")
    return 0


def _stream(asked: argparse.Namespace) -> int:
    """A line as soon as there is something to say; 1 if something was wrong."""
    from kernels.bench import stream

    wrong = False
    try:
        for line in stream.lines(asked, _probes, _machine()):
            wrong = wrong or line["type"] == "wrong"
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:  # nobody watches any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(wrong)


def _results(asked: argparse.Namespace, report: BackendReport, others: peers.Peers) -> Iterator[dict[str, Any]]:
    for threads in asked.threads:
        backend = select_backend(asked.backend, threads=threads)
        with _probes(report, threads) as probes:
            for rows, cols in asked.shape:
                for batch in asked.batch:
                    for cold in (True, False) if batch <= COLD_BATCHES else (False,):
                        timing = time(backend, rows, cols, batch, threads, cold, probes, asked.rounds)
                        kind = rows, cols, batch, threads, cold
                        said = {name: peers.median_us(peer, *kind) for name, peer in others.items()}
                        yield timing.as_dict() | {"peers_us": said}


def _probes(report: BackendReport, threads: int) -> Any:
    """What the machine can do; unknown without llvmlite."""
    if why_not("fast") is not None:
        return nullcontext(None)
    from kernels.bench.probes import probes
    from kernels.cpu.fast.host import fitted
    from kernels.cpu.fast.tiers import named

    return probes(fitted(named(report.tier or backend_report("fast").tier)), threads, COLD_BYTES)


def _heading(report: BackendReport, others: peers.Peers) -> str:
    lines = [f"backend {report.used}{', tier ' + report.tier if report.tier else ''} on {_machine()['processor']}"]
    if report.tier:
        lines.append(
            f"machine code {'from the disk' if report.cached else 'made and tried'} in {report.compile_ms:.0f} ms"
        )
    if report.why:
        lines.append(report.why)
    lines += [f"peer {name} is absent (--peer {name}=PATH)" for name in peers.absent(others)]
    return "\n".join(lines) + LEGEND


def _row(result: dict[str, Any]) -> str:
    def beside(name: str) -> str:
        known = name in result["machine"]
        return f"{result['machine'][name]:6.1f} {100 * result['shares'][name]:4.0f} %" if known else "     –      –"

    kind = f"{result['rows']:5} x {result['cols']:<5} {result['batch']:5} {result['threads']:3}"
    times = f"{result['median_us']:9.0f} [{result['p10_us']:.0f} – {result['p90_us']:.0f}]"
    rates = f"{result['packed_gb_s']:6.1f} {beside('read')} {result['giga_macs_s']:9.1f} {beside('multiply')}"
    said = "".join(_peer(name, value, result["median_us"]) for name, value in result["peers_us"].items())
    return f"{kind} {'cold' if result['cold'] else 'hot':5} {times:29} {rates} {beside('multiply_best')}{said}"


def _peer(name: str, us: float | None, ours: float) -> str:
    return f"\n{name:>32} {'died' if us is None else f'{us:9.0f}    {us / ours:.2f} ×'}"


def _machine() -> dict[str, str]:
    return {
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _shape(text: str) -> tuple[int, int]:
    rows, _, cols = text.partition("x")
    if not (rows.isdecimal() and cols.isdecimal() and int(rows) and int(cols) and int(cols) % 128 == 0):
        raise argparse.ArgumentTypeError(f"{text!r}; want ROWSxCOLS, columns in multiples of 128")
    return int(rows), int(cols)


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}; want a whole number from 1")
    return int(text)


def _counts(text: str) -> list[int]:
    counts = [int(part) if part.isdecimal() else 0 for part in text.split(",")]
    if not all(counts):
        raise argparse.ArgumentTypeError(f"{text!r}; want whole numbers from 1, as in 1,8,64")
    return counts


def _names(text: str) -> list[str]:
    try:
        return [formats.get(part).name for part in text.split(",")]
    except FormatError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m kernels bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument(
        "--stream", action="store_true", help="a JSON object a line, as it goes: several backends, packing too"
    )
    parser.add_argument(
        "--backend",
        default="auto",
        help="a name select_backend knows (default: auto); with --stream several, by commas",
    )
    parser.add_argument(
        "--format",
        type=_names,
        default=[],
        metavar="NAME,…",
        help="with --stream: what to pack and unpack (default: none)",
    )
    parser.add_argument("--shape", type=_shape, nargs="+", default=[_shape(text) for text in SHAPES], metavar="MxK")
    parser.add_argument("--batch", type=_counts, default=[1, 8, 64, 128], help="tokens (default: 1,8,64,128)")
    parser.add_argument("--threads", type=_counts, default=[1, 2], help="of the fast backend (default: 1,2)")
    parser.add_argument("--rounds", type=_count, default=15, help="each between two looks at the machine (default: 15)")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=PATH", help="a build of ggml, or a program; see peers.py"
    )
    return parser
