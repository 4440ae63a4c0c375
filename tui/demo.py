"""The bundled demonstration: a small ternary kernel project with real defects, in a repository of its own."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from engine.errors import EnvironmentFailure
from engine.workspace.home import Home
from engine.workspace.repository import Repository

_PLACES = (Path(__file__).parent / "examples" / "ternary", Path(__file__).parent.parent / "examples" / "ternary")


def copy_project() -> Path:
    """Copy the project to a temporary folder and commit it there.

    Raises
    ------
    EnvironmentFailure
        The installation lacks it, or there is no space.
    """
    source = next((p for p in _PLACES if p.is_dir()), None)
    if source is None:
        raise EnvironmentFailure("this installation lacks examples/ternary", hint="install bitnet-tui again")
    target = Path(tempfile.mkdtemp(prefix="bitnet-tui-demo-")) / "ternary"
    ignore = shutil.ignore_patterns("__pycache__", ".*cache", ".bitnet-tui")
    try:
        shutil.copytree(source, target, ignore=ignore)
    except OSError as error:
        raise EnvironmentFailure(f"{target} cannot be written: {error.strerror}", hint="free some space") from error
    Repository.create(target, "A ternary kernel library, with failing tests")
    return target


def show_end(target: Path) -> None:
    """The ledger the run wrote, and what to try next."""
    home = Home(target)
    known = home.known()
    if known and (home.run(known[-1]) / "ledger.md").is_file():
        click.echo("\nledger\n")
        click.echo((home.run(known[-1]) / "ledger.md").read_text(encoding="utf-8"))
        click.echo(f"bitnet-tui apply --in {target}    brings the change into the demo's files")
