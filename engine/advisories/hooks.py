"""Runs the hooks of a project after an edit: confined, in a worktree they cannot change, within their time.

A hook is code of the repository, and what it prints is hostile. It can hang, fail, print for ever or print anything:
all of that is a word about the hook, once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from engine.advisories import said
from engine.advisories.found import Hook
from engine.errors import Stopped
from engine.model import Advisory
from engine.plain import one_line
from engine.quoting import unforged
from engine.state import ABOUT_HOOKS
from engine.suites.process import Exited, run_child, settled
from engine.suites.runner import Place, SuiteRunner

KEPT = 64_000
"""Characters of the output of a hook that are kept; one that prints more is ended."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit under the name hooks know it by, and what it was asked to do."""

    tool: str  # Edit or Write
    path: str  # relative to the worktree
    given: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is to be said of an edit and of hooks, and what each command said that had its say."""

    advisories: tuple[Advisory, ...] = ()
    by: Mapping[str, tuple[Advisory, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Output:
    """The first lines of what a hook prints."""

    lines: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, line: str) -> None:
        self.size += len(line) + 1
        if not self.loud:
            self.lines.append(line)

    @property
    def loud(self) -> bool:
        return self.size > KEPT

    @property
    def binary(self) -> bool:
        return any("\0" in line or "\ufffd" in line for line in self.lines)

    @property
    def first(self) -> str:
        return next((line for line in self.lines if line.strip()), "")


@dataclass(slots=True)
class Hooks:
    """The hooks of one attempt.

    Parameters
    ----------
    place
        The worktree they look at.
    timeout_s, budget_s
        Seconds one of them may take, and all of them together.
    """

    hooks: Sequence[Hook]
    runner: SuiteRunner
    place: Place
    timeout_s: float
    budget_s: float
    redact: Callable[[str], str]
    _left: float = field(init=False)
    _off: set[Hook] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._left = self.budget_s
        # A scratch of their own: what lies in the suites' would be obeyed by tests.
        self.place = dataclasses.replace(self.place, scratch=self.place.scratch.with_name("hooks"))

    def after(self, edit: Edit) -> Seen:
        """What the hooks that want such an edit say of it.

        Raises
        ------
        Stopped
            The run was cancelled; the hook and its group are gone.
        """
        by: dict[str, tuple[Advisory, ...]] = {}
        found: list[Advisory] = []
        for hook in self.hooks:
            if not hook.wants(edit.tool):
                continue
            if self._left <= 0:
                text = f"hooks are off until this attempt ends: [advisories] budget_s = {self.budget_s:g} is spent"
                found += self._about(text, "")
                break
            if hook in self._off:
                continue
            output = _Output()
            if problem := self._run(hook, edit, output):
                found += self._about(problem, hook.name)
            else:
                by[hook.command] = tuple(said.advisories(output.lines, edit.path, self.redact))
                found += by[hook.command]
        return Seen(tuple(found), by)

    def _run(self, hook: Hook, edit: Edit, output: _Output) -> str:
        """Run one; why nothing it printed counts, or an empty string."""
        limit = min(self.timeout_s, hook.timeout_s or self.timeout_s, self._left)
        started = time.monotonic()
        try:
            exited = self._child(hook, edit, limit, output)
        except OSError as error:
            return f"it cannot be started: {error.strerror or error}"
        finally:
            self._left -= time.monotonic() - started
        if exited.killed == "stopped":
            raise Stopped("stopped on request")
        if exited.killed or output.loud:
            self._off.add(hook)
        return self._problem(exited, output, limit)

    def _problem(self, exited: Exited, output: _Output, limit: float) -> str:
        if output.loud:
            return f"it printed more than {KEPT // 1000} kB; it does not run again in this attempt"
        if exited.killed:
            return f"it was ended after {limit:.3g} s; it does not run again in this attempt"
        if exited.over:
            return f"it was ended: {exited.over}"
        if exited.code:
            how = f"was ended by signal {-exited.code}" if exited.code < 0 else f"failed with exit {exited.code}"
            first = unforged(one_line(self.redact(output.first), 120))
            return f"it {how}" + (f": {first}" if first else "")
        return "it printed what is no text" if output.binary else ""

    def _about(self, text: str, name: str) -> tuple[Advisory, ...]:
        """A word about a hook, the first one only."""
        if name in self._told:
            return ()
        self._told.add(name)
        return (Advisory(ABOUT_HOOKS, self.redact(f"hook `{name}`: {text}" if name else text)),)

    def _child(self, hook: Hook, edit: Edit, limit: float, output: _Output) -> Exited:
        place = self.place
        place.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        cwd = place.cwd if hook.folder is None else place.worktree / hook.folder
        wrap = partial(self.runner.confinement.wrap, writable=(place.scratch,), readable=(place.worktree,), cwd=cwd)
        env = self.runner.environment(place)
        # The project's own tools first, ours (ruff) last; there is no key in here, as in any child's.
        beside = (str(Path(self.runner.interpreter.executable).parent), env.get("PATH", os.defpath))
        env |= {
            "PATH": os.pathsep.join((*beside, str(Path(sys.executable).parent))),
            "CLAUDE_PROJECT_DIR": str(cwd),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with tempfile.TemporaryFile() as asked:
            asked.write(json.dumps(self._asked(edit, cwd)).encode("utf-8", "backslashreplace"))
            asked.seek(0)
            return settled(
                lambda: run_child(
                    wrap(hook.argv),
                    cwd=cwd,
                    env=env,
                    cancel=self.runner.cancel,
                    deadline_s=limit,
                    on_line=output.add,
                    silent=lambda: output.loud,
                    stdin=asked,
                )
            )

    def _asked(self, edit: Edit, cwd: Path) -> dict[str, object]:
        """What a hook reads: the edit, as Claude Code tells of its own."""
        full = str(self.place.worktree / edit.path)
        return {
            "session_id": self.runner.run,
            "transcript_path": "",
            "cwd": str(cwd),
            "permission_mode": "default",
            "hook_event_name": "PostToolUse",
            "tool_name": edit.tool,
            "tool_input": {"file_path": full, **edit.given},
            "tool_response": {"filePath": full, "success": True},
        }
