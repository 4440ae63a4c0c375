"""The whole program in a real terminal, by keys: the main story, and what terminals and shells do to programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from often import everything
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, make_repo

from tests.tui.story import TARGETS
from tests.tui.terminal import SHELL, TMUX, Terminal, below, gone, plain, run_of
from tui.format.status import too_small

pytestmark = [
    pytest.mark.skipif(not (TMUX and SHELL), reason="missing-tool: tmux and bash drive these tests"),
    everything,  # beside other tests a machine may be too slow for what they wait for
]

ROOT = Path(__file__).parents[2]
JUNK = "x\nq\nx\n\x1b[31m\x1b]0;owned\x07 a a a \u202e"
EDITOR = "#!/bin/sh\necho opened $@\nread line\n"


def test_what_a_terminal_does_to_a_program_leaves_the_question_as_it_was(tmp_path: Path) -> None:
    with Terminal(ROOT, tmp_path, PACE="0") as terminal:
        terminal.type(f"{sys.executable} -m tests.tui.story")
        asked = below(terminal.at_rest("a accept NEXT"))

        # Any size, in any order, as fast as they come.
        for size in ((200, 60), (80, 24), (40, 10), (200, 60), (80, 24), (40, 10)):
            terminal.resize(*size)
        terminal.until(lambda seen: plain(seen) == plain(too_small(40, 10)))
        terminal.resize(120, 40)
        terminal.until(lambda seen: below(seen) == asked)

        # What is pasted answers nothing.
        terminal.paste(JUNK)
        terminal.press("3")
        terminal.until("┏━ 3 Gates")
        assert "a accept NEXT" in terminal.text()
        terminal.press("1")

        # The clipboard is the terminal's.
        terminal.press("n", "y")
        terminal.until("copied")
        assert terminal.clipboard() == TARGETS[0][1]

        # To the shell and back.
        terminal.press("C-z")
        terminal.until("Stopped")
        terminal.type("echo $((40 + 2)) in the shell")
        terminal.until("42 in the shell")
        terminal.type("fg")
        terminal.until("a accept NEXT")

        # ctrl+c asks; esc stays; the second time it is meant.
        terminal.press("C-c")
        terminal.until("s after this step")
        terminal.press("Escape")
        terminal.until(lambda seen: "s after this step" not in seen)
        terminal.press("C-c")
        terminal.until("s after this step")
        terminal.press("x")
        terminal.until("Exit.INTERRUPTED")


def test_the_main_story_from_the_command_to_a_branch_with_an_editor_between(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "home").mkdir()
    repo = make_repo(tmp_path / "repo", {**CALC, "bitnet-tui.toml": "[diet]\nenabled = false\n"})
    (tmp_path / "home" / "vim").write_text(EDITOR)
    (tmp_path / "home" / "vim").chmod(0o755)
    script = Command(tmp_path, tmp_path / "home").script([edit(FIX_ADD), edit(FIX_MUL), finish(DONE)])
    with Terminal(repo, tmp_path / "home", EDITOR=str(tmp_path / "home" / "vim")) as terminal:
        terminal.run(".", *script)
        terminal.until("a accept FINALIZE")
        terminal.press("g", "j", "j", "j", "e")
        opened = terminal.until("opened ")
        assert f"{repo.resolve()}/" in opened.replace("\n", "")
        terminal.press("Enter")
        terminal.until("a accept FINALIZE")
        terminal.press("a")
        terminal.until("✓ verified")
        terminal.press("q")
        terminal.until(lambda seen: "1 Tests" not in seen and "verified" in seen)
        terminal.type("echo code=$?")
        terminal.until("code=0")
    assert git(repo, "branch", "--list", "bitnet-tui/*")


def test_a_terminal_that_vanishes_leaves_a_run_to_resume_and_no_child(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "home").mkdir()
    slow = "import time\ndef test_cpu_slow():\n    print('under way')\n    time.sleep(300)\n"
    repo = make_repo(tmp_path / "repo", {"test_slow.py": slow})
    with Terminal(repo, tmp_path / "home", (80, 24)) as terminal:
        terminal.run(".", "--provider", "repair")
        terminal.until("cpu 0/1")
        run = run_of(repo)
        terminal.hang_up()
        gone(repo, run)
    lines = (repo / ".bitnet-tui" / "runs" / run / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    assert last["type"] == "RunInterrupted"
