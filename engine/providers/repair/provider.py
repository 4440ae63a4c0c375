"""The offline repairer as a provider: search beside the tree, then edit it through the same tools as everybody."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from engine.cancel import CancelToken
from engine.config import Repair
from engine.errors import EnvironmentFailure
from engine.events import ActivityReported
from engine.model import Outcome
from engine.providers import Brief, Finish, Reporter, RunnerUp, Tools
from engine.providers.repair.search import search
from engine.providers.repair.task import Edit, RepairResult, RepairTask, SearchProgress

EDITOR = "str_replace_based_edit_tool"


@dataclass(frozen=True, slots=True)
class RepairProvider:
    """Needs no key, no network and no money; says so when it found nothing.

    Parameters
    ----------
    settings
        Budget, workers and seed.
    """

    settings: Repair
    name: str = "repair"

    def attempt(self, brief: Brief, tools: Tools, report: Reporter, cancel: CancelToken) -> Finish:
        task = self._task(brief)

        seen: set[tuple[object, ...]] = set()
        last = [0.0]

        def progress(now: SearchProgress) -> None:
            # What is new is worth a line; in between, one sign of life a second.
            key = (now.phase, now.best, now.fixed)
            if key in seen and time.monotonic() - last[0] < 1.0:
                return
            kind = "progress" if key in seen else "locate" if now.phase == "locating" else "search"
            seen.add(key)
            last[0] = time.monotonic()
            report(ActivityReported(kind, _line(now, task)))

        result = search(task, progress=progress, cancelled=lambda: cancel.cancelled)
        cancel.check()
        _tell_located(result, report)
        for path, text in sorted(result.files.items()):
            answer = tools.call(EDITOR, {"command": "create", "path": path, "file_text": _for_editor(text)})
            if answer.is_error:
                return Finish(Outcome.MORE_WORK, f"the edit of {path} was refused: {answer.text}", lessons=result.note)
        return self._finish(result, task, tools)

    def _task(self, brief: Brief) -> RepairTask:
        if brief.sandbox is None:
            raise EnvironmentFailure("provider repair needs an interpreter to run candidates in")
        return RepairTask(
            root=brief.worktree,
            cwd=brief.sandbox.cwd,
            python=brief.sandbox.python,
            env=brief.sandbox.env,
            import_roots=brief.sandbox.import_roots,
            pytest_args=tuple(f"-pno:{name}" for name in brief.sandbox.without),
            failing=tuple(dict.fromkeys(t.nodeid for t in brief.targets)),
            passing=brief.green,
            editable=tuple(p for p in brief.scope if p.endswith(".py")),
            budget_s=self.settings.budget_s,
            max_candidates=self.settings.max_candidates,
            seed=self.settings.seed + brief.attempt - 1,
            workers=self.settings.workers or os.cpu_count() or 1,
            scratch=brief.sandbox.scratch,
            confine=brief.sandbox.confine,
            confinement=brief.sandbox.confinement,
            scheduler=self.settings.scheduler,
        )

    def _finish(self, result: RepairResult, task: RepairTask, tools: Tools) -> Finish:
        summary = "\n".join(_said(edit) for edit in result.edits) or result.note
        outcome = Outcome.MORE_WORK
        if result.files and not result.remaining:
            given = {"outcome": str(Outcome.DONE), "summary": summary}
            answer = tools.call("finish", given)
            if answer.finished:
                outcome = Outcome.DONE
            else:
                summary = f"{summary}\n{answer.text}"
        return Finish(
            outcome,
            summary,
            _evidence(result, task),
            alternatives=result.alternatives,
            confidence=result.confidence,
            doubt=f"{result.doubt}: which is right? One more test decides." if result.doubt else "",
            runners_up=tuple(RunnerUp(other.files, other.note, other.differs) for other in result.runners_up),
            lessons="" if outcome is Outcome.DONE else result.note,
        )


def _line(now: SearchProgress, task: RepairTask) -> str:
    share = f"{100 * min(1.0, now.budget_used):.0f} % of the budget"
    mended = f"best mends {now.best} of {len(task.failing)}" if now.best else "none mends a test yet"
    fixed = f", {now.fixed} fixed" if now.fixed else ""
    return f"{now.phase}: {now.message} · {now.tried} candidates, {mended}{fixed} · {share}"


def _tell_located(result: RepairResult, report: Reporter) -> None:
    if result.located:
        places = ", ".join(f"{path}:{line}" for path, line, _ in result.located[:5])
        report(ActivityReported("locate", f"most suspicious: {places}"))


def _evidence(result: RepairResult, task: RepairTask) -> str:
    """What the claim rests on, a fact a line."""
    lines = [f"{result.tried} candidates in {result.seconds:.1f} s"]
    if result.files:
        others = f"{result.alternatives} {'alternative' if result.alternatives == 1 else 'alternatives'}"
        lines.insert(0, f"plausible, {others}, confidence {result.confidence}")
        failing = len(task.failing)
        lines.append(f"{failing} {'test' if failing == 1 else 'tests'} failed before")
    if result.agreement is not None:
        lines.append(f"{100 * result.agreement:.0f} % of the plausible edits behave alike beyond the tests")
    return "\n".join([*lines, *([result.doubt] if result.doubt else [])])


def _said(edit: Edit) -> str:
    return f"{edit.path}:{edit.line}: {edit.note}"


def _for_editor(text: str) -> str:
    """Source as the editor takes it: without a byte-order mark, lines ended by ``\\n`` where all end alike."""
    text = text.removeprefix("\ufeff")
    crlf = text.count("\r\n")
    return text.replace("\r\n", "\n") if crlf and crlf == text.count("\n") else text
