"""What a key opens in a person's editor, and what it copies: the right file and line, and nothing outside of theirs."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from textual.content import Content

from engine import events as ev
from engine.model import Advisory, Purpose, TestOutcome, TestResult
from engine.state import RunState, fold
from tests.tui.stage import deciding, main, make, settled
from tests.tui.story import PATCH, START, TARGETS, Burst, Story
from tui import editor
from tui.format import detail, diff, evidence, places
from tui.format.places import Place
from tui.glyphs import UNICODE
from tui.view import View


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("vim", "vim +7 /p/a b.py"),
        ("/usr/bin/nano -w", "/usr/bin/nano -w +7 /p/a b.py"),
        ("emacsclient -nw", "emacsclient -nw +7 /p/a b.py"),
        ("code --wait", "code --wait -g /p/a b.py:7"),
        ("hx", "hx /p/a b.py:7"),
        ("micro", "micro +7 /p/a b.py"),
        ("subl -w", "subl -w /p/a b.py:7"),
        ("pycharm", "pycharm --line 7 /p/a b.py"),
        ("my-editor", "my-editor /p/a b.py"),
    ],
)
def test_each_editor_is_told_the_line_its_own_way(given: str, told: str) -> None:
    assert " ".join(editor.argv({"EDITOR": given}, Path("/p/a b.py"), 7)) == told


def test_visual_comes_first_and_no_line_is_no_argument() -> None:
    assert editor.argv({"VISUAL": "vi", "EDITOR": "nano"}, Path("/a.py"), 0) == ["vi", "/a.py"]


@pytest.mark.parametrize("environ", [{}, {"EDITOR": "  "}, {"VISUAL": "'vi"}])
def test_without_an_editor_there_is_a_sentence(environ: dict[str, str]) -> None:
    with pytest.raises(editor.NoEditor, match=r"export EDITOR=vim|quotes"):
        editor.argv(environ, Path("/a.py"), 1)


def started(root: Path, prefix: str = "") -> RunState:
    return fold(RunState(), ev.Record(1, START, ev.RunStarted("r", str(root), prefix, "1", "a", ("p",), ("cpu",), 2)))


def test_a_place_is_looked_for_in_the_project_then_in_the_repository(tmp_path: Path) -> None:
    for name in ("a.py", "sub/a.py", "b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    state = started(tmp_path, "sub")
    assert editor.in_checkout(Place("a.py", 3), state) == tmp_path.resolve() / "sub/a.py"
    assert editor.in_checkout(Place("b.py"), state) == tmp_path.resolve() / "b.py"


@pytest.mark.parametrize("path", ["../out.py", "/etc/hostname", "gone.py", "link.py", "a\0b", "."])
def test_nothing_outside_a_persons_own_files_is_opened(tmp_path: Path, path: str) -> None:
    (tmp_path / "out.py").touch()
    root = tmp_path / "repo"
    root.mkdir()
    (root / "link.py").symlink_to(tmp_path / "out.py")
    with pytest.raises(editor.NoEditor, match="is not in your files"):
        editor.in_checkout(Place(path, 1), started(root))


def test_an_editor_that_fails_or_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    assert editor.run([sys.executable, "-c", ""], tmp_path) == ""
    assert editor.run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path).endswith("ended with 3")
    assert "cannot be started" in editor.run(["no-such-editor"], tmp_path)


def test_an_interrupt_typed_in_the_editor_is_the_editors(tmp_path: Path) -> None:
    script = "import os, signal; os.kill(os.getppid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)"
    before = signal.getsignal(signal.SIGINT)
    assert "ended with" in editor.run([sys.executable, "-c", script], tmp_path)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_line_of_the_diff_knows_its_file_and_line() -> None:
    drawn = diff.lines(PATCH, UNICODE, 100)
    at = {part.plain.strip()[-3:]: places.nearest([part], 0) for part in drawn if "lanes" in part.plain}
    assert places.nearest(drawn, 0) == Place("kernels/i2s.py", 29)
    assert at["& 3"] == Place("kernels/i2s.py", 31)
    assert places.nearest(drawn, len(drawn) - 1) == Place("kernels/i2s.py", 33)


def test_what_is_read_decides_what_is_opened() -> None:
    lines = [
        places.marked(Content("a"), "a.py", 1),
        Content("-"),
        *evidence.advisories((Advisory("NUM", "t", "b.py", 9),), 40),
    ]
    assert places.nearest(lines, 0) == Place("a.py", 1)
    assert places.nearest(lines, 1) == Place("b.py", 9)
    assert places.nearest(lines, 99) == Place("b.py", 9)
    assert places.nearest([Content("-")], 0) is None


def test_the_rerun_command_runs_exactly_that_test(tmp_path: Path) -> None:
    nodeid = "test_odd.py::test_a[it's $HOME [x]]"
    (tmp_path / "test_odd.py").write_text(
        "import pytest\n@pytest.mark.parametrize('a', [\"it's $HOME [x]\", 'b'])\ndef test_a(a): assert a == 'b'\n"
    )
    state = started(tmp_path)
    state = fold(state, ev.Record(2, START, ev.EnvironmentProbed(sys.executable, "3", "8", "linux", ())))
    state = fold(state, ev.Record(3, START, ev.TestFinished(Purpose.AUDIT, 1, _failed(nodeid))))
    command = detail.rerun(View(state), f"test:cpu {nodeid}")
    argv = ["sh", "-c", f"{command} -q -p no:cacheprovider"]
    assert "1 failed" in subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    assert shlex.quote(nodeid) in command


def _failed(nodeid: str) -> TestResult:
    return TestResult("cpu", nodeid, TestOutcome.FAILED)


async def test_y_in_the_detail_of_a_test_copies_its_command_and_e_says_why_nothing_opens() -> None:
    app = make(Story())
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("n", "e")
        assert "tests/kernels/test_cpu_i2s.py is not in your files" in said(app)
        await pilot.press("3", "g", "e")
        assert "nothing here speaks of a file" in said(app)
        await pilot.press("1", "g", "n", "4", "y")
        assert app.clipboard.endswith(f"-m pytest {shlex.quote(TARGETS[0][1])}")


async def test_e_without_an_editor_and_without_a_terminal_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    (tmp_path / "t.py").touch()
    app = make(Burst(["t.py::test_a"], lambda _: TestOutcome.FAILED))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.bridge.state = fold(
            app.bridge.state, ev.Record(99, START, ev.RunStarted("r", str(tmp_path), "", "1", "a", (), ("cpu",), 2))
        )
        app.edit(Place("t.py", 1))
        await pilot.pause()
        assert "export EDITOR=vim" in said(app)
        monkeypatch.setenv("EDITOR", "vi")
        app.edit(Place("t.py", 1))
        await pilot.pause()
        assert "an editor cannot have it" in said(app)
        assert main(app).focused_pane is main(app).tests


def said(app: object) -> str:
    return " | ".join(n.message for n in app._notifications)  # type: ignore[attr-defined]
