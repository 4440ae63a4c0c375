"""The diff, the table of keys, the themes and the ring of output: what has no run behind it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from tests.tui.story import PATCH
from tui import keys
from tui.format import diff, help
from tui.glyphs import ASCII, UNICODE, choose
from tui.theme import ANSI, DARK, LIGHT, TOKENS, no_theme, tokens
from tui.view import Output, View


def test_a_diff_is_counted_and_numbered() -> None:
    assert diff.files(PATCH) == [("kernels/i2s.py", 2, 1)]
    drawn = [line.plain for line in diff.lines(PATCH, UNICODE, 100)]
    assert "  31      −         lanes[:, lane] = (packed >> (2 * lane)) & 2" in drawn
    assert "       31 +         lanes[:, lane] = (packed >> (2 * lane)) & 3" in drawn


def test_lines_that_look_like_headers_inside_a_hunk_are_content() -> None:
    patch = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- a\n+++ b\n same\n"
    assert diff.files(patch) == [("x", 1, 1)]


@given(st.text())
def test_no_text_breaks_the_diff(raw: str) -> None:
    diff.lines(raw, UNICODE, 40)
    diff.lines(PATCH + raw, UNICODE, 40)


def test_the_end_of_a_long_line_is_shown_too() -> None:
    long = PATCH.replace("& 3", "& 3" + " " * 80 + "# the end")
    drawn = diff.lines(long, UNICODE, 40)
    assert any("# the end" in line.plain for line in drawn)
    assert all(line.cell_length <= 40 for line in drawn if "lanes" in line.plain or "end" in line.plain)


def test_ids_are_unique_and_every_binding_has_a_tooltip() -> None:
    ids = [k.id for k in keys.KEYS]
    assert len(set(ids)) == len(ids)
    assert all(k.tooltip for k in keys.KEYS)


@pytest.mark.parametrize("where", sorted({k.where for k in keys.KEYS}))
def test_one_key_means_one_thing_in_a_place(where: str) -> None:
    pressed = [each for k in keys.of(where) for each in k.keys.split(",")]
    assert len(set(pressed)) == len(pressed)


def test_what_is_not_built_is_not_offered() -> None:
    pressed = {each for k in keys.of("main") + keys.of("list") for each in k.keys.split(",")}
    assert not {"t"} & pressed


def test_the_key_line_fits_eighty_columns() -> None:
    line = help.key_line(View(), 80).plain
    assert line.endswith("q Quit")
    assert cell_len(line) <= 80


@pytest.mark.parametrize("theme", [ANSI, DARK, LIGHT])
def test_themes_bring_all_our_tokens(theme: object) -> None:
    assert set(TOKENS) <= set(theme.variables)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(BUILTIN_THEMES))
def test_a_theme_of_textual_gets_tokens_that_read_on_it(name: str) -> None:
    theme = BUILTIN_THEMES[name]
    given = tokens(theme)
    assert set(given) == set(TOKENS)
    if not theme.ansi:
        ground = theme.to_color_system().generate()["background"]
        assert contrast(given["muted"], ground) >= 3


def test_a_theme_that_there_is_not_is_named_with_the_nearest() -> None:
    assert no_theme("nrod", ["nord", "ansi"]) == "no theme 'nrod': did you mean 'nord'?"
    assert "lists them" in no_theme("xyzzy", ["nord"])


@pytest.mark.parametrize(
    ("environ", "encoding"), [({"LC_ALL": "C"}, "UTF-8"), ({"TERM": "linux"}, "UTF-8"), ({}, "ISO-8859-1")]
)
def test_a_terminal_that_may_know_no_arrow_gets_plain_signs(environ: dict[str, str], encoding: str) -> None:
    assert choose("auto", environ, encoding) is ASCII


@pytest.mark.parametrize("theme", [DARK, LIGHT])
@pytest.mark.parametrize("token", ["text-success", "text-error", "text-warning", "text-primary", "muted", "foreground"])
def test_contrast_is_at_least_that_of_wcag_aa(theme: object, token: str) -> None:
    variables = theme.to_color_system().generate() | theme.variables  # type: ignore[attr-defined]
    for ground in ("background", "bar"):
        assert contrast(variables[token], variables[ground]) >= 4.5


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2, from relative luminance."""
    lights = []
    for name in (one, other):
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in Color.parse(name).normalized]
        lights.append(0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05)
    return max(lights) / min(lights)


def test_output_counts_what_it_lost() -> None:
    output = Output(lines=3)
    output.add(["a", "b"], 0)
    output.add(["c", "d"], 5)
    assert output.lines() == ["b", "c", "d"]
    assert (output.total, output.dropped) == (9, 5)
