"""The receipt of a run: what was tested, how, with what result. JSON, written once, at the end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from engine import __version__
from engine.model import Purpose
from engine.records.journal import sync_folder
from engine.state import RunState

CHECK = "generative:gate:impl"
CONCLUSIONS = {"pass": "success", "fail": "failure", "skipped": "neutral"}


VERSION = 2
PROGRAM = f"bitnet-tui {__version__}"
FROM_STATE = ("run", "base", "snapshot", "head", "prefix", "tests", "targets", "flaky", "unfit", "gates", "attempts")
"""What the journal alone says again."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the state does not know."""

    journal_sha256: str
    journal_bytes: int  # that were there when the digest was taken; the end of the run comes after them
    patch_sha256: str
    protected: Mapping[str, str]  # path → blob sha of the protected set
    environment_names: Sequence[str]
    commands: Mapping[str, Sequence[str]]  # suite → argv
    suites: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # suite → its settings


def build(state: RunState, facts: Facts) -> dict[str, Any]:
    """The receipt as plain data; pure."""
    return {
        "v": VERSION,
        "program": PROGRAM,
        **of_state(state),
        "check": check_run(state),
        "published": [msgspec.to_builtins(p) for p in state.published],
        "protected": dict(sorted(facts.protected.items())),
        "environment": msgspec.to_builtins(state.environment),
        "environment_names": sorted(facts.environment_names),
        "settings": state.started.config if state.started else "",
        "suites": {name: dict(settings) for name, settings in facts.suites.items()},
        "commands": {k: list(v) for k, v in facts.commands.items()},
        "patch_sha256": facts.patch_sha256,
        "providers": list(state.started.providers) if state.started else [],
        "usage": msgspec.to_builtins(state.usage),
        "model": state.model,
        "models": {name: msgspec.to_builtins(used) for name, used in state.models.items()},
        "seconds": _seconds(state),
        "checkout": msgspec.to_builtins(state.checkout),
        "journal_sha256": facts.journal_sha256,
        "journal_bytes": facts.journal_bytes,
    }


def of_state(state: RunState) -> dict[str, Any]:
    """The part that :data:`FROM_STATE` names: who has the journal can make it again."""
    attempt = state.attempt
    taken = state.snapshot
    ran = {stage for suite in state.suites.values() for stage in suite.finished}
    # An attempt that changed nothing was not verified again: what is so now is what was so before it.
    after = next((a.stage for a in reversed(state.attempts) if a.stage in ran), "audit1")
    return {
        "run": state.started.run if state.started else "",
        "prefix": state.started.prefix if state.started else "",
        "base": {"commit": taken.head if taken else "", "branch": taken.branch if taken else ""},
        "snapshot": msgspec.to_builtins(taken),
        "head": {
            "tree": attempt.tree if attempt else "",
            "commit": state.commit.sha if state.commit else "",
            "branch": state.commit.branch if state.commit else "",
        },
        "tests": {
            "before": {k: str(o) for k, o in state.outcomes("audit1").items()},
            "after": {k: str(o) for k, o in state.outcomes(after).items()},
            "whole": after.startswith((Purpose.VERIFY, Purpose.AUDIT)),
        },
        "targets": list(state.audit.targets) if state.audit else [],
        "flaky": list(state.audit.flaky) if state.audit else [],
        "unfit": {u.key: str(u.label) for u in state.audit.unfit} if state.audit else {},
        "gates": [msgspec.to_builtins(g) for g in state.gates.values()],
        "attempts": [_attempt(a) for a in state.attempts],
    }


def _seconds(state: RunState) -> dict[str, Any]:
    """How long it took: all of it, by step, and by suite in each of its rounds."""
    rounds: dict[str, dict[str, float]] = {}
    for name, suite in state.suites.items():
        for stage, finished in suite.finished.items():
            rounds.setdefault(stage, {})[name] = finished.seconds
    steps = {step: round(seconds, 3) for step, seconds in state.step_seconds.items()}
    return {"total": round(max(0.0, state.updated_at - state.started_at), 3), "steps": steps, "suites": rounds}


def _attempt(attempt: Any) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "provider": attempt.provider,
        "verdict": str(attempt.verdict or ""),
        "reasons": list(attempt.reasons),
        "seconds": round(max(0.0, attempt.finished_at - attempt.started_at), 3),
        "diff": msgspec.to_builtins(attempt.diff),
        "diet": msgspec.to_builtins(attempt.diet),
    }


def check_run(state: RunState) -> dict[str, str]:
    """The one check run of the run, as GitHub would take it."""
    gate = state.gates.get("impl") or state.gates.get("guard")
    if gate is None:
        return {"name": CHECK, "conclusion": "neutral", "title": "no gate", "summary": "the run set no gate"}
    return {
        "name": CHECK,
        "conclusion": CONCLUSIONS[str(gate.status)],
        "title": f"{gate.name}: {gate.word}",
        "summary": gate.evidence or gate.word,
    }


def sha256(path: Path) -> str:
    """Digest of a file; empty if it is not there."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes) -> str:
    """Write a file whole or not at all; its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)  # the journal is about to say that it is there
    return hashlib.sha256(data).hexdigest()


def dumps(receipt: Mapping[str, Any]) -> bytes:
    return json.dumps(receipt, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
