"""The command line of ``crossval``: what is compared with what; a table or JSON; an exit code a gate reads."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kernels.crossval import programs
from kernels.crossval.ladder import TOLERANCE, Report, climb
from kernels.crossval.reference import Reference, stored
from kernels.errors import InputError
from kernels.gguf import ModelFile
from kernels.gguf.bitnet import sizes
from kernels.gguf.command import layouts_of
from kernels.gguf.errors import plain
from kernels.model import Model, Rounding
from kernels.model.rounding import ROUNDINGS
from kernels.tokenizer import Tokenizer

SKIPPED = 77
EXIT_CODES = f"""exit codes:
  0    every reference is met
  1    one differs, or is worthless: empty, zero, not a number, missing
  2    a wrong command line, or a model that cannot be run
  {SKIPPED}   nothing to compare with was given or is installed: skipped (no-cpp-reference)
  130  interrupted
"""
PROMPT = "The quick brown fox jumps over the lazy dog."


def main(arguments: list[str]) -> int:
    """Compare a model with references; see `EXIT_CODES`."""
    asked = _parser().parse_args(arguments)
    if not 0 <= asked.tolerance < 1:
        raise InputError(f"--tolerance {asked.tolerance}; want a relative distance from 0, below 1")
    file = ModelFile(asked.model)
    context = sizes(file).context
    if not 1 <= asked.max_tokens <= context:
        raise InputError(f"--max-tokens {asked.max_tokens}; want 1 to {context}, the context of the model")
    options = {"layouts": layouts_of(asked.layout), "activation": asked.activation}
    rounding = Rounding.named(asked.rounding or "none")
    reports = list(_reports(asked, file, Model(file, asked.backend, rounding=rounding, **options), options))
    if not reports:
        reports = [Report("skipped", "no-cpp-reference")]
    if asked.json:
        sys.stdout.write(json.dumps([report.as_dict() for report in reports], allow_nan=False, default=float) + "\n")
    else:
        for report in reports:
            sys.stdout.write(_table(report, every=asked.rungs))
    statuses = {report.status for report in reports}
    return 1 if "fail" in statuses else SKIPPED if statuses == {"skipped"} else 0


def _reports(asked: argparse.Namespace, file: ModelFile, model: Model, options: dict[str, Any]) -> Iterator[Report]:
    def compared(name: str, reference: Reference, rounding: str = "none") -> Report:
        used, rounding = model, asked.rounding or rounding
        if not asked.rounding and rounding != "none":
            used = Model(file, asked.backend, rounding=Rounding.named(rounding), **options)
        done = climb(used, replace(reference, name=name), exact=asked.exact, tolerance=asked.tolerance)
        return replace(done, rounding=rounding)

    for path in asked.against:
        try:
            yield compared(str(path), stored(path, asked.key))
        except InputError as error:
            yield Report("fail", str(error), str(path))
    for program in asked.program:
        try:
            said = programs.text_of(program, asked.model, asked.prompt, asked.max_tokens)
            rung = programs.same_text(model, Tokenizer.of(file), asked.prompt, asked.max_tokens, said)
            hint = "" if asked.rounding else "; --rounding computes as some programs do"
            reason = "" if rung.equal else f"{rung.name}: {rung.said}{hint}"
            said = asked.rounding or "none"
            yield Report("pass" if rung.equal else "fail", reason, str(program), rounding=said, rungs=(rung,))
        except InputError as error:
            yield Report("fail", str(error), str(program))
    if asked.against or asked.program:
        return
    tokens = np.random.default_rng(0).integers(0, model.sizes.vocabulary, asked.max_tokens)
    for name, maker in programs.at_hand(file.architecture).items():
        known = {} if name == "llama-cpp-python" else options
        yield compared(name, maker(asked.model, tokens, **known), programs.ROUNDINGS.get(name, "none"))


def _table(report: Report, every: bool) -> str:
    what = f"{report.reference}, {report.mode}, rounding {report.rounding}" if report.reference else ""
    last = report.rungs[-1:] if not every else report.rungs
    rows = [
        f"  {'=' if not rung.largest else '~' if rung.equal else '≠'} {plain(rung.name):24}"
        f" {rung.distance:9.1e} {rung.largest:9.1e}  {plain(rung.said, 200)}\n"
        for rung in last
    ]
    head = f"  {len(report.rungs)} rungs; relative distance, largest difference\n" if report.rungs else ""
    reason = f" ({plain(report.reason, 400)})" if report.reason else ""
    return f"{plain(what, 400)}\n{head}{''.join(rows)}crossval: {report.status}{reason}\n".lstrip("\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m kernels crossval",
        description="Compare a model's forward pass with that of another program, up to the first difference.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="FILE.npz", help="stored arrays")
    parser.add_argument("--key", default="", help="of the logits in --against; then nothing else is compared")
    parser.add_argument(
        "--program", type=Path, action="append", default=[], metavar="PATH", help="llama-simple, llama-cli: greedy text"
    )
    parser.add_argument("--prompt", default=PROMPT, help="for --program")
    parser.add_argument("--max-tokens", type=int, default=24, help="that are compared where none are stored (24)")
    parser.add_argument(
        "--exact",
        action="store_true",
        help="norms, products, gates and sums alone, bit by bit, on stored inputs; not turns, attention and logits",
    )
    parser.add_argument(
        "--rounding", default="", help=f"of the other program: {', '.join(ROUNDINGS)} (llama-cpp-python's is known)"
    )
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help=f"relative distance ({TOLERANCE:g})")
    parser.add_argument("--activation", choices=("relu2", "silu"), help="of the gate, if not the architecture's")
    parser.add_argument("--backend", default="auto", help="reference, numpy, fast or gpu (default: auto, no gpu)")
    parser.add_argument("--layout", action="append", default=[], metavar="LAYOUT", help="of ternary bytes; see verify")
    parser.add_argument("--rungs", action="store_true", help="show every rung, not the last alone")
    parser.add_argument("--json", action="store_true", help="a JSON list of reports in place of a table")
    return parser
