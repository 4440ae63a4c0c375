"""``bitnet-tui serve``: which command a browser is to show, and the address where it does."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

FULL_SCREEN = ("run", "demo", "resume", "replay")


def serve(cli: click.Group, args: Sequence[str], port: int) -> None:
    """Serve ``bitnet-tui ARGS``, the first of which names a command, until it is interrupted.

    Raises
    ------
    UsageError
        They are no command that has a full screen.
    """
    check(cli, args)
    from tui.browser.server import serve as listen

    def say(url: str) -> None:
        click.echo(f"open {url}\nWhoever has this address can do what you can. Ctrl-C ends it.")

    title = shlex.join(["bitnet-tui", *args])
    listen(command(args), title, port, say)


def command(args: Sequence[str]) -> list[str]:
    """This interpreter's bitnet-tui; a folder of that name where it is started is not taken for it."""
    here = str(Path(__file__).parent.parent)
    start = f"import sys; sys.path.append({here!r}); from tui.cli import main; main()"
    return [sys.executable, "-P", "-c", start, *args]


def check(cli: click.Group, args: Sequence[str]) -> None:
    """Refuse here what could only fail there."""
    name, *rest = args
    if name not in FULL_SCREEN:
        raise click.UsageError(f"{name} has no full screen to serve; {', '.join(FULL_SCREEN)} have one")
    outer = click.Context(cli, info_name="bitnet-tui")
    given = cli.commands[name].make_context(name, rest, parent=outer).params
    for option in ("no_tui", "as_json", "engine"):
        if given.get(option):
            word = {"as_json": "json"}.get(option, option.replace("_", "-"))
            raise click.UsageError(f"--{word} is for a terminal: a browser shows the full screen")
