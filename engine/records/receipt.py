"""The receipt of a run: what was tested, how, with what result. JSON, written once, at the end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from engine import __version__
from engine.records.journal import sync_folder
from engine.state import RunState

CHECK = "generative:gate:impl"
CONCLUSIONS = {"pass": "success", "fail": "failure", "skipped": "neutral"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the state does not know."""

    journal_sha256: str
    patch_sha256: str
    protected: Mapping[str, str]  # path → blob sha of the protected set
    environment_names: Sequence[str]
    commands: Mapping[str, Sequence[str]]  # suite → argv


def build(state: RunState, facts: Facts) -> dict[str, Any]:
    """The receipt as plain data; pure."""
    attempt = state.attempt
    stages = {"before": "audit1", "after": attempt.stage if attempt else "audit1"}
    return {
        "v": 1,
        "program": f"bitnet-tui {__version__}",
        "run": state.started.run if state.started else "",
        "check": check_run(state),
        "published": [msgspec.to_builtins(p) for p in state.published],
        "snapshot": msgspec.to_builtins(state.snapshot),
        "head": {"tree": attempt.tree if attempt else "", "commit": state.commit.sha if state.commit else ""},
        "protected": dict(sorted(facts.protected.items())),
        "environment": msgspec.to_builtins(state.environment),
        "environment_names": sorted(facts.environment_names),
        "commands": {k: list(v) for k, v in facts.commands.items()},
        "tests": {name: {k: str(o) for k, o in state.outcomes(s).items()} for name, s in stages.items()},
        "targets": list(state.audit.targets) if state.audit else [],
        "flaky": list(state.audit.flaky) if state.audit else [],
        "gates": [msgspec.to_builtins(g) for g in state.gates.values()],
        "attempts": [_attempt(a) for a in state.attempts],
        "patch_sha256": facts.patch_sha256,
        "usage": msgspec.to_builtins(state.usage),
        "model": state.model,
        "checkout": msgspec.to_builtins(state.checkout),
        "journal_sha256": facts.journal_sha256,
    }


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
