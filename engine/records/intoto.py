"""A receipt as an in-toto statement (predicate test-result v0.1): tools that know nothing of us can read it. Pure.

It is not signed: who wants that signs this file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from engine.model import TestOutcome
from engine.workspace.scope import OBEYED

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
CONFIGURATIONS = 100
"""Files that say how tests run and are named one by one."""


def statement(receipt: Mapping[str, Any], receipt_sha256: str) -> dict[str, Any]:
    """The statement of a receipt.

    Parameters
    ----------
    receipt_sha256
        Of the file the receipt was written to: the statement is about that one.
    """
    decide_nothing = {*receipt["flaky"], *receipt["unfit"]}
    after = {key: TestOutcome(word) for key, word in receipt["tests"]["after"].items()}
    passed = sorted(k for k, o in after.items() if o.passed and k not in decide_nothing)
    failed = sorted(k for k, o in after.items() if o.red and k not in decide_nothing)
    warned = sorted(k for k in after if k in decide_nothing)
    return {
        "_type": STATEMENT,
        "subject": list(_subjects(receipt)),
        "predicateType": PREDICATE,
        "predicate": {
            "result": _result(receipt, bool(warned)),
            "configuration": list(_configuration(receipt, receipt_sha256)),
            "passedTests": passed,
            "warnedTests": warned,
            "failedTests": failed,
        },
    }


def _result(receipt: Mapping[str, Any], warned: bool) -> str:
    """Green as the run's own gates say it; a run that had nothing to mend passes by its tests."""
    gates = {gate["name"]: gate for gate in receipt["gates"]}
    impl = gates.get("impl", {})
    idle = impl.get("status") == "skipped" and impl.get("reason") == "n/a-surface"
    green = gates.get("tests", {}).get("status") == "pass" if idle else impl.get("status") == "pass"
    if not green:
        return "FAILED"
    return "WARNED" if warned or "look first at " in impl.get("evidence", "") else "PASSED"


def _subjects(receipt: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The patch and the commit it became; before there is one, the trees that were tested."""
    if receipt["patch_sha256"]:
        yield {"name": "patch.diff", "digest": {"sha256": receipt["patch_sha256"]}}
    head, snapshot = receipt["head"], receipt["snapshot"] or {}
    if head["commit"]:
        yield {"name": head["branch"] or "commit", "digest": {"gitCommit": head["commit"]}}
    elif head["tree"] and head["tree"] != snapshot.get("tree"):
        yield {"name": "tree", "digest": {"gitTree": head["tree"]}}
    elif snapshot:
        yield {"name": "snapshot", "digest": {"gitCommit": snapshot["commit"]}}


def _configuration(receipt: Mapping[str, Any], receipt_sha256: str) -> Iterator[dict[str, Any]]:
    yield {"name": "receipts/impl.json", "digest": {"sha256": receipt_sha256}, "mediaType": "application/json"}
    environment = receipt["environment"] or {}
    if environment.get("packages_sha256"):
        yield {
            "name": f"python {environment['python_version']}, pytest {environment['pytest_version']}",
            "digest": {"sha256": environment["packages_sha256"]},
            "annotations": {"platform": environment["platform"], "protections": list(environment["protections"])},
        }
    for name, settings in receipt["suites"].items():
        canonical = json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()
        argv = list(receipt["commands"].get(name, ()))
        yield {
            "name": f"suite {name}",
            "digest": {"sha256": hashlib.sha256(canonical).hexdigest()},
            "annotations": {"argv": argv},
        }
    deciding = [path for path in receipt["protected"] if PurePosixPath(path).name in OBEYED]
    for path in deciding[:CONFIGURATIONS]:
        yield {"name": path, "digest": {"gitBlob": receipt["protected"][path]}}
