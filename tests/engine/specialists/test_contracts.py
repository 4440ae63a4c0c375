"""Each specialist with a model, after one verified run: it writes what its contract says, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import CALC, DONE, FIX_ADD, FIX_MUL, edit, finish, git, make_repo

from engine.cancel import CancelToken
from engine.events import SpecialistFinished
from engine.feed import Feed
from engine.launch import Options, prepare
from engine.model import Exit
from engine.run import Run
from engine.session import Steering
from engine.state import RunState
from tests.engine.anthropic.double import Double, Say, use

MAKES = "from pathlib import Path\n\nPath(__file__).with_name('rows.bin').write_bytes(bytes(range(33)))\n"
MORE = (
    "from calc import add, mul\n\n\ndef test_cpu_zero_and_signs():\n"
    "    assert (add(0, 3), add(-1, 1), mul(0, 3), mul(-2, 3)) == (3, 0, 0, -6)\n"
)


@dataclass
class Verified:
    """A run that was decided, its journal cut there."""

    folder: Path
    run: str
    lines: list[bytes]

    def goes_on(self, to: Path, agent: str, url: str) -> tuple[RunState, Exit, Path]:
        """A copy of it, decided anew: ``agent`` is run, with a model."""
        folder = to / "repo"
        shutil.copytree(self.folder, folder, symlinks=True)
        journal = folder / ".bitnet-tui" / "runs" / self.run / "journal.jsonl"
        decided = json.loads(self.lines[-1])
        decided |= {"route": {"kind": "NEXT", "target": agent}, "dispatch": True}
        journal.write_bytes(b"".join(self.lines[:-1]) + json.dumps(decided).encode() + b"\n")
        run = Run(_plan(folder, ("anthropic",), ANTHROPIC_BASE_URL=url, ANTHROPIC_API_KEY="sk-ant-x"), resume=self.run)
        code = run(Feed(lambda: None), Steering(CancelToken(), ask=False))
        return run.state, code, folder


def _plan(folder: Path, providers: tuple[str, ...], script: Path | None = None, **environ: str) -> Any:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "PYTEST", "CURRENT_FLOW", "GITHUB"))}
    return prepare(Options(folder, providers=providers, script=script), kept | environ)


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Verified:
    home = tmp_path_factory.mktemp("verified")
    folder = make_repo(home / "repo", CALC)
    script = home / "script.json"
    script.write_text(json.dumps([[edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]]), encoding="utf-8")
    run = Run(_plan(folder, ("scripted",), script))
    assert run(Feed(lambda: None), Steering(CancelToken(), ask=False)) is Exit.OK
    lines = (run.folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    last = next(i for i, line in enumerate(lines) if b'"DecisionTaken"' in line)
    git(folder, "branch", "-D", f"bitnet-tui/{run.id}")
    git(folder, "update-ref", f"refs/bitnet-tui/{run.id}/base", run.state.snapshot.commit)  # type: ignore[union-attr]
    return Verified(folder, run.id, lines[: last + 1])


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as server:
        yield server


def _write(path: str, text: str) -> dict[str, Any]:
    return edit({"command": "create", "path": path, "file_text": text})


CASES: dict[str, tuple[list[dict[str, Any]], str, dict[str, Any]]] = {
    "test-hardener": (
        [_write("calc/__init__.py", "x"), _write("tests/test_more.py", MORE)],
        "done",
        {"files": ("tests/test_more.py",), "gate": "pass", "route": "FINALIZE → quality-finalizer", "commit": "test"},
    ),
    "generative-fixture-builder": (
        [_write("tests/test_calc.py", "x"), _write("tests/fixtures/make_rows.py", MAKES)],
        "done",
        {
            "files": ("tests/fixtures/index.json", "tests/fixtures/make_rows.py", "tests/fixtures/rows.bin"),
            "gate": "pass",
            "route": "FINALIZE → tests-finalizer",
            "commit": "test",
        },
    ),
    "security-scanner": (
        [_write("calc/__init__.py", "x")],
        "security",
        {"files": (), "gate": "pass", "route": "NEXT → impl-finalizer", "commit": ""},
    ),
    "issue-creator": (
        [_write("issue.md", "x")],
        "done",
        {"files": (), "gate": "skipped", "route": "FINALIZE → spec-analyzer", "commit": ""},
    ),
    "generative-benchmark-runner": (
        [_write("baseline.json", "x")],
        "architecture",
        {"files": (), "gate": "skipped", "route": "NEXT → spec-analyzer", "commit": ""},
    ),
}


@pytest.mark.parametrize("agent", CASES)
def test_a_specialist_with_a_model_keeps_its_contract(
    verified: Verified, double: Double, tmp_path: Path, agent: str
) -> None:
    calls, outcome, wanted = CASES[agent]
    ends = finish({"outcome": outcome, "summary": f"{agent} has looked"})
    double.script = [Say([use(c["tool"], **c["input"])]) for c in (*calls, ends)]
    state, _, folder = verified.goes_on(tmp_path, agent, double.url)
    assert not double.violations
    (row,) = state.specialists
    done = row.finished
    assert isinstance(done, SpecialistFinished)
    assert not done.undone
    assert done.files == wanted["files"]
    assert (done.gate.status, str(state.hops[-1].route)) == (wanted["gate"], wanted["route"]), done.gate
    assert done.summary == f"{agent} has looked"
    # What it may not write was refused, with what it may.
    assert any("is not open to this agent. Scope: may write" in json.dumps(b["messages"]) for b in double.bodies)
    branch = state.commit.branch if state.commit else ""
    subjects = git(folder, "log", "--format=%s", f"main..{branch}").splitlines()
    assert [s.split(":")[0].split("(")[0] for s in subjects] == [wanted["commit"], "fix"][not wanted["commit"] :]
    assert state.gates["impl"].status == "pass"
