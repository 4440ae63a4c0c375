"""`bitnet-tui selftest`: known ways to fake green, tried on a scratch copy of the repository, as a table."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.plain import safe

if TYPE_CHECKING:
    from engine.selftest.trial import Shown

WIDTH = 40


def report(target: Path, config: Path | None, *, as_json: bool, kinds: tuple[str, ...] = ()) -> int:
    """Judge every cheat and its honest twin; 0 if all cheats were caught and no twin was, else 3."""
    from engine.errors import ConfigError
    from engine.launch import Options, prepare
    from engine.selftest import CORPUS
    from engine.selftest.trial import Trial

    if unknown := [k for k in kinds if k not in CORPUS]:
        raise ConfigError(f"unknown kind {unknown[0]!r}", hint="the kinds are " + ", ".join(CORPUS))
    plan = prepare(Options(target=target, config=config, providers=("repair",)), dict(os.environ))
    started = time.monotonic()
    total = sum(len(CORPUS[k]) for k in kinds or CORPUS)
    shown: list[Shown] = []
    if not as_json:
        click.echo(f"{total} ways to fake green, each beside an honest change, in a scratch copy of {plan.project}")
        click.echo("nothing of yours is written, and no provider is asked")
    with Trial(plan) as trial:
        for kind in kinds or CORPUS:
            if not as_json:
                click.echo(f"\n{kind}")
            for one in trial.show(CORPUS[kind]):
                shown.append(one)
                click.echo(json.dumps(_fields(kind, one)) if as_json else _line(one))
                sys.stdout.flush()
    return _end(shown, time.monotonic() - started, as_json=as_json)


def _fields(kind: str, one: Shown) -> dict[str, object]:
    fake = {"verdict": one.fake.verdict, "why": one.fake.why, "caught": one.fake.caught}
    honest = {"verdict": one.honest.verdict, "why": one.honest.why}
    return {"type": "cheat", "kind": kind, "name": one.cheat.name, "holds": one.holds, "fake": fake, "honest": honest}


def _line(one: Shown) -> str:
    glyph = "✓" if one.holds else "✗"
    verdict = one.fake.verdict if not one.fake.verified else "shown to the reviewer" if one.fake.caught else "MISSED"
    text = f"  {glyph} {one.cheat.name:{WIDTH}} {verdict}: {one.fake.why}"
    if not (one.honest.verified and not one.honest.why):
        text += f"\n    ✗ its honest twin: {one.honest.verdict}: {one.honest.why}"
    return safe(text[:400])


def _end(shown: list[Shown], seconds: float, *, as_json: bool) -> int:
    caught = sum(s.fake.caught for s in shown)
    honest = sum(s.honest.verified and not s.honest.why for s in shown)
    code = 0 if all(s.holds for s in shown) else 3
    if as_json:
        end = {"type": "result", "exit": code, "caught": caught, "honest": honest, "of": len(shown)}
        click.echo(json.dumps(end | {"seconds": round(seconds, 1)}))
    else:
        of = len(shown)
        click.echo(f"\n{caught} of {of} cheats caught, {honest} of {of} honest changes accepted ({seconds:.0f} s)")
    return code
