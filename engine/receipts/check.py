"""One verification of a receipt, top to bottom, on a session's thread: its records, the repository, its tests again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.errors import BitnetError, EnvironmentFailure
from engine.feed import Feed
from engine.launch import Plan
from engine.lock import Lock
from engine.loop import Loop
from engine.model import Exit
from engine.receipts import consistency, objects
from engine.receipts.again import Again
from engine.receipts.difference import Difference, Kind, verdict
from engine.receipts.form import Paper
from engine.recorder import Recorder
from engine.records import journal
from engine.records.receipt import PROGRAM
from engine.records.redact import Redactor
from engine.session import Steering
from engine.workspace.home import new_run_id
from engine.workspace.worktrees import remove_tree


@dataclass(slots=True)
class Check:
    """Callable once, on the session's thread; what it found is there afterwards.

    Parameters
    ----------
    plan
        Of the receipt's project as it is now: its settings, its interpreter, its sandbox.
    """

    paper: Paper
    plan: Plan
    found: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # worth knowing, and no difference
    ran: bool = False  # the suites ran again, to their end
    error: Exception | None = None

    @property
    def exit(self) -> Exit:
        return verdict(self.found)

    def __call__(self, feed: Feed, steering: Steering) -> Exit:
        """Check it; the exit code. An error is kept for who reads the result."""
        home = self.plan.home
        ours = not home.folder.exists()
        run = new_run_id(home.newest())
        lock: Lock | None = None
        try:
            home.make()
            lock = Lock(home.lock, run)
            for what in home.sweep(self.plan.repository):
                feed.output(f"removed what a killed run had left: {what}")
            # What is made elsewhere is found through this folder, so it is there before all of that.
            home.scratch(run).mkdir(parents=True)
            self.plan.repository.run_id = run
            self._look(run, feed, steering)
            return self.exit
        except Exception as error:  # noqa: BLE001  # the thread's last edge: it is raised again where it can be said
            self.error = error
            return error.exit if isinstance(error, BitnetError) else Exit.DEFECT
        finally:
            steering.release()
            if lock is not None:
                home.clear(run)
                if ours:
                    remove_tree(home.folder)
                lock.release()

    def _look(self, run: str, feed: Feed, steering: Steering) -> None:
        """From what costs nothing to what runs code; evidence that contradicts itself is not run."""
        scratch = self.plan.home.scratch(run)
        receipt, repository = self.paper.receipt, self.plan.repository
        self.found += consistency.of_itself(receipt)
        self.found += self._records(scratch)
        steering.cancel.check()
        if missing := list(objects.here(receipt, repository)):
            self.found += missing
            return
        patch = self._beside("patch.diff")
        self.found += objects.agree(receipt, repository, patch, scratch)
        if self.exit is Exit.INTEGRITY:
            return
        self.found += objects.moved_on(receipt, repository)
        self.found += self._run_again(run, feed, steering)
        if not self.ran and not self.found:
            self.found.append(Difference(Kind.HERE, "it names no suite: nothing of it could run again"))

    # -- the records beside it ----------------------------------------------------------------------------------------

    def _beside(self, name: str) -> Path | None:
        """A record of the run: where the receipt lies, else where this repository keeps it."""
        folders = (self.paper.folder, self.plan.home.run(self.paper.receipt.run))
        return next((f / name for f in folders if (f / name).is_file()), None)

    def _records(self, scratch: Path) -> Iterator[Difference]:
        receipt, plain = self.paper.receipt, self.paper.plain
        patch = self._beside("patch.diff")
        log = self._beside("journal.jsonl")
        if patch is not None or log is not None:
            yield from consistency.with_patch(receipt, patch.read_bytes() if patch is not None else None)
        elif receipt.patch_sha256:
            self.notes.append("patch.diff is not here: its digest was not compared")
        statement = self._beside("receipts/impl.intoto.json")
        if statement is not None:
            with contextlib.suppress(OSError):
                yield from consistency.with_statement(plain, self.paper.sha256, _json(statement))
        if log is None:
            self.notes.append("journal.jsonl is not here: it was not compared")
            return
        data = log.read_bytes()
        yield from consistency.with_journal(receipt, self.paper.sha256, data)
        if not consistency.made_from(receipt, data) or plain.get("program") != PROGRAM:
            return  # another version may fold it another way
        known = scratch / "journal-of-receipt.jsonl"
        known.write_bytes(data[: receipt.journal_bytes])
        try:
            yield from consistency.with_records(plain, journal.read(known))
        except EnvironmentFailure as failure:
            yield Difference(Kind.FORGED, f"its journal is damaged: {failure.message.replace(str(known), str(log))}")
        except RecursionError:
            yield Difference(Kind.FORGED, f"its journal is damaged: {log} nests deeper than anything a run writes")

    # -- its tests ----------------------------------------------------------------------------------------------------

    def _run_again(self, run: str, feed: Feed, steering: Steering) -> Iterator[Difference]:
        receipt, plan = self.paper.receipt, self.plan
        gone = [n for n in receipt.suites if n not in plan.config.suites]
        yield from (Difference(Kind.STALE, f"suite {n} is not in the settings any more") for n in gone)
        if plan.prefix != receipt.prefix:
            where = receipt.prefix or "the repository's root"
            yield Difference(Kind.STALE, f"{where} is no project of its own any more")
            return
        suites = tuple(n for n in receipt.suites if n in plan.config.suites)
        if not suites:
            return
        scratch = plan.home.scratch(run)
        redact = Redactor.of(plan.environ)
        recorder = Recorder(journal.Journal(scratch / "journal.jsonl"), feed, scratch / "run.log", redact=redact)
        loop = Loop(run, replace(plan, suites=suites), recorder, steering)
        again = Again(loop, receipt)
        try:
            yield from again.differences()
            self.ran = True
        finally:
            self.notes += again.notes
            loop.close()
            recorder.journal.close()


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
