"""Plays a file of tool calls: for demonstrations, tests, and to try a flow without a model.

The file is JSON: a list of attempts, each a list of calls ``{"tool": name, "input": {…}}``. A call may carry
``"text"``, which is shown. An attempt that ends without ``finish`` ends as ``more-work``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.cancel import CancelToken
from engine.errors import ConfigError
from engine.events import ActivityReported
from engine.model import Outcome
from engine.providers import Brief, Finish, Reporter, Tools


def read_script(path: Path) -> list[list[dict[str, Any]]]:
    """Attempts of a script; a flat list of calls is one attempt.

    Raises
    ------
    ConfigError
        No such file, or not of this form; says where.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"script {path}: {error.strerror}", hint="name a file with --script") from error
    except ValueError as error:
        raise ConfigError(f"script {path}: not JSON: {error}") from error
    if isinstance(data, list) and all(isinstance(c, dict) for c in data):
        data = [data]
    if not (isinstance(data, list) and all(isinstance(a, list) for a in data)):
        raise ConfigError(f"script {path}: want a list of attempts, each a list of calls")
    for number, attempt in enumerate(data, 1):
        for call in attempt:
            if not (isinstance(call, dict) and isinstance(call.get("tool"), str)):
                raise ConfigError(f"script {path}: attempt {number}: {call!r} is no call; want {{tool, input}}")
    return data


@dataclass(frozen=True, slots=True)
class ScriptedProvider:
    """Plays attempt ``n`` of the script as attempt ``n`` of the run; the last one again when they run out."""

    path: Path
    name: str = "scripted"

    def attempt(self, brief: Brief, tools: Tools, report: Reporter, cancel: CancelToken) -> Finish:
        attempts = read_script(self.path)
        calls = attempts[min(brief.attempt, len(attempts)) - 1] if attempts else []
        for call in calls:
            cancel.check()
            if call.get("text"):
                report(ActivityReported("text", str(call["text"])))
            given = call.get("input", {})
            result = tools.call(call["tool"], given)
            if result.finished:
                return Finish(
                    Outcome(given["outcome"]) if "not done" not in result.text else Outcome.MORE_WORK,
                    str(given.get("summary", "")),
                    str(given.get("evidence", "")),
                    transient=str(call.get("transient", "")),
                )
        return Finish(Outcome.MORE_WORK, "the script ended without finish")
