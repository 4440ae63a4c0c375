"""``python -m kernels COMMAND``; each command is a module, loaded when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module

from kernels.errors import KernelError

COMMANDS = {
    "bench": "kernels.bench.command",
    "convert": "kernels.gguf.convert_command",
    "crossval": "kernels.crossval.command",
    "download-model": "kernels.download.command",
    "generate": "kernels.generate.command",
    "verify": "kernels.gguf.command",
}
"""Modules with a ``main(arguments) -> exit code``."""


def main(arguments: list[str]) -> int:
    """Run a command; 2 for one that is none or cannot run, 130 where it is interrupted."""
    if not arguments or arguments[0] not in COMMANDS:
        sys.stderr.write(f"usage: python -m kernels {{{','.join(COMMANDS)}}} [--help]\n")
        return 2
    try:
        code: int = import_module(COMMANDS[arguments[0]]).main(arguments[1:])
    except KernelError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
