"""What the tests of this provider share: a brief, a recorder, and a small but real toolbox over one folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.cancel import CancelToken
from engine.config import Anthropic, Budget
from engine.events import ActivityReported, Event, UsageCounted
from engine.model import TestOutcome, TestResult, Usage
from engine.providers import Brief, Finish, SuiteBrief, ToolResult
from engine.providers.anthropic import AnthropicProvider
from engine.providers.anthropic.retry import Backoff

EDITOR = "str_replace_based_edit_tool"
KEY = "sk-ant-secret-of-the-test"
QUICK = Backoff(limit=3, cap_s=0.05, base_s=0.01)

BROKEN = "def pack(values):\n    return sum(v << i for i, v in enumerate(values))\n"
TEST = "from lanes import pack\n\n\ndef test_cpu_pack():\n    assert pack([1, 2, 3]) == 57\n"


def brief(worktree: Path, **changes: Any) -> Brief:
    target = TestResult(
        "cpu", "test_it.py::test_cpu_pack", TestOutcome.FAILED, message="assert 17 == 57", path="test_it.py", line=5
    )
    plain = Brief(
        run="r1",
        attempt=1,
        attempts=3,
        agent="impl-creator",
        prompt="You make failing tests pass.",
        model="sonnet",
        worktree=worktree,
        targets=(target,),
        green=("test_it.py::test_other",),
        suites=(SuiteBrief("cpu", "pytest -m 'not gpu'"),),
        scope=("lanes.py",),
        scope_rules="Python files that are not tests.",
    )
    return replace(plain, **changes)


class Recorder:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def said(self, kind: str) -> list[str]:
        return [e.text for e in self.events if isinstance(e, ActivityReported) and e.kind == kind]

    @property
    def usage(self) -> Usage:
        return sum((e.usage for e in self.events if isinstance(e, UsageCounted)), Usage())


class Folder:
    """Tools over one folder: a file that may be edited, a test that may not, and pytest in a child."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        (root / "lanes.py").write_text(BROKEN)
        (root / "test_it.py").write_text(TEST)

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        self.calls.append((name, arguments))
        if name == "finish":
            return ToolResult("finished", finished=True)
        if name == "run_tests":
            return ToolResult(self._pytest())
        if name == "search":
            return ToolResult("lanes.py:1:def pack(values):")
        if name != EDITOR:
            return ToolResult(f"there is no tool {name}", is_error=True)
        path = self.root / str(arguments.get("path"))
        if arguments.get("command") == "view":
            return ToolResult(path.read_text())
        if path.name.startswith("test_"):
            return ToolResult(f"{path.name} is protected: tests are locked", is_error=True)
        before = path.read_text()
        path.write_text(before.replace(arguments["old_str"], arguments["new_str"]))
        return ToolResult(f"{path.name} written")

    def _pytest(self) -> str:
        command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", "test_it.py"]
        environment = {**os.environ, "PYTHONPATH": str(self.root), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)
        return done.stdout

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


class Attempt:
    """A provider against a server, with everything it said and did."""

    def __init__(self, url: str, root: Path, *, environ: dict[str, str] | None = None, **settings: Any) -> None:
        self.tools = Folder(root)
        self.report = Recorder()
        self.cancel = CancelToken()
        self.transcript: list[dict[str, Any]] = []
        options = {
            k: settings.pop(k)
            for k in ("spent", "backoff", "rates", "prices", "tape", "answers_chars")
            if k in settings
        }
        budget = settings.pop("budget", Budget())
        self.brief = brief(root, **settings.pop("brief", {}))
        self.provider = AnthropicProvider(
            Anthropic(base_url=url, **{"timeout_s": 10.0, **settings}),
            budget,
            {"ANTHROPIC_API_KEY": KEY} if environ is None else environ,
            self.transcript.append,
            **{"backoff": QUICK, **options},
        )

    def run(self) -> Finish:
        return self.provider.attempt(self.brief, self.tools, self.report, self.cancel)
