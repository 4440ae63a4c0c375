"""What children left is read without following a link, without waiting for a pipe, and no further than asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.gates.tools import ToolBench
from engine.records.keep import _digest
from engine.specialists.change import answer
from engine.suites.report import Stream, _Ended, check
from engine.workspace.regular import Irregular, content, digest, listed


def test_only_a_regular_file_within_the_bound_is_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"123")
    (tmp_path / "link").symlink_to("in/a")
    (tmp_path / "away").symlink_to("in")
    os.mkfifo(tmp_path / "pipe")
    assert (content(tmp_path, "in/a", 3), content(tmp_path, "in/a", 2)) == (b"123", None)
    assert digest(tmp_path, "in/a", 2) is None
    for odd in ("../x", "in/../in/a", "/etc/passwd", "link", "away/a", "pipe", "in", "none", "a\0"):
        assert (content(tmp_path, odd, 9), digest(tmp_path, odd, 9)) == (None, None), odd


def test_a_walk_refuses_what_it_would_have_to_follow_and_ends_at_its_bound(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("in/b", "in/deep/a"):
        (tmp_path / name).touch()
    assert listed(tmp_path, "in", 3) == ["in/b", "in/deep/a"]
    with pytest.raises(Irregular, match="more than 2 files"):
        listed(tmp_path, "in", 2)
    (tmp_path / "in" / "deep" / "all").symlink_to("/")
    with pytest.raises(Irregular, match="in/deep/all is neither a file nor a folder"):
        listed(tmp_path, "in", 9)


def test_a_pipe_in_place_of_an_answer_a_report_or_a_watched_file_holds_nobody_up(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    assert answer(tmp_path, pipe.name) == {}
    assert _digest(pipe) == "no file"
    stream = Stream("cpu", lambda _: None, lambda _: None, lambda _: False, end=_Ended("n", 0, (), ()))
    assert check(stream, pipe, "n", 0) == "the report is no file that can be read"
    with ToolBench(tmp_path, tmp_path, {pipe.name: b"{}"}, "", lambda _: (0, [])).as_before():
        assert pipe.is_fifo()
