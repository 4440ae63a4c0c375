"""Runs through the command, start to end, on small real repositories."""

from __future__ import annotations

import hashlib
import json
import shutil
import venv
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from often import some
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, leftovers

from engine.records import ledger


def digest(folder: Path) -> dict[str, str]:
    """Every file of a checkout but ours and git's objects; the index included."""
    files = [p for p in folder.rglob("*") if p.is_file() and ".bitnet-tui" not in p.parts and ".git" not in p.parts]
    files.append(folder / ".git" / "index")
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_right_change_is_verified_minimal_committed_and_recorded(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    before = digest(folder)
    script = command.script([edit(FIX_ADD), edit(FIX_MUL), finish(DONE)])
    answer = command("--json", *script, cwd=folder)
    assert answer.code == 0, answer.err
    result = answer.result
    assert result["gate"]["status"] == "pass"
    assert result["gate"]["verified"] is True
    assert result["tests"] == {"red_before": 3, "red_after": 0, "broken": 0, "flaky": 0}
    assert result["diff"] == {"files": 1, "added": 2, "removed": 2, "minimal": True}
    assert result["route"] == "FINALIZE → code-reviewer"
    assert not answer.of("SpecialistStarted")  # by itself, a route is handed over
    assert digest(folder) == before
    assert not leftovers(folder, result["run"])
    branch = f"bitnet-tui/{result['run']}"
    assert git(folder, "rev-list", "--count", f"main..{branch}") == "1"
    message = git(folder, "log", "-1", "--format=%B", branch)
    assert message.startswith("fix(calc): ")
    assert f"Bitnet-Tui-Run: {result['run']}" in message
    written = ledger.parse(Path(result["ledger"]).read_text(encoding="utf-8"))
    assert [str(h.route) for h in written.hops] == ["FINALIZE → code-reviewer"]
    assert written.decision.state == "ready"
    assert {g.name: g.word for g in written.gates}["impl"] == "pass"


def test_progress_earns_a_retry_and_the_retry_is_counted(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    more = {"outcome": "more-work", "summary": "one of two"}
    answer = command(
        "--json", *command.script([edit(FIX_ADD), finish(more)], [edit(FIX_MUL), finish(DONE)]), cwd=folder
    )
    assert answer.code == 0, answer.err
    assert answer.result["retries"] == {"used": 1, "limit": 2}
    routes = [f"{e['hop']['route']['kind']} {e['hop']['route']['target']}" for e in answer.of("HopAdded")]
    assert routes == ["NEXT self (attempt 2/3)", "FINALIZE code-reviewer"]
    assert answer.result["diff"]["added"] == 2


def test_a_retry_that_changes_nothing_leaves_the_numbers_of_the_attempt_before(
    repo: Callable[..., Path], command: Command
) -> None:
    folder = repo()
    more = finish({"outcome": "more-work", "summary": "no more ideas"})
    answer = command("--json", *command.script([edit(FIX_ADD), more], [more]), cwd=folder)
    assert answer.code == 1
    gates = {e["gate"]["name"]: e["gate"]["evidence"] for e in answer.of("GateSet")}
    assert "fixed 2" in gates["tests"]
    assert "attempt 2 changed nothing" in gates["impl"]
    assert "pytest: 3/4 pass" in gates["tests"]  # 1/4 before the first attempt


def test_no_progress_routes_forward_without_a_retry(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    answer = command("--json", *command.script([finish({"outcome": "more-work", "summary": "no idea"})]), cwd=folder)
    assert answer.code == 1
    assert answer.result["route"] == "NEXT → spec-analyzer"
    assert answer.result["retries"]["used"] == 0
    assert answer.result["patch"] is None
    assert not git(folder, "branch", "--list", "bitnet-tui/*")


def test_retries_end_at_the_limit(repo: Callable[..., Path], command: Command) -> None:
    head = "import pytest\nfrom m import f\n\n"
    tests = head + "@pytest.mark.parametrize('x', range(5))\ndef test_cpu_f(x): assert f(x) == x\n"
    folder = repo({"m.py": "def f(x):\n    return [9, 9, 9, 9, 9][x]\n", "test_m.py": tests})
    lists = ["[9, 9, 9, 9, 9]", "[0, 9, 9, 9, 9]", "[0, 1, 9, 9, 9]", "[0, 1, 2, 9, 9]", "[0, 1, 2, 3, 9]"]
    attempts = [
        [
            edit({"command": "str_replace", "path": "m.py", "old_str": old, "new_str": new}),
            finish({"outcome": "more-work", "summary": "one more"}),
        ]
        for old, new in pairwise(lists)
    ]
    answer = command("--json", *command.script(*attempts), cwd=folder)
    assert answer.code == 1
    assert len(answer.of("AttemptStarted")) == 3
    assert answer.result["retries"] == {"used": 2, "limit": 2}


def test_a_green_that_only_one_worktree_shows_is_claimed_not_verified(
    repo: Callable[..., Path], command: Command
) -> None:
    """The change makes a file the first run leaves behind decide: green where it was made, red in a fresh tree."""
    source = "import pathlib\n\nMARK = pathlib.Path(__file__).parent / 'seen'\n\n\ndef f():\n    return 1\n"
    trick = "    was = MARK.exists()\n    MARK.write_text('x')\n    return 2 if was else 1\n"
    folder = repo(
        {"m.py": source, "test_m.py": "from m import f\ndef test_cpu_f(): assert f() == 2\n", ".gitignore": "seen\n"}
    )
    change = {"command": "str_replace", "path": "m.py", "old_str": "    return 1\n", "new_str": trick}
    calls = [edit(change), {"tool": "run_tests", "input": {}}, finish(DONE)]
    answer = command("--json", "--max-retries", "0", *command.script(calls), cwd=folder)
    assert answer.code == 3, answer.out[-2000:]
    assert answer.of("VerificationFinished")[0]["verdict"] == "claimed"
    assert answer.result["gate"]["verified"] is False
    assert not git(folder, "branch", "--list", "bitnet-tui/*")


def test_pieces_the_tests_do_not_need_are_taken_away(repo: Callable[..., Path], command: Command) -> None:
    """A hunk, and a new file: that is not left behind empty."""
    folder = repo(CALC | {"other.py": "def g():\n    return 1\n"})
    fat = {"command": "str_replace", "path": "other.py", "old_str": "return 1", "new_str": "return 2"}
    new = {"command": "create", "path": "calc/more.py", "file_text": "x = 1\n"}
    script = command.script([edit(new), edit(fat), edit(FIX_ADD), edit(FIX_MUL), finish(DONE)])
    answer = command("--json", *script, cwd=folder)
    assert answer.code == 0
    assert answer.result["diff"] == {"files": 1, "added": 2, "removed": 2, "minimal": True}
    assert "other.py" not in Path(answer.result["patch"]).read_text(encoding="utf-8")
    assert git(folder, "diff", "--name-only", "main", answer.result["branch"]) == "calc/__init__.py"
    assert "more.py" not in Path(answer.result["ledger"]).read_text(encoding="utf-8")
    assert answer.of("DietFinished")[0]["dropped"] == 2
    assert "; diff +4 −3 → +2 −2, minimal" in answer.result["gate"]["evidence"]
    written = ledger.parse(Path(answer.result["ledger"]).read_text(encoding="utf-8"))
    assert written.hops[0].text == "3 of 3 red tests green, verified, +4 −3 → +2 −2, minimal"
    assert "; diff +4 −3 → +2 −2, minimal" in written.decision.why
    assert "+    return 2" in Path(answer.result["removed"]).read_text(encoding="utf-8")


def test_pieces_of_pinned_files_stay_and_the_summary_says_so(repo: Callable[..., Path], command: Command) -> None:
    """`minimal` then means: no piece that is not pinned can go."""
    files = {"other.py": "def g():\n    return 1\n", "sub/more.py": "X = 1\n"}
    folder = repo(CALC | files | {"bitnet-tui.toml": "[diet]\npin = ['other.py']\n"})
    fat = {"command": "str_replace", "path": "other.py", "old_str": "return 1", "new_str": "return 2"}
    more = {"command": "str_replace", "path": "sub/more.py", "old_str": "X = 1", "new_str": "X = 2"}
    script = command.script([edit(fat), edit(more), edit(FIX_ADD), edit(FIX_MUL), finish(DONE)])
    answer = command("--json", *script, cwd=folder)
    assert answer.code == 0, answer.result
    assert answer.result["diff"] == {"files": 2, "added": 3, "removed": 3, "minimal": True}
    assert "other.py" in Path(answer.result["patch"]).read_text(encoding="utf-8")
    slim = answer.of("DietFinished")[0]
    assert ([p["path"] for p in slim["removed_pieces"]], slim["pinned"]) == (["sub/more.py"], 1)
    said = "+4 −4 → +3 −3, minimal but for 1 piece that [diet] pin keeps"
    assert said in answer.result["gate"]["evidence"]
    assert "[diet] pin keeps 1 piece" in command("show", cwd=folder).out


def test_statements_and_comments_the_tests_do_not_need_are_taken_away(
    repo: Callable[..., Path], command: Command
) -> None:
    """One hunk that holds three statements, and a comment elsewhere: two lines are left."""
    folder = repo(CALC | {"calc/more.py": "# a comment\nX = 1\n"})
    fat = "def add(a, b):\n    unused = a * b\n    print(unused)\n    total = a + b\n    return total"
    fix = FIX_ADD | {"old_str": "def add(a, b):\n    return a - b", "new_str": fat}
    block = FIX_MUL | {"new_str": FIX_MUL["new_str"] + "\n\n\ndef never(a):\n    return a\n"}
    note = {"command": "str_replace", "path": "calc/more.py", "old_str": "# a comment", "new_str": "# another comment"}
    answer = command("--json", *command.script([edit(fix), edit(block), edit(note), finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result
    patch = command("diff", cwd=folder).out
    assert "never" not in patch
    assert "another comment" not in patch
    assert answer.result["diff"]["minimal"]


def test_uncommitted_and_untracked_files_count_and_stay_untouched(repo: Callable[..., Path], command: Command) -> None:
    folder = repo(
        CALC | {"calc/__init__.py": "def add(a, b):\n    return a + b\n\n\ndef mul(a, b):\n    return a * b\n"}
    )
    (folder / "calc" / "__init__.py").write_text(CALC["calc/__init__.py"], encoding="utf-8")
    (folder / "tests" / "test_new.py").write_text("from calc.extra import one\ndef test_cpu_one(): assert one() == 1\n")
    (folder / "calc" / "extra.py").write_text("def one():\n    return 2\n")
    git(folder, "add", "calc/extra.py")
    before = digest(folder)
    fix = {"command": "str_replace", "path": "calc/extra.py", "old_str": "return 2", "new_str": "return 1"}
    answer = command("--json", *command.script([edit(FIX_ADD), edit(FIX_MUL), edit(fix), finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.err
    assert answer.result["tests"]["red_before"] == 4
    assert digest(folder) == before
    assert answer.of("CheckoutCompared")[0]["untouched"] is True
    applied = command("apply", cwd=folder)
    assert applied.code == 0, applied.err
    assert "return 1" in (folder / "calc" / "extra.py").read_text(encoding="utf-8")
    assert git(folder, "diff", "--cached", "--name-only") == "calc/extra.py"


def test_an_environment_inside_the_checkout_is_not_written_to(
    repo: Callable[..., Path], command: Command, lean_python: Path
) -> None:
    folder = repo(CALC | {".gitignore": ".venv/\n"})
    venv.create(folder / ".venv", symlinks=True)
    site = next((folder / ".venv" / "lib").glob("python*/site-packages"))
    no_byte_code = shutil.ignore_patterns("__pycache__")
    for entry in next((lean_python / "lib").glob("python*/site-packages")).iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            shutil.copytree(entry, site / entry.name, ignore=no_byte_code, dirs_exist_ok=True)
        elif entry.suffix == ".py":
            shutil.copy(entry, site)
    before = digest(folder)
    answer = command("--json", *command.script([edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result
    assert str(folder / ".venv") in answer.of("EnvironmentProbed")[0]["python"]
    assert digest(folder) == before


def test_a_detached_head_is_said_and_stays(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    git(folder, "checkout", "-q", "--detach")
    head = git(folder, "rev-parse", "HEAD")
    answer = command("--no-tui", *command.script([edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]), cwd=folder)
    assert answer.code == 0
    assert "HEAD is detached" in answer.out
    assert git(folder, "rev-parse", "HEAD") == head


def test_only_the_named_tests_are_targets(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    calls = command.script([edit(FIX_ADD), finish(DONE)])
    answer = command("--json", "--test", "tests/test_calc.py::test_cpu_add", *calls, cwd=folder)
    assert answer.result["tests"]["red_before"] == 2
    assert answer.result["tests"]["red_after"] == 0
    assert answer.code == 0, answer.result
    unknown = command("--json", "--test", "tests/test_calc.py::test_cpu_ad", *calls, cwd=folder)
    assert unknown.code == 2
    assert "did you mean" in unknown.result["hint"]


def test_a_refused_write_is_an_answer_not_an_end(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    bad = [
        {"command": "str_replace", "path": "tests/test_calc.py", "old_str": "== 6", "new_str": "== 5"},
        {"command": "create", "path": "conftest.py", "file_text": "x"},
        {"command": "create", "path": "../out.py", "file_text": "x"},
        {"command": "create", "path": "/etc/out.py", "file_text": "x"},
        {"command": "view", "path": ".git/config"},
        {"command": "str_replace", "path": "calc/__init__.py", "old_str": "return", "new_str": "x"},
    ]
    calls = [edit(b) for b in bad] + [{"tool": "shell", "input": {"cmd": "id"}}]
    answer = command("--json", *command.script([*calls, edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]), cwd=folder)
    assert answer.code == 0
    assert [e["ok"] for e in answer.of("ToolCalled")][:7] == [False] * 7
    assert not (folder.parent / "out.py").exists()


def test_a_false_done_is_turned_back_and_insisting_on_it_is_an_integrity_failure(
    repo: Callable[..., Path], command: Command
) -> None:
    folder = repo()
    more = finish({"outcome": "more-work", "summary": "one is left"})
    script = command.script([edit(FIX_ADD), *[finish(DONE)] * 2, more])
    answer = command("--json", "--max-retries", "0", *script, cwd=folder)
    assert answer.code == 1
    assert answer.of("AttemptFinished")[0]["claimed"] is False
    assert len(answer.of("AttemptStarted")) == 1  # there is progress, and no retry is allowed
    answer = command("--json", "--max-retries", "0", *command.script([finish(DONE)] * 3), cwd=folder)
    assert answer.code == 3
    assert answer.of("AttemptFinished")[0]["outcome"] == "more-work"
    assert answer.of("VerificationFinished")[0]["verdict"] == "claimed"


def test_a_change_that_breaks_a_green_test_is_not_green(repo: Callable[..., Path], command: Command) -> None:
    files = {
        "m.py": "def f(x):\n    return x\n",
        "test_m.py": "from m import f\ndef test_cpu_a(): assert f(1) == 2\ndef test_cpu_b(): assert f(5) == 5\n",
    }
    folder = repo(files)
    change = {"command": "str_replace", "path": "m.py", "old_str": "return x", "new_str": "return x + 1"}
    more = finish({"outcome": "more-work", "summary": "half"})
    answer = command("--json", *command.script([edit(change), more]), cwd=folder)
    assert answer.code == 1
    assert answer.result["tests"]["broken"] == 1
    assert answer.result["retries"]["used"] == 0


def test_runs_show_and_diff_tell_what_happened_and_apply_refuses_what_changed_meanwhile(
    repo: Callable[..., Path], command: Command
) -> None:
    folder = repo()
    assert "no runs" in command("runs", cwd=folder).out
    command("--json", *command.script([edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]), cwd=folder)
    assert "3 → 0 red" in command("runs", cwd=folder).out
    assert "+    return a * b" in command("diff", cwd=folder).out
    shown = command("show", cwd=folder)
    assert "verification 1: verified" in shown.out
    assert command("resume", "--no-tui", cwd=folder).code == 2
    assert command("show", "nosuch", cwd=folder).code == 5
    changed = "def add(a, b):\n    return b - a  # mine\n\n\ndef mul(a, b):\n    return a + b\n"
    (folder / "calc" / "__init__.py").write_text(changed, encoding="utf-8")
    answer = command("apply", cwd=folder)
    assert answer.code == 5
    assert "patch" in answer.err
    assert (folder / "calc" / "__init__.py").read_text(encoding="utf-8") == changed


@pytest.mark.slow
def test_the_repairer_mends_a_slip_without_a_key(repo: Callable[..., Path], command: Command) -> None:
    source = "def clamp(x, lo, hi):\n    return max(lo, max(x, hi))\n"
    tests = "from m import clamp\ndef test_cpu_in(): assert clamp(5, 0, 9) == 5\n"
    tests += "def test_cpu_hi(): assert clamp(12, 0, 9) == 9\n"
    folder = repo({"m.py": source, "test_m.py": tests + "def test_cpu_lo(): assert clamp(-3, 0, 9) == 0\n"})
    answer = command("--json", cwd=folder)
    assert answer.of("RunStarted")[0]["providers"] == ["repair"]
    assert answer.code == 0, answer.result
    assert "min(x, hi)" in Path(answer.result["patch"]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("code", "status", "impl", "reason"),
    some([(0, "pass", "pass", ""), (1, "fail", "fail", ""), (77, "skipped", "pass", "no-cpp-reference")], (1, 2)),
)
def test_a_comparison_and_a_baseline_are_gates_and_run_confined(
    code: int, status: str, impl: str, reason: str, repo: Callable[..., Path], command: Command
) -> None:
    program = f"import os, sys; print('home', os.environ['HOME']); print('crossval: {status}'); sys.exit({code})"
    baseline = "print('51.2 tokens a second'); raise SystemExit(3)"
    lines = [
        f"{name} = ['python', '-c', {json.dumps(it)}]" for name, it in (("crossval", program), ("benchmarks", baseline))
    ]
    settings = "\n".join(["[gates]", *lines])
    folder = repo({**CALC, "bitnet-tui.toml": settings})
    answer = command("--json", *command.script([edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]), cwd=folder)
    gates = {e["gate"]["name"]: e["gate"] for e in answer.of("GateSet")}
    assert gates["crossval"]["status"] == status
    assert gates["crossval"].get("reason", "") == reason
    assert gates["crossval"]["evidence"] == f"crossval: {status}"
    assert gates["impl"]["status"] == impl
    assert gates["benchmarks"]["status"] == "fail"  # said, but not held against the change
    assert gates["benchmarks"]["evidence"] == "baseline: exit 3: 51.2 tokens a second"


@pytest.mark.parametrize(("settings", "code"), [("", 0), ('[lint]\nselect = ["SIM"]\n', 1)])
def test_where_a_project_chose_no_lint_rules_only_mistakes_count(
    settings: str, code: int, repo: Callable[..., Path], command: Command
) -> None:
    taste = FIX_MUL | {"new_str": 'def mul(a, b):\n    first = "a b".split()\n    return a * b if first else 0'}
    folder = repo(CALC | ({"ruff.toml": settings} if settings else {}))
    answer = command("--json", *command.script([edit(FIX_ADD), edit(taste), finish(DONE)]), cwd=folder)
    clippy = [e["gate"] for e in answer.of("GateSet") if e["gate"]["name"] == "clippy"][-1]
    assert (answer.code, clippy["status"]) == (code, "fail" if code else "pass"), clippy
    assert ("SIM905" in clippy["evidence"]) is bool(code)
