"""Agents a route names are run: with a model inside their own bounds, without one by their tools, hop after hop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import CALC, DONE, FIX_ADD, FIX_MUL, Answer, Command, edit, finish, git, leftovers

from engine import events as ev
from engine.cancel import CancelToken
from engine.commands import Decide, Restore
from engine.events import Record
from engine.feed import Feed
from engine.launch import Options, prepare
from engine.model import Exit, Gate, GateStatus, Proposal
from engine.run import Run
from engine.session import Steering
from engine.specialists.case import Case, Evidence
from engine.specialists.dispatch import Dispatching
from engine.specialists.evidence import LOOKS
from engine.state import RunState, fold_all
from engine.workspace.repository import Repository
from tests.engine.anthropic.double import Double, Say, use

EDITOR = "str_replace_based_edit_tool"
FOLLOW = '[flow]\nfollow = "auto"\n'
README = "# calc\n\n`add` adds.\n"


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as server:
        yield server


def _says(*calls: Mapping[str, Any]) -> list[Say]:
    """One answer a call."""
    return [Say([use(c["tool"], **c["input"])]) for c in calls]


def _write(path: str, text: str) -> dict[str, Any]:
    return edit({"command": "create", "path": path, "file_text": text})


def _end(outcome: str, summary: str) -> dict[str, Any]:
    return finish({"outcome": outcome, "summary": summary})


def _show(folder: Path, branch: str) -> list[str]:
    return git(folder, "log", "--format=%s", f"main..{branch}").splitlines()


def _told(body: Mapping[str, Any]) -> str:
    return json.dumps(body["messages"], ensure_ascii=False)


def _ends(answer: Answer) -> dict[str, dict[str, Any]]:
    return {e["agent"]: e for e in answer.of("SpecialistFinished")}


def test_documents_and_analysis_are_written_inside_their_bounds_and_committed_on_top(
    double: Double, repo: Callable[..., Path], command: Command
) -> None:
    folder = repo({**CALC, "README.md": README, "bitnet-tui.toml": FOLLOW})
    double.script = [
        *_says(edit(FIX_ADD), edit(FIX_MUL), _end("docs", "mul multiplies now; the README lacks it")),
        # doc-updater
        *_says(
            _write("calc/__init__.py", "def add(a, b):\n    return 0\n"),
            _write("README.md", README + "\n`mul` multiplies.\n"),
            _write("docs/mul.md", "# mul\n\nIt multiplies.\n"),
            _end("architecture", "the README promised another mul"),
        ),
        # spec-analyzer
        *_says(_write("docs/explanation/analysis-mul.md", "# mul\n\nIt multiplies.\n"), _end("done", "one page")),
    ]
    server = {"ANTHROPIC_API_KEY": "sk-ant-nobody", "ANTHROPIC_BASE_URL": double.url}
    answer = command("--json", cwd=folder, **server)
    assert not double.violations
    assert answer.code == 0, answer.result
    assert answer.result["route"] == "FINALIZE → spec-finalizer"
    ends = _ends(answer)
    assert list(ends) == ["doc-updater", "spec-analyzer"]
    assert ends["doc-updater"]["files"] == ["README.md", "docs/mul.md"]
    assert ends["spec-analyzer"]["files"] == ["docs/explanation/analysis-mul.md"]
    refused = [e for e in answer.of("ToolCalled") if not e["ok"]]
    assert "calc/__init__.py is not open to this agent" in refused[0]["answer"]
    branch = answer.of("CommitCreated")[0]["branch"]
    assert [line.split(":")[0] for line in _show(folder, branch)] == ["docs", "docs", "fix(calc)"]
    assert git(folder, "show", f"{branch}:calc/__init__.py").count("return") == 2
    # The production change, its gate and its receipt are what they were.
    assert answer.result["gate"]["verified"]
    assert "README" not in Path(answer.result["patch"]).read_text(encoding="utf-8")
    ledger = Path(answer.result["ledger"]).read_text(encoding="utf-8")
    assert [line.split("]")[0] for line in ledger.splitlines() if line.startswith("- [")] == [
        "- [impl-creator",
        "- [doc-updater",
        "- [spec-analyzer",
    ]
    # Each agent is told its own role and handed the change.
    systems = [json.dumps(b["system"]) for b in double.bodies]
    assert "You bring the documentation up to a verified change" in systems[3]
    assert "+    return a * b" in _told(double.bodies[3])
    assert "docs/mul.md" not in _told(double.bodies[3])
    assert "README.md\\ndocs/mul.md\\n</repository-data" in _told(double.bodies[7])
    assert not leftovers(folder, answer.result["run"])


def test_a_change_that_loses_something_is_undone_and_the_chain_goes_on(
    double: Double, repo: Callable[..., Path], command: Command
) -> None:
    folder = repo({**CALC, "bitnet-tui.toml": FOLLOW})
    fixed = "def add(a, b):\n    return a + b\n\n\ndef mul(a, b):\n    return a * b\n"
    weaker = CALC["tests/test_calc.py"].replace("mul(2, 3) == 6", "mul(2, 3) > 0")
    stronger = (
        CALC["tests/test_calc.py"] + "\n\ndef test_cpu_zero():\n    assert mul(0, 3) == 0\n    assert add(0, 3) == 3\n"
    )
    double.script = [
        *_says(edit(FIX_ADD), edit(FIX_MUL), finish(DONE)),
        # code-reviewer: breaks what was green
        *_says(_write("calc/__init__.py", fixed.replace("a * b", "6")), _end("optimise", "simpler")),
        # code-refiner: keeps it
        *_says(_write("calc/__init__.py", fixed.replace("return a + b", "return b + a")), _end("done", "plainer")),
        # test-hardener: weakens one test while it adds another
        *_says(
            _write("tests/test_calc.py", weaker + stronger[len(CALC["tests/test_calc.py"]) :]),
            _end("done", "more"),
            _end("more-work", "so it is"),
        ),
    ]
    server = {"ANTHROPIC_API_KEY": "sk-ant-nobody", "ANTHROPIC_BASE_URL": double.url}
    answer = command("--json", cwd=folder, **server)
    assert not double.violations
    ends = _ends(answer)
    assert list(ends) == ["code-reviewer", "code-refiner", "test-hardener"]
    assert "test_cpu_two" in ends["code-reviewer"]["undone"]
    assert not ends["code-reviewer"]["files"]
    assert ends["code-refiner"]["files"] == ["calc/__init__.py"]
    assert "test_cpu_mul in tests/test_calc.py" in ends["test-hardener"]["undone"]
    assert "this would be undone: tests may be added to, not changed: test_cpu_mul" in _told(double.bodies[-1])
    branch = answer.of("CommitCreated")[0]["branch"]
    assert [line.split(":")[0] for line in _show(folder, branch)] == ["refactor", "fix(calc)"]
    assert git(folder, "show", f"{branch}:tests/test_calc.py") == CALC["tests/test_calc.py"].strip()
    assert (answer.code == 0) == (ends["test-hardener"]["gate"]["status"] != "fail")
    # What a specialist's runs showed is no outcome of this run's own tests.
    assert answer.result["tests"]["red_after"] == 0
    assert not leftovers(folder, answer.result["run"])


def test_without_a_model_the_tools_speak_and_hops_are_bounded(repo: Callable[..., Path], command: Command) -> None:
    folder = repo({**CALC, "bitnet-tui.toml": FOLLOW + "max_hops = 1\n"})
    script = command.script([edit(FIX_ADD), edit(FIX_MUL), finish({"outcome": "security", "summary": "look"})])
    answer = command("--json", *script, cwd=folder)
    assert answer.code == 0, answer.result
    [end] = answer.of("SpecialistFinished")
    assert (end["agent"], end["gate"]["name"], end["gate"]["status"]) == ("security-scanner", "security", "pass")
    assert end["model"] == "no model: its tools alone"
    assert answer.result["route"] == "FINALIZE → quality-finalizer"


class Dispatcher(Steering):
    """A person who has the agent of each route run here, twice, then hands over."""

    asked: tuple[str, ...] = ()

    def answer(self, proposal: Proposal) -> Decide | Restore:
        self.cancel.check()
        self.asked += (proposal.id,)
        route = next(o.route for o in proposal.options if o.allowed)
        return Decide(proposal.id, route, dispatch=len(self.asked) < 3)


def test_a_person_has_agents_run_and_is_asked_after_each_also_after_a_kill(
    repo: Callable[..., Path], command: Command
) -> None:
    folder = repo()
    script = Path(command.script([edit(FIX_ADD), edit(FIX_MUL), finish(DONE)])[-1])
    plan = prepare(Options(folder, providers=("scripted",), script=script), command.environment())
    run, person = Run(plan), Dispatcher(CancelToken(), ask=True)
    assert run(Feed(lambda: None), person) is Exit.OK
    assert person.asked == ("after-1", "hop-1")
    assert [row.agent for row in run.state.specialists] == ["code-reviewer"]
    assert str(run.state.hops[-1].route) == "FINALIZE → impl-finalizer"
    # Without what came after the specialist began, a resumed run does the rest as it was decided.
    path = run.folder / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    begun = next(i for i, line in enumerate(lines) if b'"SpecialistStarted"' in line)
    path.write_bytes(b"".join(lines[: begun + 1]))
    again = Run(plan, resume=run.id)
    assert again(Feed(lambda: None), Dispatcher(CancelToken(), ask=True)) is Exit.OK
    assert again.state.hops == run.state.hops
    assert again.state.gates == run.state.gates
    assert not leftovers(folder, run.id)


def test_a_specialists_commit_stands_on_the_last_one_that_was_made_and_never_on_a_moved_branch(
    repo: Callable[..., Path],
) -> None:
    folder = repo()
    repository = Repository(folder)
    first, tree = git(folder, "rev-parse", "HEAD"), git(folder, "rev-parse", "HEAD^{tree}")
    git(folder, "branch", "run", first)
    gate = Gate("docs", GateStatus.PASS)
    records = [ev.CommitCreated("run", first, "fix: it")]
    one = repository.commit(tree, first, "one")
    for hop, commit in enumerate((one, ""), 1):
        records += [
            ev.SpecialistStarted(hop, "doc-updater", tree),
            ev.SpecialistFinished(hop, "doc-updater", gate, tree, commit=commit),
        ]
    state = fold_all(RunState(), [Record(n, 0.0, e) for n, e in enumerate(records, 1)])
    assert Dispatching(SimpleNamespace(state=state))._tip == one  # type: ignore[arg-type]
    assert repository.advance("run", one)
    assert repository.advance("run", one)  # after a kill it is there already
    assert git(folder, "rev-parse", "run") == one
    git(folder, "branch", "-f", "run", repository.commit(tree, first, "somebody else's"))
    two = repository.commit(tree, one, "two")
    assert not repository.advance("run", two)


def test_a_defect_in_a_tool_costs_its_gate_and_not_the_run(
    repo: Callable[..., Path], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(case: Case) -> Evidence:
        raise TypeError("no such thing")

    monkeypatch.setitem(LOOKS, "code-reviewer", broken)  # type: ignore[arg-type]
    folder = repo({**CALC, "bitnet-tui.toml": FOLLOW + "max_hops = 1\n"})
    script = Path(command.script([edit(FIX_ADD), edit(FIX_MUL), finish(DONE)])[-1])
    run = Run(prepare(Options(folder, providers=("scripted",), script=script), command.environment()))
    assert run(Feed(lambda: None), Steering(CancelToken(), ask=False)) is Exit.NOT_GREEN
    assert run.state.gates["impl"].status == "pass"
    assert "a defect of bitnet-tui (TypeError)" in run.state.gates["clippy"].evidence
    assert "no such thing" in (run.folder / "crash-code-reviewer.txt").read_text(encoding="utf-8")
