"""The command line of ``verify``: a picture or JSON of a report on stdout, progress on stderr, an exit code."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from kernels import formats
from kernels.errors import FormatError
from kernels.gguf.errors import NotReadable, plain
from kernels.gguf.picture import Style, as_json, lines
from kernels.gguf.verify import Report, verify

EXIT_CODES = """exit codes:
  0    nothing is wrong
  1    errors were found; with --strict, warnings too
  2    a wrong command line, or a file that cannot be read
  130  interrupted
"""
_EVERY_S = 0.1


def main(arguments: list[str]) -> int:
    """Verify a model file; see `EXIT_CODES`."""
    asked = _parser().parse_args(arguments)
    width, progress = shutil.get_terminal_size((80, 24)).columns, None
    if asked.deep and sys.stderr.isatty():
        progress = Progress(sys.stderr, width)
    try:
        report = verify(
            asked.model, tokenizer=asked.tokenizer, deep=asked.deep, layouts=layouts_of(asked.layout), progress=progress
        )
    except KeyboardInterrupt:
        return 130
    except NotReadable as error:
        if asked.json:
            said = as_json(Report(asked.model, findings=[("error", error)]), asked.strict)
            sys.stdout.write(json.dumps(said, allow_nan=False) + "\n")
        raise
    finally:
        if progress is not None:
            progress.clear()
    if asked.json:
        written = [json.dumps(as_json(report, asked.strict), allow_nan=False)]
    else:
        written = list(lines(report, style_of(sys.stdout, os.environ, width), every=asked.tensors))
    encoding = sys.stdout.encoding or "ascii"
    try:
        for line in written:
            sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0 if report.good(asked.strict) else 1


def style_of(stream: TextIO, environment: Mapping[str, str], width: int) -> Style:
    """Colour on a screen that knows it, unless NO_COLOR is set; blocks where the encoding has them."""
    colour = stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"
    try:
        "█▏−·²".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return Style(width, colour, unicode=False)
    return Style(width, colour)


class Progress:
    """One line that says how far reading has come, a few times a second.

    Examples
    --------
    >>> progress = Progress(sys.stdout, 30)
    >>> progress("blk.0.attn_q.weight", 50, 200)  # doctest: +SKIP
     25 % blk.0.attn_q.weight
    """

    def __init__(self, stream: TextIO, width: int, now: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._width, self._now, self._next = stream, width, now, 0.0

    def __call__(self, name: str, done: int, total: int) -> None:
        if self._now() < self._next:
            return
        self._next = self._now() + _EVERY_S
        text = f"{100 * done // max(1, total):3} % {plain(name)}"
        self._stream.write("\r" + text[: self._width - 1].ljust(self._width - 1))
        self._stream.flush()

    def clear(self) -> None:
        """Leave the line empty."""
        if self._next:
            self._stream.write("\r" + " " * (self._width - 1) + "\r")
            self._stream.flush()


def layouts_of(named: list[str]) -> dict[tuple[int, int], str] | str | None:
    """``NAME`` for every matrix, or ``ROWSxCOLS=NAME`` for those of a shape."""
    by_shape = {}
    for text in named:
        shape, equals, name = text.rpartition("=")
        formats.get(name)
        if not equals and len(named) == 1:
            return name
        rows, _, cols = shape.partition("x")
        if not (rows.isdecimal() and cols.isdecimal()):
            raise FormatError(f"--layout {plain(text)}", hint="want NAME once, or ROWSxCOLS=NAME")
        by_shape[int(rows), int(cols)] = name
    return by_shape or None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m kernels verify",
        description="Check a GGUF model file: its structure, shapes and tokenizer; with --deep its weights too.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="a tokenizer.json or GGUF that must agree")
    parser.add_argument("--deep", action="store_true", help="read the weights too, not the header alone")
    parser.add_argument("--strict", action="store_true", help="warnings are errors")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a picture")
    parser.add_argument("--tensors", action="store_true", help="a line for every tensor, not for layers that are alike")
    parser.add_argument(
        "--layout", action="append", default=[], metavar="[MxK=]NAME",
        help="how ternary matrices lie: i2_s, i2_s:arm-64, tl2:128,96, …; again for other shapes",
    )  # fmt: skip
    return parser
