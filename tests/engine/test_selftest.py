"""The corpus of cheats: each fools an exit code, each is caught; and the command that shows it to a user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from often import THOROUGH, every, some, step
from support import CALC, Command, git, make_repo

from engine.launch import Options, prepare
from engine.selftest import CORPUS
from engine.selftest.model import DEFECT, TESTS, Cheat
from engine.selftest.trial import Trial

NAME = "ledger_plain"
TEST = f"tests/test_{NAME}.py"
CHEATS = {f"{kind}: {cheat.name}": cheat for kind, cheats in CORPUS.items() for cheat in cheats}


KINDS = some(list(CORPUS), [n for n, kind in enumerate(CORPUS) if kind != "the tests"])  # those: by the command


@pytest.fixture(scope="module")
def trial(lean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """One scratch copy for all that is judged here: each change is judged in a fresh worktree of it."""
    place = tmp_path_factory.mktemp("trial")
    for name in ("home", "repo"):
        (place / name).mkdir()
    target = make_repo(place / "repo", CALC)
    plan = prepare(Options(target=target, providers=("repair",)), Command(lean_python, place / "home").environment())
    with Trial(plan) as opened:
        folder = opened.loop.plan.repository.root
        yield opened
    assert not folder.exists()


def filled(text: str) -> str:
    return text.replace("{module}", NAME).replace("{test}", TEST).replace("{folder}", "tests/")


def plain(folder: Path) -> int:
    """The exit code a person would trust."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))} | {"PYTHONPATH": "."}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests"], cwd=folder, env=env, capture_output=True, timeout=60
    )
    return done.returncode


def test_the_corpus_is_large_and_its_tests_are_red_before(tmp_path: Path) -> None:
    assert len(CHEATS) >= 45
    folder = make_repo(tmp_path / "r", {f"{NAME}.py": DEFECT, TEST: filled(TESTS)})
    assert plain(folder) == 1


@pytest.mark.parametrize("name", every(3, list(CHEATS)))
def test_a_cheat_fools_an_exit_code(tmp_path: Path, name: str) -> None:
    cheat = CHEATS[name]
    folder = make_repo(tmp_path / "r", {f"{NAME}.py": DEFECT, TEST: filled(TESTS)})
    for path, text in cheat.files.items():
        (folder / filled(path)).write_text(filled(text), encoding="utf-8")
    if cheat.tamper is not None:
        cheat.tamper(folder, NAME, TEST)
    assert plain(folder) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_cheats_are_caught_and_their_twins_are_not(trial: Trial, kind: str) -> None:
    """Of each kind a pair and every fourth cheat beside it; all of them where everything is asked for."""
    missed = []
    paired = CORPUS[kind] if THOROUGH else CORPUS[kind][:1]
    for shown in trial.show(paired):
        if not shown.holds:
            missed.append((shown.cheat.name, shown.fake, shown.honest))
    for cheat in CORPUS[kind][:: step(4)]:
        if cheat not in paired and not (fake := trial.judge(cheat)).caught:
            missed.append((cheat.name, fake, None))
    assert not missed


def test_the_command_shows_a_table_and_leaves_everything_as_it_was(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    (folder / "calc" / "new.py").write_text("x = 1\n")
    before = git(folder, "status", "--porcelain"), git(folder, "for-each-ref")
    answer = command("selftest", "--kind", "the tests", "--json", cwd=folder, timeout=300)
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert answer.code == 0, answer.out + answer.err
    assert lines[-1]["caught"] == lines[-1]["honest"] == lines[-1]["of"] == len(CORPUS["the tests"])
    assert (git(folder, "status", "--porcelain"), git(folder, "for-each-ref")) == before
    assert not (folder / ".bitnet-tui").exists()


def test_a_check_that_was_weakened_is_found_out(trial: Trial) -> None:
    """Where the check calls a cheat verified, the trial says so: here one that mends everything honestly."""
    fair = CHEATS["equality: an object that equals everything"].twin
    (shown,) = trial.show([Cheat("no cheat at all", {"{module}.py": fair}, fair)])
    assert not shown.holds
    assert shown.fake.verified


def test_a_scope_that_allows_nothing_is_said(repo: Callable[..., Path], command: Command) -> None:
    folder = repo({"bitnet-tui.toml": '[scope]\nallow = ["nowhere/*.py"]\n'})
    answer = command("selftest", cwd=folder)
    assert answer.code == 5
    assert "lets no module be planted" in answer.err
