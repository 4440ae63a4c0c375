"""A run as something to start: its folder, lock and journal around the loop, and every way it can end."""

from __future__ import annotations

import contextlib
import os
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from engine import events as ev
from engine.errors import BitnetError, BudgetSpent, DiskFull, EnvironmentFailure, ProviderError, Stopped, no_room
from engine.feed import Feed
from engine.launch import Plan
from engine.lock import Lock
from engine.loop import Loop
from engine.model import Exit
from engine.recorder import Recorder
from engine.records import journal
from engine.records.redact import Redactor
from engine.session import Steering
from engine.state import RunState, fold_all
from engine.workspace.home import new_run_id

RESUMABLE = (Stopped, BudgetSpent, ProviderError, DiskFull)


@dataclass(slots=True)
class Run:
    """Callable once, on the session's thread.

    Parameters
    ----------
    resume
        Id of a run to go on with; empty: a new one.
    """

    plan: Plan
    resume: str = ""
    id: str = ""
    state: RunState = field(default_factory=RunState)
    error: BitnetError | None = None  # when nothing could be recorded
    redact: Redactor = field(init=False)

    def __post_init__(self) -> None:
        self.redact = Redactor.of(self.plan.environ)
        self.id = self.resume or new_run_id(self.plan.home.newest())

    @property
    def folder(self) -> Path:
        return self.plan.home.run(self.id)

    def __call__(self, feed: Feed, steering: Steering) -> Exit:
        """Run to an end of some kind, and say which."""
        recorder: Recorder | None = None
        lock: Lock | None = None
        steering.ask = steering.ask and self.plan.config.flow.decide == "ask"
        try:
            self.plan.home.make()
            lock = Lock(self.plan.home.lock, self.id)
            self._sweep(feed)
            # What the run makes elsewhere is found through this folder, so it is there before all of that.
            self.plan.home.scratch(self.id).mkdir(parents=True, exist_ok=True)
            self.plan.repository.run_id = self.id
            recorder = self._recorder(feed)
            steering.limit(self.plan.config.budget.minutes * 60)
            return Loop(self.id, self.plan, recorder, steering).go()
        except BitnetError as error:
            if isinstance(error, Stopped) and steering.expired:
                minutes = self.plan.config.budget.minutes
                error = BudgetSpent(f"the run took its {minutes:g} minutes", hint="resume with --max-minutes")
            return self._ended(recorder, feed, error)
        except OSError as error:
            kind = DiskFull if no_room(error) else EnvironmentFailure
            failure = kind(f"{error.filename or self.plan.home.folder}: {error.strerror or error}")
            return self._ended(recorder, feed, failure)
        except Exception:  # noqa: BLE001  # the last edge: a defect of ours becomes an event, never a bare traceback
            return self._crashed(recorder, feed)
        finally:
            steering.release()
            if recorder is not None:
                self.state = recorder.state
                recorder.journal.close()
            if lock is not None:
                if recorder is None:
                    self.plan.home.clear(self.id)
                lock.release()

    def _sweep(self, feed: Feed) -> None:
        for what in self.plan.home.sweep(self.plan.repository):
            feed.output(f"removed what a killed run had left: {what}")

    def _recorder(self, feed: Feed) -> Recorder:
        path = self.folder / "journal.jsonl"
        log = self.folder / "run.log"
        if not self.resume:
            self.folder.mkdir(parents=True)
            return Recorder(journal.Journal(path), feed, log, redact=self.redact)
        writer, records = journal.reopen(path)
        recorder = Recorder(writer, feed, log, fold_all(RunState(), records), self.redact)
        for record in records:
            feed.publish(record)
        recorder.emit(ev.RunResumed(os.getpid(), self.plan.providers, self.plan.typed))
        return recorder

    def _ended(self, recorder: Recorder | None, feed: Feed, error: BitnetError) -> Exit:
        event: ev.Event
        if isinstance(error, RESUMABLE) and recorder is not None:
            hint = error.hint
            if "resume" not in hint:
                hint += ("; then " if hint else "") + f"go on with: bitnet-tui resume {self.id}"
            event = ev.RunInterrupted(int(error.exit), error.message, hint)
        else:
            event = ev.RunFailed(int(error.exit), error.message, error.hint)
        self._last_word(recorder, feed, event, error)
        if recorder is not None and recorder.state.impossible:
            with contextlib.suppress(EnvironmentFailure):  # `clean` takes it away
                self.plan.repository.delete_ref(f"refs/bitnet-tui/{self.id}/base")
        return error.exit

    def _crashed(self, recorder: Recorder | None, feed: Feed) -> Exit:
        text = self.redact.text(traceback.format_exc())
        file = self.folder / "crash.txt"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except OSError:
            feed.output(text)
        error = BitnetError(f"a defect of bitnet-tui: {text.splitlines()[-1]}", hint=f"the traceback is in {file}")
        event = ev.RunFailed(int(Exit.DEFECT), error.message, error.hint, str(file))
        self._last_word(recorder, feed, event, error)
        return Exit.DEFECT

    def _last_word(self, recorder: Recorder | None, feed: Feed, event: ev.Event, error: BitnetError) -> None:
        """Record how it ended; where even that cannot be written, at least show it."""
        if recorder is not None:
            try:
                recorder.emit(event)
            except BitnetError:
                word = self.redact.noun(event)
                feed.publish(ev.Record(recorder.state.seq + 1, recorder.state.updated_at, word))
            return
        self.error = error
        feed.publish(ev.Record(1, 0.0, self.redact.noun(event)))
