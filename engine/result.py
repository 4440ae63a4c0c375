"""The last line of ``--json``: one object that says how a run ended. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.features import by_feature
from engine.model import Exit, GateStatus, Verdict
from engine.state import RunState


def result(state: RunState, code: Exit, folder: Path | None, *, error: str = "", hint: str = "") -> dict[str, Any]:
    """``{"type": "result", "exit": 0, …}``; a path is null where there is no such file."""
    attempt = state.attempt
    gate = state.gates.get("impl")
    diff = attempt.diff if attempt else None
    answer: dict[str, Any] = {
        "type": "result",
        "exit": int(code),
        "run": state.started.run if state.started else None,
        "gate": None,
        "route": getattr(state.ended, "route", "") or None,
        "tests": {
            "red_before": len(state.audit.targets) if state.audit else 0,
            "red_after": _red_after(state),
            "broken": len(attempt.progress.broken) if attempt else 0,
            "flaky": len(state.audit.flaky) if state.audit else 0,
        },
        "features": {
            name: {"pass": t.held, "fail": t.red, "skipped": t.skipped}
            for name, t in by_feature(state.tests.values()).items()
        },
        "labels": dict(state.audit.counts or {}) if state.audit else {},
        "retries": {"used": state.retries.used, "limit": state.retries.limit},
        "diff": {
            "files": diff.files if diff else 0,
            "added": diff.added if diff else 0,
            "removed": diff.removed if diff else 0,
            "minimal": bool(diff and diff.minimal),
        },
        "advisories": {"raised": state.followed + len(state.advised), "followed": state.followed},
        "cost": {
            "usd": round(state.usage.usd, 6),
            "tokens_in": state.usage.tokens_in,
            "tokens_out": state.usage.tokens_out,
            "cached": state.usage.cached,
            "cached_share": None if state.cached is None else round(state.cached, 4),
            "models": {name: round(used.usd, 6) for name, used in state.models.items() if used.calls},
        },
        "seconds": round(max(0.0, state.updated_at - state.started_at), 3),
        "why": getattr(state.ended, "why", "") or error,
        "hint": getattr(state.ended, "hint", "") or hint,
        "branch": state.commit.branch if state.commit else None,
        "patch": _path(folder, "patch.diff"),
        "removed": _path(folder, "removed.diff"),
        "ledger": _path(folder, "ledger.md"),
        "receipt": _path(folder, "receipts/impl.json"),
        "statement": _path(folder, "receipts/impl.intoto.json"),
        "check": state.receipt.check if state.receipt else "",
        "published": {p.kind: p.url for p in state.published if p.url},
    }
    done = attempt.finished if attempt else None
    if done is not None and done.confidence:
        trust = {"confidence": done.confidence, "alternatives": done.alternatives, "doubt": done.doubt}
        answer["trust"] = trust
    if gate is not None:
        answer["gate"] = {
            "name": gate.name,
            "status": str(gate.status),
            "reason": gate.reason,
            "evidence": gate.evidence,
            "verified": gate.status is GateStatus.PASS and bool(attempt and attempt.verdict is Verdict.VERIFIED),
        }
    return answer


def _red_after(state: RunState) -> int:
    attempt = state.attempt
    if attempt is not None and attempt.failing_after is not None:
        return attempt.failing_after
    return len(state.audit.targets) if state.audit else 0


def guarded(flow: str) -> dict[str, Any]:
    """The result of a process that was started for another flow."""
    answer = result(RunState(), Exit.OK, None)
    answer["gate"] = {
        "name": "guard",
        "status": "skipped",
        "reason": "out-of-scope",
        "evidence": f"CURRENT_FLOW={flow}",
        "verified": False,
    }
    answer["why"] = "skipped by the guard: this is another flow"
    return answer


def _path(folder: Path | None, name: str) -> str | None:
    if folder is None or not (folder / name).is_file():
        return None
    return str(folder / name)
