"""``bitnet-tui doctor``: what a run here would use, line by line, and what is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from engine.advising import words
from engine.errors import BitnetError
from engine.launch import Options, prepare
from engine.plain import safe
from engine.records.redact import Redactor


def report(target: Path, config: Path | None) -> int:
    """Print the findings; the exit code a run would be refused with, or 0."""
    redact = Redactor.of(os.environ).text
    try:
        plan = prepare(Options(target=target, config=config), dict(os.environ))
        if plan.config.tui.keys:
            from tui.keymap import checked  # and with it Textual, which nothing else here needs

            checked(plan.config.tui.keys, plan.config_source)
    except BitnetError as error:
        click.echo(safe(redact(f"✗ {error}")))
        return int(error.exit)
    rows = [
        ("repository", str(plan.repository.root) + (f", project {plan.prefix}" if plan.prefix else "")),
        ("settings", plan.config_source),
        ("agent", plan.agent.name),
        ("provider", f"{', '.join(plan.providers)}: {plan.why_provider}"),
        ("suites", ", ".join(plan.suites)),
        ("python", f"{plan.interpreter.version} at {plan.interpreter.executable}"),
        ("pytest", plan.interpreter.pytest),
        ("protections", f"\n{' ' * 15}".join(plan.confinement.protections)),
        ("hooks", f"\n{' ' * 15}".join(words(plan))),
        ("ruff", shutil.which("ruff") or "not on the path: gates format and clippy use the one beside bitnet-tui"),
        ("lock", "free" if not plan.home.lock.exists() else f"{plan.home.lock} (taken only while a run works)"),
    ]
    for name, text in rows:
        click.echo(safe(redact(f"✓ {name:<12} {text}")))
    return 0
