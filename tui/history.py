"""What earlier runs left, as commands: list, show, diff, apply, resume, clean."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from engine.errors import ConfigError, EnvironmentFailure
from engine.events import Record, RunFailed, RunFinished
from engine.headless import closing
from engine.lock import Lock
from engine.model import Exit
from engine.narrate import narrate
from engine.plain import safe
from engine.policy import impl_passes
from engine.records import journal
from engine.state import RunState, fold, fold_all
from engine.workspace.home import REPLAYS, Home
from engine.workspace.repository import Repository
from engine.workspace.worktrees import remove_tree


def _home(target: Path) -> tuple[Repository, Home]:
    repository = Repository.open(target)
    return repository, Home(repository.root)


def _load(home: Home, run: str) -> tuple[str, list[Record], RunState]:
    name = home.find(run)
    records = journal.read(home.run(name) / "journal.jsonl")
    return name, records, fold_all(RunState(), records)


def _row(name: str, state: RunState) -> dict[str, Any]:
    attempt = state.attempt
    before = len(state.audit.targets) if state.audit else 0
    after = attempt.failing_after if attempt and attempt.failing_after is not None else before
    return {
        "run": name,
        "started": time.strftime("%Y-%m-%d %H:%M", time.localtime(state.started_at)) if state.started_at else "",
        "status": state.status if state.ended is not None else "unfinished",
        "exit": getattr(state.ended, "exit", None),
        "red_before": before,
        "red_after": after,
        "diff": str(attempt.diff) if attempt else "",
        "provider": attempt.provider if attempt else "",
        "route": getattr(state.ended, "route", ""),
    }


def list_runs(target: Path, *, as_json: bool) -> None:
    """One line a run, newest last."""
    _, home = _home(target)
    rows = []
    for name in home.known():
        try:
            rows.append(_row(*((name, _load(home, name)[2]))))
        except EnvironmentFailure as error:
            rows.append({"run": name, "status": f"damaged: {error.message}"})
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        click.echo(f"no runs in {home.root}")
    for row in rows:
        if "started" not in row:
            click.echo(safe(f"{row['run']}  {row['status']}"))
            continue
        code = "-" if row["exit"] is None else row["exit"]
        moved = f"{row['red_before']} → {row['red_after']} red"
        click.echo(
            safe(
                f"{row['run']}  {row['started']}  {row['status']:<11} exit {code:<3} "
                f"{moved:<14} {row['diff']:<9} {row['route']}"
            )
        )


def show(target: Path, run: str) -> None:
    """The lines of a run again, and its closing block."""
    _, home = _home(target)
    name, records, _ = _load(home, run)
    state = RunState()
    for record in records:
        state = fold(state, record)
        if text := narrate(record.event, state):
            click.echo(text)
    click.echo(closing(state, Exit(getattr(state.ended, "exit", 130)), home.run(name)))


def diff(target: Path, run: str, *, removed: bool) -> None:
    """The patch as it is on disk, or what the diet took away from it."""
    _, home = _home(target)
    name = home.find(run)
    patch = _removed(home, name) if removed else _patch(home, name)
    click.echo(patch.read_bytes(), nl=False)


def _patch(home: Home, name: str) -> Path:
    patch = home.run(name) / "patch.diff"
    if not patch.is_file():
        raise EnvironmentFailure(f"run {name} has no patch: nothing was changed", hint="`bitnet-tui show` says why")
    return patch


def _removed(home: Home, name: str) -> Path:
    path = home.run(name) / "removed.diff"
    if not path.is_file():
        raise EnvironmentFailure(f"run {name} has no removed pieces: the diet took nothing away")
    return path


def apply(target: Path, run: str, *, unverified: bool, with_removed: bool) -> None:
    """Bring a change into the user's files, and say how to take it back."""
    written, patches = bring(target, run, unverified=unverified, with_removed=with_removed)
    done = "applied" if written else "your files hold all of it already:"
    undo = " && ".join(f"git apply -R {p}" for p in reversed(patches))
    click.echo(f"{done} {' and '.join(map(str, patches))}; undo with: {undo}")
    if with_removed:
        click.echo("the removed pieces are not verified: no suite ran over the change with them")


def bring(target: Path, run: str, *, unverified: bool = False, with_removed: bool = False) -> tuple[bool, list[Path]]:
    """Bring a change into the user's files, alone or with what the diet took away from it.

    Returns
    -------
    tuple
        Whether anything had to be written, and the patches.

    Raises
    ------
    ConfigError
        It is not verified, and was not asked for all the same.
    EnvironmentFailure
        There is no such run or patch, or it does not fit; nothing was written.
    """
    repository, home = _home(target)
    name, _, state = _load(home, run)
    patches = [_patch(home, name)]
    if not impl_passes(state) and not unverified:
        raise ConfigError(
            f"run {name} is not verified", hint="look at it with `diff`; --unverified applies it all the same"
        )
    if with_removed:
        patches.append(_removed(home, name))
        if not unverified:
            raise ConfigError(
                f"the removed pieces of run {name} are not verified, only its patch is",
                hint="look at them with `diff --removed`; --unverified applies them all the same",
            )
    return repository.apply(*patches), patches


def resumable(target: Path, run: str) -> str:
    """The id of a run that can go on.

    Raises
    ------
    ConfigError
        It has ended by itself.
    """
    _, home = _home(target)
    name, _, state = _load(home, run)
    if isinstance(state.ended, RunFinished):
        raise ConfigError(f"run {name} has finished: {state.ended.why}", hint="start a new one: bitnet-tui")
    if state.started is None:
        raise ConfigError(f"run {name} was interrupted before it began", hint="start a new one: bitnet-tui")
    if isinstance(state.ended, RunFailed) and state.impossible:
        raise ConfigError(f"run {name} could not be made: {state.ended.why}", hint="start a new one: bitnet-tui")
    return name


def project(target: Path, run: str) -> Path:
    """The project folder a run is about, wherever in the repository one stands."""
    repository, home = _home(target)
    started = _load(home, run)[2].started
    return repository.root / started.prefix if started else target


def choices(target: Path, run: str) -> dict[str, Any]:
    """What the interrupted run was asked for, so that it goes on the same way."""
    _, home = _home(target)
    state = _load(home, run)[2]
    started = state.started
    if started is None:
        return {}
    limits = {name: max(to, state.raised.get(name, to)) for name, to in (started.limits or {}).items()}
    return {
        # A file named by hand is kept with its whole path; what a project's settings are called is found again.
        "config": Path(started.config) if Path(started.config).is_absolute() else None,
        "provider": ",".join(started.providers),
        "suites": started.suites,
        "tests": started.tests,
        "agent": started.agent_source,
        "script": Path(started.script) if started.script else None,
        "apply": started.apply,
        "publish": {"on": True, "off": False}.get(started.publish),
        "max_retries": started.retry_limit,
        # What was typed goes on to hold, as far as a person did not raise it.
        "max_usd": limits.get("usd"),
        "max_minutes": limits.get("minutes"),
        "max_turns": int(limits["turns"]) if "turns" in limits else None,
    }


def clean(target: Path, *, everything: bool) -> None:
    """Remove what killed runs left, and with ``everything`` the records of runs that have ended."""
    repository, home = _home(target)
    if not home.folder.is_dir():
        click.echo(f"nothing to clean in {home.root}")
        return
    lock = Lock(home.lock, "clean")
    try:
        swept = home.sweep(repository)
        if everything:
            for name in home.known():
                remove_tree(home.run(name))
                swept.append(f"run {name}")
            replays = Home(home.root, REPLAYS)
            for name in replays.known():
                remove_tree(replays.run(name))
                swept.append(f"replay {name}")
        for ref in repository.run("for-each-ref", "--format=%(refname)", "refs/bitnet-tui").splitlines():
            run = ref.split("/")[2]
            if not home.run(run).exists() and not Home(home.root, REPLAYS).run(run).exists():
                repository.delete_ref(ref)
                swept.append(f"snapshot of run {run}")
    finally:
        lock.release()
    for what in swept:
        click.echo(f"removed {what}")
    if not swept:
        click.echo("nothing was left behind")
