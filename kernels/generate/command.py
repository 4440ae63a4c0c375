"""The command line of ``generate``: text to stdout as it comes, or JSON; progress and speed to stderr."""

from __future__ import annotations

import argparse
import json
import sys
import unicodedata
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from time import perf_counter
from typing import Any

from kernels.errors import InputError
from kernels.generate.sample import Sampler
from kernels.generate.stream import Generation, generate
from kernels.gguf import ModelFile
from kernels.gguf.command import layouts_of
from kernels.model import Model
from kernels.tokenizer import Tokenizer
from kernels.tokenizer.text import MOST_CHARACTERS

EXIT_CODES = """exit codes:
  0    the text is there
  2    a wrong command line, or a model that cannot be run
  130  interrupted; what was written stays
"""


def main(arguments: list[str]) -> int:
    """Generate text; see `EXIT_CODES`."""
    asked = _parser().parse_args(arguments)
    sampler = Sampler(
        asked.temperature, asked.top_k, asked.top_p, asked.min_p, asked.repetition_penalty, asked.seed
    )  # before anything is loaded: a wrong number shows at once
    began = perf_counter()
    _note(f"loading {asked.model} …")
    file = ModelFile(asked.model)
    tokenizer = None if asked.tokens else Tokenizer.of(file)
    options: dict[str, Any] = {"threads": asked.threads, "head": asked.head, "layouts": layouts_of(asked.layout)}
    model = Model(file, asked.backend, activation=asked.activation, **options)
    generation = Generation(_prompt(asked, tokenizer))
    loaded = perf_counter() - began
    interrupted = False
    try:
        pieces = generate(
            model,
            generation,
            decoder=tokenizer.stream(after=generation.prompt) if tokenizer else None,
            sampler=sampler,
            most=asked.max_tokens,
            ends=tokenizer.end_ids if tokenizer and not asked.ignore_end else frozenset(),
            stops=asked.stop,
            progress=lambda done: _note(f"reading the prompt: {done} of {len(generation.prompt)} tokens"),
        )
        for piece in pieces:
            if not asked.json:
                _note("")
                sys.stdout.write(_shown(piece))
                sys.stdout.flush()
    except KeyboardInterrupt:
        interrupted, generation.ended = True, "interrupted"
    _note("")
    if asked.json:
        said = asdict(generation) | {
            "load_s": loaded,
            "prefill_rate": generation.prefill_rate,
            "decode_rate": generation.decode_rate,
            "backend": asdict(model.report),
            "head": asked.head,
        }
        sys.stdout.write(json.dumps(said, allow_nan=False) + "\n")
    else:
        sys.stdout.write("\n" if tokenizer else ",".join(map(str, generation.tokens)) + "\n")
        sys.stdout.flush()  # where there is no room for it, figures of it would be out of place
        sys.stderr.write(_figures(model, generation, loaded))
    return 130 if interrupted else 0


def _prompt(asked: argparse.Namespace, tokenizer: Tokenizer | None) -> list[int]:
    if tokenizer is None:
        ids: list[int] = asked.tokens
        return ids
    text = _standard_input() if asked.prompt == "-" else asked.prompt
    if asked.chat:
        system = [{"role": "system", "content": asked.system}] if asked.system else []
        return tokenizer.encode_chat([*system, {"role": "user", "content": text}])
    return tokenizer.encode(text, special=asked.special)


def _standard_input() -> str:
    try:
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(errors="strict")
        return sys.stdin.read(MOST_CHARACTERS + 1)
    except UnicodeError as error:
        raise InputError(f"standard input is no text: {error}") from None


def _figures(model: Model, generation: Generation, loaded: float) -> str:
    report = model.report
    tier = f" ({report.tier}, {report.threads} thread{'s' * (report.threads > 1)})" if report.tier else ""
    return (
        f"{report.used}{tier}: loaded in {loaded:.2f} s; {len(generation.prompt)} tokens of prompt at"
        f" {generation.prefill_rate:.1f}/s, {len(generation.tokens)} generated at {generation.decode_rate:.1f}/s;"
        f" ended by {generation.ended}\n{report.why + chr(10) if report.why else ''}"
    )


def _note(text: str) -> None:
    """A line of progress that the next one replaces, where somebody sees it."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" + text)
        sys.stderr.flush()


def _shown(text: str) -> str:
    """What a model says must not command a terminal."""
    if not sys.stdout.isatty():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c) != "Cc" else "\ufffd" for c in text)


def _tokens(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r}; want whole numbers, as in 1,33,403")
    return [int(part) for part in parts]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m kernels generate",
        description="Text from a BitNet b1.58 model file.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="a GGUF file")
    prompt = parser.add_mutually_exclusive_group()
    prompt.add_argument("--prompt", default="", help="what to go on from; - reads standard input")
    prompt.add_argument("--tokens", type=_tokens, metavar="N,N,…", help="the prompt as numbers; answers in numbers")
    parser.add_argument("--chat", action="store_true", help="the prompt is a question, put into the model's template")
    parser.add_argument("--system", default="", help="with --chat: what the model is told first")
    parser.add_argument("--special", action="store_true", help="control tokens in the prompt are meant")
    parser.add_argument("--max-tokens", type=int, default=128, help="(default: 128)")
    parser.add_argument("--ignore-end", action="store_true", help="go on where the model would end")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end before this; may be repeated")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 takes the likeliest token (default)")
    parser.add_argument("--top-k", type=int, default=0)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--min-p", type=float, default=0.0)
    parser.add_argument("--repetition-penalty", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backend", default="auto", help="reference, numpy, fast or gpu (default: auto, no gpu)")
    parser.add_argument("--threads", type=int, help="of the backend fast")
    parser.add_argument(
        "--head", choices=("f16", "int8"), default="f16", help="the logits' matrix (default: as stored)"
    )
    parser.add_argument("--activation", choices=("relu2", "silu"), help="of the gate, if not the architecture's")
    parser.add_argument("--layout", action="append", default=[], metavar="LAYOUT", help="of ternary bytes; see verify")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of text")
    return parser
