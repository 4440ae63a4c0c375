"""What a comment becomes: people's words stay, hops are added once, nobody is called, and it fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.github import comment
from engine.github.unwritten import Unwritten
from engine.model import Gate, GateStatus, Hop, Route, RouteKind
from engine.records import ledger
from engine.records.ledger import Decision, Ledger

END = Route(RouteKind.FINALIZE, "code-reviewer")
ONWARD = Route(RouteKind.NEXT, "self (attempt 2/3)")


def said(*texts: str, evidence: str = "pytest: 3/3 pass") -> Ledger:
    hops = tuple(Hop("impl-creator", text, END) for text in texts)
    gates = (Gate("tests", GateStatus.PASS, "", evidence), Gate("impl", GateStatus.PASS, "", "verified"))
    return Ledger(gates, (), hops, Decision("ready", "verified", END))


def hops(body: str) -> list[str]:
    return [h.text for h in ledger.parse(body).hops]


def test_the_first_comment_is_the_whole_ledger_and_a_line_of_ours() -> None:
    body = comment.merged("", said("one", "two"), "run-1")
    assert comment.is_ledger(body)
    assert comment.is_marked(body)
    assert hops(body) == ["one", "two"]
    assert comment.of_people(body) == ""


def test_writing_twice_changes_nothing_and_more_hops_are_added_once() -> None:
    once = comment.merged("", said("one"), "run-1")
    assert comment.merged(once, said("one"), "run-1") == once
    more = comment.merged(once, said("one", "two"), "run-1")
    assert hops(more) == ["one", "two"]
    assert comment.merged(more, said("one", "two"), "run-1") == more


def test_another_run_with_the_same_words_says_them_again() -> None:
    body = comment.merged(comment.merged("", said("one"), "run-1"), said("one"), "run-2")
    assert hops(body) == ["one", "one"]
    assert comment.merged(body, said("one"), "run-1") == body


@given(st.text(alphabet="a \r\n|<>-@é", max_size=40), st.text(alphabet="z \r\n`#\U0001f600", max_size=40))
def test_what_people_wrote_around_the_anchors_survives_byte_for_byte(before: str, after: str) -> None:
    mine = comment.merged("", said("one"), "run-1")
    body = comment.merged(before + "\n" + mine + after, said("two"), "run-2")
    assert body.startswith(before + "\n<!-- gates:start -->")
    assert body.endswith(" run-1:1 run-2:1 -->\n" + after)


def test_a_browser_that_turned_the_line_ends_breaks_nothing() -> None:
    edited = ("I looked at this.\n\n" + comment.merged("", said("one"), "run-1")).replace("\n", "\r\n")
    body = comment.merged(edited, said("two"), "run-2")
    assert hops(body) == ["one", "two"]
    assert body.startswith("I looked at this.\r\n\r\n<!-- gates:start -->\n")


def test_a_ledger_of_other_hands_gets_our_line_and_keeps_its_rows() -> None:
    other = ledger.render(Ledger((Gate("spec", GateStatus.PASS, "", "x"),), (), (Hop("spec-analyzer", "s", ONWARD),)))
    body = comment.merged(other, said("one"), "run-1")
    assert [g.name for g in ledger.parse(body).gates] == ["spec", "tests", "impl"]
    assert hops(body) == ["s", "one"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b.replace("### Hop log\n", ""),
        lambda b: b.replace("| tests | pass |", "| tests | great |"),
        lambda b: b + "\n<!-- gates:start -->\n<!-- gates:end -->\n",
    ],
)
def test_a_ledger_a_person_broke_is_left_alone_and_that_is_said(spoil: object) -> None:
    body = spoil(comment.merged("", said("one"), "run-1"))  # type: ignore[operator]
    with pytest.raises(Unwritten) as caught:
        comment.merged(body, said("two"), "run-2")
    assert caught.value.reason == "ledger-broken"


def test_what_does_not_fit_is_cut_from_our_evidence_and_never_from_the_anchors() -> None:
    long = said(*("hop " * 9000 for _ in range(3)), evidence="e" * 60_000)
    people = "p" * 30_000
    body = comment.merged(people + "\n\n" + comment.merged("", said("one"), "run-1"), long, "run-2")
    assert len(body) <= comment.LIMIT
    assert body.startswith(people)
    assert len(hops(body)) == 4
    assert hops(body)[0] == "one"
    with pytest.raises(Unwritten) as caught:
        comment.merged("p" * 65_000, said("one"), "run-1")
    assert caught.value.reason == "comment-full"


def test_two_ledgers_become_one() -> None:
    older = "mine\n" + comment.merged("", said("one"), "run-1")
    younger = comment.merged("", said("two"), "run-2")
    both = comment.absorbed(older, younger)
    assert hops(both) == ["one", "two"]
    assert both.startswith("mine\n")
    assert comment.absorbed(both, younger) == both
    assert comment.merged(both, said("two"), "run-2") == both


def test_only_so_many_runs_are_remembered() -> None:
    body = ""
    for n in range(comment.RUNS + 5):
        body = comment.merged(body, said(f"h{n}"), f"run-{n}")
    assert len(hops(body)) == comment.RUNS + 5
    assert f"run-{comment.RUNS + 4}:1" in body
    assert "run-3:1" not in body


def test_text_from_elsewhere_calls_nobody() -> None:
    loud = "test_\udcff[@torvalds] like #1 in octo/calc#22 and gh-3; mail a@b.org stays"
    body = comment.merged("", said(loud, evidence=loud), "run-1")
    for call in ("@torvalds", "#1", "#22", "gh-3"):
        assert call not in body
    assert "a@b.org" in body


@pytest.mark.parametrize("loud", ["_@octocat_", "__@octocat__", "_GH-12_", "*@octocat*", "(@octocat)", "x #3"])
def test_marks_of_markdown_around_a_name_make_no_call_of_it(loud: str) -> None:
    silent = comment.quiet(loud)
    assert silent != loud
    assert silent.replace("\u200b", "") == loud
    assert comment.quiet(silent) == silent


def test_text_from_elsewhere_cannot_end_a_section_or_forge_our_line() -> None:
    evil = "x <!-- gates:end --> <!-- bitnet-tui:ledger run-9:9 --> | `"
    body = comment.merged("", said(evil, evidence=evil), "run-1")
    assert comment.merged(body, said(evil, evidence=evil), "run-1") == body
    assert "run-9:9 -->" not in body
    assert comment.of_people(body) == ""


def test_a_links_name_from_elsewhere_is_no_link() -> None:
    body = comment.merged("", said("[click](http://evil.example) ![x](http://evil.example/y)"), "run-1")
    assert "](" not in body
