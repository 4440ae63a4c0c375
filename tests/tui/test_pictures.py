"""The pictures of the documentation are those the script makes of the bundled journal, and moving ones move."""

from __future__ import annotations

import io
import re
from html import unescape
from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style

from engine.headless import Printer
from engine.records import journal
from scripts import pictures, svg
from tui.format import diff

_GROUP = re.compile(r'<g(?: class="(k\d+)")? transform="translate\(0 ([\d.]+)\)">(.*)</g>')
_WORD = re.compile(r">([^<>]+)</text>")


def texts(picture: str) -> list[tuple[str, list[str]]]:
    """Every line of a picture: its place, and its words."""
    return [(m[2], [unescape(w) for w in _WORD.findall(m[3])]) for m in _GROUP.finditer(picture)]


def frame(*lines: str, seconds: float = 1.0) -> svg.Frame:
    return svg.frame([[Segment(text, Style(color="#ff0000"))] for text in lines], "#FFFFFF", "#000000", seconds)


async def test_the_committed_pictures_are_those_the_script_makes() -> None:
    made = await pictures.pictures()
    assert {p.name for p in pictures.PLACE.glob("*.svg")} == set(made)
    for name, text in made.items():
        kept = (pictures.PLACE / name).read_text(encoding="utf-8")
        assert texts(kept) == texts(text), f"{name} is of an earlier day: python -m scripts.pictures"
        assert len(texts(text)) >= 24


@pytest.mark.parametrize("path", sorted(pictures.PLACE.glob("*.svg")), ids=lambda p: p.name)
def test_a_picture_loads_nothing_and_runs_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "<script" not in text
    assert re.findall(r"(?:href|src|url\(|@import)", text) == []
    assert set(re.findall(r"https?://[^\s\"]+", text)) == {"http://www.w3.org/2000/svg"}
    assert len(text) < 200_000


def test_the_journal_names_no_place_of_the_machine_it_was_made_on() -> None:
    text = pictures.TAPE.read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert pictures.HOME in text
    assert not re.search(r"/tmp/|/root/|/work/|/var/folders|\.venv", text)


def test_lines_that_stay_are_drawn_once_and_others_in_their_time() -> None:
    drawn = svg.picture([frame("same", "one"), frame("same", "two", seconds=3.0)], "#000000", "says")
    assert [words for _, words in texts(drawn)] == [["same"], ["one"], ["two"]]
    assert ".k0{visibility:hidden;animation:k0 4s step-end infinite}" in drawn
    assert "@keyframes k0{0%{visibility:visible}25%,100%{visibility:hidden}}" in drawn
    assert "@keyframes k1{0%{visibility:hidden}25%{visibility:visible}100%{visibility:visible}}" in drawn
    assert ".k1{visibility:visible;" in drawn
    assert "animation:none!important" in drawn
    assert "animation" not in svg.picture([frame("same")], "#000000", "says")


def test_every_word_stands_in_its_cells() -> None:
    drawn = svg.picture([frame("a 日本 <b> │── x")], "#000000", "a <title> & more")
    places = dict(re.findall(r'<text x="([\d.]+)"[^>]*>([^<]+)<', drawn))
    assert {unescape(w): round(float(x) / svg.CELL[0]) for x, w in places.items()} == {
        "a": 0,
        "日本": 2,
        "<b>": 7,
        "x": 15,
    }
    assert "a &lt;title&gt; &amp; more" in drawn
    assert drawn.count("<path") == 1


@pytest.mark.parametrize("sign", "─│╭╮╰╯━┃┏┓┗┛")
def test_lines_of_boxes_are_lines(sign: str) -> None:
    drawn = svg.picture([frame(f"x{sign}x")], "#000000", "says")
    assert sign not in drawn
    assert "<path" in drawn


def test_the_tutorial_shows_what_the_recorded_run_said() -> None:
    tutorial = (pictures.ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```text\n(.*?)```", tutorial, re.S)
    told = io.StringIO()
    printer = Printer(told, False, False)
    printer.records(journal.read(pictures.TAPE))
    said = told.getvalue().splitlines()
    places = [said.index(line) for line in block.splitlines() if line != "…"]
    assert places == sorted(places)
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", tutorial)
    assert len(shown) >= 2
    assert all((pictures.ROOT / "docs" / path).is_file() for path in shown)
    patch = (pictures.PATCH).read_text(encoding="utf-8")
    assert all(f" {name} " in tutorial for name, _, _ in diff.files(patch))
