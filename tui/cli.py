"""The ``bitnet-tui`` command. Parses, then imports what the chosen command needs, nothing before."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import click

from tui import kernels

_GIT_NAMES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_CONFIG")


class RunGroup(click.Group):
    """A group whose first word may be a target in place of a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self.named(args))

    def named(self, args: list[str]) -> list[str]:
        """The arguments with their command in front: what names none is a run."""
        first = next((a for a in args if not a.startswith("-")), None)
        if not args or (first not in self.commands and not {"--help", "-h", "--version"} & set(args)):
            args = ["run", *args]
        elif args[0].startswith("-") and first in self.commands and args[0] not in ("--help", "-h", "--version"):
            # An option's value may be called like a command; options of a run come with a run.
            args = ["run", *args]
        return args

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage("bitnet-tui", "[TARGET] [OPTIONS]  |  COMMAND [ARGS]")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Run options (bitnet-tui run --help says more)"):
            run = self.commands["run"]
            rows = [p.get_help_record(ctx) for p in run.params]
            formatter.write_dl([r for r in rows if r])


@click.group(cls=RunGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="bitnet-tui", prog_name="bitnet-tui")
def cli() -> None:
    """Make failing tests pass with the smallest verified change, and keep the evidence.

    TARGET is a folder of a git repository; it defaults to the current directory. With a terminal a dashboard
    opens; --no-tui prints plain lines, --no-tui --json one object a line.
    """


_RUN_OPTIONS = [
    click.argument("target", default=".", type=click.Path(path_type=Path)),
    click.option("--config", type=click.Path(path_type=Path), help="Settings file in place of the project's."),
    click.option("--provider", help="anthropic, repair or scripted; several, in order, with commas."),
    click.option("--agent", default="", help="Agent by name, or an agent file."),
    click.option("--suite", "suites", multiple=True, help="Only this suite; may be repeated."),
    click.option("--test", "tests", multiple=True, help="Only this red test, file or class; may be repeated."),
    click.option("--script", type=click.Path(path_type=Path), help="Tool calls for the provider scripted."),
    click.option("--no-tui", is_flag=True, help="Plain lines, no full screen."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line; implies --no-tui."),
    click.option("--apply", is_flag=True, help="Bring a verified change into your files at the end."),
    click.option("--publish/--no-publish", default=None, help="Write check run and comment to GitHub, or do not."),
    click.option("--yes", is_flag=True, help="Take every recommended decision without asking."),
    click.option("--max-retries", type=int, help="0, 1 or 2 retries after the first attempt."),
    click.option("--max-usd", type=float, help="Money one run may cost."),
    click.option("--max-minutes", type=float, help="Minutes one run may take."),
    click.option("--max-turns", type=int, help="Turns a model may take."),
]


def _run_options(command: Any) -> Any:
    for option in reversed(_RUN_OPTIONS):
        command = option(command)
    return command


@cli.command()
@_run_options
def run(target: Path, **given: Any) -> None:
    """Run on TARGET (the default command)."""
    from tui.start import start

    sys.exit(start(target, given))


@cli.command()
@click.option("--no-tui", is_flag=True, help="Plain lines, no full screen.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--keep", is_flag=True, help="Say where the copy is and leave it there (it is left there anyway).", hidden=True
)
@click.option("--yes", is_flag=True, help="Take every recommended decision without asking.")
def demo(no_tui: bool, as_json: bool, keep: bool, yes: bool) -> None:
    """Copy a small failing kernel project to a temporary folder and mend it there, offline."""
    from tui.demo import copy_project, show_end
    from tui.start import start

    target = copy_project()
    if not as_json:
        click.echo(f"demo project: {target}")
    given = {"provider": "repair", "no_tui": no_tui, "as_json": as_json, "yes": yes}
    code = start(target, given)
    if not as_json:
        show_end(target)
    sys.exit(code)


_TARGET = click.option("--in", "target", default=".", type=click.Path(path_type=Path), help="Folder of the repository.")


@cli.command()
@_TARGET
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def runs(target: Path, as_json: bool) -> None:
    """List the runs of a repository."""
    from tui import history

    history.list_runs(target, as_json=as_json)


@cli.command()
@click.argument("run", default="")
@_TARGET
def show(run: str, target: Path) -> None:
    """Tell what happened in RUN (default: the newest)."""
    from tui import history

    history.show(target, run)


@cli.command()
@click.argument("run", default="")
@_TARGET
@click.option("--removed", is_flag=True, help="Print what the diet took away; it applies on top of the patch.")
def diff(run: str, target: Path, removed: bool) -> None:
    """Print the patch of RUN."""
    from tui import history

    history.diff(target, run, removed=removed)


@cli.command()
@click.argument("run", default="")
@_TARGET
@click.option("--unverified", is_flag=True, help="Apply it although it was not verified.")
@click.option("--with-removed", is_flag=True, help="With it what the diet took away; that is never verified.")
def apply(run: str, target: Path, unverified: bool, with_removed: bool) -> None:
    """Bring the change of RUN into your files: all of it, or nothing."""
    from tui import history

    history.apply(target, run, unverified=unverified, with_removed=with_removed)


@cli.command()
@click.argument("run", default="")
@_TARGET
@click.option("--no-tui", is_flag=True, help="Plain lines, no full screen.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--yes", is_flag=True, help="Take every recommended decision without asking.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file in place of the project's.")
@click.option("--provider", help="Another one than before: anthropic, repair or scripted.")
@click.option("--max-usd", type=float, help="Money the run may cost.")
@click.option("--max-minutes", type=float, help="Minutes it may take from now.")
@click.option("--max-turns", type=int, help="Turns a model may take.")
def resume(run: str, target: Path, **given: Any) -> None:
    """Go on with RUN where it was interrupted (default: the newest)."""
    from tui import history
    from tui.start import start

    name = history.resumable(target, run)
    same = {k: v for k, v in history.choices(target, name).items() if given.get(k) is None}
    sys.exit(start(history.project(target, name), given | same, resume=name))


@cli.command()
@_TARGET
@click.option("--all", "everything", is_flag=True, help="Also delete the records of finished runs.")
def clean(target: Path, everything: bool) -> None:
    """Remove what killed runs left: processes, worktrees, scratch files."""
    from tui import history

    history.clean(target, everything=everything)


@cli.command()
@click.argument("run", default="", metavar="[RUN|FILE]")
@_TARGET
@click.option("--speed", type=click.FloatRange(0.125, 1024), help="Recorded seconds that go by in one (default: 8).")
@click.option("--engine", is_flag=True, help="Make the run again, offline, with the recorded answers of the server.")
@click.option("--no-tui", is_flag=True, help="Plain lines, no full screen; at once, unless --speed is given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; with --engine, one in all.")
def replay(run: str, target: Path, speed: float | None, engine: bool, no_tui: bool, as_json: bool) -> None:
    """Play RUN (an id, or a journal.jsonl; default: the newest) through the screens of a run. Nothing is run.

    With --engine the run is made again from its recording; exit 0: the same; 1: something differs; 5: it cannot be
    replayed.
    """
    if not engine:
        from tui.playing import play

        sys.exit(play(target, run, speed, lines=no_tui or as_json, as_json=as_json))
    if no_tui or speed is not None:
        raise click.UsageError("--engine makes the run again and shows no screens: leave out --speed and --no-tui")
    from tui.replay import report

    sys.exit(report(target, run, as_json=as_json))


@cli.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True})
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[TARGET] [RUN OPTIONS]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of 127.0.0.1 (default: a free one).")
def serve(args: tuple[str, ...], port: int) -> None:
    """Show the dashboard in a browser of this machine, at an address with a secret in it.

    Also `serve demo`, `serve resume [RUN]`, `serve replay [RUN]`, each with its options.
    """
    from tui.serve import serve as listen

    assert isinstance(cli, RunGroup)
    listen(cli, cli.named(list(args)), port)


@cli.group()
def ledger() -> None:
    """Check ledgers."""


@ledger.command("lint")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def ledger_lint(file: Path, as_json: bool) -> None:
    """Say what is wrong with a ledger, by line, and what to write; exit 1 if a program could not read it."""
    from tui.records import lint_ledger

    sys.exit(lint_ledger(file, as_json=as_json))


@cli.group()
def receipt() -> None:
    """Check receipts."""


@receipt.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--in", "target", type=click.Path(path_type=Path), help="Folder of the repository (default: of FILE).")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file in place of the project's.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def receipt_verify(file: Path, target: Path | None, config: Path | None, as_json: bool) -> None:
    """Run what a receipt tells of again, in a fresh worktree, and compare; find a forged or a stale one."""
    from tui.records import verify_receipt

    sys.exit(verify_receipt(file, target, config, as_json=as_json))


@cli.group()
def routes() -> None:
    """Look at the agents a run can be routed to."""


@routes.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The findings as one JSON list.")
def routes_check(files: tuple[Path, ...], as_json: bool) -> None:
    """Say who routes to whom, and what is wrong with it; agent FILES come in the place of ours. Exit 1 on errors."""
    from tui.routes import report

    sys.exit(report(files, as_json=as_json))


@cli.command()
@click.argument("target", default=".", type=click.Path(path_type=Path))
@click.option("--print", "show", is_flag=True, help="Print the file, write nothing.")
def init(target: Path, show: bool) -> None:
    """Write a settings file for TARGET, filled in with what is found there."""
    from tui.init import write

    sys.exit(write(target, show=show))


@cli.command()
@click.argument("target", default=".", type=click.Path(path_type=Path))
@click.option("--config", type=click.Path(path_type=Path), help="Settings file in place of the project's.")
def doctor(target: Path, config: Path | None) -> None:
    """Show what a run here would use, and what is missing."""
    from tui.doctor import report

    sys.exit(report(target, config))


@cli.command()
@click.argument("target", default=".", type=click.Path(path_type=Path))
@click.option("--config", type=click.Path(path_type=Path), help="Settings file in place of the project's.")
@click.option("--kind", "kinds", multiple=True, help="Only these kinds of cheats (their headings).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def selftest(target: Path, config: Path | None, kinds: tuple[str, ...], as_json: bool) -> None:
    """Try known ways to fake green on a scratch copy of TARGET, and say which are caught."""
    from tui.selftest import report

    sys.exit(report(target, config, as_json=as_json, kinds=kinds))


kernels.add(cli)


def main(argv: list[str] | None = None) -> None:
    """Entry point: errors become a sentence on stderr and an exit code."""
    # Inside a git hook these point at somebody else's repository.
    for name in _GIT_NAMES:
        os.environ.pop(name, None)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may know no arrow
    try:
        cli.main(args=argv, prog_name="bitnet-tui", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:  # noqa: BLE001  # the last edge: no bare traceback reaches a person
        from tui.last_words import say, sayable

        said = sayable(error)
        say(said, "--json" in (argv if argv is not None else sys.argv))
        sys.exit(int(said.exit))


if __name__ == "__main__":
    main()
