"""Repositories and terminals as people have them: odd names, sub-projects, closed pipes, stray children."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from often import everything, some
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, leftovers, make_repo, start

GOOD = [edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]


def created(path: str, text: str) -> dict[str, object]:
    return edit({"command": "create", "path": path, "file_text": text})


def test_a_new_file_that_is_needed_stays(repo: Callable[..., Path], command: Command) -> None:
    folder = repo({"m.py": "x = 1\n", "test_m.py": "def test_cpu_a():\n    from n import f\n    assert f() == 1\n"})
    answer = command("--json", *command.script([created("n.py", "def f():\n    return 1\n"), finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result
    assert git(folder, "show", f"{answer.result['branch']}:n.py") == "def f():\n    return 1"


def test_names_that_are_not_ascii_or_not_text_do_no_harm(repo: Callable[..., Path], command: Command) -> None:
    folder = repo(CALC | {"dår/a b.txt": "x", 'q"uote.md': "x", "new\nline.txt": "x"})
    Path(os.fsdecode(bytes(folder) + b"/\xff.py")).write_text("x = 1\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "names")
    answer = command("--json", *command.script(GOOD), cwd=folder)
    assert answer.code == 0, answer.result
    assert git(folder, "diff", "--name-only", "main", answer.result["branch"]) == "calc/__init__.py"


def test_a_project_in_a_subfolder_is_run_there_and_resumed_from_the_root(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "mono"
    folder.mkdir()
    inner = {f"parts/one/{p}": t for p, t in CALC.items()} | {"parts/one/pyproject.toml": "[project]\nname = 'one'\n"}
    make_repo(folder, inner | {"test_other.py": "def test_cpu_other(): assert 0\n"})
    calls = [
        edit(FIX_ADD | {"path": "parts/one/calc/__init__.py"}),
        edit(FIX_MUL | {"path": "parts/one/calc/__init__.py"}),
    ]
    args = command.script([*calls, finish(DONE)])
    ended = command("--json", "--max-minutes", "0.001", *args, cwd=folder / "parts" / "one")
    assert ended.code == 4, ended.result
    answer = command("resume", "--json", "--max-minutes", "5", cwd=folder)
    assert answer.code == 0, answer.result
    assert answer.result["tests"]["red_before"] == 3
    assert git(folder, "diff", "--name-only", "main", answer.result["branch"]) == "parts/one/calc/__init__.py"


def test_line_endings_marks_and_modes_of_a_file_survive_its_edit(repo: Callable[..., Path], command: Command) -> None:
    folder = repo(CALC)
    source = folder / "calc" / "__init__.py"
    source.write_bytes(b"\xef\xbb\xbf" + CALC["calc/__init__.py"].replace("\n", "\r\n").rstrip().encode())
    source.chmod(0o755)
    git(folder, "commit", "-qam", "as on another system")
    before = source.read_bytes()
    answer = command("--json", "--apply", *command.script(GOOD), cwd=folder)
    assert answer.code == 0, answer.result
    assert source.read_bytes() == before.replace(b"a - b", b"a + b").replace(
        b"(a, b):\r\n    return a + b", b"(a, b):\r\n    return a * b"
    ).replace(b"add(a, b):\r\n    return a * b", b"add(a, b):\r\n    return a + b")
    assert source.stat().st_mode & 0o777 == 0o755
    assert git(folder, "diff", "--cached", "--name-only") == ""
    assert git(folder, "ls-tree", answer.result["branch"], "calc/__init__.py").startswith("100755")


@pytest.mark.slow
def test_a_terminal_that_knows_only_ascii_is_no_reason_to_fail(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    for args in (["--no-tui", *command.script(GOOD)], ["show"], ["runs"], ["diff"], ["doctor"]):
        answer = command(*args, cwd=folder, PYTHONIOENCODING="ascii")
        assert "Traceback" not in answer.err
        assert answer.code == 0, answer.err


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_the_run_in_order(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    process = start(command, folder, *command.script(GOOD))
    assert process.stdout is not None
    assert process.stderr is not None
    run = json.loads(process.stdout.readline())["run"]
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(60) in (130, 141)
    assert "Traceback" not in said
    assert not leftovers(folder, run)
    assert command("resume", "--json", cwd=folder).code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    some(["RunStarted", "AttemptFinished", "VerificationFinished", "GateSet"], (2,)),
)
def test_ctrl_c_reaches_every_child_of_the_terminal_and_the_run_is_still_resumable(
    repo: Callable[..., Path], command: Command, kind: str
) -> None:
    """A terminal sends SIGINT to the whole foreground group: git and the linters get it too."""
    folder = repo()
    process = subprocess.Popen(
        command.argv("--json", *command.script(GOOD)),
        cwd=folder,
        env=command.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )
    assert process.stdout is not None
    run = ""
    for line in process.stdout:
        event = json.loads(line)
        run = event.get("run", run) if event["type"] == "RunStarted" else run
        if event["type"] == kind:
            os.killpg(process.pid, signal.SIGINT)
            break
    last = process.stdout.read().splitlines()[-1]
    assert process.wait(60) == 130, last
    assert not leftovers(folder, run)
    assert command("resume", "--json", cwd=folder).code == 0


@pytest.mark.parametrize("mode", some(["auto", "off"], (1,)))  # without a sandbox nothing else ends it
def test_a_process_that_a_test_leaves_behind_is_gone_after_the_run(
    repo: Callable[..., Path], command: Command, mode: str
) -> None:
    tests = "import subprocess\nfrom m import f\ndef test_cpu_a():\n"
    tests += "    subprocess.Popen(['sleep', '300'], start_new_session=True)\n    assert f() == 1\n"
    folder = repo(
        {"m.py": "def f():\n    return 2\n", "test_m.py": tests, "bitnet-tui.toml": f"[sandbox]\nmode = '{mode}'\n"}
    )
    fix = edit({"command": "str_replace", "path": "m.py", "old_str": "return 2", "new_str": "return 1"})
    answer = command("--json", *command.script([fix, finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result
    assert not leftovers(folder, answer.result["run"])


@everything  # test_odd_repositories.py has one by default
def test_a_linked_worktree_is_a_target_like_any_other(
    repo: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    folder = repo()
    other = tmp_path / "other"
    git(folder, "worktree", "add", "-q", "-b", "side", str(other))
    answer = command("--json", *command.script(GOOD), cwd=other)
    assert answer.code == 0, answer.result
    assert (other / ".bitnet-tui").is_dir()
    assert not (folder / ".bitnet-tui").exists()
    assert git(folder, "worktree", "list").count("\n") == 1
    assert git(other, "status", "--porcelain") == ""


def test_hooks_and_filters_of_a_repository_do_not_run(
    repo: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    folder = repo()
    for name in ("post-checkout", "pre-commit", "reference-transaction", "post-index-change"):
        hook = folder / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> {tmp_path}/ran\n")
        hook.chmod(0o755)
    git(folder, "config", "core.fsmonitor", f"echo fsmonitor >> {tmp_path}/ran")
    (tmp_path / "ran").unlink(missing_ok=True)
    answer = command("--json", "--apply", *command.script(GOOD), cwd=folder)
    assert answer.code == 0, answer.result
    assert not (tmp_path / "ran").exists()


@everything  # test_trust.py has it with a kill in between
def test_a_file_that_the_tests_always_rewrite_is_no_sign_of_tampering(
    repo: Callable[..., Path], command: Command
) -> None:
    writes = "import pathlib, time\ndef test_cpu_out():\n"
    writes += "    pathlib.Path(__file__).with_name('out.txt').write_text(str(time.time()))\n"
    folder = repo(CALC | {"tests/out.txt": "0", "tests/test_out.py": writes})
    answer = command("--json", *command.script(GOOD), cwd=folder)
    assert answer.code == 0, answer.result


def test_a_change_that_rewrites_a_test_while_it_runs_is_an_integrity_failure(
    repo: Callable[..., Path], command: Command
) -> None:
    folder = repo()
    trick = "import pathlib\nfor p in pathlib.Path(__file__).parents[1].glob('tests/*.py'):\n    p.write_text('')\n"
    calls = [edit({"command": "insert", "path": "calc/__init__.py", "insert_line": 0, "insert_text": trick}), *GOOD]
    answer = command("--json", "--max-retries", "0", *command.script(calls), cwd=folder)
    assert answer.code == 3, answer.result
    assert "tests/test_calc.py was changed while the tests ran" in answer.result["why"]
    assert "def test_cpu_mul" in (folder / "tests" / "test_calc.py").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_repository_in_an_odd_state_is_run_applied_and_otherwise_left_alone(
    repo: Callable[..., Path], command: Command
) -> None:
    """A merge with a conflict, a file hidden from git, a branch in the way, settings that change how diffs look."""
    folder = repo(CALC | {"notes.txt": "one\n"})
    git(folder, "checkout", "-q", "-b", "bitnet-tui")
    (folder / "notes.txt").write_text("two\n")
    git(folder, "commit", "-qam", "two")
    git(folder, "checkout", "-q", "main")
    (folder / "notes.txt").write_text("three\n")
    git(folder, "commit", "-qam", "three")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, "merge", "-q", "bitnet-tui"], cwd=folder, capture_output=True)
    source = folder / "calc" / "__init__.py"
    git(folder, "update-index", "--skip-worktree", "calc/__init__.py")
    source.write_text(source.read_text() + "# only here\n")
    for setting in ("diff.noprefix=true", "diff.context=0", "color.ui=always", "apply.whitespace=error"):
        git(folder, "config", *setting.split("="))
    for setting in ("commit.gpgsign=true", "gpg.program=/bin/false", "diff.external=/bin/false", "grep.column=true"):
        git(folder, "config", *setting.split("="))
    status = git(folder, "status", "--porcelain")
    index = (folder / ".git" / "index").read_bytes()
    look = {"tool": "search", "input": {"pattern": "def mul"}}
    answer = command("--json", *command.script([look, *GOOD]), cwd=folder)
    assert answer.code == 0, answer.result
    assert answer.of("ToolCalled")[0]["answer"] == "calc/__init__.py:5:def mul(a, b):"
    assert answer.result["branch"] == f"bitnet-tui-{answer.result['run']}"
    assert git(folder, "status", "--porcelain") == status
    assert (folder / ".git" / "index").read_bytes() == index
    assert "UU notes.txt" in status or "AA notes.txt" in status
    applied = command("apply", cwd=folder)
    assert applied.code == 0, applied.err
    assert source.read_text().endswith("return a * b\n# only here\n")
    assert "<<<<<<<" in (folder / "notes.txt").read_text()


def test_packages_that_are_links_into_another_folder_of_tmp_are_found(
    repo: Callable[..., Path], lean_python: Path, tmp_path: Path
) -> None:
    elsewhere = Path(tempfile.mkdtemp(prefix="packages-", dir="/tmp"))
    try:
        environment = elsewhere / "linked"
        venv.create(environment, symlinks=True)
        stored = elsewhere / "stored"
        site = next((lean_python / "lib").glob("python*/site-packages"))
        shutil.copytree(site, stored)
        for entry in stored.iterdir():
            (next((environment / "lib").glob("python*/site-packages")) / entry.name).symlink_to(entry)
        home = tmp_path / "other-home"
        home.mkdir()
        command = Command(environment, home)
        answer = command("--json", *command.script(GOOD), cwd=repo())
        assert answer.code == 0, answer.result
    finally:
        shutil.rmtree(elsewhere)
