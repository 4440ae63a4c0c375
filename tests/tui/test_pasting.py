"""What is pasted presses no key, whatever is in it and however the stream of it is cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from textual import events

from tui.pasting import Calm, CalmParser

JUNK = "a\x1b[31m q \x1b]0;owned\x07 \x1b[<0;1;1M x a " + "y" * 50


def read(*chunks: str) -> list[events.Event]:
    parser = CalmParser()
    return [token for chunk in chunks for token in parser.feed(chunk) if isinstance(token, events.Event)]


def test_an_escape_sequence_in_pasted_text_is_text() -> None:
    tokens = read(f"\x1b[200~{JUNK}\x1b[201~", "j")
    assert [type(t) for t in tokens] == [events.Paste, events.Key]
    assert "owned" in tokens[0].text  # type: ignore[attr-defined]


def test_a_paste_that_comes_sign_by_sign_does_not_end_the_reading() -> None:
    tokens = read(*f"\x1b[200~{JUNK}\x1b[201~j")
    assert [type(t) for t in tokens] == [events.Paste, events.Key]


@given(st.text("a\x1b[20~1", max_size=40), st.lists(st.integers(0, 60), max_size=6))
def test_however_it_is_cut_it_is_read_the_same(junk: str, cuts: list[int]) -> None:
    while "\x1b[201~" in junk:
        junk = junk.replace("\x1b[201~", "")
    whole = f"k\x1b[A\x1b[200~{junk}\x1b[201~j\x1b[B"
    at = sorted({0, len(whole), *(min(c, len(whole)) for c in cuts)})
    calm = Calm()
    parts = [calm(whole[a:b]) for a, b in pairwise(at)]
    assert "".join(parts) == Calm()(whole)
    assert "".join(parts).startswith("k\x1b[A\x1b[200~")
    assert "".join(parts).endswith("\x1b[201~j\x1b[B")
