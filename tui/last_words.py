"""What is said when the command cannot go on: one sentence and what to do; a traceback goes to a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.errors import BitnetError


def sayable(error: Exception) -> BitnetError:
    """An error of ours as it is; any other as the defect it is, with its traceback in a file."""
    import traceback

    from engine.errors import BitnetError
    from engine.records.redact import Redactor

    redact = Redactor.of(os.environ).text
    if isinstance(error, BitnetError):
        error.message, error.hint = redact(error.message), redact(error.hint)
        return error
    where = kept("".join(traceback.format_exception(error)))
    return BitnetError(f"a defect of bitnet-tui: {type(error).__name__}: {redact(str(error))}", hint=where)


def kept(text: str) -> str:
    """Tracebacks in a file, and where it is; the text itself where there is no room for one."""
    import tempfile

    from engine.records.redact import Redactor

    text = Redactor.of(os.environ).text(text)
    try:
        with tempfile.NamedTemporaryFile("w", prefix="bitnet-tui-crash-", suffix=".txt", delete=False) as file:
            file.write(text)
    except OSError:
        return text
    return f"the traceback is in {file.name}"


def say(error: BitnetError, as_json: bool) -> None:
    from engine.plain import safe

    click.echo(safe(f"bitnet-tui: {error}"), err=True)
    if as_json:
        import json

        from engine.result import result
        from engine.state import RunState

        click.echo(json.dumps(result(RunState(), error.exit, None, error=error.message, hint=error.hint)))
