"""What a receipt says, held against itself and against the records beside it. Nothing is run. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from engine.events import Record
from engine.model import Ended, GateStatus, TestOutcome, TestReport, TestResult
from engine.receipts.difference import Difference, Kind
from engine.receipts.form import Receipt
from engine.records import receipt as records
from engine.records.intoto import statement
from engine.state import RunState, fold_all
from engine.verify.acceptance import Baseline, judge, progress

_SHOWN = 3
_FOLDED = ("guard", "tests", "build", "features")
"""Gates that impl is the fold of and that no agent after it sets anew."""

_QUIET = (TestOutcome.SKIPPED, TestOutcome.XFAILED)


def _forged(what: str) -> Difference:
    return Difference(Kind.FORGED, what)


def of_itself(receipt: Receipt) -> Iterator[Difference]:
    """Whether its gates follow from its outcomes."""
    if strange := _of_no_suite(receipt):
        yield _forged(f"suites that are not among those of the receipt: {_some(strange)}")
    if twice := sorted(set(receipt.targets) & receipt.undecided):
        yield _forged(f"{_some(twice)}: a target, and a test that decides nothing")
    red = [k for k in receipt.targets if not receipt.tests.before.get(k, TestOutcome.PASSED).red]
    if red:
        yield _forged(f"not red before the change, and named a target: {_some(red)}")
    gate = receipt.gate
    wanted = records.CONCLUSIONS[str(gate.status)] if gate is not None else "neutral"
    if gate is not None and receipt.check.get("conclusion") != wanted:
        yield _forged(f"gate impl is {gate.word}, the check run says {receipt.check.get('conclusion')}")
    if receipt.passes:
        yield from _passed(receipt)


def _of_no_suite(receipt: Receipt) -> list[str]:
    """Suites that tests are said to be of, and that the receipt does not have: nobody could run those again."""
    tests = receipt.tests
    keys = {*receipt.targets, *receipt.undecided, *tests.before, *tests.after}
    return sorted({key.partition(" ")[0] for key in keys} - receipt.suites.keys())


def _passed(receipt: Receipt) -> Iterator[Difference]:
    """Gate impl passes: every target is green, nothing is lost, and no gate below it fails."""
    if not receipt.targets:
        yield _forged("gate impl passes without a target")
    if receipt.head.tree in ("", receipt.snapshot.tree):
        yield _forged("gate impl passes without a change")
    failing = [g.name for g in receipt.gates if g.status is GateStatus.FAIL and g.name in _FOLDED]
    if failing:
        yield _forged(f"gate impl passes, and {', '.join(failing)} fails")
    last = receipt.attempts[-1] if receipt.attempts else {}
    if last.get("verdict") != "verified":
        yield _forged(f"gate impl passes, and the last attempt is {last.get('verdict') or 'not verified'}")
    for reason in judge(_baseline(receipt), _reports(receipt.tests.after)).reasons:
        yield _forged(f"gate impl passes, but: {reason}")


def green(receipt: Receipt, after: Mapping[str, TestOutcome]) -> frozenset[str]:
    """The targets that hold by these outcomes; one that is a file holds by the tests in it."""
    results = [result for report in _reports(after) for result in report.results]
    return frozenset(progress(_baseline(receipt), results).fixed)


def _baseline(receipt: Receipt) -> Baseline:
    before = receipt.tests.before
    optional = [n for n, settings in receipt.suites.items() if settings.get("optional")]
    unseen = frozenset(n for n in optional if not any(k.startswith(f"{n} ") and "::" in k for k in before))
    return Baseline(before, receipt.undecided, receipt.targets, unseen=unseen)


def _reports(after: Mapping[str, TestOutcome]) -> list[TestReport]:
    """Outcomes after the change as reports that say the same."""
    by_suite: dict[str, list[TestResult]] = {}
    for key, outcome in after.items():
        suite, _, nodeid = key.partition(" ")
        # Which skips a mark asks for is not in a receipt: all that could be are taken for it.
        by_suite.setdefault(suite, []).append(TestResult(suite, nodeid, outcome, marked=outcome in _QUIET))
    return [
        TestReport(name, tuple(results), int(any(r.outcome.red for r in results)), Ended.FINISHED)
        for name, results in by_suite.items()
    ]


def with_patch(receipt: Receipt, patch: bytes | None) -> Iterator[Difference]:
    """The patch that lies beside it; None: there is none."""
    digest = "" if patch is None else hashlib.sha256(patch).hexdigest()
    if digest != receipt.patch_sha256:
        was = f"sha256 {receipt.patch_sha256[:12]}" if receipt.patch_sha256 else "no patch"
        now = f"sha256 {digest[:12]}" if digest else "missing"
        yield _forged(f"patch.diff is not the one of the receipt: {was} there, {now} beside it")


def made_from(receipt: Receipt, journal: bytes) -> bool:
    """Whether these are the bytes of the journal that were there when the receipt was made."""
    known = journal[: receipt.journal_bytes]
    return len(known) == receipt.journal_bytes and hashlib.sha256(known).hexdigest() == receipt.journal_sha256


def with_journal(receipt: Receipt, sha256: str, journal: bytes) -> Iterator[Difference]:
    """The bytes of the journal: those the receipt was made from, and what came after says which receipt was written."""
    if not made_from(receipt, journal):
        yield _forged("journal.jsonl is not the one the receipt was made from")
        return
    for line in journal[receipt.journal_bytes :].splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and event.get("type") == "ReceiptWritten" and event.get("sha256") != sha256:
            yield _forged("the journal names another receipt: this one was written after the run, or edited")


def with_records(plain: Mapping[str, Any], records_: list[Record]) -> Iterator[Difference]:
    """The same receipt, made again from the journal's records."""
    again = json.loads(records.dumps(records.of_state(fold_all(RunState(), records_))))
    for name in records.FROM_STATE:
        if plain.get(name) != again[name]:
            yield _forged(f"{name}: not what the journal says{_where(plain.get(name), again[name])}")


def _where(there: Any, journal: Any) -> str:
    """The first place where two values differ, as far as it is a name."""
    if isinstance(there, dict) and isinstance(journal, dict):
        for key in journal.keys() | there.keys():
            if there.get(key) != journal.get(key):
                inner = _where(there.get(key), journal.get(key))
                return f" ({key}{inner})" if not inner.startswith(" (") else f" ({key}: {inner[2:]}"
    if isinstance(there, str) and isinstance(journal, str):
        return f": {there[:60]} in place of {journal[:60]}"
    return ""


def with_statement(plain: Mapping[str, Any], sha256: str, there: Any) -> Iterator[Difference]:
    """The in-toto statement beside it."""
    try:
        made = json.loads(records.dumps(statement(plain, sha256)))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        lacking = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        yield _forged(f"no statement can be made from the receipt, and there is an impl.intoto.json: {lacking}")
        return
    if there != made:
        yield _forged("impl.intoto.json does not say what the receipt says")


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more
