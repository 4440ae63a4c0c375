"""Writes down on GitHub how a run ended: check run, else commit status; then the ledger, as a comment. Or says why not.

Nothing here ends a run or changes how it ended: the ledger on the disk holds all of it. What was written is an event,
so a run that goes on after a kill writes the rest; and each write finds what an earlier one left.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine import events as ev
from engine.cancel import CancelToken
from engine.errors import BitnetError, Stopped
from engine.github import check, pull, remote, thread
from engine.github.connect import connect
from engine.github.pull import Pull
from engine.github.unwritten import Unreachable, Unwritten, line
from engine.github.wire import Patience, Wire
from engine.launch import Plan
from engine.recorder import Recorder
from engine.records import ledger
from engine.records.ledger import Ledger

CHECK_RUN, STATUS, COMMENT = "check run", "commit status", "comment"


@dataclass(slots=True)
class Publishing:
    """The end of one run, on GitHub."""

    run: str
    plan: Plan
    recorder: Recorder
    cancel: CancelToken
    patience: Patience | None = None

    def go(self, ours: Ledger) -> str:
        """Write what is not written yet; the line that says why there is no check run, or nothing.

        Parameters
        ----------
        ours
            The ledger of this run.
        """
        try:
            wire = connect(self.plan, self.recorder, self.cancel, self.patience)
        except Unwritten as refused:
            self._left_out(CHECK_RUN, refused)
        else:
            self._guarded(wire, ours)
        return skipped(self.recorder.state.published)

    def _guarded(self, wire: Wire, ours: Ledger) -> None:
        """Speak; a defect of ours costs what is on GitHub, not the run."""
        try:
            with wire, contextlib.suppress(Unreachable):  # which was said
                self._speak(wire, ours)
        except (BitnetError, OSError):  # the run's own: its journal cannot be written
            raise
        except Exception:  # noqa: BLE001  # said, with its traceback in a file
            file = self.plan.home.run(self.run) / "crash-github.txt"
            file.write_text(self.recorder.redact.text(traceback.format_exc()), encoding="utf-8")
            self._left_out(CHECK_RUN, Unwritten("defect", f"a defect of bitnet-tui: the traceback is in {file}"))

    # -- the rungs ----------------------------------------------------------------------------------------------------

    def _speak(self, wire: Wire, ours: Ledger) -> None:
        about = pull.of_environment(self.plan.environ)
        try:
            verdict = self._verdict(about)
        except Unwritten as refused:
            self._left_out(CHECK_RUN, refused)
        else:
            if not self._rung(CHECK_RUN, lambda: check.write_check(wire, verdict)):
                self._rung(STATUS, lambda: check.write_status(wire, verdict))
        self._rung(COMMENT, lambda: self._comment(wire, about, ours))

    def _rung(self, kind: str, write: Callable[[], str]) -> bool:
        """Whether it is written.

        Raises
        ------
        Unreachable
            Neither would anything else be.
        """
        if any(p.kind == kind and p.url for p in self.recorder.state.published):
            return True
        try:
            self.recorder.emit(ev.Published(kind, write()))
        except Unwritten as refused:
            self._left_out(kind, refused)
            if refused.final:
                raise
            return False
        except Stopped:
            # All that is left of the run takes a moment; a stop is not to cost its result.
            stopped = Unreachable("stopped", "stopped on request")
            self._left_out(kind, stopped)
            raise stopped from None
        return True

    def _verdict(self, about: Pull) -> check.Verdict:
        state, environ = self.recorder.state, self.plan.environ
        taken = state.snapshot
        if taken is None:
            raise Unwritten("no-snapshot", "the run ended before it knew a commit")
        if taken.dirty or taken.untracked:
            files = f"{taken.dirty} changed and {taken.untracked} untracked files"
            raise Unwritten("dirty", f"{files} were part of what was tested: no commit on GitHub is that")
        sha = about.commit(taken.head, environ)
        note = "" if sha == taken.head else f"Tested as merged into its base: {taken.head}."
        redact = self.recorder.redact.text
        return check.verdict(state, sha, redact, note=note, details=_workflow(environ))

    def _comment(self, wire: Wire, about: Pull, ours: Ledger) -> str:
        taken = self.recorder.state.snapshot
        branch = taken.branch if taken else ""
        number = about.number or pull.of_branch(wire, branch and remote.followed(self.plan.repository, branch))
        clean = ledger.parse(self.recorder.redact.text(ledger.render(ours)))
        return thread.write(wire, number, clean, self.run, thread.author(wire))

    # -- saying so ----------------------------------------------------------------------------------------------------

    def _left_out(self, kind: str, refused: Unwritten) -> None:
        self.recorder.emit(ev.Published(kind, "", refused.reason, refused.words))


def skipped(published: tuple[ev.Published, ...]) -> str:
    """``CHECK-SKIPPED: reason=…`` where there is no check run, and what there is in its place."""
    if any(p.kind == CHECK_RUN and p.url for p in published):
        return ""
    why = next((p for p in reversed(published) if p.kind == CHECK_RUN), ev.Published(CHECK_RUN, "", "unknown"))
    instead = [p.kind for p in published if p.url]
    words = "; ".join(w for w in (why.words, f"in its place: {' and '.join(instead)}" if instead else "") if w)
    return line(why.reason, words)


def _workflow(environ: Mapping[str, str]) -> str:
    """The page of the workflow's run."""
    number, where = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_REPOSITORY", "")
    if not (remote.in_actions(environ) and number.isdecimal() and where):
        return ""
    return f"{environ.get('GITHUB_SERVER_URL', 'https://github.com').rstrip('/')}/{where}/actions/runs/{number}"
