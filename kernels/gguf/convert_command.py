"""The command line of ``convert``: a model file in another ternary format, and a line that says what it became."""

from __future__ import annotations

import argparse
import shutil
import sys
from functools import partial
from pathlib import Path

from kernels import formats
from kernels.errors import InputError
from kernels.gguf.command import Progress, layouts_of
from kernels.gguf.errors import plain
from kernels.gguf.model import ModelFile
from kernels.gguf.write import convert

DESCRIPTION = """Write a GGUF model again with its ternary matrices in another format. Weights and all else stay as they
are: converting back gives the same bytes. A scale that the format cannot hold is refused, unless it may be rounded."""

EXIT_CODES = """exit codes:
  0    the file is there, whole
  2    a wrong command line, or a model that cannot be read or written so; nothing was written
  130  interrupted; nothing was written
"""


def main(arguments: list[str]) -> int:
    """Convert a model file; see `EXIT_CODES`."""
    asked = _parser().parse_args(arguments)
    formats.get(asked.to)
    if asked.target.exists() and not asked.force:
        raise InputError(f"{plain(str(asked.target), 400)} is there already", hint="--force replaces it")
    source, progress, before = ModelFile(asked.model), None, asked.model.stat().st_size
    if sys.stderr.isatty():
        progress = Progress(sys.stderr, shutil.get_terminal_size((80, 24)).columns)
    told = partial(progress, asked.target.name) if progress is not None else None
    try:
        convert(
            source, asked.target, asked.to, layouts=layouts_of(asked.layout), nearest_scale=asked.nearest_scale,
            architecture=asked.architecture, progress=told,
        )  # fmt: skip
    finally:
        if progress is not None:
            progress.clear()
    matrices = sum(tensor.type.ternary for tensor in source.tensors.values())
    size = f"{before:,} to {asked.target.stat().st_size:,} bytes"
    said = f"{plain(str(asked.target), 400)}: {matrices} matrices in {asked.to}, {size}"
    sys.stdout.write(said + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m kernels convert",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("target", type=Path, metavar="TARGET")
    parser.add_argument("--to", required=True, metavar="FORMAT", help="i2_s, tq1_0, tq2_0, tl2:128,96, tl1:…")
    parser.add_argument(
        "--layout", action="append", default=[], metavar="[MxK=]NAME",
        help="how the ternary matrices of MODEL lie, where the file does not tell; again for other shapes",
    )  # fmt: skip
    parser.add_argument("--nearest-scale", action="store_true", help="round scales to what the format holds")
    parser.add_argument(
        "--architecture", metavar="NAME", help="call the model so: bitnet for llama.cpp, bitnet-b1.58 for bitnet.cpp"
    )
    parser.add_argument("--force", action="store_true", help="replace TARGET")
    return parser
