"""`ledger lint` and `receipt verify`: what was found in a record of a run, for people or as JSON."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.plain import safe

if TYPE_CHECKING:
    from engine.receipts.check import Check


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


def verify_receipt(file: Path, target: Path | None, config: Path | None, *, as_json: bool) -> int:
    """Check a receipt; its exit code says whether it holds (0), no longer (1), is forged (3), or cannot be seen (5)."""
    from engine.errors import EnvironmentFailure
    from engine.launch import Options, prepare
    from engine.receipts.check import Check
    from engine.receipts.form import read
    from engine.workspace.repository import Repository

    paper = read(file)
    try:
        repository = Repository.open(target or file.resolve().parent)
    except EnvironmentFailure:
        if target is not None:
            raise
        repository = Repository.open(Path())  # it was copied out of its repository
    project = repository.root / paper.receipt.prefix
    check = Check(paper, prepare(Options(project, config, providers=("repair",)), dict(os.environ)))
    _attend(check, quiet=as_json)
    for note in check.notes:
        _say({"type": "note", "text": note}, f"note: {note}", as_json)
    for one in check.found:
        _say({"type": "difference", "kind": str(one.kind), "what": one.what}, f"{one.kind}: {one.what}", as_json)
    said = _conclusion(check)
    receipt = paper.receipt
    green = sum(receipt.tests.after.get(k) == "passed" for k in receipt.targets)
    counts = {"targets": len(receipt.targets), "green": green, "tests": len(receipt.tests.before)}
    kinds = {"run": receipt.run, "holds": not check.found, "ran": check.ran, **counts, "why": said}
    _say({"type": "result", "exit": int(check.exit), **kinds}, said, as_json)
    return int(check.exit)


def _attend(check: Check, *, quiet: bool) -> None:
    """Let it run on a thread of its own, telling how far it is; Ctrl-C ends it in order."""
    from engine.feed import Feed
    from engine.headless import TICK, Printer, stopping
    from engine.session import Session

    woken = threading.Event()
    feed = Feed(woken.set)
    session = Session(check, feed, ask=False)
    printer = Printer(sys.stderr, False, sys.stderr.isatty())
    with stopping(session):
        session.start()
        while session.alive or woken.is_set():
            woken.wait(TICK)
            woken.clear()
            while any((drained := feed.drain(1000))[:2]):
                if not quiet:
                    printer.records(drained[0])
        if not quiet:
            printer.done()
    if check.error is not None:
        raise check.error


def _conclusion(check: Check) -> str:
    """One sentence: what holds, or that it does not."""
    receipt = check.paper.receipt
    tests, targets = len(receipt.tests.before), len(receipt.targets)
    if check.found:
        kinds = [str(d.kind) for d in check.found]
        counts = ", ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds))
        return f"receipt does not hold: {counts}" + ("" if check.ran else "; its tests were not run again")
    green = sum(receipt.tests.after.get(k) == "passed" for k in receipt.targets)
    if receipt.passes:
        said = f"receipt holds: {targets} of {targets} targets red before and green after, {tests} tests as recorded"
    else:
        word = receipt.gate.word if receipt.gate is not None else "not set"
        said = (
            f"receipt holds: gate impl is {word}, {green} of {targets} targets green after, {tests} tests as recorded"
        )
    flaky = len(receipt.undecided)
    return said + (f"; {flaky} that decide nothing, and none of them broken" if flaky else "")


def _say(fields: dict[str, Any], text: str, as_json: bool) -> None:
    click.echo(json.dumps(fields) if as_json else safe(text))
