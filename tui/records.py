"""`ledger lint` and `receipt verify`: what was found in a record of a run, for people or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from engine.plain import safe


def lint_ledger(file: Path, *, as_json: bool) -> int:
    """Findings of a ledger by line; 1 if one of them is an error."""
    from engine.flow.agents import known
    from engine.records.lint import KNOWN, lint

    try:
        text = file.read_bytes().decode("utf-8")  # as it is: CR and byte order mark are findings
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    found = lint(text, {*KNOWN, *known()})
    for one in found:
        fields = {"level": one.level, "message": one.message, "write": one.write}
        _say({"type": "finding", "file": str(file), "line": one.line, **fields}, f"{file}:{one.line}: {one}", as_json)
    errors = sum(f.error for f in found)
    if as_json:
        end = {"type": "result", "exit": int(errors > 0), "errors": errors, "warnings": len(found) - errors}
        click.echo(json.dumps(end))
    return int(errors > 0)


def _say(fields: dict[str, Any], text: str, as_json: bool) -> None:
    click.echo(json.dumps(fields) if as_json else safe(text))
