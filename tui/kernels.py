"""Commands that are children: ``python -m kernels …`` with this terminal, its keys and its exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

import click

MODEL = {
    "verify": ("verify", "Check a model file: structure, shapes, tokenizer."),
    "convert": ("convert", "Write a model file again in another ternary format."),
    "crossval": ("crossval", "Compare a model with C++ programs, up to the first difference."),
    "download": ("download-model", "Fetch a model file; kept only if its SHA-256 is right."),
    "generate": ("generate", "Text from a model."),
}
"""Under ``bitnet-tui model``: the child's command, and what it does."""


def run(command: str, arguments: Sequence[str]) -> int:
    """A child to its end. Ctrl-C reaches it as it reaches us; it answers, we wait."""
    # -P: a folder of that name where we stand is not ours.
    child = subprocess.Popen([sys.executable, "-P", "-m", "kernels", command, *arguments])
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def add(cli: click.Group) -> None:
    """Put the commands into the program's."""

    @cli.group(help="Model files: verify, convert, crossval, download, generate.")
    def model() -> None: ...

    for name, (command, what) in MODEL.items():
        model.add_command(_child(name, command, what))
    cli.add_command(_child("bench", "bench", "How fast the kernels are here, beside what the machine can do."))


def _child(name: str, command: str, what: str) -> click.Command:
    def start(arguments: tuple[str, ...]) -> None:
        sys.exit(run(command, arguments))

    return click.Command(
        name,
        callback=start,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        short_help=what,
        add_help_option=False,  # the child's own
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
