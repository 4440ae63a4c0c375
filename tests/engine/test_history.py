"""What is left of a run, and what is done with it later: apply, resume from elsewhere, clean."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from often import everything
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, leftovers, make_repo

from engine import events as ev
from engine.records import journal
from engine.workspace.home import Home
from tui.history import choices

SPREAD = "def add(a, b):\n    return a - b\n\n\n# one\n# two\n# three\n\n\ndef mul(a, b):\n    return a + b\n"
GOOD = [edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]


def kept(lean_python: Path, place: Path, calls: Sequence[dict[str, Any]]) -> Iterator[Callable[[], Path]]:
    """A repository with a verified run in it, made once and brought back for each test to where it was made."""
    for name in ("home", "repo"):
        (place / name).mkdir()
    folder = make_repo(place / "repo", CALC | {"calc/__init__.py": SPREAD})
    command = Command(lean_python, place / "home")
    answer = command("--json", *command.script(calls), cwd=folder)
    assert answer.code == 0, answer.result
    folder.rename(place / "kept")

    def fresh() -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(place / "kept", folder, symlinks=True)
        return folder

    yield fresh
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def made(lean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    yield from kept(lean_python, tmp_path_factory.mktemp("verified"), GOOD)


@pytest.fixture
def verified(made: Callable[[], Path]) -> Path:
    return made()


def test_apply_merges_with_other_lines_the_user_changed(verified: Path, command: Command) -> None:
    source = verified / "calc" / "__init__.py"
    mine = SPREAD.replace("# two\n", "# mine\n# two\n")
    source.write_text("# my header\n" + mine, encoding="utf-8")
    answer = command("apply", cwd=verified)
    assert answer.code == 0, answer.err
    wanted = (
        ("# my header\n" + mine)
        .replace("a - b", "a + b")
        .replace("mul(a, b):\n    return a + b", "mul(a, b):\n    return a * b")
    )
    assert source.read_text(encoding="utf-8") == wanted
    assert git(verified, "diff", "--cached", "--name-only") == ""


@pytest.mark.slow
def test_apply_twice_or_where_a_file_is_gone_changes_nothing(verified: Path, command: Command) -> None:
    assert command("apply", cwd=verified).code == 0
    source = verified / "calc" / "__init__.py"
    once = source.read_bytes()
    again = command("apply", cwd=verified)
    assert (again.code, "hold all of it already" in again.out) == (0, True)
    assert source.read_bytes() == once
    source.unlink()
    gone = command("apply", cwd=verified)
    assert gone.code == 5
    assert not source.exists()


def test_apply_wants_a_verified_run(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    more = finish({"outcome": "more-work", "summary": ""})
    assert command("--json", "--max-retries", "0", *command.script([edit(FIX_ADD), more]), cwd=folder).code == 1
    refused = command("apply", cwd=folder)
    assert (refused.code, "not verified" in refused.err) == (2, True)
    assert "a - b" in (folder / "calc" / "__init__.py").read_text(encoding="utf-8")
    assert command("apply", "--unverified", cwd=folder).code == 0
    assert "return a + b\n\n\ndef mul" in (folder / "calc" / "__init__.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def lean(lean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    fat = {"command": "str_replace", "path": "calc/__init__.py", "old_str": "# two\n", "new_str": "TWO = 2\n"}
    yield from kept(lean_python, tmp_path_factory.mktemp("dieted"), [edit(fat), *GOOD])


@pytest.fixture
def dieted(lean: Callable[[], Path]) -> Path:
    """A verified run of which one piece, in the middle of a changed file, was taken away."""
    return lean()


def test_what_the_diet_took_away_is_kept_and_comes_with_the_patch_when_asked_for(
    dieted: Path, command: Command
) -> None:
    removed = command("diff", "--removed", cwd=dieted).out
    assert "+TWO = 2" in removed
    assert "TWO" not in command("diff", cwd=dieted).out
    assert "removed.diff" in command("show", cwd=dieted).out
    source = dieted / "calc" / "__init__.py"
    before = source.read_text(encoding="utf-8")
    refused = command("apply", "--with-removed", cwd=dieted)
    assert (refused.code, "removed pieces" in refused.err, "--unverified" in refused.err) == (2, True, True)
    assert source.read_text(encoding="utf-8") == before
    answer = command("apply", "--with-removed", "--unverified", cwd=dieted)
    assert answer.code == 0, answer.err
    assert "not verified" in answer.out
    slim = before.replace("a - b", "a + b").replace(
        "def mul(a, b):\n    return a + b", "def mul(a, b):\n    return a * b"
    )
    whole = slim.replace("# two\n", "TWO = 2\n")
    assert source.read_text(encoding="utf-8") == whole
    assert git(dieted, "diff", "--cached", "--name-only") == ""
    for undo in answer.out.splitlines()[0].split("undo with: ")[1].split(" && "):
        git(dieted, *undo.split()[1:])
    assert source.read_text(encoding="utf-8") == before
    source.write_text("# mine\n" + slim, encoding="utf-8")  # the patch is there already, among other lines
    assert command("apply", "--with-removed", "--unverified", cwd=dieted).code == 0
    assert source.read_text(encoding="utf-8") == "# mine\n" + whole


def test_removed_pieces_that_do_not_fit_leave_the_patch_out_too(dieted: Path, command: Command) -> None:
    source = dieted / "calc" / "__init__.py"
    mine = SPREAD.replace("# two\n", "MINE = 2\n")
    source.write_text(mine, encoding="utf-8")
    answer = command("apply", "--with-removed", "--unverified", cwd=dieted)
    assert (answer.code, "nothing was changed" in answer.err) == (5, True)
    assert source.read_text(encoding="utf-8") == mine
    assert git(dieted, "status", "--porcelain") == "M calc/__init__.py"


def test_a_run_without_removed_pieces_says_so(verified: Path, command: Command) -> None:
    for args in (("diff", "--removed"), ("apply", "--with-removed", "--unverified")):
        answer = command(*args, cwd=verified)
        assert (answer.code, "took nothing away" in answer.err) == (5, True)
    assert not list(verified.glob(".bitnet-tui/runs/*/removed.diff"))
    assert git(verified, "status", "--porcelain") == ""


@pytest.mark.slow
def test_a_run_goes_on_with_its_own_settings_from_another_folder(
    repo: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    """Script, agent file and settings file were named relative to where the run was started."""
    folder = repo()
    start = tmp_path / "start"
    start.mkdir()
    (start / "s.json").write_text(json.dumps(GOOD), encoding="utf-8")
    (start / "a.md").write_text("---\nname: mine\ndescription: x: y\n---\nFix it.\n", encoding="utf-8")
    (start / "c.toml").write_text(
        "[suites.only]\n[diet]\nenabled = true\n[budget]\nminutes = 0.001\n", encoding="utf-8"
    )
    args = ("--provider", "scripted", "--script", "s.json", "--agent", "a.md", "--config", "c.toml")
    ended = command("--json", str(folder), *args, cwd=start)
    assert ended.code == 4, ended.result
    assert "0.001 minutes" in ended.result["why"]
    assert not leftovers(folder, ended.result["run"])
    answer = command("resume", "--json", "--max-minutes", "5", cwd=folder)
    assert answer.code == 0, answer.err + answer.out[-500:]
    assert {e["suite"] for e in answer.of("SuiteFinished")} == {"only"}
    assert answer.of("HopAdded")[0]["hop"]["agent"] == "mine"


def test_clean_all_leaves_branches_and_nothing_of_ours(verified: Path, command: Command) -> None:
    gone = "refs/bitnet-tui/20260101-000000-abcd/base"
    git(verified, "update-ref", gone, "HEAD")
    cleaned = command("clean", "--all", cwd=verified)
    assert cleaned.code == 0
    assert "removed run" in cleaned.out
    assert "no runs" in command("runs", cwd=verified).out
    assert git(verified, "for-each-ref", "refs/bitnet-tui") == ""
    assert git(verified, "branch", "--list", "bitnet-tui/*")
    assert "nothing" in command("clean", cwd=verified).out


def test_runs_as_json_is_one_object_a_line(verified: Path, command: Command) -> None:
    rows = [json.loads(line) for line in command("runs", "--json", cwd=verified).out.splitlines()]
    assert [(r["status"], r["exit"], r["red_before"], r["red_after"]) for r in rows] == [("finished", 0, 3, 0)]


def test_a_damaged_journal_is_named_and_the_others_are_listed(verified: Path, command: Command) -> None:
    journal = next(verified.glob(".bitnet-tui/runs/*/journal.jsonl"))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b"{nonsense}\n", *lines[2:]]))
    listed = command("runs", cwd=verified)
    assert (listed.code, "damaged" in listed.out) == (0, True)
    shown = command("show", cwd=verified)
    assert (shown.code, "journal.jsonl:2" in shown.err) == (5, True)
    assert "Traceback" not in shown.err


def test_the_ledger_of_a_run_passes_its_own_lint(verified: Path, command: Command) -> None:
    path = next(verified.glob(".bitnet-tui/runs/*/ledger.md"))
    assert command("ledger", "lint", str(path), cwd=verified).code == 0
    path.write_text(path.read_text(encoding="utf-8").replace("| impl | pass |", "| impl | green |"), encoding="utf-8")
    bad = command("ledger", "lint", str(path), cwd=verified)
    assert (bad.code, "green" in bad.out) == (1, True)
    assert command("ledger", "lint", "nowhere.md", cwd=verified).code == 2


@everything  # test_edges.py has it for a file whose line endings must survive
def test_apply_at_the_end_of_a_run_brings_the_change(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    answer = command("--json", "--apply", *command.script(GOOD), cwd=folder)
    assert answer.code == 0
    assert "a * b" in (folder / "calc" / "__init__.py").read_text(encoding="utf-8")
    assert git(folder, "diff", "--cached", "--name-only") == ""
    again = command("--json", cwd=folder)
    assert (again.code, again.result["gate"]["status"]) == (0, "skipped")


def test_limits_that_were_typed_hold_when_a_run_goes_on_unless_a_person_raised_them(repo: Callable[..., Path]) -> None:
    folder = repo()
    run = Home(folder).run("20260101-000000-abcd")
    run.mkdir(parents=True)
    typed = {"usd": 0.5, "turns": 7.0, "minutes": 9.0}
    written = journal.Journal(run / "journal.jsonl")
    written.append(ev.RunStarted("r", "/r", "", "0", "a", ("repair",), ("cpu",), 1, limits=typed))
    written.append(ev.BudgetRaised("usd-1", "usd", 2.0))
    written.append(ev.BudgetRaised("minutes-1", "minutes", 30.0))
    chosen = choices(folder, "")
    assert [chosen[f"max_{name}"] for name in ("usd", "turns", "minutes", "retries")] == [2.0, 7, 30.0, 1]
    written.append(ev.RunResumed(1, ("scripted",), {"usd": 2.0, "turns": 7.0, "minutes": 4.0}))  # typed anew
    chosen = choices(folder, "")
    assert (chosen["max_minutes"], chosen["provider"]) == (4.0, "scripted")
    written.close()
